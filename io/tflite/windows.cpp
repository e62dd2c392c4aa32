// SPDX-License-Identifier: Apache-2.0
// What reads many elements for one without weights: pools, reductions, softmax, norms; and other sizes of pictures.
#include <algorithm>
#include <cmath>

#include "io/tflite/operators.h"

namespace octet::tflite {

Cut window_padding(const Node& node, int8_t padding, int64_t size, int64_t kernel, int64_t stride, int64_t dilation) {
  node.demand(padding == 0 || padding == 1, "padding ", int{padding}, ", expected 0 (SAME) or 1 (VALID)");
  if (padding == 1) return {};
  const int64_t out = (size + stride - 1) / stride, reach = (kernel - 1) * dilation + 1;
  const int64_t total = std::max<int64_t>((out - 1) * stride + reach - size, 0);
  return {total / 2, total - total / 2};
}

namespace {

void pool(Node& node, Pool kind) {
  node.expect_options(5);
  node.demand_same_codes();
  const Shape x = node.shape(0);
  node.demand(x.size() == 4, "an input of shape ", to_string(x), ", expected four axes");
  const Pair stride{node.option<int32_t>(2), node.option<int32_t>(1)}, kernel{node.option<int32_t>(4), node.option<int32_t>(3)};
  node.demand(stride.h > 0 && stride.w > 0 && kernel.h > 0 && kernel.w > 0, "stride ", stride.h, "x", stride.w, ", window ",
              kernel.h, "x", kernel.w);
  const auto padding = node.option<int8_t>(0);
  const Cut h = window_padding(node, padding, x[1], kernel.h, stride.h, 1);
  const Cut w = window_padding(node, padding, x[2], kernel.w, stride.w, 1);
  const Pool2d op{.kind = kind,
                  .kernel = kernel,
                  .stride = stride,
                  .padding = {h.before, w.before, h.after, w.after},
                  .count_include_pad = false};
  emit_clamped(node, op, {node.wire(0)}, activation(node, node.option<int8_t>(5)));
}

void reduce(Node& node, ReduceFn fn) {
  node.expect_options(27);
  const Shape x = node.shape(0);
  Reduce op{.fn = fn, .keepdims = node.option<uint8_t>(0) != 0};
  for (const int64_t a : node.integers(1)) {
    const int64_t axis = node.axis(a, x.size());
    if (std::ranges::find(op.axes, axis) == op.axes.end()) op.axes.push_back(axis);
  }
  node.demand(!op.axes.empty(), "no axes to reduce along");
  std::ranges::sort(op.axes);
  node.demand(node.input(0).type == node.output().type, "of ", type_name(node.input(0).type), " to ",
              type_name(node.output().type));
  node.emit(op, {node.wire(0)});
}

}  // namespace

void average_pool_2d(Node& node) { pool(node, Pool::average); }
void max_pool_2d(Node& node) { pool(node, Pool::max); }

void mean(Node& node) { reduce(node, ReduceFn::mean); }
void sum(Node& node) { reduce(node, ReduceFn::sum); }
void reduce_max(Node& node) {
  node.demand_same_codes();
  reduce(node, ReduceFn::max);
}
void reduce_min(Node& node) {
  node.demand_same_codes();
  reduce(node, ReduceFn::min);
}
void reduce_prod(Node& node) {
  node.demand_float();
  reduce(node, ReduceFn::prod);
}

void softmax(Node& node) {
  node.expect_options(9);
  node.demand(node.input(0).type == node.output().type, "of ", type_name(node.input(0).type), " to ",
              type_name(node.output().type));
  node.demand(node.output().type != Type::u8, "of uint8; int8, int16 and float32 are read");
  const auto beta = node.option<float>(0);
  node.demand(std::isfinite(beta) && beta > 0, "beta is ", beta);
  if (const auto q = node.output_qparams()) {
    const float scale = node.is_wide() ? 1.0F / 32768 : 1.0F / 256;
    node.demand(q->scale[0] == scale && q->zero_point[0] == (node.is_wide() ? 0 : -128), "its output has ", to_string(*q),
                ", the formula gives codes of ", scale);
  }
  node.emit(Softmax{.axis = -1, .beta = static_cast<double>(beta)}, {node.wire(0)});
}

void log_softmax(Node& node) {
  node.demand_float();
  node.emit(Softmax{.axis = -1, .log = true}, {node.wire(0)});
}

void l2_normalization(Node& node) {
  node.demand_float();
  node.emit(L2Normalize{.eps = 1e-6}, {node.wire(0)});
}

namespace {

/// Of the options' fields for corners and half pixels.
Coordinates coordinates(const Node& node, int corners_field, int half_field) {
  const bool corners = node.option<uint8_t>(corners_field) != 0, half = node.option<uint8_t>(half_field) != 0;
  node.demand(!(corners && half), "both align_corners and half_pixel_centers");
  return corners ? Coordinates::align_corners : half ? Coordinates::half_pixel : Coordinates::asymmetric;
}

Pair new_size(const Node& node) {
  const std::vector<int64_t> size = node.integers(1);
  node.demand(size.size() == 2 && node.shape(0).size() == 4, "an input of shape ", to_string(node.shape(0)), " and a size of ",
              size.size(), " numbers");
  return {size[0], size[1]};
}

}  // namespace

void resize_bilinear(Node& node) {
  node.expect_options(15);
  node.demand(node.output().type != Type::u8, "of uint8, which TensorFlow Lite interpolates in floats");
  node.demand_same_codes();
  node.emit(ResizeLinear{.size = new_size(node), .coordinates = coordinates(node, 2, 3)}, {node.wire(0)});
}

void resize_nearest(Node& node) {
  node.expect_options(74);
  node.demand_same_codes();
  // floor((i + 1/2) s) is the place (i + 1/2) s - 1/2 rounded to nearest, halves up.
  const Coordinates at = coordinates(node, 0, 1);
  const NearestMode nearest = at == Coordinates::asymmetric ? NearestMode::floor : NearestMode::round_prefer_ceil;
  node.emit(ResizeNearest{.size = new_size(node), .coordinates = at, .nearest = nearest}, {node.wire(0)});
}

}  // namespace octet::tflite
