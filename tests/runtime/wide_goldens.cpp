// SPDX-License-Identifier: Apache-2.0
// Models of one 16-bit operator against the outputs that TensorFlow Lite gave for them (../shared/models/tflite, not in this
// repository): every code. Files are read by the little of their format that this takes; the models are built by hand.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "io/file.h"
#include "io/npy.h"
#include "tests/catch.h"
#include "tests/runtime/device.h"
#include "tests/runtime/networks.h"
#include "tests/runtime/random_networks.h"
#include "tests/skip.h"

using namespace octet;
using namespace octet::device;

namespace {

std::filesystem::path folder() {
  const char* models = std::getenv("OCTET_MODELS");
  return std::filesystem::path(models == nullptr ? "." : models) / "tflite";
}

/// Tables of a FlatBuffer by field number; the files are trusted.
class Flat {
 public:
  explicit Flat(Bytes bytes) : bytes_(std::make_shared<Bytes>(std::move(bytes))), at_(read<uint32_t>(0)) {}

  template <class T>
  T scalar(size_t field, T otherwise = {}) const {
    const size_t place = of(field);
    return place == 0 ? otherwise : read<T>(place);
  }
  Flat table(size_t field) const { return {bytes_, follow(of(field))}; }
  Flat element(size_t field, size_t i) const {
    const size_t first = follow(of(field)) + 4;
    return {bytes_, follow(first + 4 * i)};
  }
  template <class T>
  std::vector<T> vector(size_t field) const {
    const size_t place = of(field);
    if (place == 0) return {};
    const size_t first = follow(place);
    std::vector<T> all(read<uint32_t>(first));
    if (!all.empty()) std::memcpy(all.data(), bytes_->data() + first + 4, all.size() * sizeof(T));
    return all;
  }
  bool has(size_t field) const { return of(field) != 0; }

 private:
  Flat(std::shared_ptr<Bytes> bytes, size_t at) : bytes_(std::move(bytes)), at_(at) {}
  template <class T>
  T read(size_t place) const {
    T value;
    std::memcpy(&value, bytes_->data() + place, sizeof value);
    return value;
  }
  size_t follow(size_t place) const { return place + read<uint32_t>(place); }
  /// 0: absent
  size_t of(size_t field) const {
    const size_t vtable = at_ - static_cast<size_t>(static_cast<int64_t>(read<int32_t>(at_)));
    if (4 + 2 * field >= read<uint16_t>(vtable)) return 0;
    const size_t offset = read<uint16_t>(vtable + 4 + 2 * field);
    return offset == 0 ? 0 : at_ + offset;
  }

  std::shared_ptr<Bytes> bytes_;
  size_t at_;
};

/// One operator of a file: its tensors and options.
struct File {
  Flat model, graph, op;
  std::string name;

  explicit File(const std::string& n)
      : model(Flat(read_file((folder() / (n + ".tflite")).string(), 1 << 20))),
        graph(model.element(2, 0)),
        op(graph.element(3, 0)),
        name(n) {}

  Flat tensor(size_t number) const { return graph.element(0, number); }
  Flat input(size_t i) const { return tensor(static_cast<size_t>(op.vector<int32_t>(1)[i])); }
  Flat output() const { return tensor(static_cast<size_t>(op.vector<int32_t>(2)[0])); }
  Shape shape(const Flat& t) const {
    const auto s = t.vector<int32_t>(0);
    return {s.begin(), s.end()};
  }
  std::vector<float> scales(const Flat& t) const { return t.table(4).vector<float>(2); }
  template <class T>
  std::vector<T> data(const Flat& t) const {
    return model.element(4, t.scalar<uint32_t>(2)).vector<T>(0);
  }
  template <class T>
  std::vector<T> elements(const Flat& t) const {
    const auto bytes = data<uint8_t>(t);
    std::vector<T> all(bytes.size() / sizeof(T));
    std::memcpy(all.data(), bytes.data(), all.size() * sizeof(T));
    return all;
  }
  Flat options() const { return op.table(4); }
};

QParams codes(float scale) { return {{scale}, {0}, -1, 0, -32768, 32767}; }

Activation activation(int8_t kind) {
  check(kind == 0 || kind == 1 || kind == 3, "an activation of kind ", int{kind});
  return kind == 0 ? Activation::none : kind == 1 ? Activation::relu : Activation::relu6;
}

struct Cut {
  int64_t before, after;
};
Cut same(int64_t n, int64_t kernel, int64_t stride, int64_t dilation) {
  const int64_t out = (n + stride - 1) / stride, total = std::max<int64_t>((out - 1) * stride + (kernel - 1) * dilation + 1 - n, 0);
  return {total / 2, total - total / 2};
}

/// Weights, and biases that octet's model holds: codes of 32 bits, or floats that stand for codes of more. Lost codes are counted.
void set_weights(Model& m, const File& f, const Flat& weight, const Flat* bias, Shape shape, float input_scale) {
  const std::vector<float> s = f.scales(weight);
  const QParams q{s, std::vector<int32_t>(s.size(), 0), s.size() > 1 ? 0 : -1, 0, -128, 127};
  m["op"].params["weight"] = Tensor::of<int8_t>(std::move(shape), f.elements<int8_t>(weight)).with(q);
  if (bias == nullptr) return;
  std::vector<int32_t> words;
  for (const int64_t b : f.elements<int64_t>(*bias)) {
    REQUIRE(b == static_cast<int32_t>(b));
    words.push_back(static_cast<int32_t>(b));
  }
  std::vector<float> units;
  for (const float w : s) units.push_back(input_scale * w);
  const auto n = static_cast<int64_t>(words.size());
  m["op"].params["bias"] = Tensor::of<int32_t>({n}, words).with(bias_qparams(units));
}

/// Samples of the file through `model`, by reference kernels and by the device; codes that differ from the golden's.
struct Compared {
  size_t codes = 0, wrong = 0;
};
Compared compare(const Model& m, const std::string& name, std::vector<Tensor> inputs) {
  const Tensor golden = load_npy((folder() / (name + ".golden.npy")).string());
  const QParams& q = *m.modules.back().out_q[0];
  Compared c;
  const int64_t samples = golden.size(0);
  const size_t each = golden.bytes() / static_cast<size_t>(samples);
  for (int64_t s = 0; s < samples; ++s) {
    std::vector<Tensor> sample;
    for (size_t i = 0; i < inputs.size(); ++i) {
      const Tensor& all = inputs[i];
      Tensor one(m.modules[i].nominal[0], all.dtype());
      const size_t bytes = all.bytes() / static_cast<size_t>(samples);
      REQUIRE(one.bytes() == bytes);
      std::memcpy(one.mutable_raw(), static_cast<const std::byte*>(all.raw()) + static_cast<size_t>(s) * bytes, bytes);
      sample.push_back(one.with(*m.modules[i].out_q[0]));
    }
    const Tensor y = infer(m, sample)[0];
    REQUIRE(y.dtype() == code_dtype(q));
    REQUIRE(y.bytes() == each);
    const auto* expected = static_cast<const std::byte*>(golden.raw()) + static_cast<size_t>(s) * each;
    const size_t size = size_of(y.dtype());
    for (size_t i = 0; i < each; i += size)
      c.wrong += std::memcmp(static_cast<const std::byte*>(y.raw()) + i, expected + i, size) != 0 ? 1 : 0;
    c.codes += each / size;
    if (s > 0) continue;
    const Device device(image_bytes(plan_firmware(m)));
    REQUIRE(device.status() == OCTET_OK);
    const Outcome got = device.run(sample);
    REQUIRE(got.outputs[0].size() == y.bytes());
    CHECK(std::memcmp(got.outputs[0].data(), y.raw(), y.bytes()) == 0);
  }
  std::printf("%s: %zu codes compared with TensorFlow Lite's, %zu differ\n", name.c_str(), c.codes, c.wrong);
  return c;
}

std::string file_name(const std::string& name, const char* what) { return (folder() / (name + what)).string(); }

/// A model of inputs and one operator with the parameters of the file's tensors.
Model around(const File& f, Op op, size_t inputs) {
  Model m;
  m.rounding = Rounding::fixed_double;
  std::vector<Wire> wires;
  for (size_t i = 0; i < inputs; ++i) {
    m.add("x" + std::to_string(i), Input{f.shape(f.input(i))});
    m.modules.back().out_q = {codes(f.scales(f.input(i))[0])};
    wires.push_back({static_cast<int>(i), 0});
  }
  m.add("op", std::move(op), wires);
  m.modules.back().out_q = {codes(f.scales(f.output())[0])};
  return m;
}

}  // namespace

TEST_CASE("16-bit convolutions, dense layers and their transposes give TensorFlow Lite's codes") {
  if (!std::filesystem::exists(folder())) OCTET_SKIP_CASE("no " + folder().string());
  for (const std::string name : {"conv0", "conv10", "conv20", "made/conv_i16_relu"}) {
    const File f(name);
    const Shape x = f.shape(f.input(0)), w = f.shape(f.input(1));
    const Flat o = f.options(), bias = f.input(2);
    Conv2d op{.in = x[3],
              .out = w[0],
              .kernel = {w[1], w[2]},
              .stride = {o.scalar<int32_t>(2), o.scalar<int32_t>(1)},
              .dilation = {o.scalar<int32_t>(5, 1), o.scalar<int32_t>(4, 1)},
              .act = activation(o.scalar<int8_t>(3))};
    op.groups = x[3] / w[3];
    if (o.scalar<int8_t>(0) == 0) {
      const Cut h = same(x[1], w[1], op.stride.h, op.dilation.h), v = same(x[2], w[2], op.stride.w, op.dilation.w);
      op.padding = {h.before, v.before, h.after, v.after};
    }
    Model m = around(f, op, 1);
    set_weights(m, f, f.input(1), &bias, w, f.scales(f.input(0))[0]);
    const Compared c = compare(m, name, {load_npy(file_name(name, ".inputs.npy"))});
    CHECK(c.codes > 1000);
    CHECK(c.wrong == 0);
  }
  {
    const File f("made/fc_i16_pt");
    const Shape w = f.shape(f.input(1));
    const Flat bias = f.input(2);
    Model m = around(f, Linear{.in = w[1], .out = w[0], .act = activation(f.options().scalar<int8_t>(0))}, 1);
    set_weights(m, f, f.input(1), &bias, w, f.scales(f.input(0))[0]);
    const Compared c = compare(m, f.name, {load_npy(file_name(f.name, ".inputs.npy"))});
    CHECK(c.codes == 192);
    CHECK(c.wrong == 0);
  }
  for (const std::string name : {"transpose_conv0", "transpose_conv4"}) {
    const File f(name);
    const Flat x = f.input(2), weight = f.input(1), o = f.options();
    const Shape s = f.shape(x), w = f.shape(weight), y = f.shape(f.output());
    ConvTranspose2d op{.in = s[3], .out = w[0], .kernel = {w[1], w[2]}, .stride = {o.scalar<int32_t>(2), o.scalar<int32_t>(1)}};
    // The forward convolution's padding on the output's size, and what is left of it behind.
    const bool pads = o.scalar<int8_t>(0) == 0;
    const Cut h = pads ? same(y[1], w[1], op.stride.h, 1) : Cut{0, 0}, v = pads ? same(y[2], w[2], op.stride.w, 1) : Cut{0, 0};
    op.padding = {h.before, v.before, h.after, v.after};
    op.output_padding = {y[1] - ((s[1] - 1) * op.stride.h + w[1] - h.before - h.after),
                         y[2] - ((s[2] - 1) * op.stride.w + w[2] - v.before - v.after)};
    const bool biased = f.op.vector<int32_t>(1).size() > 3 && f.op.vector<int32_t>(1)[3] >= 0;
    op.bias = biased;
    Model m;
    m.rounding = Rounding::fixed_double;
    m.add("x", Input{s});
    m.modules.back().out_q = {codes(f.scales(x)[0])};
    m.add("op", op);
    m.modules.back().out_q = {codes(f.scales(f.output())[0])};
    const Flat bias = f.input(biased ? 3 : 2);
    set_weights(m, f, weight, biased ? &bias : nullptr, w, f.scales(x)[0]);
    const Compared c = compare(m, name, {load_npy(file_name(name, ".inputs1.npy"))});
    CHECK(c.codes > 1000);
    CHECK(c.wrong == 0);
  }
}

TEST_CASE("16-bit sums, differences, functions and requantizations give TensorFlow Lite's codes") {
  if (!std::filesystem::exists(folder())) OCTET_SKIP_CASE("no " + folder().string());
  for (const std::string name : {"add0", "add10", "sub0"}) {
    const File f(name);
    const bool subtracts = name[0] == 's';
    const Model m = around(f, Binary{subtracts ? BinaryFn::sub : BinaryFn::add, activation(f.options().scalar<int8_t>(0))}, 2);
    const Compared c = compare(m, name, {load_npy(file_name(name, ".inputs0.npy")), load_npy(file_name(name, ".inputs1.npy"))});
    CHECK(c.codes > 1000);
    CHECK(c.wrong == 0);
  }
  for (const std::string name : {"made/logistic_i16_0", "made/tanh_i16_1", "leaky_relu0", "leaky_relu12", "pad0"}) {
    const File f(name);
    Op op = Unary{name.find("tanh") != std::string::npos ? UnaryFn::tanh : UnaryFn::sigmoid};
    if (name[0] == 'l') op = Unary{UnaryFn::leaky_relu, static_cast<double>(f.options().scalar<float>(0))};
    if (name[0] == 'p') {
      const auto pads = f.elements<int32_t>(f.input(1));
      Pad pad;
      for (size_t i = 0; i < pads.size(); i += 2) pad.before.push_back(pads[i]), pad.after.push_back(pads[i + 1]);
      op = pad;
    }
    const Model m = around(f, op, 1);
    const Compared c = compare(m, name, {load_npy(file_name(name, ".inputs.npy"))});
    CHECK(c.codes > 1000);
    CHECK(c.wrong == 0);
  }
}
