// SPDX-License-Identifier: Apache-2.0
// Concat: tensors joined along an axis; on codes each input is rescaled (or copied) into its slice of the output.
#include <cstring>
#include <functional>
#include <numeric>

#include "engine/ops/functional.h"
#include "engine/ops/view.h"
#include "engine/ops/wide.h"
#include "kernels/multiplier.h"

namespace octet {
namespace {

int64_t product(const Shape& s, size_t begin, size_t end) {
  return std::accumulate(s.begin() + static_cast<ptrdiff_t>(begin), s.begin() + static_cast<ptrdiff_t>(end), int64_t{1},
                         std::multiplies<>());
}

/// The slices of `whole` that concat() along this axis joined, in order; those nobody needs stay empty.
std::vector<Tensor> split(const Tensor& whole, size_t axis, std::span<const Shape> shapes, const Needs& needs) {
  std::vector<Tensor> parts;
  const int64_t outer = product(whole.shape(), 0, axis);
  const size_t stride = outer == 0 ? 0 : whole.bytes() / static_cast<size_t>(outer);
  const auto* from = static_cast<const std::byte*>(whole.raw());
  for (size_t i = 0; i < shapes.size(); ++i) {
    Tensor part = needs[i] ? Tensor(shapes[i], whole.dtype()) : Tensor();
    const size_t block = outer == 0 ? 0 : static_cast<size_t>(numel(shapes[i]) / outer) * size_of(whole.dtype());
    if (needs[i] && block > 0) {
      auto* to = static_cast<std::byte*>(part.mutable_raw());
      for (int64_t o = 0; o < outer; ++o) std::memcpy(to + o * block, from + o * stride, block);
    }
    from += block;
    parts.push_back(std::move(part));
  }
  return parts;
}

}  // namespace

std::vector<Shape> Concat::shapes(const ShapeCall& call) const {
  check(!call.inputs.empty(), call.path, ": concat needs at least one input");
  Shape y = call.inputs[0];
  check(axis >= 0 && axis < static_cast<int64_t>(y.size()), call.path, ": axis ", axis, " of shape ", to_string(y));
  for (size_t i = 1; i < call.inputs.size(); ++i) {
    Shape other = call.inputs[i];
    check(other.size() == y.size(), call.path, ": inputs of shapes ", to_string(y), " and ", to_string(other));
    y[axis] += other[axis];
    other[axis] = y[axis];
    check(other == y, call.path, ": inputs of shapes ", to_string(call.inputs[0]), " and ", to_string(call.inputs[i]),
          " differ off axis ", axis);
  }
  return {y};
}

std::vector<Var> Concat::forward(const Call& call) const {
  std::vector<Tensor> parts;
  std::vector<Shape> shapes;
  for (const Var& v : call.inputs) {
    parts.push_back(v.value());
    shapes.push_back(v.shape());
  }
  auto vjp = [axis = static_cast<size_t>(axis), shapes](const Tensor& grad, const Needs& needs) {
    return split(grad, axis, shapes, needs);
  };
  return {Var::made(concat(parts, static_cast<int>(axis)), {call.inputs.begin(), call.inputs.end()}, std::move(vjp))};
}

namespace {

/// Rows of `parts` joined along an axis, as they lie in the result.
struct Rows {
  int64_t count, stride;  ///< of the result; elements
};
Rows joined_rows(const Shape& whole, int64_t axis) {
  return {product(whole, 0, static_cast<size_t>(axis)), product(whole, static_cast<size_t>(axis), whole.size())};
}

}  // namespace

Lowered Concat::lower(const LowerCall& call) const {
  Lowered lowered;
  const Rows rows = joined_rows(call.output_shapes[0], axis);
  check(rows.stride <= INT32_MAX / code_size(*call.output), call.path, ": rows of ", rows.stride,
        " elements, too many bytes for one kernel call");  // 16-bit codes of one meaning are copied as bytes
  int64_t offset = 0;
  for (size_t i = 0; i < call.inputs.size(); ++i) {
    const kernels::RequantizeArgs a = requantize_args(call.inputs[i], *call.output, call.rounding,
                                                      joined_rows(call.input_shapes[i], axis).stride, rows.count, rows.stride);
    lowered.calls.push_back({a, {Operand::input(static_cast<int>(i))}, {Operand::output(offset)}});
    offset += a.row * (kernels::Info<kernels::RequantizeArgs>::wide(a) ? code_size(*call.output) : 1);  // copies count bytes
  }
  return lowered;
}

LoweredFloats Concat::lower_float(const FloatLowerCall& call) const {
  constexpr int64_t kBytes = sizeof(float);
  LoweredFloats lowered;
  const Rows rows = joined_rows(call.output_shapes[0], axis);
  int64_t offset = 0;
  for (size_t i = 0; i < call.input_shapes.size(); ++i) {
    kernels::RequantizeArgs a{};  // copies rows of bytes
    a.copy = 1;
    a.rows = static_cast<int32_t>(rows.count);
    a.row = static_cast<int32_t>(joined_rows(call.input_shapes[i], axis).stride * kBytes);
    a.output_stride = static_cast<int32_t>(rows.stride * kBytes);
    lowered.calls.push_back({a, {Operand::input(static_cast<int>(i))}, {Operand::output(offset)}});
    offset += a.row;
  }
  return lowered;
}

}  // namespace octet
