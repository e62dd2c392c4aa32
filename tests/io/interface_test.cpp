// SPDX-License-Identifier: Apache-2.0
// Names and preprocessing in model files: they come back, follow a model through quantization, and files without them are as
// before.
#include "engine/interface.h"

#include <cmath>

#include "io/model_file.h"
#include "io/safetensors.h"
#include "quant/quantize.h"
#include "tests/catch.h"
#include "tests/io/temp_dir.h"

using namespace octet;
using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;

namespace {

Model picture_network() {
  Model m;
  m.add("image", Input{{1, 4, 4, 3}});
  m.add("conv", Conv2d{.in = 3, .out = 2});
  m.add("relu", Unary{UnaryFn::relu});
  Generator random(1);
  initialize(m, random);
  return m;
}

Interface full_interface() {
  return {.inputs = {{.name = "serving_default_x:0",
                      .preprocessing = Preprocessing{.mean = {0.485F, 0.456F, 0.406F},
                                                     .std = {0.229F},
                                                     .resize = Resize::crop,
                                                     .shorter = 256,
                                                     .layout = Layout::nchw}}},
          .outputs = {"probabilities"}};
}

}  // namespace

TEST_CASE("a model's interface is read back as it was written", "[io]") {
  Model m = picture_network();
  m.interface = full_interface();
  CHECK(parse_model(model_bytes(m, "m"), "m").model.interface == full_interface());
  m.interface.inputs[0].preprocessing.reset();
  CHECK_FALSE(parse_model(model_bytes(m, "m"), "m").model.interface.inputs[0].preprocessing.has_value());
}

TEST_CASE("a file of a model without an interface has no word of it", "[io]") {
  const Model m = picture_network();
  const std::string graph = parse_safetensors(model_bytes(m, "m"), "m").metadata.at("octet.model");
  CHECK(graph.find("interface") == std::string::npos);
  CHECK(parse_model(model_bytes(m, "m"), "m").model.interface.empty());
}

TEST_CASE("fusing, preparing and converting keep the interface", "[io]") {
  Model m = picture_network();
  m.interface = full_interface();
  Model prepared = prepare(fuse(m, Aim::inference), {{"", octet_qconfig()}});
  const Tensor x = Tensor::full({1, 4, 4, 3}, 0.5);
  calibrate(prepared, {&x, 1});
  CHECK(convert(prepared).interface == full_interface());
}

TEST_CASE("an interface that does not fit its model is neither written nor read", "[io]") {
  const auto refused = [](const std::function<void(Model&)>& spoil) {
    Model m = picture_network();
    m.interface = full_interface();
    spoil(m);
    return error_of([&] { static_cast<void>(model_bytes(m, "m.octet")); });
  };
  const auto at = [](Model& m) -> Preprocessing& { return *m.interface.inputs[0].preprocessing; };
  CHECK_THAT(refused([](Model& m) { m.interface.inputs.emplace_back(); }), Contains("names 2 inputs, the model has 1"));
  CHECK_THAT(refused([](Model& m) { m.interface.outputs.emplace_back(); }), Contains("names 2 outputs, the model has 1"));
  CHECK_THAT(refused([&](Model& m) { at(m).mean = {1, 2}; }), Contains("mean has 2 values, the input has 3 channels"));
  CHECK_THAT(refused([&](Model& m) { at(m).mean = {NAN}; }), Contains("mean is not finite"));
  CHECK_THAT(refused([&](Model& m) { at(m).std = {0}; }), Contains("not positive"));
  CHECK_THAT(refused([&](Model& m) { at(m).shorter = -1; }), Contains("shorter side"));

  Model m = picture_network();
  m.interface = full_interface();
  SafeTensors file = parse_safetensors(model_bytes(m, "m"), "m");
  const auto damaged = [&](const std::string& from, const std::string& to) {
    SafeTensors copy = file;
    std::string& graph = copy.metadata.at("octet.model");
    const size_t place = graph.find(from);
    REQUIRE(place != std::string::npos);
    graph.replace(place, from.size(), to);
    return error_of([&] { parse_model(safetensors_bytes(copy, "m"), "m.octet"); });
  };
  CHECK_THAT(damaged("\"crop\"", "\"tear\""), StartsWith("m.octet") && Contains("unknown value 'tear'"));
  CHECK_THAT(damaged("\"nchw\"", "7"), StartsWith("m.octet") && Contains("layout"));
  CHECK_THAT(damaged("\"shorter\":256", "\"shorter\":-256"), StartsWith("m.octet") && Contains("shorter"));
  CHECK_THAT(damaged("\"shorter\"", "\"taller\""), Contains("unknown key 'taller'"));
  CHECK_THAT(damaged("[\"probabilities\"]", "[\"a\",\"b\"]"), Contains("names 2 outputs"));
}
