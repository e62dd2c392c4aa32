// SPDX-License-Identifier: Apache-2.0
// Every operator, at least once, with inputs that it takes: what holds for all of them is tried on these.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "engine/model.h"
#include "tests/catch.h"

namespace octet::testing {

struct OperatorCase {
  Op op;
  std::vector<Shape> inputs;
};

/// A user's own: its input times a factor.
class Scaled final : public CustomFunction {
 public:
  explicit Scaled(double factor) : factor_(factor) {}
  std::string_view kind() const override { return "scaled"; }
  std::string attributes() const override { return std::to_string(factor_); }
  std::vector<Shape> shapes(std::span<const Shape> inputs) const override {
    check(!inputs[0].empty(), "a scalar");
    return {inputs[0]};
  }
  std::vector<Var> forward(std::span<const Var> inputs) const override {
    const auto times = [factor = factor_](Tensor t) {
      dispatch_float(t.dtype(), "scaled", [&]<class T>() {
        for (T& v : t.mutable_data<T>()) v *= static_cast<T>(factor);
      });
      return t;
    };
    return {Var::made(times(inputs[0].value()), {inputs[0]},
                      [times](const Tensor& grad, const Needs&) { return std::vector<Tensor>{times(grad)}; })};
  }
  static std::shared_ptr<const CustomFunction> make(std::string_view kind, std::string_view attributes) {
    check(kind == "scaled", "unknown custom operator '", kind, "'");
    return std::make_shared<const Scaled>(std::stod(std::string(attributes)));
  }

 private:
  double factor_;
};

inline std::vector<OperatorCase> every_operator() {
  const Shape picture{2, 4, 6, 8};
  std::vector<OperatorCase> all{
      {Input{picture}, {}},
      {Conv2d{.in = 8, .out = 3, .padding = pad_all(1)}, {picture}},
      {Conv2d{.in = 8, .out = 8, .padding = pad_all(1), .residual = true}, {picture, picture}},
      {ConvBn2d{.conv = {.in = 8, .out = 3, .bias = false}}, {picture}},
      {ConvTranspose2d{.in = 8, .out = 3, .stride = {2, 1}}, {picture}},
      {Linear{8, 5}, {picture}},
      {LinearBn{.linear = {8, 5, false}}, {picture}},
      {PRelu{8}, {picture}},
      {BatchNorm{8}, {picture}},
      {LayerNorm{8}, {picture}},
      {GroupNorm{2, 8}, {picture}},
      {RMSNorm{8}, {picture}},
      {L2Normalize{}, {picture}},
      {Softmax{}, {picture}},
      {Softmax{.axis = 1, .log = true}, {picture}},
      {Unary{UnaryFn::gelu}, {picture}},
      {Unary{UnaryFn::clip, -0.5, 0.25}, {picture}},
      {Unary{UnaryFn::leaky_relu, 0.1}, {picture}},
      {Binary{BinaryFn::sub, Activation::relu}, {picture, {1, 4, 1, 8}}},
      {Dropout{0.25}, {picture}},
      {Pool2d{}, {picture}},
      {Pool2d{.kind = Pool::adaptive_average}, {picture}},
      {Reduce{ReduceFn::max, {1, 3}, true}, {picture}},
      {Reduce{ReduceFn::mean, {}, true}, {picture}},
      {Reduce{ReduceFn::sum, {2}}, {picture}},
      {Reshape{{0, -1}}, {picture}},
      {Transpose{{1, 3, 0, 2}}, {picture}},
      {Split{3, {1, 5, 2}}, {picture}},
      {Concat{2}, {picture, {2, 4, 1, 8}}},
      {Slice{{1, 3}, {1, -3}, {4, 8}, {2, 1}}, {picture}},
      {Squeeze{{1}}, {{2, 1, 6, 8}}},
      {Unsqueeze{{1}}, {{2, 6, 8}}},
      {Expand{{2, 4, -1, 8}}, {{2, 1, 6, 8}}},
      {Expand{{3, 2, 4}}, {{2, 4}}},
      {DepthToSpace{2}, {picture}},
      {SpaceToDepth{2, true}, {picture}},
      {ChannelShuffle{4}, {picture}},
      {Pad{{0, 1, 0, 2}, {1, 0, 3, 0}, PadMode::constant, 0.5}, {picture}},
      {Pad{{0, 1, 0, 2}, {1, 0, 3, 0}, PadMode::reflect}, {picture}},
      {Flip{{3, 1}}, {picture}},
      {Roll{{0, 2}, {1, -2}}, {picture}},
      {Gather{3, {7, 0, -2, 0}}, {picture}},
      {Tile{{1, 2, 1, 3}}, {picture}},
      {ResizeNearest{{5, 3}}, {picture}},
      {ResizeNearest{{5, 0}, Coordinates::tf_crop_and_resize, NearestMode::ceil, Scale{1, 0.5}, Region{-0.5, 0, 1, 1}, 2},
       {picture}},
      {ResizeLinear{{5, 3}}, {picture}},
      {ResizeLinear{{0, 0}, Coordinates::half_pixel_symmetric, Scale{1.3, 0.6}}, {picture}},
      {ResizeLinear{{5, 7}, Coordinates::tf_crop_and_resize, {}, Region{0.25, 1.25, 1, -0.5}, -1}, {picture}},
      {LpPool2d{.padding = {1, 0, 0, 1}}, {picture}},
      {Custom{std::make_shared<const Scaled>(0.5)}, {picture}},
      {Where{}, {picture, {1, 4, 1, 8}, {1, 1, 6, 1}}},
      {ArgReduce{.axis = 2, .keepdims = true}, {picture}},
      {TopK{3, 2}, {picture}},
      {Constant{{3, 4}}, {}},
      {Embedding{5, 3}, {{2, 4}}},
      {MatMul{}, {{2, 4, 6, 8}, {2, 4, 8, 3}}},
      {MatMul{.transpose_a = true, .transpose_b = true}, {{2, 1, 6, 5}, {1, 4, 3, 6}}},
  };
  std::set<size_t> kinds;
  for (const OperatorCase& o : all) kinds.insert(o.op.index());
  REQUIRE(kinds.size() == std::variant_size_v<OpVariant>);  // a new operator belongs here
  return all;
}

/// Values that the operator takes: numbers of rows are whole.
inline std::vector<Tensor> values_for(const OperatorCase& o, Generator& g) {
  std::vector<Tensor> x;
  for (const Shape& shape : o.inputs)
    x.push_back(std::holds_alternative<Embedding>(o.op) ? Tensor::full(shape, 1) : randn(g, shape));
  return x;
}

/// The operator alone behind its inputs, with parameters.
inline Model network_of(const OperatorCase& o) {
  Model m;
  std::vector<Wire> wires;
  for (const Shape& shape : o.inputs) wires.push_back({m.add("x" + std::to_string(wires.size()), Input{shape}), 0});
  const int index = m.add("op", o.op, wires);
  for (int port = 0; port < static_cast<int>(m.modules.back().nominal.size()); ++port) m.outputs.push_back({index, port});
  Generator g(7);
  initialize(m, g);
  return m;
}

}  // namespace octet::testing
