// SPDX-License-Identifier: Apache-2.0
// Copies by an index for each axis: as tensors, their gradients, and as runs of the gather kernel.
#include "engine/ops/picked.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "engine/ops/functional.h"
#include "engine/ops/strided.h"
#include "engine/ops/wide.h"
#include "engine/quantize.h"
#include "kernels/ref/ref.h"

namespace octet {
namespace {

bool is_whole(const std::vector<int64_t>& axis, int64_t n) { return axis == all_of(n); }

/// The kernel's arguments and its table: what every index adds to the place of an element, for all axes but those at the end that
/// are copied whole, as one run.
struct Walk {
  kernels::GatherArgs args{};
  std::vector<int32_t> table;
};

Walk walk_of(const Pick& pick, const Shape& x, int32_t element_size) {
  check(pick.axes.size() == x.size(), "a pick of ", pick.axes.size(), " axes from shape ", to_string(x));
  Walk g;
  size_t rank = x.size();
  int64_t run = 1;
  while (rank > 0 && is_whole(pick.axes[rank - 1], x[rank - 1])) run *= x[--rank];
  g.args.element_size = element_size;
  g.args.run = static_cast<int32_t>(run);
  const Shape strides = row_major(x);
  for (size_t i = 0; i < rank; ++i) {
    g.args.output_shape[i] = static_cast<int32_t>(pick.axes[i].size());
    for (const int64_t at : pick.axes[i]) g.table.push_back(at < 0 ? -1 : static_cast<int32_t>(at * strides[i]));
  }
  g.args.rank = static_cast<int32_t>(rank);
  if (rank == 0) g.args.rank = g.args.output_shape[0] = 1, g.table = {0};
  g.args.table = static_cast<int32_t>(g.table.size());
  return g;
}

}  // namespace

Shape Pick::output() const {
  Shape shape;
  for (const auto& axis : axes) shape.push_back(static_cast<int64_t>(axis.size()));
  return shape;
}

std::vector<int64_t> all_of(int64_t n) {
  std::vector<int64_t> all(static_cast<size_t>(n));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

void check_picked_shape(const Shape& shape, std::string_view path) {
  constexpr int64_t kLongest = int64_t{1} << 24, kMost = int64_t{1} << 31;
  check(shape.size() <= 6, path, ": shape ", to_string(shape), ", expected up to six axes");
  int64_t elements = 1;  // an axis of none hides no long one
  for (const int64_t n : shape) {
    check(n <= kLongest, path, ": shape ", to_string(shape), " has an axis of more than ", kLongest, " elements");
    elements *= std::max<int64_t>(n, 1);
    check(elements < kMost, path, ": shape ", to_string(shape), " is too large");
  }
}

void check_pick(const Pick& pick, const Shape& input, std::string_view path) {
  check(pick.axes.size() == input.size(), path, ": a pick of ", pick.axes.size(), " axes from shape ", to_string(input));
  for (size_t i = 0; i < input.size(); ++i)
    for (const int64_t at : pick.axes[i])
      if (at < -1 || at >= input[i]) fail(path, ": index ", at, " into axis ", i, " of shape ", to_string(input));
}

Tensor picked(const Tensor& x, const Pick& pick) {
  const auto size = static_cast<int32_t>(size_of(x.dtype()));
  Walk g = walk_of(pick, x.shape(), size);
  Tensor y(pick.output(), x.dtype());
  const auto fill = static_cast<float>(pick.fill);
  std::memcpy(g.args.constant, size == 8 ? static_cast<const void*>(&pick.fill) : &fill, static_cast<size_t>(size));
  if (y.numel() > 0) kernels::gather(g.args, x.raw(), g.table.data(), y.mutable_raw(), 0, kernels::units(g.args));
  return y;
}

Var picked(const Var& x, const Pick& pick) {
  Walk g = walk_of(pick, x.shape(), 1);
  auto vjp = [g, shape = x.shape()](const Tensor& grad, const Needs&) {
    Tensor dx = Tensor::zeros(shape, grad.dtype());
    dispatch_float(grad.dtype(), "gather", [&]<class T>() {
      T* to = dx.template mutable_data<T>().data();
      const T* from = grad.template data<T>().data();
      const int32_t run = g.args.run;
      // Rows of the run in the output's order: the place of each is the sum of its indices' steps.
      for (int64_t r = 0, rows = run == 0 ? 0 : grad.numel() / run; r < rows; ++r) {
        int64_t rest = r, at = 0, first = g.args.table;
        bool filled = false;
        for (int32_t axis = g.args.rank; axis-- > 0; rest /= g.args.output_shape[axis]) {
          first -= g.args.output_shape[axis];
          const int32_t step = g.table[static_cast<size_t>(first + rest % g.args.output_shape[axis])];
          filled |= step < 0, at += step;
        }
        for (int32_t i = 0; i < run && !filled; ++i) to[at + i] += from[r * run + i];
      }
    });
    return std::vector<Tensor>{std::move(dx)};
  };
  return Var::made(picked(x.value(), pick), {x}, std::move(vjp));
}

namespace {

/// The kernel on codes of this meaning.
LoweredCall pick_call(const LowerCall& call, const Pick& pick, const QParams& q) {
  const auto size = static_cast<int32_t>(code_size(q));
  Walk g = walk_of(pick, call.input_shapes[0], size);
  const Tensor fill = quantize(Tensor::of<float>({1}, std::vector<float>{static_cast<float>(pick.fill)}), q, call.rounding);
  std::memcpy(g.args.constant, fill.raw(), static_cast<size_t>(size));
  return {.args = g.args, .blobs = integer_table(g.table)};
}

}  // namespace

Lowered lower_pick(const LowerCall& call, const Pick& pick) { return {{pick_call(call, pick, call.inputs[0])}}; }

Lowered lower_rescaled_pick(const LowerCall& call, const Pick& pick) {
  const QParams &from = call.inputs[0], &to = *call.output;
  if (from == to) return lower_pick(call, pick);
  const int64_t n = numel(call.input_shapes[0]);
  LoweredCall picks = pick_call(call, pick, to);
  picks.inputs = {Operand::temporary(0)};
  return {{{.args = requantize_args(from, to, call.rounding, n), .outputs = {Operand::temporary(0)}}, std::move(picks)},
          {n * code_size(to)}};
}

LoweredFloats lower_pick(const FloatLowerCall& call, const Pick& pick) {
  Walk g = walk_of(pick, call.input_shapes[0], sizeof(float));
  const auto fill = static_cast<float>(pick.fill);
  std::memcpy(g.args.constant, &fill, sizeof fill);
  return {{{.args = KernelArgs(g.args), .blobs = integer_table(g.table)}}};
}

}  // namespace octet
