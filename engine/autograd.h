// SPDX-License-Identifier: Apache-2.0
// Reverse-mode differentiation: a Var is a tensor that remembers how it was made; backward() walks the record once and
// gives the gradients of the named leaves. No global switch: what depends on no leaf records nothing.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/tensor.h"

namespace octet {

/// Which inputs of an operation want a gradient; a Vjp leaves the others' entries empty and uncomputed.
using Needs = std::vector<bool>;
/// Gradients by leaf name, each of its leaf's shape.
using Grads = std::map<std::string, Tensor, std::less<>>;

class Var {
 public:
  /// Vector-Jacobian product: from the output's gradient to the inputs', in input order.
  using Vjp = std::function<std::vector<Tensor>(const Tensor& grad, const Needs& needs)>;

  Var() = default;
  /// A constant.
  Var(Tensor value);  // NOLINT(google-explicit-constructor): tensors are constants wherever a Var is expected
  /// A differentiable input; leaves of the same name add up their gradients (tied parameters).
  static Var leaf(std::string name, Tensor value);
  /// The result of an operation; a constant if no input wants a gradient.
  static Var made(Tensor value, std::vector<Var> inputs, Vjp vjp);

  const Tensor& value() const;
  const Shape& shape() const { return value().shape(); }
  DType dtype() const { return value().dtype(); }
  bool needs_grad() const;

 private:
  struct Node;
  explicit Var(std::shared_ptr<Node>);
  friend Grads backward(Var&& output);

  std::shared_ptr<Node> node_;
};

/// Gradients of a one-element output by leaf name. Consumes the record: intermediate values are freed as it goes.
Grads backward(Var&& output);

}  // namespace octet
