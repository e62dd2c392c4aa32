// SPDX-License-Identifier: Apache-2.0
// Memory that runs out, at any allocation of any function, is an Error; so is a tensor that no machine has memory for.
#include <functional>

#include "compile/explain.h"
#include "compile/program.h"
#include "io/firmware_plan.h"
#include "io/image.h"
#include "numeric_suite/compare.h"
#include "numeric_suite/diagnose.h"
#include "numeric_suite/eager.h"
#include "numeric_suite/report.h"
#include "quant/correct_bias.h"
#include "quant/data_free.h"
#include "quant/equalize.h"
#include "quant/quantize.h"
#include "tests/catch.h"
#include "tests/compile/allocations.h"

using namespace octet;
using Catch::Matchers::Contains;

namespace {

Model network() {
  Model m;
  m.add("x", Input{{1, 5, 5, 2}});
  m.add("conv", Conv2d{.in = 2, .out = 4});
  m.add("bn", BatchNorm{4});
  m.add("next", Conv2d{.in = 4, .out = 4, .kernel = {1, 1}});
  m.add("flat", Reshape{{0, -1}});
  m.add("head", Linear{36, 3});
  Generator g(1);
  initialize(m, g);
  return m;
}

}  // namespace

TEST_CASE("every function says in an Error that memory ran out, whichever allocation fails") {
  Generator g(2);
  const Tensor x = randn(g, {2, 5, 5, 2});
  const Model m = network();
  Model p = prepare(fuse(m, Aim::inference), {{"", octet_qconfig()}});
  calibrate(p, {&x, 1});
  const Model int8 = convert(p);
  REQUIRE(summarize(int8).int8_kernels >= 2);
  // Arguments are made here, so that what fails below is the functions' own.
  Model trained = m, calibrated = p;
  const Batches data(std::span<const Tensor>(&x, 1));
  const std::vector<Shape> shapes{x.shape()};
  const QConfigMap map{{"", octet_qconfig()}};
  const FirmwarePlan plan = plan_firmware(int8);
  const ForwardOptions forward_options;
  const CompareOptions compare_options;
  const ReportOptions report_options;
  const DiagnoseOptions diagnose_options;
  const DataFreeOptions data_free_options;
  const auto bound = Program::bind(int8);
  Session session(bound, shapes, 1);
  const std::vector<std::string_view> stubs{"conv2d", "linear"};
  const CorrectBiasOptions correct_options;
  const EqualizeOptions equalize_options;
  const FirmwareOptions firmware_options;
  const QEngineMap engines;
  const Progress progress;
  const std::pair<const char*, std::function<void()>> functions[] = {
      {"infer",
       [&] {
         infer(int8, {&x, 1});
       }},
      {"forward",
       [&] {
         forward(trained, {&x, 1}, Mode::train, forward_options);
       }},
      {"infer_shapes", [&] { infer_shapes(m, shapes); }},
      {"fuse", [&] { static_cast<void>(fuse(m, Aim::inference)); }},
      {"prepare", [&] { static_cast<void>(prepare(m, map)); }},
      {"calibrate", [&] { calibrate(calibrated, data, progress); }},
      {"convert", [&] { static_cast<void>(convert(p)); }},
      {"bind", [&] { Program::bind(int8, QEngine::automatic, engines); }},
      {"compare", [&] { compare(m, int8, data, compare_options); }},
      {"diagnose", [&] { diagnose(m, int8, data, diagnose_options); }},
      {"report", [&] { make_report(m, int8, data, report_options); }},
      {"correct_bias", [&] { static_cast<void>(correct_bias(m, int8, data, correct_options)); }},
      {"data_free", [&] { static_cast<void>(data_free(m, data_free_options)); }},
      {"equalize", [&] { static_cast<void>(equalize(m, equalize_options)); }},
      {"plan_firmware", [&] { plan_firmware(int8, firmware_options); }},
      {"image_bytes", [&] { static_cast<void>(image_bytes(plan)); }},
      {"run_batched", [&] { run_batched(bound, x, 1); }},
      {"Session::time",
       [&] {
         session.time({&x, 1}, 2);
       }},
      {"explain", [&] { explain(bound, {}, 2); }},
      {"compare_model_outputs", [&] { compare_model_outputs(m, int8, data); }},
      {"compare_model_stub", [&] { compare_model_stub(m, int8, stubs, data); }}};
  // Not save_model and load_model: the JSON library's values allocate while they are destroyed.
  for (const auto& [name, function] : functions) {
    function();  // what is kept from a first call is there now
    int refused = 0, escaped = 0;
    bool through = false;
    for (int64_t n = 1; !through && n < 100'000; ++n) {
      allocations::fail_after(n);
      try {
        function();
        through = true;
      } catch (const Error&) {
        ++refused;
      } catch (const std::bad_alloc&) {
        ++escaped;
      }
      allocations::fail_after(0);
    }
    CAPTURE(name);
    CHECK(through);
    CHECK(refused > 3);
    CHECK(escaped == 0);
  }
}

TEST_CASE("automatic chooses an engine without copying the weights") {
  using namespace octet::kernels;
  LinearArgs a{};
  a.rows = 1, a.in = 1024, a.out = 1024, a.output = {0.01f, 0, 0, 255};
  const auto fresh = [&] {  // engines keep what they packed with the weights
    auto blobs = std::make_shared<Blobs>();
    blobs->weight = std::vector<int8_t>(static_cast<size_t>(a.in * a.out), 1),
    blobs->scale.assign(static_cast<size_t>(a.out), 0.5f);
    return blobs;
  };
  const auto bytes_of = [&](QEngine engine) {
    const auto blobs = fresh();
    const int64_t before = allocations::bytes();
    const Made made = make(a, blobs, engine);
    REQUIRE((engine != QEngine::automatic || made.kernel != nullptr));
    return std::pair{allocations::bytes() - before, made.kernel == nullptr ? QEngine::automatic : *made.kernel->engine()};
  };
  bytes_of(QEngine::automatic);  // what a library keeps from its first use is there now
  const auto [chosen, engine] = bytes_of(QEngine::automatic);
  CAPTURE(to_string(engine));
  CHECK(chosen < bytes_of(engine).first + 1'000'000);  // the weights are 1,048,576 bytes
}

TEST_CASE("a tensor that no machine has memory for is refused with its bytes and its module") {
  CHECK_THROWS_WITH(Tensor({int64_t{1} << 50}, DType::f32),
                    Contains("4503599627370496 bytes for a tensor of f32 [1125899906842624]"));
  CHECK_THROWS_WITH(Tensor({int64_t{1} << 31, int64_t{1} << 31, 4}, DType::f32), Contains("too many elements"));
  CHECK_THROWS_WITH(Tensor({-1}, DType::f32), Contains("negative dimension"));
  CHECK_THROWS_WITH(Tensor({2, 3}, DType::f32).size(2), Contains("axis 2 of a tensor of shape [2, 3]"));
  Model m;
  m.add("x", Input{{1, 1}});
  m.add("wide", Linear{1, 1 << 30, false});
  m["wide"].params["weight"] = Tensor({1 << 30, 1}, DType::f32);
  const Tensor x = Tensor::zeros({1 << 12, 1});
  CHECK_THROWS_WITH(infer(m, {&x, 1}), Contains("wide: out of memory: 17592186044416 bytes"));
}
