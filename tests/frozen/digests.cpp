// SPDX-License-Identifier: Apache-2.0
// Digests of what octet computes and writes: codes of every layer and outputs by network, rounding and code type, equal on every
// engine and firmware target; model files; a report. digests.txt holds those that were read and agreed to, and a change of the
// house leaves every one as it is. Nothing here depends on the machine: parameters, ranges and data are small binary fractions,
// ranges are told to the observers instead of measured behind a float network, and float kernels are those of every x86-64.
// OCTET_WRITE_DIGESTS=FILE writes those of now.
#include <charconv>
#include <cstdlib>
#include <map>
#include <set>

#include "compile/program.h"
#include "io/firmware_plan.h"
#include "io/model_file.h"
#include "kernels/f32/f32.h"
#include "kernels/parallel.h"
#include "numeric_suite/report.h"
#include "quant/quantize.h"
#include "tests/catch.h"
#include "tests/kernels/fills.h"
#include "tests/runtime/device.h"
#include "tests/runtime/networks.h"
#include "tests/runtime/random_networks.h"

using namespace octet;
using namespace octet::device;
using octet::testing::kRoundings;

namespace {

/// FNV-1a, 64 bits.
class Digest {
 public:
  void add(const void* bytes, size_t count) {
    for (size_t i = 0; i < count; ++i) value_ = (value_ ^ static_cast<const unsigned char*>(bytes)[i]) * 0x100000001b3ULL;
  }
  void add(std::string_view text) { add(text.data(), text.size()); }
  /// Shape, dtype and bytes.
  void add(const Tensor& t) {
    add(to_string(t.dtype()));
    add(to_string(t.shape()));
    add(t.raw(), t.bytes());
  }
  void add(std::span<const Tensor> tensors) {
    for (const Tensor& t : tensors) add(t);
  }
  void add(const Bytes& bytes) { add(bytes.data(), bytes.size()); }
  std::string text() const {
    char hex[17];
    std::snprintf(hex, sizeof hex, "%016llx", static_cast<unsigned long long>(value_));
    return hex;
  }

 private:
  uint64_t value_ = 0xcbf29ce484222325ULL;
};

std::string digest_of(const auto& value) {
  Digest d;
  d.add(value);
  return d.text();
}

/// Whole numbers of lo..hi over `denominator`.
void draw(Tensor& t, Generator& g, int64_t lo, int64_t hi, float denominator) {
  for (float& v : t.mutable_data<float>()) v = static_cast<float>(g.integer(lo, hi + 1)) / denominator;
}

/// Every parameter a small binary fraction; variances at least one. Weights are the smaller the more products a sum has, so that
/// outputs neither vanish nor leave their range.
void draw_parameters(Model& m, Generator& g, int64_t most, float denominator) {
  initialize(m, g);
  for (Module& module : m.modules)
    for (auto& [name, t] : module.params) {
      if (t.dtype() != DType::f32) continue;
      if (name == "running_var") {
        draw(t, g, 8, 24, 8);
        continue;
      }
      float smaller = 1;
      if (t.rank() > 1)
        while (smaller * smaller * static_cast<float>(t.size(0)) < static_cast<float>(t.numel())) smaller *= 2;
      draw(t, g, -most, most, denominator * smaller);
    }
}

// What is frozen is arithmetic, not what is done by default: as in the beginning averages keep their input's codes and a batch norm
// alone stays one.
QConfig u8_qconfig() {
  QConfig qconfig = octet_qconfig();
  qconfig.averages = false;
  return qconfig;
}

Model fused(const Model& m) { return fuse(m, Aim::inference, {.residual = m.rounding == Rounding::real, .lone_norms = false}); }

/// The network in codes, its ranges told to the observers.
Model in_codes(const Model& net, Rounding rounding, const QConfig& qconfig, Generator& g) {
  Model m = net;
  m.rounding = rounding;
  draw_parameters(m, g, 127, 64);
  Model prepared = prepare(fused(m), {{"", qconfig}});
  int observed = 0;
  for (Module& module : prepared.modules) {
    const auto hook = module.hooks.find("output");
    if (hook == module.hooks.end()) continue;
    FakeQuantize* output = fake_quantize_at(hook->second);
    REQUIRE(output != nullptr);
    Tensor seen({256}, DType::f32);
    const int64_t lowest = g.integer(-24, 1);  // one draw a statement: the order of arguments is the compiler's
    draw(seen, g, lowest, g.integer(4, 48), 8);
    output->observer().observe(seen, module.path);
    ++observed;
  }
  REQUIRE(observed > 0);
  Model int8 = convert(prepared);
  const QuantizationSummary s = summarize(int8);
  REQUIRE((s.int8_kernels == s.weighted && s.quantized_outputs > 0));
  return int8;
}

Tensor codes_for(const Model& int8, Generator& g) {
  const QParams& q = *int8.modules[0].out_q[0];
  Tensor t(int8.modules[0].nominal[0], q.qmin < 0 ? DType::i8 : DType::u8);
  for (int64_t i = 0; i < t.numel(); ++i) {
    const int64_t code = g.integer(q.qmin, q.qmax + 1);
    if (q.qmin < 0)
      t.mutable_data<int8_t>()[static_cast<size_t>(i)] = static_cast<int8_t>(code);
    else
      t.mutable_data<uint8_t>()[static_cast<size_t>(i)] = static_cast<uint8_t>(code);
  }
  return t.with(q);
}

using Lines = std::map<std::string, std::string>;

struct Counts {
  int engines = 0, targets = 0, refused = 0;
};

/// Layers and outputs of `infer`; every engine's session and every target's image must give the same.
void run_everywhere(const std::string& name, const Model& int8, Generator& g, Lines& lines, Counts& counts) {
  INFO(name);
  std::vector<Tensor> inputs;
  for (int i = 0; i < 8; ++i) inputs.push_back(codes_for(int8, g));
  Digest layers, outputs;
  for (const Tensor& input : inputs)
    outputs.add(infer(int8, {&input, 1}, [&](int index, std::span<const Tensor> out) {
      layers.add(int8.modules[static_cast<size_t>(index)].path);
      layers.add(out);
    }));
  lines[name + " layers"] = layers.text();
  lines[name + " outputs"] = outputs.text();
  lines[name + " model file"] = digest_of(model_bytes(int8, name));
  for (const QEngineInfo& info : qengines()) {
    if (!info.available) continue;
    INFO("on " << to_string(info.engine));
    Session session(Program::bind(int8, info.engine), {inputs[0].shape()});
    Digest got;
    for (const Tensor& input : inputs) got.add(session.run({&input, 1}));
    CHECK(got.text() == outputs.text());
    ++counts.engines;
  }
  if (int8.rounding == Rounding::int_bias) return;
  const Tensor& input = inputs[0];
  const std::vector<Tensor> expected = infer(int8, {&input, 1});
  const auto sums = host_checksums(int8, {&input, 1});
  for (const FirmwareTarget target : {FirmwareTarget::portable, FirmwareTarget::cortex_m4, FirmwareTarget::cortex_m55}) {
    INFO("for target " << static_cast<int>(target));
    FirmwarePlan plan;
    try {
      plan = plan_firmware(int8, {.search_nodes = 2000, .target = target});
    } catch (const Error&) {
      ++counts.refused;
      continue;
    }
    const Outcome got = Device(image_bytes(plan)).run({&input, 1});
    REQUIRE(got.status == OCTET_OK);
    REQUIRE_FALSE(got.layers.empty());
    for (const Layer& layer : got.layers) {
      INFO(layer.name);
      CHECK(sums.at(layer.name) == layer.checksum);
    }
    REQUIRE(got.outputs.size() == expected.size());
    for (size_t i = 0; i < expected.size(); ++i) {
      REQUIRE(got.outputs[i].size() == expected[i].bytes());
      CHECK(std::memcmp(got.outputs[i].data(), expected[i].raw(), expected[i].bytes()) == 0);
    }
    ++counts.targets;
  }
}

/// Numbers as six digits: what is left of a libm is not in them.
std::string six_digits(const std::string& json) {
  std::string text;
  for (size_t i = 0; i < json.size();) {
    const bool number =
        (json[i] >= '0' && json[i] <= '9') || (json[i] == '-' && i + 1 < json.size() && json[i + 1] >= '0' && json[i + 1] <= '9');
    if (!number) {
      text += json[i++];
      continue;
    }
    double v = 0;
    i = static_cast<size_t>(std::from_chars(json.data() + i, json.data() + json.size(), v).ptr - json.data());
    char digits[32];
    const auto end = std::to_chars(digits, digits + sizeof digits, v, std::chars_format::general, 6).ptr;
    text.append(digits, end);
  }
  return text;
}

/// Convolutions, a depthwise one, a residual, a mean over sixteen values and a linear layer; weights of halves on data of quarters,
/// so that every float sum is exact in any order.
Model exact_network(Generator& g) {
  Model m;
  m.add("x", Input{{1, 4, 4, 2}});
  const int a = m.add("a", Conv2d{.in = 2, .out = 4, .padding = pad_all(1)});
  m.add("relu", Unary{UnaryFn::relu});
  const int b = m.add("b", Conv2d{.in = 4, .out = 4, .padding = pad_all(1), .groups = 4});
  m.add("sum", Binary{BinaryFn::add, Activation::relu}, {b, a});
  m.add("mean", Pool2d{.kind = Pool::adaptive_average});
  m.add("flat", Reshape{{0, -1}});
  m.add("head", Linear{4, 3});
  draw_parameters(m, g, 2, 2);
  return m;
}

Lines stored() {
  const Bytes file = read_file(std::string(std::getenv("OCTET_DIGESTS")), 1 << 20);
  const std::string_view text(reinterpret_cast<const char*>(file.data()), file.size());
  Lines lines;
  for (size_t at = 0, end; (end = text.find('\n', at)) != std::string_view::npos; at = end + 1) {
    const std::string_view line = text.substr(at, end - at);
    const size_t colon = line.rfind(": ");
    REQUIRE(colon != std::string_view::npos);
    lines[std::string(line.substr(0, colon))] = line.substr(colon + 2);
  }
  return lines;
}

Lines all_lines() {
  Lines lines;
  Counts counts;
  const std::pair<const char*, QConfig> qconfigs[] = {{"u8", u8_qconfig()},
                                                      {"i8", default_per_channel_symmetric_qnnpack_qconfig()}};
  for (const Rounding rounding : kRoundings)
    for (const auto& [type, qconfig] : qconfigs) {
      const std::string how = std::string(to_string(rounding)) + " " + type;
      for (const auto& [name, net] : {std::pair{"every_op", every_op()}, {"demo", demo()}, {"tiny_separable", tiny_separable()}}) {
        Generator g(5);
        const Model int8 = in_codes(net, rounding, qconfig, g);
        run_everywhere(std::string(name) + " " + how, int8, g, lines, counts);
      }
      for (uint64_t seed = 1; seed <= 24; ++seed) {
        Generator g(seed);
        const Model int8 = in_codes(random_wiring(g, false), rounding, qconfig, g);
        run_everywhere("random " + std::to_string(seed) + " " + how, int8, g, lines, counts);
      }
    }
  CHECK(counts.engines >= 4 * 2 * 27);
  CHECK(counts.targets > 3 * 3 * 2 * 24);
  WARN("frozen digests: " << lines.size() << ", " << counts.engines << " sessions and " << counts.targets << " images compared, "
                          << counts.refused << " images refused");
  return lines;
}

void add_float_lines(Lines& lines) {
  Generator g(11);
  const Model net = exact_network(g);
  std::vector<Tensor> data;
  for (int i = 0; i < 3; ++i) {
    data.emplace_back(Shape{8, 4, 4, 2}, DType::f32);
    draw(data.back(), g, -8, 8, 4);
  }
  lines["float outputs"] = digest_of(infer(net, {data.data(), 1}));
  lines["float model file"] = digest_of(model_bytes(net, "float"));
  for (const Rounding rounding : kRoundings) {
    Model m = net;
    m.rounding = rounding;
    Model prepared = prepare(fused(m), {{"", u8_qconfig()}});
    calibrate(prepared, data);
    const Model int8 = convert(prepared);
    const std::string how(to_string(rounding));
    lines["prepared model file " + how] = digest_of(model_bytes(prepared, "prepared"));
    lines["calibrated model file " + how] = digest_of(model_bytes(int8, "int8"));
    lines["logits " + how] = digest_of(infer(int8, {data.data(), 1}));
    const std::string json = six_digits(to_json(make_report(net, int8, data, {.engine = QEngine::reference})));
    CHECK(json.size() > 2000);
    lines["report " + how] = digest_of(json);
  }
}

}  // namespace

TEST_CASE("what octet computes and writes is what it was") {
  set_threads(1);
  // A report's shadows feed dequantized codes to float layers: sums that are not exact, and depend on the instruction set.
  REQUIRE(f32::set_isa("x86-64"));
  f32::use_provider(false);
  Lines now = all_lines();
  add_float_lines(now);
  CHECK(now.size() > 600);
  // A digest of nothing would be the same everywhere; the roundings of a small network may agree.
  std::map<std::string, std::set<std::string>> different;
  for (const auto& [name, digest] : now) different[name.substr(name.rfind(' '))].insert(digest);
  CHECK(different[" layers"].size() > 2 * 2 * 27);
  CHECK(different[" file"].size() > 4 * 2 * 27);
  if (const char* file = std::getenv("OCTET_WRITE_DIGESTS")) {
    std::string text;
    for (const auto& [name, digest] : now) text.append(name).append(": ").append(digest).append("\n");
    write_file(file, std::as_bytes(std::span(text)));
  }
  const Lines before = stored();
  CHECK(before.size() == now.size());
  for (const auto& [name, digest] : now) {
    INFO(name);
    const auto found = before.find(name);
    REQUIRE(found != before.end());
    CHECK(found->second == digest);
  }
}
