// SPDX-License-Identifier: Apache-2.0
// Networks by seed, see the header.
#include "tests/runtime/networks.h"

#include "quant/quantize.h"

namespace octet::device {
namespace {

int conv(Model& m, const std::string& path, Conv2d op, std::vector<Wire> from = {}) {
  op.act = Activation::relu;
  return m.add(path, op, std::move(from));
}

/// Two 3x3 convolutions and a shortcut.
int residual_block(Model& m, const std::string& path, int64_t in, int64_t out, int64_t stride, int from) {
  conv(m, path + ".a", {.in = in, .out = out, .stride = {stride, stride}, .padding = pad_all(1)}, {{from, 0}});
  const int b = m.add(path + ".b", Conv2d{.in = out, .out = out, .padding = pad_all(1)});
  int shortcut = from;
  if (stride != 1)
    shortcut = m.add(path + ".shortcut", Conv2d{.in = in, .out = out, .kernel = {1, 1}, .stride = {stride, stride}}, {{from, 0}});
  return m.add(path + ".add", Binary{BinaryFn::add, Activation::relu}, {{b, 0}, {shortcut, 0}});
}

int separable(Model& m, const std::string& path, int64_t in, int64_t out, int64_t stride) {
  conv(m, path + ".dw", {.in = in, .out = in, .stride = {stride, stride}, .padding = pad_all(1), .groups = in});
  return conv(m, path + ".pw", {.in = in, .out = out, .kernel = {1, 1}});
}

}  // namespace

Model every_op() {
  Model m;
  m.add("x", Input{{1, 9, 7, 3}});
  const int stem = conv(m, "stem", {.in = 3, .out = 16, .padding = {1, 0, 2, 1}});
  conv(m, "depthwise", {.in = 16, .out = 16, .padding = pad_all(1), .groups = 16});
  const int grouped = m.add("grouped", Conv2d{.in = 16, .out = 16, .dilation = {2, 2}, .padding = pad_all(2), .groups = 4});
  const int joined = m.add("joined", Binary{BinaryFn::add, Activation::relu6}, {{grouped, 0}, {stem, 0}});
  const int pooled =
      m.add("pool", Pool2d{.kind = Pool::max, .kernel = {3, 3}, .stride = {2, 2}, .padding = pad_all(1)}, {{joined, 0}});
  const int mean =
      m.add("mean3", Pool2d{.kind = Pool::average, .kernel = {3, 3}, .stride = {2, 2}, .padding = pad_all(1)}, {{joined, 0}});
  m.add("cat", Concat{3}, {{pooled, 0}, {mean, 0}});
  m.add("pointwise", Conv2d{.in = 32, .out = 8, .kernel = {1, 1}});
  const int turned = m.add("turned", Transpose{{0, 3, 1, 2}});
  m.add("again", Unary{UnaryFn::relu6});
  m.add("back", Transpose{{0, 2, 3, 1}}, {{turned, 0}});
  m.add("clamped", Unary{UnaryFn::relu});
  m.add("global", Pool2d{.kind = Pool::adaptive_average});
  m.add("flat", Reshape{{0, -1}});
  const int head = m.add("head", Linear{8, 5});
  m.outputs = {{head, 0}, {m.index("again"), 0}};
  return m;
}

Model functions() {
  Model m;
  m.add("x", Input{{1, 6, 5, 3}});
  m.add("stem", Conv2d{.in = 3, .out = 8, .padding = pad_all(1)});
  m.add("swish", Unary{UnaryFn::hard_swish});
  m.add("depthwise", Conv2d{.in = 8, .out = 8, .padding = pad_all(1), .groups = 8, .act = {-1, 1}});
  const int tanh = m.add("tanh", Unary{UnaryFn::tanh});
  const int mean = m.add("mean", Pool2d{.kind = Pool::adaptive_average});
  const int squeeze = m.add("squeeze", Conv2d{.in = 8, .out = 8, .kernel = {1, 1}, .act = Activation::relu}, {{mean, 0}});
  const int excite = m.add("excite", Unary{UnaryFn::hard_sigmoid}, {{squeeze, 0}});
  const int gated = m.add("gated", Binary{BinaryFn::mul}, {{tanh, 0}, {excite, 0}});
  const int less = m.add("less", Binary{BinaryFn::sub, {-1, 3}}, {{excite, 0}, {gated, 0}});
  m.add("larger", Binary{BinaryFn::maximum}, {{gated, 0}, {less, 0}});
  m.add("mean2", Pool2d{.kind = Pool::adaptive_average});
  m.add("flat", Reshape{{0, -1}});
  m.add("head", Linear{8, 5});
  const int gate = m.add("gate", Unary{UnaryFn::sigmoid});
  m.outputs = {{gate, 0}, {tanh, 0}};
  return m;
}

Model arrangements() {
  Model m;
  m.add("x", Input{{1, 6, 5, 4}});
  m.add("stem", Conv2d{.in = 4, .out = 8, .kernel = {1, 1}});
  m.add("pad", Pad{{0, 1, 0, 0}, {0, 0, 2, 0}});
  const int resized = m.add("resized", ResizeLinear{{4, 3}});
  const int scores = m.add("scores", MatMul{.transpose_b = true}, {{resized, 0}, {resized, 0}});
  const int shares = m.add("shares", Softmax{}, {{scores, 0}});
  const int mixed = m.add("mixed", MatMul{}, {{shares, 0}, {resized, 0}});
  const int own = m.add("own", Constant{{1, 1, 3, 8}});
  const int sum = m.add("sum", Binary{}, {{mixed, 0}, {own, 0}});
  m.add("mean", Reduce{ReduceFn::mean, {1}});
  m.add("largest", Reduce{ReduceFn::max, {1}});
  const int head = m.add("head", Linear{8, 5});
  m.outputs = {{head, 0}, {sum, 0}};
  return m;
}

Model resnet8() {
  Model m;
  m.add("image", Input{{1, 32, 32, 3}});
  int at = conv(m, "stem", {.in = 3, .out = 16, .padding = pad_all(1)});
  at = residual_block(m, "stage1", 16, 16, 1, at);
  at = residual_block(m, "stage2", 16, 32, 2, at);
  residual_block(m, "stage3", 32, 64, 2, at);
  m.add("mean", Pool2d{.kind = Pool::adaptive_average});
  m.add("flatten", Reshape{{0, -1}});
  m.add("head", Linear{64, 10});
  return m;
}

Model demo() {
  Model m;
  m.add("image", Input{{1, 28, 28, 1}});
  conv(m, "stem", {.in = 1, .out = 16, .padding = pad_all(1)});
  const int pooled = m.add("pool", Pool2d{.kind = Pool::max});
  residual_block(m, "block", 16, 16, 1, pooled);
  separable(m, "separable1", 16, 64, 2);
  separable(m, "separable2", 64, 64, 1);
  m.add("mean", Pool2d{.kind = Pool::adaptive_average});
  m.add("flatten", Reshape{{0, -1}});
  m.add("head", Linear{64, 10});
  return m;
}

Model tiny_separable() {
  Model m;
  m.add("image", Input{{1, 8, 8, 3}});
  conv(m, "stem", {.in = 3, .out = 8, .padding = pad_all(1)});
  separable(m, "separable1", 8, 16, 2);
  separable(m, "separable2", 16, 16, 1);
  m.add("mean", Pool2d{.kind = Pool::adaptive_average});
  m.add("flatten", Reshape{{0, -1}});
  m.add("head", Linear{16, 4});
  return m;
}

Model mobilenet() {
  constexpr struct {
    int64_t in, out, stride;
  } kBlocks[] = {{8, 16, 1},    {16, 32, 2},   {32, 32, 1},   {32, 64, 2},   {64, 64, 1},   {64, 128, 2}, {128, 128, 1},
                 {128, 128, 1}, {128, 128, 1}, {128, 128, 1}, {128, 128, 1}, {128, 256, 2}, {256, 256, 1}};
  Model m;
  m.add("image", Input{{1, 96, 96, 3}});
  conv(m, "stem", {.in = 3, .out = 8, .stride = {2, 2}, .padding = pad_all(1)});
  int block = 0;
  for (const auto& b : kBlocks) separable(m, "block" + std::to_string(++block), b.in, b.out, b.stride);
  m.add("mean", Pool2d{.kind = Pool::adaptive_average});
  m.add("flatten", Reshape{{0, -1}});
  m.add("head", Linear{256, 2});
  return m;
}

void prune_some(Model& m) {
  for (Module& module : m.modules) {
    if (!module.as<Conv2d>()) continue;
    const auto weights = module.params.at("weight").mutable_data<float>(), bias = module.params.at("bias").mutable_data<float>();
    const size_t row = weights.size() / bias.size();
    for (size_t i = 0; i < row; ++i) weights[i] = 0, weights[row + i] *= 0x1p-18F;
    bias[0] = 2, bias[1] = 1e-4F;
  }
}

Example quantized(const std::string& name, Model net, Rounding rounding, bool i8, int samples,
                  const std::function<void(Model&)>& edit) {
  Generator random(7);
  initialize(net, random);
  if (edit) edit(net);
  net.rounding = rounding;
  QConfig config = i8 ? default_per_channel_symmetric_qnnpack_qconfig() : octet_qconfig();
  if (edit) config = octet_device_qconfig();  // which has no floor for scales
  config.averages = false;                    // average pools among the operators
  Model prepared = prepare(fuse(net, Aim::inference), {{"", config}});
  Shape shape = net.modules[0].nominal[0];
  shape[0] = 16;
  const Tensor pictures = randn(random, shape);
  calibrate(prepared, {&pictures, 1});
  Example e{name, convert(prepared), {}};
  const QParams& q = *e.int8.modules[0].out_q[0];
  for (int i = 0; i < samples; ++i) {
    shape[0] = 1;
    e.samples.push_back(quantize(randn(random, shape), q, rounding));
  }
  return e;
}

Example wide(const std::string& name, Model net, Rounding rounding, int samples, const std::function<void(Model&)>& edit) {
  Generator random(7);
  initialize(net, random);
  if (edit) edit(net);
  net.rounding = rounding;
  Model prepared = prepare(fuse(net, Aim::inference, {.residual = false}), {{"", octet_16x8_qconfig()}});
  Shape shape = net.modules[0].nominal[0];
  shape[0] = 16;
  const Tensor pictures = randn(random, shape);
  calibrate(prepared, {&pictures, 1});
  Example e{name, convert(prepared), {}};
  shape[0] = 1;
  for (int i = 0; i < samples; ++i) e.samples.push_back(quantize(randn(random, shape), *e.int8.modules[0].out_q[0], rounding));
  return e;
}

}  // namespace octet::device
