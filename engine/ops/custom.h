// SPDX-License-Identifier: Apache-2.0
// Operators that a program brings itself.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "engine/ops/op.h"

namespace octet {

/// A user's own operator. It has no state: what it was made with are its attributes.
class CustomFunction {
 public:
  virtual ~CustomFunction() = default;
  /// Its name in messages and files.
  virtual std::string_view kind() const = 0;
  /// For files, as text: what the program that loads the model makes it of again (CustomFactory, io/model_file.h).
  virtual std::string attributes() const { return {}; }
  virtual int inputs() const { return 1; }
  virtual int outputs() const { return 1; }
  /// The input that means numbers of rows or truths, if one does: what it is made of is never rounded.
  virtual std::optional<int> exact() const { return std::nullopt; }
  /// Of its outputs. Throws Error for shapes that it does not take; the module's path is put in front.
  virtual std::vector<Shape> shapes(std::span<const Shape> inputs) const = 0;
  /// f32 or f64 as its inputs are. Var::made gives an output its derivative; a constant has none.
  virtual std::vector<Var> forward(std::span<const Var> inputs) const = 0;
};

/// Computes in float: prepare puts no hook on it and no crossing in front of it. What it reads may be codes all the same, of an
/// input or a layer that is quantized, and comes as the reals they mean; an input that no rounding may touch is exact(). A device
/// does not run it (an own operator on codes is the runtime's business: examples/own_operator).
struct Custom {
  std::shared_ptr<const CustomFunction> function;

  static constexpr std::string_view name = "custom";
  static constexpr auto fields = std::tuple{Field{"function", &Custom::function}};
  bool operator==(const Custom&) const;
  std::vector<Param> params() const { return {}; }
  Traits traits() const;
  Activation activation() const { return Activation::none; }
  static bool remap_axes(const AxisOrder& order) { return order.is_identity(); }
  std::vector<Shape> shapes(const ShapeCall&) const;
  std::vector<Var> forward(const Call&) const;
};

}  // namespace octet
