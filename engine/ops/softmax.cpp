// SPDX-License-Identifier: Apache-2.0
// Softmax and its logarithm. On codes the exponentials come from a table by the difference to the row's largest code.
#include <algorithm>
#include <cmath>

#include "engine/ops/fixed_functions.h"
#include "engine/ops/functional.h"
#include "engine/ops/norm.h"
#include "engine/ops/strided.h"
#include "engine/ops/wide.h"
#include "engine/quantize.h"
#include "kernels/parallel.h"

namespace octet {
namespace {

constexpr FixedRange kShares{0, 1};

/// The axis from the front.
size_t axis_of(const Softmax& op, const Shape& x, std::string_view path) {
  const auto rank = static_cast<int64_t>(x.size());
  check(op.axis >= -rank && op.axis < rank, path, ": axis ", op.axis, " of shape ", to_string(x));
  return static_cast<size_t>(op.axis < 0 ? op.axis + rank : op.axis);
}

/// The axis swapped with the last one: its own inverse.
View swapped(const Shape& x, size_t axis) {
  View view{x, row_major(x)};
  std::swap(view.shape[axis], view.shape.back());
  std::swap(view.strides[axis], view.strides.back());
  return view;
}

/// Along the last axis.
Var shares(const Var& x, double beta, bool log) {
  return dispatch_float(x.dtype(), "softmax", [&]<class T>() {
    Tensor y(x.shape(), x.dtype());
    const int64_t n = x.shape().back(), rows = n == 0 ? 0 : y.numel() / n, grain = 1 + 4096 / (n + 1);
    const T* from = x.value().data<T>().data();
    T* to = y.mutable_data<T>().data();
    parallel(rows, grain, [&](int, int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) {
        const T *px = from + r * n, most = *std::max_element(px, px + n);
        double sum = 0;
        for (int64_t i = 0; i < n; ++i) sum += std::exp(beta * static_cast<double>(px[i] - most));
        for (int64_t i = 0; i < n; ++i) {
          const double exponent = beta * static_cast<double>(px[i] - most);
          to[r * n + i] = static_cast<T>(log ? exponent - std::log(sum) : std::exp(exponent) / sum);
        }
      }
    });
    auto vjp = [n, rows, grain, beta, log, y](const Tensor& grad, const Needs&) {
      Tensor dx(y.shape(), y.dtype());
      const T *py = y.template data<T>().data(), *dy = grad.data<T>().data();
      T* to = dx.template mutable_data<T>().data();
      parallel(rows, grain, [&](int, int64_t begin, int64_t end) {
        for (int64_t r = begin; r < end; ++r) {
          double sum = 0;
          for (int64_t i = r * n; i < (r + 1) * n; ++i) sum += static_cast<double>(dy[i]) * (log ? 1 : static_cast<double>(py[i]));
          for (int64_t i = r * n; i < (r + 1) * n; ++i) {
            const double own = static_cast<double>(py[i]), d = static_cast<double>(dy[i]);
            to[i] = static_cast<T>(beta * (log ? d - std::exp(own) * sum : own * (d - sum)));
          }
        }
      });
      return std::vector<Tensor>{std::move(dx)};
    };
    return Var::made(std::move(y), {x}, std::move(vjp));
  });
}

}  // namespace

Traits Softmax::traits() const {
  if (log) return {.codes = Codes::none, .channels = Channels::mixes, .part = Part::other};
  return {.codes = Codes::fixed, .channels = Channels::mixes, .part = Part::other, .fixed = kShares};
}

std::vector<Shape> Softmax::shapes(const ShapeCall& call) const {
  call.expect_inputs(1);
  check(call.inputs[0].size() <= 6, call.path, ": shape ", to_string(call.inputs[0]), " has more than six axes");
  axis_of(*this, call.inputs[0], call.path);
  check(std::isnormal(static_cast<float>(beta)) && beta > 0, call.path, ": beta ", beta, " must be positive");
  return {call.inputs[0]};
}

std::vector<Var> Softmax::forward(const Call& call) const {
  const Var& x = call.inputs[0];
  const size_t axis = axis_of(*this, x.shape(), call.path);
  if (axis + 1 == x.shape().size()) return {shares(x, beta, log)};
  const View last = swapped(x.shape(), axis);
  const Var y = shares(shown(x, last), beta, log);
  return {shown(y, swapped(y.shape(), axis))};
}

namespace {

/// TensorFlow Lite's tables for 16-bit codes, and the multiplier and shift that bring a difference of codes to units of 10/65535.
ModuleTables wide_tables(float scale, double beta) {
  constexpr float kExpStep = 10.0F / 65535, kOneStep = 1.0F / 65535, kUnit = 2.0F / 65535;
  std::vector<int16_t> entries = interpolated_table(kExpStep, INT16_MAX, kUnit, 0, [](double x) { return std::exp(x); });
  const auto reciprocals = interpolated_table(kOneStep, INT16_MIN, kUnit, 0, [](double x) { return 1 / (1 + x); });
  entries.insert(entries.end(), reciprocals.begin(), reciprocals.end());
  const FixedMultiplier m = quantize_multiplier(static_cast<double>(scale) * beta / (10.0 / 65535.0));
  return tables_of_16(entries, std::vector<int32_t>{m.multiplier, m.shift});
}

}  // namespace

ModuleTables Softmax::tables(const LowerCall& call) const {
  const float scale = call.inputs[0].scale[0];
  const bool fixed = call.rounding == Rounding::fixed_double || call.rounding == Rounding::fixed_single;
  if (has_wide_codes(*call.output)) return wide_tables(scale, beta);
  std::vector<int32_t> table;
  for (int32_t d = 0; d < 256; ++d) {
    const double real = std::exp(-beta * static_cast<double>(scale) * d);
    table.push_back(fixed ? exp_of_negative_code(-d, scale, static_cast<float>(beta))
                          : static_cast<int32_t>(std::nearbyint(real * (1 << 23))));
  }
  return {integer_table(table)};
}

Lowered Softmax::lower(const LowerCall& call) const {
  const Shape& x = call.input_shapes[0];
  const QParams& y = *call.output;
  check(!log, call.path, ": the logarithm of a softmax has no int8 form");
  const size_t axis = axis_of(*this, x, call.path);
  kernels::SoftmaxArgs a{};
  a.n = static_cast<int32_t>(x[axis]);
  a.rows = static_cast<int32_t>(x[axis] == 0 ? 0 : numel(x) / x[axis]);
  a.input_type = code_type(call.inputs[0]), a.output_type = code_type(y);
  a.rounding = call.rounding;
  a.output = output_args(y, Activation::none, call.rounding, false);
  if (has_wide_codes(y)) {
    check(y.scale[0] == 0x1p-15F, call.path, ": softmax of 16-bit codes gives codes of 2^-15, got scale ", y.scale[0]);
    check(a.n < 1 << 16, call.path, ": softmax of 16-bit codes sums 65535 elements at most, got ", a.n);
  } else if (call.rounding == Rounding::fixed_double || call.rounding == Rounding::fixed_single) {
    const int32_t lowest = code_dtype(y) == DType::i8 ? -128 : 0;
    check(y.scale[0] == 1.0F / 256 && y.zero_point[0] == lowest, call.path, ": in rounding ", to_string(call.rounding),
          " softmax gives codes of 1/256 from ", lowest, " on, got scale ", y.scale[0], " and zero point ", y.zero_point[0]);
    check(a.n < 1 << 12, call.path, ": in rounding ", to_string(call.rounding), " softmax sums 4095 elements at most, got ", a.n);
  }
  if (axis + 1 == x.size()) return {{{.args = a, .table = 0}}};
  const View last = swapped(x, axis), back = swapped(last.shape, axis);
  Lowered there = lowered({&last, 1}, call.inputs[0]), home = lowered({&back, 1}, y);
  there.calls[0].outputs = {Operand::temporary(0)};
  there.calls.push_back({.args = a, .inputs = {Operand::temporary(0)}, .outputs = {Operand::temporary(1)}, .table = 0});
  home.calls[0].inputs = {Operand::temporary(1)};
  there.calls.push_back(std::move(home.calls[0]));
  there.temporaries = {numel(x) * code_size(call.inputs[0]), numel(x) * code_size(y)};
  return there;
}

}  // namespace octet
