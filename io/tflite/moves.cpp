// SPDX-License-Identifier: Apache-2.0
// Operators that move values: shapes, orders, parts and copies. Codes keep their meaning.
#include <algorithm>
#include <numeric>

#include "io/tflite/operators.h"

namespace octet::tflite {
namespace {

/// The shape that the file gives an output, the first axis the input's own where both agree: so it takes other batches, too.
Shape any_batch(const Shape& from, Shape to) {
  if (!from.empty() && !to.empty() && from[0] == to[0] && from[0] != 0) to[0] = 0;
  return to;
}

/// Elements from start on up to end, on each axis; whole axes are left alone.
void cut(Node& node, const Shape& starts, const Shape& ends, const Shape& steps, const Shape& result) {
  const Shape& x = node.shape(0);
  Slice op;
  for (size_t i = 0; i < x.size(); ++i) {
    if (starts[i] == 0 && ends[i] == x[i] && steps[i] == 1) continue;
    op.axes.push_back(static_cast<int64_t>(i));
    op.starts.push_back(starts[i]), op.ends.push_back(ends[i]), op.steps.push_back(steps[i]);
  }
  const Shape cut_shape = [&] {
    Shape s;
    for (size_t i = 0; i < x.size(); ++i) s.push_back(std::max<int64_t>((ends[i] - starts[i] + steps[i] - 1) / steps[i], 0));
    return s;
  }();
  if (cut_shape == result) {
    if (op.axes.empty()) return node.emit(identity(), {node.wire(0)});
    return node.emit(op, {node.wire(0)});
  }
  Wire from = node.wire(0);
  if (!op.axes.empty()) from = node.step(".cut", op, {from}, node.output_qparams());
  node.emit(Reshape{any_batch(cut_shape, result)}, {from});
}

}  // namespace

void reshape(Node& node) {
  node.demand_same_codes();
  node.emit(Reshape{any_batch(node.shape(0), node.output().shape)}, {node.wire(0)});
}

void transpose(Node& node) {
  node.demand_same_codes();
  Transpose op;
  for (const int64_t a : node.integers(1)) op.order.push_back(node.axis(a, node.shape(0).size()));
  node.emit(op, {node.wire(0)});
}

void concatenation(Node& node) {
  node.expect_options(10);
  std::vector<Wire> wires;
  for (size_t i = 0; i < node.inputs(); ++i) {
    node.demand_same_codes(i);
    wires.push_back(node.wire(i));
  }
  emit_clamped(node, Concat{.axis = node.axis(node.option<int32_t>(0), node.output().shape.size())}, std::move(wires),
               activation(node, node.option<int8_t>(1)));
}

namespace {

Pad padding(const Node& node) {
  const std::vector<int64_t> pads = node.integers(1);
  const Shape& x = node.shape(0);
  node.demand(pads.size() == 2 * x.size(), pads.size(), " paddings for shape ", to_string(x));
  Pad op;
  for (size_t i = 0; i < x.size(); ++i) {
    op.before.push_back(pads[2 * i]), op.after.push_back(pads[2 * i + 1]);
    node.demand(pads[2 * i] >= 0 && pads[2 * i + 1] >= 0 && pads[2 * i] <= (1 << 22) && pads[2 * i + 1] <= (1 << 22), "padding ",
                pads[2 * i], " and ", pads[2 * i + 1], " of axis ", i);
  }
  return op;
}

}  // namespace

void pad(Node& node) {
  node.demand_same_codes();
  Pad op = padding(node);
  if (node.has(2)) {
    const Tensor value = node.constant(2);
    node.demand(value.numel() == 1, "a padding of ", value.numel(), " values");
    if (value.qparams()) {
      const QParams x = *node.input_qparams(0);
      node.demand(*value.qparams() == x, "pads with codes of ", to_string(*value.qparams()), ", its input has ", to_string(x));
      const int32_t code = value.dtype() == DType::i8   ? value.data<int8_t>()[0]
                           : value.dtype() == DType::u8 ? value.data<uint8_t>()[0]
                                                        : value.data<int16_t>()[0];
      op.value = static_cast<double>(x.scale[0]) * (code - x.zero_point[0]);
    } else {
      op.value = static_cast<double>(value.data<float>()[0]);
    }
  }
  node.emit(op, {node.wire(0)});
}

void mirror_pad(Node& node) {
  node.expect_options(77);
  node.demand_same_codes();
  node.demand(node.option<int8_t>(0) == 0, "mode SYMMETRIC; octet has REFLECT");
  Pad op = padding(node);
  op.mode = PadMode::reflect;
  node.emit(op, {node.wire(0)});
}

void strided_slice(Node& node) {
  node.expect_options(32);
  node.demand_same_codes();
  const Shape& x = node.shape(0);
  const std::vector<int64_t> begin = node.integers(1), end = node.integers(2), stride = node.integers(3);
  const auto begin_mask = node.option<int32_t>(0), end_mask = node.option<int32_t>(1), shrink = node.option<int32_t>(4);
  node.demand(node.option<int32_t>(2) == 0 && node.option<int32_t>(3) == 0, "ellipses and new axes");
  node.demand(begin.size() <= x.size() && end.size() == begin.size() && stride.size() == begin.size(), begin.size(), " begins, ",
              end.size(), " ends, ", stride.size(), " strides for shape ", to_string(x));
  const bool relative = node.option<uint8_t>(5) != 0;
  Shape starts, ends, steps;
  for (size_t i = 0; i < x.size(); ++i) {
    const int64_t n = x[i];
    if (i >= begin.size()) {
      starts.push_back(0), ends.push_back(n), steps.push_back(1);
      continue;
    }
    node.demand(stride[i] > 0 && stride[i] <= (1 << 22), "stride ", stride[i], " of axis ", i, "; positive ones are read");
    const auto clamped = [&](int64_t v) { return std::clamp<int64_t>(v < 0 ? v + n : v, 0, n); };
    const bool alone = (shrink >> i & 1) != 0;
    int64_t from = (begin_mask >> i & 1) != 0 && !alone ? 0 : clamped(begin[i]);
    int64_t to = (end_mask >> i & 1) != 0 ? n : clamped(relative ? begin[i] + end[i] : end[i]);
    if (alone) {
      node.demand(begin[i] >= -n && begin[i] < n, "element ", begin[i], " of axis ", i, " with ", n);
      from = begin[i] < 0 ? begin[i] + n : begin[i], to = from + 1;
    }
    starts.push_back(from), ends.push_back(std::max(from, to)), steps.push_back(stride[i]);
  }
  cut(node, starts, ends, steps, node.output().shape);
}

void slice(Node& node) {
  node.demand_same_codes();
  const Shape& x = node.shape(0);
  const std::vector<int64_t> begin = node.integers(1), size = node.integers(2);
  node.demand(begin.size() == x.size() && size.size() == x.size(), begin.size(), " begins and ", size.size(), " sizes for shape ",
              to_string(x));
  Shape ends;
  for (size_t i = 0; i < x.size(); ++i) {
    node.demand(begin[i] >= 0 && begin[i] <= x[i] && size[i] >= -1 && size[i] <= x[i] - begin[i], size[i], " elements from ",
                begin[i], " of axis ", i, " with ", x[i]);
    ends.push_back(size[i] < 0 ? x[i] : begin[i] + size[i]);
  }
  cut(node, begin, ends, Shape(x.size(), 1), node.output().shape);
}

namespace {

/// Parts along an axis of an input; sizes as the outputs have them.
Split parts(const Node& node, size_t input, int64_t axis) {
  node.demand_same_codes(input);
  Split op{axis, {}};
  for (size_t i = 0; i < node.outputs(); ++i) {
    const Shape& y = node.output(i).shape;
    node.demand(axis < static_cast<int64_t>(y.size()), "output ", i, " has shape ", to_string(y));
    op.sizes.push_back(y[static_cast<size_t>(axis)]);
  }
  return op;
}

int64_t only(const Node& node, size_t input) {
  const std::vector<int64_t> values = node.integers(input);
  node.demand(values.size() == 1, "input ", input, " has ", values.size(), " numbers, expected one");
  return values[0];
}

}  // namespace

void split(Node& node) { node.emit_all(parts(node, 1, node.axis(only(node, 0), node.shape(1).size())), {node.wire(1)}); }

void split_v(Node& node) { node.emit_all(parts(node, 0, node.axis(only(node, 2), node.shape(0).size())), {node.wire(0)}); }

void pack(Node& node) {
  node.expect_options(59);
  const int64_t axis = node.axis(node.option<int32_t>(1), node.output().shape.size());
  std::vector<Wire> wires;
  for (size_t i = 0; i < node.inputs(); ++i) {
    node.demand_same_codes(i);
    wires.push_back(node.step(".part", Unsqueeze{{axis}}, {node.wire(i)}, node.output_qparams()));
  }
  node.emit(Concat{.axis = axis}, std::move(wires));
}

void unpack(Node& node) {
  node.expect_options(64);
  node.demand_same_codes();
  const Shape& x = node.shape(0);
  const int64_t axis = node.axis(node.option<int32_t>(1), x.size());
  node.demand(x[static_cast<size_t>(axis)] == static_cast<int64_t>(node.outputs()), node.outputs(), " outputs for axis ", axis,
              " of shape ", to_string(x));
  const std::optional<QParams> q = node.output_qparams();
  const Wire all =
      node.step(".parts", Split{.axis = axis, .sizes = Indices(std::vector<int64_t>(node.outputs(), 1))}, {node.wire(0)}, q);
  for (size_t i = 0; i < node.outputs(); ++i)
    node.alias(node.step(".part", Squeeze{{axis}}, {{all.module, static_cast<int>(i)}}, q), i);
}

void gather(Node& node) {
  node.expect_options(23);
  node.demand_same_codes();
  node.demand(node.option<int32_t>(1) == 0, "batch_dims ", node.option<int32_t>(1));
  const Shape &x = node.shape(0), &at = node.shape(1);
  const int64_t axis = node.axis(node.option<int32_t>(0), x.size());
  const Gather op{.axis = axis, .indices = Indices(node.integers(1))};
  for (const int64_t i : op.indices)
    node.demand(i >= 0 && i < x[static_cast<size_t>(axis)], "index ", i, " of axis ", axis, " of shape ", to_string(x));
  if (at.size() == 1) return node.emit(op, {node.wire(0)});
  const Wire row = node.step(".rows", op, {node.wire(0)}, node.output_qparams());
  node.emit(Reshape{axis > 0 ? any_batch(x, node.output().shape) : node.output().shape}, {row});
}

void tile(Node& node) {
  node.demand_same_codes();
  const std::vector<int64_t> repeats = node.integers(1);
  node.emit(Tile{Shape(repeats.begin(), repeats.end())}, {node.wire(0)});
}

void broadcast_to(Node& node) {
  node.demand_same_codes();
  node.emit(Expand{node.output().shape}, {node.wire(0)});
}

void reverse(Node& node) {
  node.demand_same_codes();
  Flip op;
  for (const int64_t a : node.integers(1)) op.axes.push_back(node.axis(a, node.shape(0).size()));
  node.emit(op, {node.wire(0)});
}

namespace {

/// Sides of a block, an axis each from axis 1 on, and two numbers an axis: padding or what is cut off.
struct Blocks {
  std::vector<int64_t> sides, edges;
  int64_t cells = 1;
  size_t rest;  ///< first axis behind them

  explicit Blocks(const Node& node) : sides(node.integers(1)), edges(node.integers(2)), rest(sides.size() + 1) {
    node.demand(!sides.empty() && sides.size() <= 2 && rest <= node.shape(0).size() && edges.size() == 2 * sides.size(),
                sides.size(), " sides of a block and ", edges.size(), " edges for shape ", to_string(node.shape(0)));
    for (const int64_t side : sides) {
      node.demand(side > 0 && side <= (1 << 16), "a block with a side of ", side);
      cells *= side;
    }
    for (const int64_t edge : edges) node.demand(edge >= 0 && edge <= (1 << 22), "an edge of ", edge);
  }
};

}  // namespace

// [n, h, w, c] -> padded -> [n, h/b, b, w/b, b, c] -> [b, b, n, h/b, w/b, c] -> [b b n, h/b, w/b, c]
void space_to_batch(Node& node) {
  node.demand_same_codes();
  const Blocks blocks(node);
  const std::optional<QParams> q = node.output_qparams();
  Shape x = node.shape(0);
  Pad pad{.before = Shape(x.size(), 0), .after = Shape(x.size(), 0)};
  for (size_t i = 0; i < blocks.sides.size(); ++i)
    pad.before[i + 1] = blocks.edges[2 * i], pad.after[i + 1] = blocks.edges[2 * i + 1];
  const Wire padded = node.step(".padded", pad, {node.wire(0)}, q);
  Shape apart{x[0]}, order, together{x[0] * blocks.cells};
  for (size_t i = 0; i < blocks.sides.size(); ++i) {
    const int64_t n = x[i + 1] + pad.before[i + 1] + pad.after[i + 1], side = blocks.sides[i];
    node.demand(n % side == 0, "axis ", i + 1, " with ", n, " elements in blocks of ", side);
    apart.push_back(n / side), apart.push_back(side), together.push_back(n / side);
    order.push_back(static_cast<int64_t>(2 * i + 2));
  }
  order.push_back(0);
  for (size_t i = 0; i < blocks.sides.size(); ++i) order.push_back(static_cast<int64_t>(2 * i + 1));
  for (size_t i = blocks.rest; i < x.size(); ++i) {
    order.push_back(static_cast<int64_t>(apart.size()));
    apart.push_back(x[i]), together.push_back(x[i]);
  }
  const Wire split = node.step(".blocks", Reshape{apart}, {padded}, q);
  const Wire turned = node.step(".turned", Transpose{order}, {split}, q);
  node.emit(Reshape{together}, {turned});
}

// The way back: [b b n, h, w, c] -> [b, b, n, h, w, c] -> [n, h, b, w, b, c] -> [n, h b, w b, c] -> cut
void batch_to_space(Node& node) {
  node.demand_same_codes();
  const Blocks blocks(node);
  const std::optional<QParams> q = node.output_qparams();
  const Shape& x = node.shape(0);
  node.demand(x[0] % blocks.cells == 0, "a batch of ", x[0], " in blocks of ", blocks.cells);
  const auto m = static_cast<int64_t>(blocks.sides.size());
  Shape apart(blocks.sides.begin(), blocks.sides.end()), order{m}, together{x[0] / blocks.cells};
  apart.push_back(together[0]);
  Slice cut;
  for (int64_t i = 0; i < m; ++i) {
    const auto at = static_cast<size_t>(i);
    const int64_t n = x[at + 1] * blocks.sides[at];
    apart.push_back(x[at + 1]), together.push_back(n);
    order.push_back(m + 1 + i), order.push_back(i);
    node.demand(blocks.edges[2 * at] + blocks.edges[2 * at + 1] <= n, "more than axis ", i + 1, " cut off");
    cut.axes.push_back(i + 1), cut.starts.push_back(blocks.edges[2 * at]), cut.ends.push_back(n - blocks.edges[2 * at + 1]);
    cut.steps.push_back(1);
  }
  for (size_t i = blocks.rest; i < x.size(); ++i) {
    order.push_back(static_cast<int64_t>(apart.size()));
    apart.push_back(x[i]), together.push_back(x[i]);
  }
  const Wire split = node.step(".blocks", Reshape{apart}, {node.wire(0)}, q);
  const Wire turned = node.step(".turned", Transpose{order}, {split}, q);
  const Wire whole = node.step(".whole", Reshape{together}, {turned}, q);
  node.emit(cut, {whole});
}

void depth_to_space(Node& node) {
  node.expect_options(94);
  node.demand_same_codes();
  node.emit(DepthToSpace{.block = node.option<int32_t>(0)}, {node.wire(0)});
}

void space_to_depth(Node& node) {
  node.expect_options(19);
  node.demand_same_codes();
  node.emit(SpaceToDepth{.block = node.option<int32_t>(0)}, {node.wire(0)});
}

}  // namespace octet::tflite
