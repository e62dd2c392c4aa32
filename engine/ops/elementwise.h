// SPDX-License-Identifier: Apache-2.0
// Functions of single elements: of one tensor, of two, and dropout.
#pragma once

#include "engine/ops/op.h"

namespace octet {

enum class UnaryFn : uint8_t { identity, relu, relu6 };
enum class BinaryFn : uint8_t { add };

template <>
inline constexpr std::array<std::string_view, 3> kEnumNames<UnaryFn>{"identity", "relu", "relu6"};
template <>
inline constexpr std::array<std::string_view, 1> kEnumNames<BinaryFn>{"add"};

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
  LoweredFloats lower_float(const FloatLowerCall&) const;
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
  LoweredFloats lower_float(const FloatLowerCall&) const;
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
  LoweredFloats lower_float(const FloatLowerCall&) const;
};

}  // namespace octet
