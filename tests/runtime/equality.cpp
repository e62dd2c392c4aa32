// SPDX-License-Identifier: Apache-2.0
// The C runtime gives the bytes a Session gives: every operator, every device rounding, u8 and i8, layer by layer.
#include <algorithm>

#include "compile/program.h"
#include "tests/catch.h"
#include "tests/runtime/device.h"
#include "tests/runtime/networks.h"
#include "tests/runtime/random_networks.h"

using namespace octet;
using namespace octet::device;

namespace {

bool same(const Tensor& expected, const std::vector<std::byte>& got) {
  return expected.bytes() == got.size() && std::memcmp(expected.raw(), got.data(), got.size()) == 0;
}

/// Runs every sample both ways; the number of layers compared.
size_t compare(const Example& e, const FirmwareOptions& options = {}) {
  const FirmwarePlan plan = plan_firmware(e.int8, options);
  const Device device(image_bytes(plan));
  REQUIRE(device.status() == OCTET_OK);
  CHECK(octet_arena_size(device.model()) == static_cast<size_t>(plan.arena_bytes));
  Session session(Program::bind(e.int8, QEngine::reference), {e.samples[0].shape()});
  size_t layers = 0;
  for (const Tensor& sample : e.samples) {
    const Outcome got = device.run({&sample, 1});
    REQUIRE(got.status == OCTET_OK);
    const auto expected = session.run({&sample, 1});
    REQUIRE(got.outputs.size() == expected.size());
    for (size_t i = 0; i < expected.size(); ++i) CHECK(same(expected[i], got.outputs[i]));
    const auto sums = host_checksums(e.int8, {&sample, 1});
    for (const Layer& layer : got.layers) {
      INFO(e.name << ": " << layer.name);
      CHECK(sums.at(layer.name) == layer.checksum);
      ++layers;
    }
    CHECK(device.run({&sample, 1}, std::byte{0}).layers == got.layers);  // nothing depends on what the arena held
  }
  return layers;
}

constexpr Rounding kDeviceRoundings[] = {Rounding::real, Rounding::fixed_double, Rounding::fixed_single};

}  // namespace

TEST_CASE("a network of every operator gives a session's bytes in every device rounding, u8 and i8") {
  for (const Rounding rounding : kDeviceRoundings)
    for (const bool i8 : {false, true}) {
      CAPTURE(to_string(rounding), i8);
      const Example e = quantized("every_op", every_op(), rounding, i8, 4);
      const FirmwarePlan plan = plan_firmware(e.int8);
      CHECK(compare(e) >= 4 * 13);
      const auto ops = operators(plan);
      for (const char* name : {"max_pool2d", "clamp", "transpose"}) CHECK(std::ranges::count(ops, name) == 1);
      for (const char* name : {"conv2d_", "linear_", "add_", "requantize_", "average_pool2d_"})
        CHECK(std::ranges::count(ops, name + std::string(to_string(rounding))) == 1);
    }
}

TEST_CASE("functions that are looked up give a session's bytes on every target") {
  for (const Rounding rounding : kDeviceRoundings)
    for (const bool i8 : {false, true})
      for (const FirmwareTarget target : {FirmwareTarget::portable, FirmwareTarget::cortex_m4, FirmwareTarget::cortex_m55}) {
        CAPTURE(to_string(rounding), i8);
        const Example e = quantized("functions", functions(), rounding, i8, 4);
        const FirmwareOptions options{.target = target};
        CHECK(std::ranges::count(operators(plan_firmware(e.int8, options)), "lookup") == 1);
        CHECK(compare(e, options) >= 4 * 6);
      }
}

TEST_CASE("what moves, joins and sums values gives a session's bytes on every target") {
  const auto fill = [](Model& m) {
    Generator g(3);
    m["own"].params["value"] = randn(g, {1, 1, 3, 8});
  };
  for (const Rounding rounding : kDeviceRoundings)
    for (const bool i8 : {false, true})
      for (const FirmwareTarget target : {FirmwareTarget::portable, FirmwareTarget::cortex_m4, FirmwareTarget::cortex_m55}) {
        CAPTURE(to_string(rounding), i8);
        const Example e = quantized("arrangements", arrangements(), rounding, i8, 4, fill);
        const FirmwareOptions options{.target = target};
        const auto ops = operators(plan_firmware(e.int8, options));
        CHECK(std::ranges::count(ops, "constant") == 1);
        for (const char* name : {"matmul_", "resize_", "softmax_", "reduce_"})
          CHECK(std::ranges::count(ops, name + std::string(to_string(rounding))) == 1);
        CHECK(compare(e, options) >= 4 * 10);
      }
}

TEST_CASE("whole networks with residual blocks give a session's bytes in every device rounding") {
  for (const Rounding rounding : kDeviceRoundings) {
    CAPTURE(to_string(rounding));
    CHECK(compare(quantized("resnet8", resnet8(), rounding, true, 1)) > 8);
    CHECK(compare(quantized("demo", demo(), rounding, false, 2)) > 16);
    CHECK(compare(quantized("tiny", tiny_separable(), rounding, true, 3)) > 6);
  }
}

/// Residuals that fuse joins: on another value, on the picture itself, of odd channels.
Model with_sums() {
  Model m;
  const int x = m.add("x", Input{{1, 9, 7, 6}});
  const int a = m.add("a", Conv2d{.in = 6, .out = 6, .padding = pad_all(1)}, {x});
  const int b = m.add("b", Conv2d{.in = 6, .out = 6, .kernel = {1, 1}}, {a});
  const int sum = m.add("sum", Binary{}, {b, x});
  m.add("relu", Unary{UnaryFn::relu}, {sum});
  m.add("c", Conv2d{.in = 6, .out = 6, .padding = pad_all(1)});
  const int d = m.add("d", Conv2d{.in = 6, .out = 6, .padding = pad_all(1)});
  m.add("sum2", Binary{}, {m.index("relu"), d});
  m.add("head", Conv2d{.in = 6, .out = 3, .kernel = {1, 1}});
  return m;
}

TEST_CASE("packed weights give the same bytes: the Cortex-M kernels with their instructions emulated") {
  for (const auto& [target, family] : {std::pair{FirmwareTarget::cortex_m4, "m4_"}, {FirmwareTarget::cortex_m55, "m55_"}})
    for (const Rounding rounding : kDeviceRoundings) {
      CAPTURE(family, to_string(rounding));
      const Example e = quantized("demo", demo(), rounding, true, 2);
      const FirmwareOptions options{.target = target};
      const auto ops = operators(plan_firmware(e.int8, options));
      for (const char* kind : {"conv2d_", "depthwise_", "linear_"})
        CHECK(std::ranges::count(ops, std::string(family) + kind + std::string(to_string(rounding))) == 1);
      CHECK(compare(e, options) > 16);
      CHECK(compare(quantized("every_op", every_op(), rounding, true, 2), options) > 16);
      const Example sums = quantized("sums", with_sums(), rounding, true, 2);
      const auto packed = operators(plan_firmware(sums.int8, options));
      CHECK(std::ranges::count(packed, std::string(family) + "conv2d_sums_" + std::string(to_string(rounding))) == 1);
      CHECK(compare(sums, options) > 4);
    }
}

TEST_CASE("an image packed for one family is refused by name where only another kernel was given") {
  const Example e = quantized("tiny", tiny_separable(), Rounding::real, true, 1);
  const Bytes image = image_bytes(plan_firmware(e.int8, {.target = FirmwareTarget::cortex_m4}));
  const auto open_with = [&](std::vector<const octet_op*> ops) { return Device(image, std::move(ops)).status(); };
  CHECK(open_with({&octet_op_conv2d_real, &octet_op_linear_real, &octet_op_average_pool2d_real}) == OCTET_ERROR_KERNEL);
  CHECK(open_with({&octet_op_m55_conv2d_real, &octet_op_m55_depthwise_real, &octet_op_m55_linear_real,
                   &octet_op_average_pool2d_real}) == OCTET_ERROR_OPERATOR);
  CHECK(open_with({&octet_op_m4_conv2d_real, &octet_op_m4_depthwise_real, &octet_op_m4_linear_real,
                   &octet_op_average_pool2d_real}) == OCTET_OK);
}

TEST_CASE("the roundings of one network differ, so that their equality with the host says something") {
  std::vector<std::vector<Layer>> layers;
  for (const Rounding rounding : kDeviceRoundings) {
    const Example e = quantized("demo", demo(), rounding, true, 1);
    layers.push_back(Device(image_bytes(plan_firmware(e.int8))).run({&e.samples[0], 1}).layers);
  }
  CHECK(layers[0] != layers[1]);
  CHECK(layers[1] != layers[2]);
}

TEST_CASE("a device may quantize its input and dequantize its output itself") {
  for (const Rounding rounding : kDeviceRoundings) {
    const Example e = quantized("tiny", tiny_separable(), rounding, true, 1);
    const FirmwarePlan plan = plan_firmware(e.int8, {.float_inputs = true, .float_outputs = true});
    const Device device(image_bytes(plan));
    REQUIRE(device.status() == OCTET_OK);
    Generator random(11);
    const Tensor x = randn(random, {1, 8, 8, 3});
    const Outcome got = device.run({&x, 1});
    REQUIRE(got.status == OCTET_OK);
    CHECK(same(dequantize(infer(e.int8, {&x, 1})[0]), got.outputs[0]));
    octet_tensor info{};
    REQUIRE(octet_input_info(device.model(), 0, &info) == OCTET_OK);
    CHECK(info.type == OCTET_F32);
    CHECK(info.bytes == 8 * 8 * 3 * 4);
  }
}

TEST_CASE("a module that is an output twice is dequantized twice from the same codes") {
  Model net = tiny_separable();
  const Wire last = net.output_wires()[0];
  net.outputs = {last, {last.module - 1, 0}, last};
  const Example e = quantized("twice", net, Rounding::fixed_single, true, 1);
  const Device device(image_bytes(plan_firmware(e.int8, {.float_inputs = true, .float_outputs = true})));
  REQUIRE(device.status() == OCTET_OK);
  Generator random(12);
  const Tensor x = randn(random, {1, 8, 8, 3});
  const Outcome got = device.run({&x, 1});
  const std::vector<Tensor> expected = infer(e.int8, {&x, 1});
  REQUIRE(got.outputs.size() == 3);
  for (size_t i = 0; i < 3; ++i) CHECK(same(dequantize(expected[i]), got.outputs[i]));
}

TEST_CASE("a convolution that adds its own input, or adds it to itself, reads it until the end") {
  for (const Rounding rounding : kDeviceRoundings)
    for (const FirmwareTarget target : {FirmwareTarget::portable, FirmwareTarget::cortex_m4}) {
      Model m;
      m.rounding = rounding;
      m.add("x", Input{{1, 6, 6, 4}});
      const int a = m.add("a", Conv2d{.in = 4, .out = 4, .padding = pad_all(1)});
      const int b = m.add("b", Conv2d{.in = 4, .out = 4, .padding = pad_all(1)});
      m.add("sum", Binary{}, {b, a});
      m.add("twice", Binary{}, {3, 3});
      const Example e = quantized("own", m, rounding, true, 1);
      const Device device(image_bytes(plan_firmware(e.int8, {.target = target})));
      REQUIRE(device.status() == OCTET_OK);
      const Outcome got = device.run({&e.samples[0], 1});
      CHECK(same(infer(e.int8, {&e.samples[0], 1})[0], got.outputs[0]));
    }
}

TEST_CASE("what is no printable ASCII in a name comes as question marks, and the image opens") {
  Model m = tiny_separable();
  m.modules[1].path = "f\xc3\xa4ltung\x7f\n";
  const Example e = quantized("names", m, Rounding::real, true, 1);
  const Device device(image_bytes(plan_firmware(e.int8)));
  REQUIRE(device.status() == OCTET_OK);
  const Outcome got = device.run({&e.samples[0], 1});
  REQUIRE(!got.layers.empty());
  CHECK(got.layers[0].name == "f??ltung??");
}

TEST_CASE("an image describes its inputs and outputs") {
  const Example e = quantized("every_op", every_op(), Rounding::fixed_double, true, 1);
  const Device device(image_bytes(plan_firmware(e.int8)));
  REQUIRE(octet_input_count(device.model()) == 1);
  REQUIRE(octet_output_count(device.model()) == 2);
  octet_tensor info{};
  REQUIRE(octet_input_info(device.model(), 0, &info) == OCTET_OK);
  const QParams& q = *e.int8["x"].out_q[0];
  CHECK(std::string(info.name, info.name_bytes) == "x");
  CHECK(info.type == OCTET_I8);
  CHECK(info.scale == q.scale[0]);
  CHECK(info.zero_point == q.zero_point[0]);
  CHECK(info.rank == 4);
  CHECK(std::vector<int32_t>(info.shape, info.shape + 6) == std::vector<int32_t>{1, 9, 7, 3, 0, 0});
  REQUIRE(octet_output_info(device.model(), 1, &info) == OCTET_OK);
  CHECK(std::string(info.name, info.name_bytes) == "again");
  CHECK(octet_output_info(device.model(), 2, &info) == OCTET_ERROR_INDEX);
  CHECK(octet_output(device.model(), &info, 2) == nullptr);
}

TEST_CASE("dead channels leave their layers to the packed kernels") {
  for (const Rounding rounding : {Rounding::real, Rounding::fixed_double, Rounding::fixed_single})
    for (const FirmwareTarget target : {FirmwareTarget::cortex_m4, FirmwareTarget::cortex_m55}) {
      CAPTURE(to_string(rounding), static_cast<int>(target));
      const Example e = quantized("pruned", tiny_separable(), rounding, true, 2, prune_some);
      const FirmwarePlan plan = plan_firmware(e.int8, {.target = target});
      int packed = 0;
      for (const FirmwareStep& step : plan.steps)
        if (std::holds_alternative<kernels::Conv2dArgs>(step.args)) {
          INFO(step.path << ": " << step.why_not);
          CHECK_FALSE(step.packed.empty());
          ++packed;
        }
      CHECK(packed == 5);
      for (const Tensor& sample : e.samples) CHECK(difference({e.int8, sample}, plan) == "");
    }
}
