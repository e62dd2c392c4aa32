// SPDX-License-Identifier: Apache-2.0
// The index of what exists: every operator is a plain struct of attributes in a header of its family. Its shape rule,
// initialisation, forward (with derivative) and lowering to kernel arguments are members, in engine/ops/<name>.cpp.
#pragma once

#include <concepts>
#include <optional>
#include <string_view>
#include <utility>
#include <variant>

#include "engine/ops/copy.h"
#include "engine/ops/custom.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/norm.h"
#include "engine/ops/product.h"
#include "engine/ops/reduce.h"
#include "engine/ops/resize.h"
#include "engine/ops/table.h"
#include "engine/ops/view.h"
#include "engine/ops/window.h"

namespace octet {

// Every operator answers params(), traits() (engine/op_traits.h), activation() and remap_axes(); the concept below asks for them.
// remap_axes(order) turns the operator into the one that computes the same on tensors whose axes are in that order, or returns
// false where there is none. An operator without a lower() has no int8 form (Codes::none): in a converted model it computes in
// float. lower_float() gives the float kernels that sessions run, to the bits of forward(); without one they call forward(). What
// the two need of weights is in tables() and float_tables(), once for all shapes.

/// A network input of this nominal shape (batch included); any batch may be fed later.
struct Input {
  Shape shape;

  static constexpr std::string_view name = "input";
  static constexpr auto fields = std::tuple{Field{"shape", &Input::shape}};
  bool operator==(const Input&) const = default;
  std::vector<Param> params() const { return {}; }
  Traits traits() const { return {.codes = Codes::own, .channels = Channels::mixes, .part = Part::other, .wires = 0}; }
  Activation activation() const { return Activation::none; }
  bool remap_axes(const AxisOrder& order) { return order.reorder(shape); }
  std::vector<Shape> shapes(const ShapeCall&) const;
  std::vector<Var> forward(const Call&) const;
  Lowered lower(const LowerCall&) const;
};

using OpVariant =
    std::variant<Input, Conv2d, ConvBn2d, Linear, BatchNorm, Unary, Binary, Concat, Pool2d, Reshape, Transpose, Dropout, Split,
                 Reduce, Slice, Squeeze, Unsqueeze, Expand, DepthToSpace, SpaceToDepth, ChannelShuffle, Pad, Flip, Roll, Gather,
                 Tile, ResizeNearest, Softmax, ConvTranspose2d, LayerNorm, GroupNorm, RMSNorm, L2Normalize, LinearBn, PRelu, MatMul,
                 Where, ArgReduce, TopK, Constant, Embedding, ResizeLinear, LpPool2d, Custom>;

template <class T, class Variant>
inline constexpr bool kIsOneOf = false;
template <class T, class... Ts>
inline constexpr bool kIsOneOf<T, std::variant<Ts...>> = (std::same_as<T, Ts> || ...);

/// Any operator: to be asked with std::visit, std::get_if and the functions below. A class of its own so that copies of all of them
/// are compiled once, not wherever a module is copied.
class Op : public OpVariant {
 public:
  Op();
  template <class T>
  requires kIsOneOf<T, OpVariant> Op(T op) : OpVariant(std::move(op)) {}
  /// One that is another of pictures of one line (Conv1d, Pool1d).
  template <class T>
  requires requires(const T& op) { op.over_pictures(); }
  Op(const T& op) : OpVariant(op.over_pictures()) {}
  Op(const Op&);
  Op(Op&&) noexcept;
  Op& operator=(const Op&);
  Op& operator=(Op&&) noexcept;
  ~Op();
  friend bool operator==(const Op&, const Op&);
};

/// What an operator has to answer; there are no defaults to forget.
template <class T>
concept Operator = requires(const T& op, T& own, const ShapeCall& shape_call, const Call& call, const AxisOrder& order) {
  { T::name } -> std::convertible_to<std::string_view>;
  T::fields;
  { op.params() } -> std::same_as<std::vector<Param>>;
  { op.traits() } -> std::same_as<Traits>;
  { op.activation() } -> std::same_as<Activation>;
  { own.remap_axes(order) } -> std::same_as<bool>;
  { op.shapes(shape_call) } -> std::same_as<std::vector<Shape>>;
  { op.forward(call) } -> std::same_as<std::vector<Var>>;
};
template <class>
inline constexpr bool kAllOperators = false;
template <class... Ts>
inline constexpr bool kAllOperators<std::variant<Ts...>> = (Operator<Ts> && ...);
static_assert(kAllOperators<OpVariant>);

std::string_view name_of(const Op&);
std::vector<Param> params_of(const Op&);
Traits traits_of(const Op&);
/// The clamp that an operator ends in, or is.
Activation activation_of(const Op&);
/// The operator that computes the same in another layout: from inputs whose axes are in this order, as many as it has, outputs
/// whose axes are in this order. Nothing where there is none: windows read N,H,W,C, a reshape knows no axes.
std::optional<Op> remap_axes(Op, const AxisOrder&);
/// Whether its output's codes always mean what its input's do; whether they may.
bool keeps_qparams(const Op&);
bool may_keep_qparams(const Op&);
/// Whether it has weights: what int8 codes, per-channel scales and bias correction are about.
bool is_weighted(const Op&);
/// What gives its input's values: where codes begin on a float wire, prepare inserts one with an observer.
Op identity();

}  // namespace octet
