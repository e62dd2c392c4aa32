// SPDX-License-Identifier: Apache-2.0
// Input: where a tensor enters the model; converted, where it becomes codes.
#include "engine/ops.h"
#include "engine/ops/functional.h"

namespace octet {

std::vector<Shape> Input::shapes(const ShapeCall& call) const {
  // The engine passes the tensor at hand as the one input; a model under construction passes none and gets the nominal shape.
  if (call.inputs.empty()) return {shape};
  call.expect_inputs(1);
  const Shape& x = call.inputs[0];
  check(x.size() == shape.size() && !x.empty(), call.path, ": expected an input like ", to_string(shape), ", got shape ",
        to_string(x));
  for (size_t i = 1; i < x.size(); ++i)
    check(x[i] == shape[i], call.path, ": expected an input like ", to_string(shape), " (any batch), got shape ", to_string(x));
  return {x};
}

std::vector<Var> Input::forward(const Call& call) const { return {call.inputs[0]}; }

Lowered Input::lower(const LowerCall& call) const {
  return {{{quantize_args(numel(call.input_shapes[0]), *call.output, call.rounding)}}};
}

}  // namespace octet
