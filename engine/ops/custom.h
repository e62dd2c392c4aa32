// SPDX-License-Identifier: Apache-2.0
// Operators that a program brings itself.
#pragma once

#include <memory>
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
  /// Of its outputs. Throws Error for shapes that it does not take; the module's path is put in front.
  virtual std::vector<Shape> shapes(std::span<const Shape> inputs) const = 0;
  /// f32 or f64 as its inputs are. Var::made gives an output its derivative; a constant has none.
  virtual std::vector<Var> forward(std::span<const Var> inputs) const = 0;
};

/// Computes in float: prepare leaves it and its wires alone, a device does not run it (an own operator on codes is the runtime's
/// business: examples/own_operator).
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
