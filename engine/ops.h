// SPDX-License-Identifier: Apache-2.0
// The index of what exists: every operator as a plain struct of attributes. Its shape rule, initialisation, forward (with
// derivative) and lowering to kernel arguments are members, all in engine/ops/<name>.cpp.
#pragma once

#include <array>
#include <cmath>
#include <concepts>
#include <string_view>
#include <tuple>
#include <variant>

#include "engine/op_call.h"
#include "engine/op_traits.h"

namespace octet {

struct Pair {
  int64_t h = 1, w = 1;
  bool operator==(const Pair&) const = default;
};
struct Pads {
  int64_t top = 0, left = 0, bottom = 0, right = 0;
  bool operator==(const Pads&) const = default;
};
/// The same padding on all four sides.
constexpr Pads pad_all(int64_t n) { return {n, n, n, n}; }

enum class Activation : uint8_t { none, relu, relu6 };
enum class UnaryFn : uint8_t { identity, relu, relu6 };
enum class BinaryFn : uint8_t { add };
enum class Pool : uint8_t { max, average, adaptive_average };

/// Names of an enum's values in order: how files and messages spell them.
template <class E>
inline constexpr std::array<std::string_view, 0> kEnumNames{};
template <>
inline constexpr std::array<std::string_view, 3> kEnumNames<Activation>{"none", "relu", "relu6"};
template <>
inline constexpr std::array<std::string_view, 3> kEnumNames<UnaryFn>{"identity", "relu", "relu6"};
template <>
inline constexpr std::array<std::string_view, 1> kEnumNames<BinaryFn>{"add"};
template <>
inline constexpr std::array<std::string_view, 3> kEnumNames<Pool>{"max", "average", "adaptive_average"};
template <>
inline constexpr std::array<std::string_view, 4> kEnumNames<Rounding>{"real", "int_bias", "fixed_double", "fixed_single"};

/// Real-valued limits of an activation: relu is [0, inf), none is (-inf, inf).
struct Limits {
  float lo = -INFINITY, hi = INFINITY;
};
Limits limits(Activation);

/// One attribute of an operator: its name in files and where it lives.
template <class OpType, class T>
struct Field {
  std::string_view name;
  T OpType::*member;
};
template <class OpType, class T>
Field(const char*, T OpType::*) -> Field<OpType, T>;

// Every operator answers params(), traits() (engine/op_traits.h) and activation(); the concept below asks for them.
// An operator without a lower() has no int8 form (Codes::none): in a converted model it computes in float. What lower() needs of
// weights is in tables(), once for all shapes.

/// A network input of this nominal shape (batch included); any batch may be fed later.
struct Input {
  Shape shape;

  static constexpr std::string_view name = "input";
  static constexpr auto fields = std::tuple{Field{"shape", &Input::shape}};
  bool operator==(const Input&) const = default;
  std::vector<Param> params() const { return {}; }
  Traits traits() const { return {.codes = Codes::own, .channels = Channels::mixes, .part = Part::other, .wires = 0}; }
  Activation activation() const { return Activation::none; }
  std::vector<Shape> shapes(const ShapeCall&) const;
  std::vector<Var> forward(const Call&) const;
  Lowered lower(const LowerCall&) const;
};

/// N,H,W,C convolution. params: weight [out, kH, kW, in/groups], bias [out]. A second input (residual) is added before
/// the activation.
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
  std::vector<Shape> shapes(const ShapeCall&) const;
  void init(Params&, Generator&) const;
  std::vector<Var> forward(const Call&) const;
  ModuleTables tables(const LowerCall&) const;
  Lowered lower(const LowerCall&) const;
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
  std::vector<Shape> shapes(const ShapeCall&) const;
  void init(Params&, Generator&) const;
  std::vector<Var> forward(const Call&) const;
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
  std::vector<Shape> shapes(const ShapeCall&) const;
  void init(Params&, Generator&) const;
  std::vector<Var> forward(const Call&) const;
  ModuleTables tables(const LowerCall&) const;
  Lowered lower(const LowerCall&) const;
};

/// Batch norm over the last axis (BatchNorm1d and 2d). params: weight, bias, running_mean, running_var; while its statistics are
/// frozen: frozen (1).
struct BatchNorm {
  int64_t channels = 0;
  double eps = 1e-5, momentum = 0.1;

  static constexpr std::string_view name = "batch_norm";
  static constexpr auto fields =
      std::tuple{Field{"channels", &BatchNorm::channels}, Field{"eps", &BatchNorm::eps}, Field{"momentum", &BatchNorm::momentum}};
  bool operator==(const BatchNorm&) const = default;
  std::vector<Param> params() const;
  Traits traits() const { return {.codes = Codes::none, .channels = Channels::mixes, .part = Part::norm}; }
  Activation activation() const { return Activation::none; }
  std::vector<Shape> shapes(const ShapeCall&) const;
  void init(Params&, Generator&) const;
  std::vector<Var> forward(const Call&) const;
};

/// Element-wise function of one tensor.
struct Unary {
  UnaryFn fn = UnaryFn::identity;

  static constexpr std::string_view name = "unary";
  static constexpr auto fields = std::tuple{Field{"fn", &Unary::fn}};
  bool operator==(const Unary&) const = default;
  std::vector<Param> params() const { return {}; }
  Traits traits() const;
  Activation activation() const;
  std::vector<Shape> shapes(const ShapeCall&) const;
  std::vector<Var> forward(const Call&) const;
  Lowered lower(const LowerCall&) const;
};

/// Element-wise function of two tensors of equal shape, then an activation.
struct Binary {
  BinaryFn fn = BinaryFn::add;
  Activation act = Activation::none;

  static constexpr std::string_view name = "binary";
  static constexpr auto fields = std::tuple{Field{"fn", &Binary::fn}, Field{"act", &Binary::act}};
  bool operator==(const Binary&) const = default;
  std::vector<Param> params() const { return {}; }
  Traits traits() const { return {.codes = Codes::own, .channels = Channels::mixes, .part = Part::sum, .wires = 2}; }
  Activation activation() const { return act; }
  std::vector<Shape> shapes(const ShapeCall&) const;
  std::vector<Var> forward(const Call&) const;
  Lowered lower(const LowerCall&) const;
};

/// Tensors joined along an axis.
struct Concat {
  int64_t axis = 0;

  static constexpr std::string_view name = "concat";
  static constexpr auto fields = std::tuple{Field{"axis", &Concat::axis}};
  bool operator==(const Concat&) const = default;
  std::vector<Param> params() const { return {}; }
  Traits traits() const {
    return {.codes = Codes::own, .channels = Channels::mixes, .part = Part::other, .wires = -1, .selects = true};
  }
  Activation activation() const { return Activation::none; }
  std::vector<Shape> shapes(const ShapeCall&) const;
  std::vector<Var> forward(const Call&) const;
  Lowered lower(const LowerCall&) const;
};

/// Pooling over N,H,W,C. Adaptive pooling reads `output`; the other kinds read kernel, stride, padding, ceil_mode.
struct Pool2d {
  Pool kind = Pool::max;
  Pair kernel{2, 2}, stride{2, 2};
  Pads padding{};
  bool ceil_mode = false, count_include_pad = true;
  Pair output{1, 1};

  static constexpr std::string_view name = "pool2d";
  static constexpr auto fields =
      std::tuple{Field{"kind", &Pool2d::kind},           Field{"kernel", &Pool2d::kernel},
                 Field{"stride", &Pool2d::stride},       Field{"padding", &Pool2d::padding},
                 Field{"ceil_mode", &Pool2d::ceil_mode}, Field{"count_include_pad", &Pool2d::count_include_pad},
                 Field{"output", &Pool2d::output}};
  bool operator==(const Pool2d&) const = default;
  std::vector<Param> params() const { return {}; }
  Traits traits() const;
  Activation activation() const { return Activation::none; }
  std::vector<Shape> shapes(const ShapeCall&) const;
  std::vector<Var> forward(const Call&) const;
  Lowered lower(const LowerCall&) const;
};

/// Same elements, other shape; one dimension may be -1 (inferred), 0 keeps the input's dimension at that place.
struct Reshape {
  Shape shape;

  static constexpr std::string_view name = "reshape";
  static constexpr auto fields = std::tuple{Field{"shape", &Reshape::shape}};
  bool operator==(const Reshape&) const = default;
  std::vector<Param> params() const { return {}; }
  Traits traits() const {
    return {.codes = Codes::keep, .channels = Channels::regroups, .part = Part::other, .selects = true, .keeps_mean = true};
  }
  Activation activation() const { return Activation::none; }
  std::vector<Shape> shapes(const ShapeCall&) const;
  std::vector<Var> forward(const Call&) const;
  Lowered lower(const LowerCall&) const;
};

/// Axes permuted: output axis i is input axis order[i].
struct Transpose {
  Shape order;

  static constexpr std::string_view name = "transpose";
  static constexpr auto fields = std::tuple{Field{"order", &Transpose::order}};
  bool operator==(const Transpose&) const = default;
  std::vector<Param> params() const { return {}; }
  Traits traits() const { return {.codes = Codes::keep, .channels = Channels::mixes, .part = Part::other, .selects = true}; }
  Activation activation() const { return Activation::none; }
  std::vector<Shape> shapes(const ShapeCall&) const;
  std::vector<Var> forward(const Call&) const;
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
  std::vector<Shape> shapes(const ShapeCall&) const;
  std::vector<Var> forward(const Call&) const;
  Lowered lower(const LowerCall&) const;
};

/// Pieces along an axis, an output each: `sizes` long, which add up to the axis.
struct Split {
  static constexpr size_t kMostPieces = 64;
  int64_t axis = 0;
  Shape sizes;

  static constexpr std::string_view name = "split";
  static constexpr auto fields = std::tuple{Field{"axis", &Split::axis}, Field{"sizes", &Split::sizes}};
  bool operator==(const Split&) const = default;
  std::vector<Param> params() const { return {}; }
  Traits traits() const {
    return {.codes = Codes::keep,
            .channels = Channels::mixes,
            .part = Part::other,
            .outputs = static_cast<int>(sizes.size()),
            .selects = true};
  }
  Activation activation() const { return Activation::none; }
  std::vector<Shape> shapes(const ShapeCall&) const;
  std::vector<Var> forward(const Call&) const;
  Lowered lower(const LowerCall&) const;
};

using Op =
    std::variant<Input, Conv2d, ConvBn2d, Linear, BatchNorm, Unary, Binary, Concat, Pool2d, Reshape, Transpose, Dropout, Split>;

/// What an operator has to answer; there are no defaults to forget.
template <class T>
concept Operator = requires(const T& op, const ShapeCall& shape_call, const Call& call) {
  { T::name } -> std::convertible_to<std::string_view>;
  T::fields;
  { op.params() } -> std::same_as<std::vector<Param>>;
  { op.traits() } -> std::same_as<Traits>;
  { op.activation() } -> std::same_as<Activation>;
  { op.shapes(shape_call) } -> std::same_as<std::vector<Shape>>;
  { op.forward(call) } -> std::same_as<std::vector<Var>>;
};
template <class>
inline constexpr bool kAllOperators = false;
template <class... Ts>
inline constexpr bool kAllOperators<std::variant<Ts...>> = (Operator<Ts> && ...);
static_assert(kAllOperators<Op>);

std::string_view name_of(const Op&);
std::vector<Param> params_of(const Op&);
Traits traits_of(const Op&);
/// The clamp that an operator ends in, or is.
Activation activation_of(const Op&);
bool keeps_qparams(const Op&);
/// Whether it has weights: what int8 codes, per-channel scales and bias correction are about.
bool is_weighted(const Op&);
/// What gives its input's values: where codes begin on a float wire, prepare inserts one with an observer.
Op identity();

}  // namespace octet
