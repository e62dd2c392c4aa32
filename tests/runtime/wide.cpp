// SPDX-License-Identifier: Apache-2.0
// Networks of 16-bit activations give the same bytes everywhere: evaluation by reference kernels, programs on the native engine,
// the firmware runtime layer by layer; alone and mixed with 8-bit modules. What an image of them may not say is refused.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <set>

#include "compile/program.h"
#include "quant/quantize.h"
#include "runtime/image.h"
#include "tests/catch.h"
#include "tests/runtime/device.h"
#include "tests/runtime/networks.h"
#include "tests/runtime/random_networks.h"

using namespace octet;
using namespace octet::device;

namespace {

bool same(const Tensor& a, const Tensor& b) { return a.bytes() == b.bytes() && std::memcmp(a.raw(), b.raw(), a.bytes()) == 0; }

size_t wide_modules(const Model& m) {
  return static_cast<size_t>(std::ranges::count_if(m.modules, [](const Module& module) {
    return !module.out_q.empty() && module.out_q[0] && code_dtype(*module.out_q[0]) == DType::i16;
  }));
}

constexpr Rounding kFixed[] = {Rounding::fixed_double, Rounding::fixed_single};

/// Every layer of every sample on the device, and the outputs of both engines; layers compared.
size_t compare(const Example& e, FirmwareTarget target) {
  const FirmwarePlan plan = plan_firmware(e.int8, {.target = target});
  size_t layers = 0;
  for (const Tensor& sample : e.samples) {
    CHECK(difference({e.int8, sample}, plan) == "");
    layers += plan.steps.size();
    const auto expected = infer(e.int8, {&sample, 1});
    for (const QEngine engine : {QEngine::reference, QEngine::native, QEngine::automatic}) {
      Session session(Program::bind(e.int8, engine), {sample.shape()});
      const auto got = session.run({&sample, 1});
      REQUIRE(got.size() == expected.size());
      for (size_t i = 0; i < got.size(); ++i) CHECK(same(got[i], expected[i]));
    }
  }
  return layers;
}

}  // namespace

TEST_CASE("networks of every operator at 16 bits give the host's bytes on every engine and target") {
  const auto fill = [](Model& m) {
    Generator g(3);
    m["own"].params["value"] = randn(g, {1, 1, 3, 8});
  };
  std::set<std::string> seen;
  for (const Rounding rounding : kFixed)
    for (const FirmwareTarget target : {FirmwareTarget::portable, FirmwareTarget::cortex_m4, FirmwareTarget::cortex_m55}) {
      CAPTURE(to_string(rounding));
      for (const Example& e : {wide("every_op", every_op(), rounding, 3), wide("functions", functions(), rounding, 3),
                               wide("arrangements", arrangements(), rounding, 3, fill), wide("resnet8", resnet8(), rounding, 3)}) {
        REQUIRE(wide_modules(e.int8) == e.int8.modules.size());
        CHECK(compare(e, target) > 20);
        for (const FirmwareStep& step : plan_firmware(e.int8, {.target = target}).steps) {
          seen.insert(device_op(step.args).name);
          CHECK(step.packed.empty());
        }
      }
    }
  for (const char* name :
       {"conv2d_16", "linear_16", "matmul_16", "add_16", "binary_16", "reduce_16", "requantize_16", "max_pool2d_16",
        "average_pool2d_16", "clamp_16", "activation", "lookup_16", "softmax_16", "resize_16", "transpose", "gather", "constant"}) {
    CAPTURE(name);
    if (std::string(name) == "requantize_16" || std::string(name) == "average_pool2d_16") continue;  // random networks below
    CHECK(seen.contains(name));
  }
  for (const std::string& name : seen)
    CHECK((name.ends_with("_16") || name == "activation" || name == "transpose" || name == "gather" || name == "constant" ||
           name == "requantize"));
}

TEST_CASE("random networks of 16 bits, some modules at 8, give the host's bytes layer by layer and on the native engine") {
  int networks = 0, refused = 0, mixed = 0, crossings = 0;
  std::map<std::string, int> operators_seen;
  for (uint64_t seed = 1; networks < 200 && seed < 400; ++seed) {
    const RandomNetwork network = wide_network(seed);
    const size_t wide = wide_modules(network.int8);
    if (wide == 0) continue;
    FirmwarePlan plan;
    try {
      plan = plan_firmware(network.int8, {.search_nodes = 2000});
    } catch (const Error&) {
      ++refused;
      continue;
    }
    ++networks;
    mixed += wide < network.int8.modules.size() ? 1 : 0;
    for (const FirmwareStep& step : plan.steps) ++operators_seen[device_op(step.args).name];
    CAPTURE(seed);
    CHECK(difference(network, plan) == "");
    Generator g(seed);
    CHECK(difference(network, placed_anew(plan, g)) == "");
    const auto expected = infer(network.int8, {&network.input, 1});
    Session session(Program::bind(network.int8, QEngine::native), {network.input.shape()});
    const auto got = session.run({&network.input, 1});
    for (size_t i = 0; i < got.size(); ++i) CHECK(same(got[i], expected[i]));
    for (const Module& module : network.int8.modules) crossings += module.path.find(".quant") != std::string::npos ? 1 : 0;
  }
  std::printf("16-bit networks: %d compared, %d of them mixed, %d crossings, %d refused by name\n", networks, mixed, crossings,
              refused);
  CHECK(networks == 200);
  CHECK(mixed > 40);
  CHECK(crossings > 40);
  CHECK(refused < 10);
  for (const char* name : {"conv2d_16", "linear_16", "add_16", "binary_16", "requantize_16", "max_pool2d_16", "average_pool2d_16",
                           "clamp_16", "lookup_16", "activation", "reduce_16", "softmax_16", "conv2d", "linear"}) {
    CAPTURE(name);
    CHECK(operators_seen[name] > 0);
  }
}

namespace {

/// What rounding a layer's bias to its own units leaves, in codes of its output.
double bias_error(const Model& m, const Module& module) {
  const Params& params = m.owner(module).params;
  const auto weight = params.find("weight");
  if (weight == params.end() || !params.contains("bias")) return 0;
  const QParams& x = *m.modules[static_cast<size_t>(module.inputs[0].module)].out_q[0];
  const float widest = std::ranges::max(weight->second.qparams()->scale);
  return 0.5 * static_cast<double>(x.scale[0]) * static_cast<double>(widest) / static_cast<double>(module.out_q[0]->scale[0]);
}

}  // namespace

TEST_CASE("every module of random 16-bit networks gives its float value rounded, whatever engine shares its lowering") {
  std::map<std::string, double> worst;
  size_t compared = 0, limited = 0;
  for (uint64_t seed = 1; seed < 150; ++seed) {
    const RandomNetwork network = wide_network(seed);
    const Model& m = network.int8;
    Model floats = m;
    for (Module& module : floats.modules) {
      module.out_q.clear();
      for (auto& [name, tensor] : module.params) tensor = dequantize(tensor);
    }
    std::vector<std::vector<Tensor>> outputs;
    infer(m, {&network.input, 1}, [&](int, std::span<const Tensor> out) { outputs.emplace_back(out.begin(), out.end()); });
    for (size_t i = 1; i < m.modules.size(); ++i) {
      const Module& module = m.modules[i];
      if (code_dtype(*module.out_q[0]) != DType::i16) continue;
      std::vector<Tensor> inputs;
      for (const Wire& w : module.inputs)
        inputs.push_back(dequantize(outputs[static_cast<size_t>(w.module)][static_cast<size_t>(w.port)]));
      const std::vector<Tensor> expected = infer_module(floats, static_cast<int>(i), inputs);
      const QParams& q = *module.out_q[0];
      for (size_t port = 0; port < expected.size(); ++port) {
        const auto codes = outputs[i][port].data<int16_t>();
        for (size_t k = 0; k < codes.size(); ++k) {
          const double real = static_cast<double>(expected[port].data<float>()[k]) / static_cast<double>(q.scale[0]);
          limited += std::abs(real) > 32768 ? 1 : 0;
          const auto* unary = module.as<Unary>();
          const std::string fn = unary == nullptr ? "" : " " + std::string(kEnumNames<UnaryFn>[static_cast<size_t>(unary->fn)]);
          double& most = worst[std::string(name_of(module.op)) + fn];
          const double distance = std::abs(codes[k] - std::clamp(real, -32768.0, 32767.0));
          most = std::max(most, distance - bias_error(m, module));
          ++compared;
        }
      }
    }
  }
  // Weights of a resize have 10 bits, tables have kinks between their entries; all else is rounded once or twice.
  for (const auto& [name, distance] : worst) {
    std::printf("16 bits: %s, at most %.2f codes from its float value\n", name.c_str(), distance);
    CAPTURE(name, distance);
    CHECK(distance <= (name == "resize_linear" ? 64 : name == "softmax" || name.starts_with("unary ") ? 40 : 1.6));
  }
  CHECK(worst.size() > 15);
  CHECK(compared > 50'000);
  CHECK(limited < compared / 10);
}

TEST_CASE("a device quantizes its input to 16 bits and dequantizes its output itself") {
  for (const Rounding rounding : kFixed) {
    const Example e = wide("tiny", tiny_separable(), rounding, 3);
    const FirmwarePlan plan = plan_firmware(e.int8, {.float_inputs = true, .float_outputs = true});
    const auto ops = operators(plan);
    for (const char* name : {"quantize_16", "dequantize_16"}) CHECK(std::ranges::count(ops, name) == 1);
    const Device device(image_bytes(plan));
    REQUIRE(device.status() == OCTET_OK);
    Generator g(5);
    const Tensor x = randn(g, e.samples[0].shape());
    const Outcome got = device.run({&x, 1});
    REQUIRE(got.status == OCTET_OK);
    const Tensor expected = dequantize(infer(e.int8, {&x, 1})[0]);
    REQUIRE(got.outputs[0].size() == expected.bytes());
    CHECK(std::memcmp(got.outputs[0].data(), expected.raw(), expected.bytes()) == 0);
  }
}

TEST_CASE("firmware with no 16-bit layer names no 16-bit operator, and one with only such names no other layer") {
  for (const Rounding rounding : kFixed) {
    for (const std::string& op : operators(plan_firmware(quantized("tiny", tiny_separable(), rounding, true, 1).int8)))
      CHECK(op.find("16") == std::string::npos);
    for (const std::string& op : operators(plan_firmware(wide("tiny", tiny_separable(), rounding, 3).int8)))
      CHECK((op.find("16") != std::string::npos || op == "transpose"));
  }
}

TEST_CASE("ports of 16-bit codes say so") {
  const Example e = wide("tiny", tiny_separable(), Rounding::fixed_double, 3);
  const Device device(image_bytes(plan_firmware(e.int8)));
  REQUIRE(device.status() == OCTET_OK);
  octet_tensor info{};
  REQUIRE(octet_input_info(device.model(), 0, &info) == OCTET_OK);
  CHECK(info.type == OCTET_I16);
  CHECK(info.bytes == 8 * 8 * 3 * 2);
  CHECK(info.zero_point == 0);
  CHECK(info.scale == e.int8.modules[0].out_q[0]->scale[0]);
}

namespace {

/// The image with bytes changed and its checksum repaired.
octet_status opened(Bytes image, const std::function<void(std::byte*)>& edit) {
  edit(image.data());
  image::Header h;
  std::memcpy(&h, image.data(), sizeof h);
  constexpr size_t kCrcAt = offsetof(image::Header, crc), kCrcEnd = kCrcAt + sizeof h.crc;
  h.crc = crc32(std::span<const std::byte>(image).subspan(kCrcEnd), crc32(std::span<const std::byte>(image).first(kCrcAt)));
  std::memcpy(image.data() + kCrcAt, &h.crc, sizeof h.crc);
  return Device(image).status();
}

/// Place of the first record of this kind's payload.
size_t payload_of(const Bytes& image, uint16_t kind) {
  image::Header h;
  std::memcpy(&h, image.data(), sizeof h);
  for (size_t at = h.header_bytes; at < h.header_bytes + h.records_bytes;) {
    image::RecordHeader r;
    std::memcpy(&r, image.data() + at, sizeof r);
    at += sizeof r;
    if (r.kind == kind) return at;
    at += r.bytes;
  }
  return 0;
}

}  // namespace

TEST_CASE("an image of 16-bit layers may not claim what its kernels would not survive") {
  const Example e = wide("tiny", tiny_separable(), Rounding::fixed_double, 3);
  const Bytes image = image_bytes(plan_firmware(e.int8));
  REQUIRE(opened(image, [](std::byte*) {}) == OCTET_OK);
  constexpr uint16_t kConv = kernels::Info<kernels::Conv2dArgs>::device[1].kind,
                     kLinear = kernels::Info<kernels::LinearArgs>::device[1].kind;
  const size_t at = payload_of(image, kConv);
  REQUIRE(at != 0);
  image::Step step;
  std::memcpy(&step, image.data() + at, sizeof step);
  const image::StepParts parts = image::parts_of(step);
  const size_t args = at + parts.args, tables_at = at + parts.tables;
  image::Tables tables;
  std::memcpy(&tables, image.data() + tables_at, sizeof tables);
  const auto put = [&](size_t place, auto value) {
    return opened(image, [&](std::byte* p) { std::memcpy(p + place, &value, sizeof value); });
  };
  using kernels::Conv2dArgs;
  CHECK(put(args + offsetof(Conv2dArgs, input_zero_point), int32_t{1}) == OCTET_ERROR_ARGUMENTS);
  CHECK(put(args + offsetof(Conv2dArgs, residual_scale), 1.0F) == OCTET_ERROR_ARGUMENTS);
  CHECK(put(args + offsetof(Conv2dArgs, input_type), uint8_t{1}) == OCTET_ERROR_ARGUMENTS);
  CHECK(put(args + offsetof(Conv2dArgs, output_type), uint8_t{3}) == OCTET_ERROR_ARGUMENTS);
  CHECK(put(args + offsetof(Conv2dArgs, rounding), uint8_t{0}) == OCTET_ERROR_ARGUMENTS);
  CHECK(put(args + offsetof(Conv2dArgs, output) + offsetof(kernels::OutputArgs, clamp_max), int32_t{32768}) ==
        OCTET_ERROR_ARGUMENTS);
  CHECK(put(args + offsetof(Conv2dArgs, output) + offsetof(kernels::OutputArgs, zero_point), int32_t{-1}) == OCTET_ERROR_ARGUMENTS);
  CHECK(put(args + offsetof(Conv2dArgs, out_w), int32_t{7}) == OCTET_ERROR_ARGUMENTS);
  CHECK(put(tables.shift, int32_t{14}) == OCTET_OK);
  CHECK(put(tables.shift, int32_t{15}) == OCTET_ERROR_ARGUMENTS);
  CHECK(put(tables.shift, int32_t{-32}) == OCTET_ERROR_ARGUMENTS);
  CHECK(put(tables.multiplier, int32_t{-1}) == OCTET_ERROR_ARGUMENTS);
  // A bias of two words: what it leaves the sum of products is counted to the last unit.
  int64_t reach = 0;
  for (size_t i = 0; i < 27; ++i) reach += std::abs(int{static_cast<int8_t>(image[tables.weight + i])}) * int64_t{32768};
  const int64_t most = (int64_t{1} << 47) - 1 - reach;
  CHECK(put(tables.bias_codes, most) == OCTET_OK);
  CHECK(put(tables.bias_codes, most + 1) == OCTET_ERROR_BOUND);
  CHECK(put(tables.bias_codes, -most) == OCTET_OK);
  CHECK(put(tables.bias_codes, -most - 1) == OCTET_ERROR_BOUND);
  CHECK(put(tables.bias_codes, INT64_MIN) == OCTET_ERROR_BOUND);
  // Operands begin at whole codes, whatever would still fit.
  const size_t linear = payload_of(image, kLinear);
  CHECK(put(linear + sizeof(image::Step) + offsetof(image::Operand, offset), uint32_t{1}) == OCTET_ERROR_RANGE);
  CHECK(put(linear + sizeof(image::Step) + offsetof(image::Operand, offset), uint32_t{2}) == OCTET_ERROR_ARGUMENTS);
  // An 8-bit operator is none for 16-bit codes.
  CHECK(put(at - sizeof(image::RecordHeader), uint16_t{16}) != OCTET_OK);
}

TEST_CASE("tables and windows of 16-bit images may not lead sums out of their types") {
  const Example e = wide("arrangements", arrangements(), Rounding::fixed_single, 1);
  const Bytes image = image_bytes(plan_firmware(e.int8));
  const size_t softmax = payload_of(image, kernels::Info<kernels::SoftmaxArgs>::device[1].kind);
  REQUIRE(softmax != 0);
  image::Step step;
  image::Tables tables;
  std::memcpy(&step, image.data() + softmax, sizeof step);
  std::memcpy(&tables, image.data() + softmax + image::parts_of(step).tables, sizeof tables);
  REQUIRE(tables.weight_bytes == 2 * 1026 + 8);
  const auto put = [&](const Bytes& of, size_t place, auto value) {
    return opened(of, [&](std::byte* p) { std::memcpy(p + place, &value, sizeof value); });
  };
  CHECK(put(image, tables.weight, int16_t{0}) == OCTET_OK);
  CHECK(put(image, tables.weight, int16_t{-1}) == OCTET_ERROR_ARGUMENTS);
  CHECK(put(image, tables.weight + 2 * 1025, int16_t{-1}) == OCTET_ERROR_ARGUMENTS);
  for (const size_t entry : {511, 512}) {  // between them lies e^0: were it nothing, the sum could be
    CHECK(put(image, tables.weight + 2 * entry, int16_t{1 << 14}) == OCTET_OK);
    CHECK(put(image, tables.weight + 2 * entry, int16_t{(1 << 14) - 1}) == OCTET_ERROR_ARGUMENTS);
  }
  CHECK(put(image, tables.weight + 2 * 1026, int32_t{-1}) == OCTET_ERROR_ARGUMENTS);
  CHECK(put(image, tables.weight + 2 * 1026 + 4, int32_t{31}) == OCTET_ERROR_ARGUMENTS);

  Model net;
  net.add("x", Input{{1, 255, 257, 1}});
  net.add("mean", Reduce{ReduceFn::mean, {1, 2}});
  const Example mean = wide("mean", net, Rounding::fixed_double, 1);
  const FirmwarePlan plan = plan_firmware(mean.int8);
  CHECK(difference({mean.int8, mean.samples[0]}, plan) == "");
  const Bytes largest = image_bytes(plan);
  const size_t reduce = payload_of(largest, kernels::Info<kernels::ReduceArgs>::device[1].kind);
  REQUIRE(reduce != 0);
  std::memcpy(&step, largest.data() + reduce, sizeof step);
  const size_t args = reduce + image::parts_of(step).args;
  kernels::ReduceArgs a;
  std::memcpy(&a, largest.data() + args, sizeof a);
  REQUIRE(a.shape[a.kept] == 65535);
  a.stride[a.kept] = 0;  // the same code again and again stays inside
  CHECK(put(largest, args, a) == OCTET_OK);
  a.shape[a.kept] = 65536;
  CHECK(put(largest, args, a) == OCTET_ERROR_BOUND);
}
