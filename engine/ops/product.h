// SPDX-License-Identifier: Apache-2.0
// Sums of products: convolutions, linear layers, and products of two inputs.
#pragma once

#include "engine/ops/op.h"

namespace octet {

/// N,H,W,C convolution, or N,L,C with a kernel of height 1. params: weight [out, kH, kW, in/groups], bias [out]. A second input
/// (residual) is added before the activation.
struct Conv2d {
  int64_t in = 0, out = 0;
  Pair kernel{3, 3}, stride{1, 1}, dilation{1, 1};
  Pads padding{};
  int64_t groups = 1;
  bool bias = true;
  Activation act = Activation::none;
  bool residual = false;

  static constexpr std::string_view name = "conv2d";
  static constexpr auto fields = std::tuple{Field{"in", &Conv2d::in},
                                            Field{"out", &Conv2d::out},
                                            Field{"kernel", &Conv2d::kernel},
                                            Field{"stride", &Conv2d::stride},
                                            Field{"dilation", &Conv2d::dilation},
                                            Field{"padding", &Conv2d::padding},
                                            Field{"groups", &Conv2d::groups},
                                            Field{"bias", &Conv2d::bias},
                                            Field{"act", &Conv2d::act},
                                            Field{"residual", &Conv2d::residual}};
  bool operator==(const Conv2d&) const = default;
  std::vector<Param> params() const;
  Traits traits() const;
  Activation activation() const { return act; }
  static bool remap_axes(const AxisOrder&) { return false; }
  std::vector<Shape> shapes(const ShapeCall&) const;
  void init(Params&, Generator&) const;
  std::vector<Var> forward(const Call&) const;
  ModuleTables tables(const LowerCall&) const;
  ModuleTables float_tables(const FloatLowerCall&) const;
  Lowered lower(const LowerCall&) const;
  LoweredFloats lower_float(const FloatLowerCall&) const;
};

/// PyTorch's Conv1d over N,L,C: a Conv2d whose weight is [out, 1, kernel, in/groups].
struct Conv1d {
  int64_t in = 0, out = 0;
  int64_t kernel = 3, stride = 1, dilation = 1, padding = 0, groups = 1;
  bool bias = true;
  Activation act = Activation::none;

  Conv2d over_pictures() const {
    return {.in = in,
            .out = out,
            .kernel = {1, kernel},
            .stride = {1, stride},
            .dilation = {1, dilation},
            .padding = {0, padding, 0, padding},
            .groups = groups,
            .bias = bias,
            .act = act};
  }
};

/// N,H,W,C transposed convolution (ConvTranspose2d): what a convolution of this stride would have read to give the input. params:
/// weight [out, kH, kW, in/groups], bias [out]; PyTorch's [in, out/groups, kH, kW] with the first two axes changed about, group by
/// group. Computed as a plain convolution of the input with stride - 1 zeros between its elements.
struct ConvTranspose2d {
  int64_t in = 0, out = 0;
  Pair kernel{3, 3}, stride{1, 1}, dilation{1, 1};
  Pads padding{};             ///< taken away from the output
  Pair output_padding{0, 0};  ///< put to its bottom and right, less than the stride or the dilation
  int64_t groups = 1;
  bool bias = true;
  Activation act = Activation::none;

  static constexpr std::string_view name = "conv_transpose2d";
  static constexpr auto fields = std::tuple{Field{"in", &ConvTranspose2d::in},
                                            Field{"out", &ConvTranspose2d::out},
                                            Field{"kernel", &ConvTranspose2d::kernel},
                                            Field{"stride", &ConvTranspose2d::stride},
                                            Field{"dilation", &ConvTranspose2d::dilation},
                                            Field{"padding", &ConvTranspose2d::padding},
                                            Field{"output_padding", &ConvTranspose2d::output_padding},
                                            Field{"groups", &ConvTranspose2d::groups},
                                            Field{"bias", &ConvTranspose2d::bias},
                                            Field{"act", &ConvTranspose2d::act}};
  bool operator==(const ConvTranspose2d&) const = default;
  std::vector<Param> params() const;
  Traits traits() const;
  Activation activation() const { return act; }
  static bool remap_axes(const AxisOrder&) { return false; }
  std::vector<Shape> shapes(const ShapeCall&) const;
  void init(Params&, Generator&) const;
  std::vector<Var> forward(const Call&) const;
  ModuleTables tables(const LowerCall&) const;
  Lowered lower(const LowerCall&) const;
};

/// PyTorch's ConvTranspose1d over N,L,C.
struct ConvTranspose1d {
  int64_t in = 0, out = 0;
  int64_t kernel = 3, stride = 1, dilation = 1, padding = 0, output_padding = 0, groups = 1;
  bool bias = true;
  Activation act = Activation::none;

  ConvTranspose2d over_pictures() const {
    return {.in = in,
            .out = out,
            .kernel = {1, kernel},
            .stride = {1, stride},
            .dilation = {1, dilation},
            .padding = {0, padding, 0, padding},
            .output_padding = {0, output_padding},
            .groups = groups,
            .bias = bias,
            .act = act};
  }
};

/// Convolution and batch norm trained as one for quantization-aware training: the weight hook sees the folded weight.
/// params: weight, [bias], bn.weight, bn.bias, bn.running_mean, bn.running_var, bn.frozen (0 or 1).
struct ConvBn2d {
  Conv2d conv;
  double eps = 1e-5, momentum = 0.1;

  static constexpr std::string_view name = "conv_bn2d";
  static constexpr auto fields =
      std::tuple{Field{"conv", &ConvBn2d::conv}, Field{"eps", &ConvBn2d::eps}, Field{"momentum", &ConvBn2d::momentum}};
  bool operator==(const ConvBn2d&) const = default;
  std::vector<Param> params() const;
  Traits traits() const { return {.codes = Codes::own, .channels = Channels::mixes, .part = Part::other}; }
  Activation activation() const { return conv.act; }
  static bool remap_axes(const AxisOrder&) { return false; }
  std::vector<Shape> shapes(const ShapeCall&) const;
  void init(Params&, Generator&) const;
  std::vector<Var> forward(const Call&) const;
  ModuleTables float_tables(const FloatLowerCall&) const;
  LoweredFloats lower_float(const FloatLowerCall&) const;
};

/// y = x W^T + b over the last axis. params: weight [out, in], bias [out].
struct Linear {
  int64_t in = 0, out = 0;
  bool bias = true;
  Activation act = Activation::none;

  static constexpr std::string_view name = "linear";
  static constexpr auto fields =
      std::tuple{Field{"in", &Linear::in}, Field{"out", &Linear::out}, Field{"bias", &Linear::bias}, Field{"act", &Linear::act}};
  bool operator==(const Linear&) const = default;
  std::vector<Param> params() const;
  Traits traits() const;
  Activation activation() const { return act; }
  static bool remap_axes(const AxisOrder& order) { return order.keeps_last(); }
  std::vector<Shape> shapes(const ShapeCall&) const;
  void init(Params&, Generator&) const;
  std::vector<Var> forward(const Call&) const;
  ModuleTables tables(const LowerCall&) const;
  ModuleTables float_tables(const FloatLowerCall&) const;
  Lowered lower(const LowerCall&) const;
  LoweredFloats lower_float(const FloatLowerCall&) const;
};

/// The same of a linear layer (LinearBn1d). params: weight, [bias], bn.weight, bn.bias, bn.running_mean, bn.running_var, bn.frozen.
struct LinearBn {
  Linear linear;
  double eps = 1e-5, momentum = 0.1;

  static constexpr std::string_view name = "linear_bn";
  static constexpr auto fields =
      std::tuple{Field{"linear", &LinearBn::linear}, Field{"eps", &LinearBn::eps}, Field{"momentum", &LinearBn::momentum}};
  bool operator==(const LinearBn&) const = default;
  std::vector<Param> params() const;
  Traits traits() const { return {.codes = Codes::own, .channels = Channels::mixes, .part = Part::other}; }
  Activation activation() const { return linear.act; }
  static bool remap_axes(const AxisOrder& order) { return order.keeps_last(); }
  std::vector<Shape> shapes(const ShapeCall&) const;
  void init(Params&, Generator&) const;
  std::vector<Var> forward(const Call&) const;
  ModuleTables float_tables(const FloatLowerCall&) const;
  LoweredFloats lower_float(const FloatLowerCall&) const;
};

/// The product of two matrices, the last two axes of both inputs; those in front of them are broadcast. transpose_a, transpose_b:
/// the last two axes of that input change places first.
struct MatMul {
  bool transpose_a = false, transpose_b = false;

  static constexpr std::string_view name = "matmul";
  static constexpr auto fields = std::tuple{Field{"transpose_a", &MatMul::transpose_a}, Field{"transpose_b", &MatMul::transpose_b}};
  bool operator==(const MatMul&) const = default;
  std::vector<Param> params() const { return {}; }
  Traits traits() const { return {.codes = Codes::own, .channels = Channels::mixes, .part = Part::other, .wires = 2}; }
  Activation activation() const { return Activation::none; }
  bool remap_axes(const AxisOrder&);
  std::vector<Shape> shapes(const ShapeCall&) const;
  std::vector<Var> forward(const Call&) const;
  Lowered lower(const LowerCall&) const;
  LoweredFloats lower_float(const FloatLowerCall&) const;
};

}  // namespace octet
