// SPDX-License-Identifier: Apache-2.0
// Functions of single elements: of one tensor, of two, and dropout.
#pragma once

#include <optional>

#include "engine/ops/op.h"

namespace octet {

enum class UnaryFn : uint8_t {
  identity,
  relu,
  relu6,
  clip,
  sigmoid,
  tanh,
  hard_sigmoid,
  hard_swish,
  silu,
  gelu,
  gelu_tanh,
  elu,
  selu,
  celu,
  leaky_relu,
  softplus,
  softsign,
  mish,
  exp,
  log,
  sqrt,
  abs,
  neg,
  erf,
  sin,
  cos,
  round,
  floor,
  ceil,
  sign,
  reciprocal
};
enum class BinaryFn : uint8_t {
  add,
  sub,
  mul,
  div,
  pow,
  minimum,
  maximum,
  equal,
  not_equal,
  less,
  less_equal,
  greater,
  greater_equal
};

template <>
inline constexpr std::array<std::string_view, 31> kEnumNames<UnaryFn>{
    "identity", "relu", "relu6",     "clip",  "sigmoid", "tanh", "hard_sigmoid", "hard_swish",
    "silu",     "gelu", "gelu_tanh", "elu",   "selu",    "celu", "leaky_relu",   "softplus",
    "softsign", "mish", "exp",       "log",   "sqrt",    "abs",  "neg",          "erf",
    "sin",      "cos",  "round",     "floor", "ceil",    "sign", "reciprocal"};
template <>
inline constexpr std::array<std::string_view, 13> kEnumNames<BinaryFn>{"add",        "sub",     "mul",          "div",       "pow",
                                                                       "minimum",    "maximum", "equal",        "not_equal", "less",
                                                                       "less_equal", "greater", "greater_equal"};

/// A function's alpha and beta, as its row in engine/ops/unary_functions.h says what they mean.
struct Coefficients {
  double alpha = 0, beta = 0;
};

/// Element-wise function of one tensor. alpha and beta are read by some functions and have PyTorch's defaults: the limits of clip,
/// the slope of leaky_relu, alpha of elu and celu, beta and threshold of softplus, factor and summand of hard_sigmoid.
struct Unary {
  UnaryFn fn = UnaryFn::identity;
  std::optional<double> alpha{}, beta{};

  static constexpr std::string_view name = "unary";
  static constexpr auto fields = std::tuple{Field{"fn", &Unary::fn}, Field{"alpha", &Unary::alpha}, Field{"beta", &Unary::beta}};
  /// The function that is this clamp: identity, relu, relu6 or clip.
  static Unary clamping(Activation);
  bool operator==(const Unary&) const = default;
  std::vector<Param> params() const { return {}; }
  Traits traits() const;
  Activation activation() const;
  static bool remap_axes(const AxisOrder&) { return true; }
  Coefficients coefficients() const;
  std::vector<Shape> shapes(const ShapeCall&) const;
  std::vector<Var> forward(const Call&) const;
  ModuleTables tables(const LowerCall&) const;
  Lowered lower(const LowerCall&) const;
  LoweredFloats lower_float(const FloatLowerCall&) const;

 private:
  bool is_clamp() const;
};

/// Element-wise function of two tensors, then an activation. Shapes are broadcast as in NumPy: aligned at the last axis, axes of
/// length 1 repeated. Comparisons give 1 and 0.
struct Binary {
  BinaryFn fn = BinaryFn::add;
  Activation act = Activation::none;

  static constexpr std::string_view name = "binary";
  static constexpr auto fields = std::tuple{Field{"fn", &Binary::fn}, Field{"act", &Binary::act}};
  bool operator==(const Binary&) const = default;
  std::vector<Param> params() const { return {}; }
  Traits traits() const;
  Activation activation() const { return act; }
  static bool remap_axes(const AxisOrder&) { return true; }
  std::vector<Shape> shapes(const ShapeCall&) const;
  std::vector<Var> forward(const Call&) const;
  Lowered lower(const LowerCall&) const;
  LoweredFloats lower_float(const FloatLowerCall&) const;
};

/// The second input where the first is not 0, the third elsewhere; all three are broadcast. Computes in float.
struct Where {
  static constexpr std::string_view name = "where";
  static constexpr auto fields = std::tuple{};
  bool operator==(const Where&) const = default;
  std::vector<Param> params() const { return {}; }
  Traits traits() const { return {.codes = Codes::none, .channels = Channels::mixes, .part = Part::other, .wires = 3, .exact = 0}; }
  Activation activation() const { return Activation::none; }
  static bool remap_axes(const AxisOrder&) { return true; }
  std::vector<Shape> shapes(const ShapeCall&) const;
  std::vector<Var> forward(const Call&) const;
};

/// x where it is positive, weight[c] x elsewhere: a slope for each channel (the last axis), or one for all. params: weight
/// [channels].
struct PRelu {
  int64_t channels = 1;

  static constexpr std::string_view name = "prelu";
  static constexpr auto fields = std::tuple{Field{"channels", &PRelu::channels}};
  bool operator==(const PRelu&) const = default;
  std::vector<Param> params() const { return {{"weight", {channels}, Role::gain}}; }
  Traits traits() const { return {.codes = Codes::own, .channels = Channels::scales, .part = Part::other}; }
  Activation activation() const { return Activation::none; }
  bool remap_axes(const AxisOrder& order) const { return channels == 1 || order.keeps_last(); }
  std::vector<Shape> shapes(const ShapeCall&) const;
  void init(Params&, Generator&) const;
  std::vector<Var> forward(const Call&) const;
  ModuleTables tables(const LowerCall&) const;
  Lowered lower(const LowerCall&) const;
};

/// In training zeroes each element with probability p and scales the rest by 1/(1-p); otherwise the identity.
struct Dropout {
  double p = 0.5;

  static constexpr std::string_view name = "dropout";
  static constexpr auto fields = std::tuple{Field{"p", &Dropout::p}};
  bool operator==(const Dropout&) const = default;
  std::vector<Param> params() const { return {}; }
  Traits traits() const {
    return {.codes = Codes::keep, .channels = Channels::scales, .part = Part::other, .selects = true, .keeps_mean = true};
  }
  Activation activation() const { return Activation::none; }
  static bool remap_axes(const AxisOrder&) { return true; }
  std::vector<Shape> shapes(const ShapeCall&) const;
  std::vector<Var> forward(const Call&) const;
  Lowered lower(const LowerCall&) const;
  LoweredFloats lower_float(const FloatLowerCall&) const;
};

}  // namespace octet
