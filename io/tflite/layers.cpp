// SPDX-License-Identifier: Apache-2.0
// Layers with weights. Biases come as the file's integers, in units of the input's scale times the weights'; what the file says of
// a bias's own scale is not read, as TensorFlow Lite Micro does not.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "engine/quantize.h"
#include "io/tflite/operators.h"

namespace octet::tflite {
namespace {

/// Weights in octet's order of axes: as they are, or depthwise ones [1, kh, kw, C m] as [C m, kh, kw, 1].
Tensor channels_first(const Tensor& weight) {
  const int64_t taps = weight.size(1) * weight.size(2), channels = weight.size(3);
  Tensor turned({channels, weight.size(1), weight.size(2), 1}, weight.dtype());
  const size_t size = size_of(weight.dtype());
  const auto* from = static_cast<const std::byte*>(weight.raw());
  auto* to = static_cast<std::byte*>(turned.mutable_raw());
  for (int64_t t = 0; t < taps; ++t)
    for (int64_t c = 0; c < channels; ++c)
      std::memcpy(to + static_cast<size_t>(c * taps + t) * size, from + static_cast<size_t>(t * channels + c) * size, size);
  if (!weight.qparams()) return turned;
  QParams q = *weight.qparams();
  if (q.axis >= 0) q.axis = 0;
  return turned.with(std::move(q));
}

/// Which inputs of an operator are what.
struct Places {
  size_t x = 0, weight = 1, bias = 2;
};

/// The layer's weights, for codes or floats.
Tensor weight_of(const Node& node, Places at, int channel_axis) {
  const FileTensor& t = node.input(at.weight);
  node.demand(node.is_constant(at.weight), "its weights are no constant");
  node.demand(t.type == Type::f32 || t.type == Type::f16 || t.type == Type::i8 || t.type == Type::i4, "weights of ",
              type_name(t.type), "; int8, int4 and float32 are read");
  Tensor weight = node.constant(at.weight);
  if (!weight.qparams()) {
    node.demand(node.is_float(), "float weights under ", type_name(node.output().type), " outputs");
    return weight;
  }
  const QParams& q = *weight.qparams();
  node.demand(std::ranges::all_of(q.zero_point, [](int32_t z) { return z == 0; }), "weights with a zero point");
  node.demand(q.axis < 0 || q.axis == channel_axis, "scales along axis ", q.axis, " of its weights, expected ", channel_axis);
  if (!node.is_float()) return weight;
  node.note("has int8 weights under floats; they are read as floats (TensorFlow Lite would round its inputs at run time)");
  return octet::dequantize(weight);
}

template <class T>
std::vector<int32_t> bias_codes(const Node& node, const FileTensor& t) {
  std::vector<int32_t> codes;
  for (size_t i = 0; i < t.data.size() / sizeof(T); ++i) {
    T code;
    std::memcpy(&code, t.data.data() + i * sizeof(T), sizeof code);
    node.demand(code >= INT32_MIN && code <= INT32_MAX, "bias ", code, " of channel ", i, " exceeds 32 bits");
    codes.push_back(static_cast<int32_t>(code));
  }
  return codes;
}

/// Weights, already in octet's order, and bias.
Params params_of(const Node& node, Places at, Tensor weight, int64_t out) {
  Params params;
  if (node.has(at.bias)) {
    const FileTensor& t = node.input(at.bias);
    node.demand(numel(t.shape) == out, "its bias has shape ", to_string(t.shape), ", expected ", out, " elements");
    if (node.is_float()) {
      Tensor bias = node.constant(at.bias);
      node.demand(bias.dtype() == DType::f32, "a bias of ", type_name(t.type), " in a float layer");
      params.insert_or_assign("bias", bias.reshape({out}));
    } else {
      node.demand(t.constant, "its bias is no constant");
      node.demand(node.is_wide() ? t.type == Type::i64 : t.type == Type::i32, "a bias of ", type_name(t.type), " under ",
                  type_name(node.output().type), " activations; TensorFlow Lite adds it in other arithmetic than octet has");
      const auto codes = t.type == Type::i64 ? bias_codes<int64_t>(node, t) : bias_codes<int32_t>(node, t);
      std::vector<float> units;
      for (const float w : weight.qparams()->scale) {
        units.push_back(node.input_qparams(at.x)->scale[0] * w);
        node.demand(std::isnormal(units.back()), "a bias in units of ", units.back(), ", which is no normal float");
      }
      params.insert_or_assign("bias", Tensor::of<int32_t>({out}, codes).with(bias_qparams(std::move(units))));
    }
  }
  params.insert_or_assign("weight", std::move(weight));
  return params;
}

/// Codes in, codes out, of one width; or floats.
void demand_one_kind(const Node& node, size_t x) {
  const Type in = node.input(x).type, out = node.output().type;
  node.demand(in == out, "reads ", type_name(in), " and gives ", type_name(out));
  node.demand(in == Type::f32 || in == Type::i8 || in == Type::i16, "of ", type_name(in), "; int8, int16 and float32 are read");
}

void demand_rank(const Node& node, size_t input, size_t rank) {
  node.demand(node.shape(input).size() == rank, "input ", input, " has shape ", to_string(node.shape(input)), ", expected ", rank,
              " axes");
}

struct Windows {
  Pair stride, dilation{1, 1};
  Pads padding;
};

Windows windows(const Node& node, int8_t padding, Pair stride, Pair dilation, const Shape& size, Pair kernel) {
  node.demand(stride.h > 0 && stride.w > 0 && dilation.h > 0 && dilation.w > 0, "stride ", stride.h, "x", stride.w, ", dilation ",
              dilation.h, "x", dilation.w);
  const Cut h = window_padding(node, padding, size[1], kernel.h, stride.h, dilation.h);
  const Cut w = window_padding(node, padding, size[2], kernel.w, stride.w, dilation.w);
  return {stride, dilation, {h.before, w.before, h.after, w.after}};
}

}  // namespace

void conv_2d(Node& node) {
  node.expect_options(1);
  demand_one_kind(node, 0);
  demand_rank(node, 0, 4), demand_rank(node, 1, 4);
  const Shape x = node.shape(0), w = node.shape(1);
  node.demand(w[3] > 0 && x[3] % w[3] == 0, "weights of ", w[3], " channels for an input of ", x[3]);
  const Windows at = windows(node, node.option<int8_t>(0), {node.option<int32_t>(2), node.option<int32_t>(1)},
                             {node.option<int32_t>(5, 1), node.option<int32_t>(4, 1)}, x, {w[1], w[2]});
  const Conv2d op{.in = x[3],
                  .out = w[0],
                  .kernel = {w[1], w[2]},
                  .stride = at.stride,
                  .dilation = at.dilation,
                  .padding = at.padding,
                  .groups = x[3] / w[3],
                  .bias = node.has(2),
                  .act = activation(node, node.option<int8_t>(3))};
  Tensor weight = weight_of(node, {}, 0);
  node.emit(op, {node.wire(0)}, params_of(node, {}, std::move(weight), w[0]));
}

void depthwise_conv_2d(Node& node) {
  node.expect_options(2);
  demand_one_kind(node, 0);
  demand_rank(node, 0, 4), demand_rank(node, 1, 4);
  const Shape x = node.shape(0), w = node.shape(1);
  node.demand(w[0] == 1 && x[3] > 0 && w[3] % x[3] == 0, "weights of shape ", to_string(w), " for an input of ", x[3], " channels");
  const Windows at = windows(node, node.option<int8_t>(0), {node.option<int32_t>(2), node.option<int32_t>(1)},
                             {node.option<int32_t>(6, 1), node.option<int32_t>(5, 1)}, x, {w[1], w[2]});
  const Conv2d op{.in = x[3],
                  .out = w[3],
                  .kernel = {w[1], w[2]},
                  .stride = at.stride,
                  .dilation = at.dilation,
                  .padding = at.padding,
                  .groups = x[3],
                  .bias = node.has(2),
                  .act = activation(node, node.option<int8_t>(4))};
  Tensor weight = channels_first(weight_of(node, {}, 3));
  node.emit(op, {node.wire(0)}, params_of(node, {}, std::move(weight), w[3]));
}

void fully_connected(Node& node) {
  node.expect_options(8);
  demand_one_kind(node, 0);
  demand_rank(node, 1, 2);
  const Shape x = node.shape(0), w = node.shape(1);
  const auto format = node.option<int8_t>(1);
  node.demand(format == 0, "weights in format ", int{format});
  const Linear op{.in = w[1], .out = w[0], .bias = node.has(2), .act = activation(node, node.option<int8_t>(0))};
  node.demand(w[1] > 0 && numel(x) % w[1] == 0, "weights of ", w[1], " features for an input of shape ", to_string(x));
  const int64_t rows = numel(x) / w[1];
  // Flattened, unless its last axis alone is what the weights read and the others are to stay.
  const bool keeps = node.option<uint8_t>(2) != 0;
  const bool as_it_is = !x.empty() && x.back() == w[1] && (keeps || x.size() == 2);
  Wire from = node.wire(0);
  if (!as_it_is) {
    const bool batch = !x.empty() && x[0] == rows;  // 0 keeps the input's
    from = node.step(".flatten", Reshape{{batch ? 0 : rows, w[1]}}, {from}, node.input_qparams(0));
  }
  Tensor weight = weight_of(node, {}, 0);
  node.emit(op, {from}, params_of(node, {}, std::move(weight), w[0]));
}

void transpose_conv(Node& node) {
  node.expect_options(49);
  constexpr Places at{.x = 2, .weight = 1, .bias = 3};
  demand_one_kind(node, at.x);
  demand_rank(node, at.x, 4), demand_rank(node, at.weight, 4);
  const Shape x = node.shape(at.x), w = node.shape(at.weight), y = node.output().shape;
  node.demand(y.size() == 4 && w[3] == x[3], "weights of shape ", to_string(w), " for an input of shape ", to_string(x));
  if (node.input(0).constant) {
    const std::vector<int64_t> said = node.integers(0);
    node.demand(Shape(said.begin(), said.end()) == y, "is to give shape ", to_string(Shape(said.begin(), said.end())),
                ", the file says ", to_string(y));
  }
  // The padding is that of the convolution whose gradient this is, on the output's size.
  const Windows windows_at =
      windows(node, node.option<int8_t>(0), {node.option<int32_t>(2), node.option<int32_t>(1)}, {1, 1}, y, {w[1], w[2]});
  ConvTranspose2d op{.in = x[3],
                     .out = w[0],
                     .kernel = {w[1], w[2]},
                     .stride = windows_at.stride,
                     .padding = windows_at.padding,
                     .bias = node.has(at.bias),
                     .act = activation(node, node.option<int8_t>(3))};
  const auto fit = [&](int64_t size, int64_t in, int64_t stride, int64_t kernel, int64_t before, int64_t& after, int64_t& more) {
    const int64_t have = (in - 1) * stride + kernel - before - after;
    if (size >= have)
      more = size - have;
    else
      after += have - size;
  };
  fit(y[1], x[1], op.stride.h, w[1], op.padding.top, op.padding.bottom, op.output_padding.h);
  fit(y[2], x[2], op.stride.w, w[2], op.padding.left, op.padding.right, op.output_padding.w);
  Tensor weight = weight_of(node, at, 0);
  node.emit(op, {node.wire(at.x)}, params_of(node, at, std::move(weight), w[0]));
}

void batch_matmul(Node& node) {
  node.expect_options(101);
  node.demand_float();
  node.emit(MatMul{.transpose_a = node.option<uint8_t>(0) != 0, .transpose_b = node.option<uint8_t>(1) != 0},
            {node.wire(0), node.wire(1)});
}

}  // namespace octet::tflite
