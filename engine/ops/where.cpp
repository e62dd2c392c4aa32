// SPDX-License-Identifier: Apache-2.0
// Where: one of two tensors, element by element.
#include "engine/ops/elementwise.h"
#include "engine/ops/strided.h"

namespace octet {

std::vector<Shape> Where::shapes(const ShapeCall& call) const {
  call.expect_inputs(3);
  return {broadcast_shape(call.inputs, call.path)};
}

std::vector<Var> Where::forward(const Call& call) const {
  std::vector<Shape> given;
  for (const Var& v : call.inputs) given.push_back(v.shape());
  const Shape to = broadcast_shape(given, call.path);
  const Var which = broadcast(call.inputs[0], to), a = broadcast(call.inputs[1], to), b = broadcast(call.inputs[2], to);
  check(a.dtype() == b.dtype() && which.dtype() == a.dtype(), call.path, ": dtypes ", to_string(which.dtype()), ", ",
        to_string(a.dtype()), " and ", to_string(b.dtype()), " differ");
  return {dispatch_float(a.dtype(), call.path, [&]<class T>() {
    // f(is it the second input's place) for every element.
    const auto chosen = [which = which.value()](const auto& f) {
      Tensor y(which.shape(), which.dtype());
      const auto condition = which.template data<T>();
      const auto to = y.template mutable_data<T>();
      for (size_t i = 0; i < to.size(); ++i) to[i] = f(condition[i] != 0, i);
      return y;
    };
    const auto pa = a.value().data<T>(), pb = b.value().data<T>();
    Tensor y = chosen([&](bool first, size_t i) { return first ? pa[i] : pb[i]; });
    auto vjp = [chosen](const Tensor& grad, const Needs& needs) {
      const auto dy = grad.data<T>();
      std::vector<Tensor> grads(3);
      if (needs[0]) grads[0] = Tensor::zeros(grad.shape(), grad.dtype());
      if (needs[1]) grads[1] = chosen([&](bool first, size_t i) { return first ? dy[i] : T(0); });
      if (needs[2]) grads[2] = chosen([&](bool first, size_t i) { return first ? T(0) : dy[i]; });
      return grads;
    };
    return Var::made(std::move(y), {which, a, b}, std::move(vjp));
  })};
}

}  // namespace octet
