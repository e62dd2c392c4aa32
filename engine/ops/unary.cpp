// SPDX-License-Identifier: Apache-2.0
// Unary: any function of engine/ops/unary_functions.h. On codes the clamps keep scale and zero point; every other is a table.
#include "engine/float_kernels.h"
#include "engine/ops/fixed_functions.h"
#include "engine/ops/functional.h"
#include "engine/ops/lookup.h"
#include "engine/ops/unary_functions.h"
#include "engine/quantize.h"
#include "kernels/parallel.h"

namespace octet {
namespace {

template <class T>
struct Typed {
  T alpha, beta;
};

constexpr int64_t kWorthAThread = 4096;  // elements: some 20 µs of exponentials

/// The function on every element, and its gradient.
template <class Row>
Var applied(const Row& row, const Var& x, Coefficients k) {
  return dispatch_float(x.dtype(), "unary", [&]<class T>() {
    const Typed<T> typed{static_cast<T>(k.alpha), static_cast<T>(k.beta)};
    Tensor y(x.shape(), x.dtype());
    const T* from = x.value().data<T>().data();
    T* to = y.mutable_data<T>().data();
    parallel(y.numel(), kWorthAThread, [&](int, int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) to[i] = row.value(from[i], typed);
    });
    auto vjp = [row, typed, x = x.value(), y](const Tensor& grad, const Needs&) {
      Tensor dx(x.shape(), x.dtype());
      const T *px = x.data<T>().data(), *py = y.data<T>().data(), *dy = grad.data<T>().data();
      T* out = dx.mutable_data<T>().data();
      parallel(dx.numel(), kWorthAThread, [&](int, int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) out[i] = dy[i] * row.derivative(px[i], py[i], typed);
      });
      return std::vector<Tensor>{std::move(dx)};
    };
    return Var::made(std::move(y), {x}, std::move(vjp));
  });
}

}  // namespace

Tensor masked_gradient(const Tensor& y, const Tensor& grad, Activation act) {
  Tensor dx(y.shape(), y.dtype());
  dispatch_float(y.dtype(), "clamp", [&]<class T>() {
    fk::clamp_grad(y.numel(), y.data<T>().data(), grad.data<T>().data(), T(act.lo), T(act.hi), dx.mutable_data<T>().data());
  });
  return dx;
}

Var clamp(const Var& x, Activation act) {
  return dispatch_float(x.dtype(), "clamp", [&]<class T>() {
    Tensor y(x.shape(), x.dtype());
    fk::clamp(y.numel(), x.value().data<T>().data(), T(act.lo), T(act.hi), y.mutable_data<T>().data());
    // y lies strictly inside the limits exactly where x does, so the input need not be kept.
    auto vjp = [y, act](const Tensor& grad, const Needs&) { return std::vector<Tensor>{masked_gradient(y, grad, act)}; };
    return Var::made(std::move(y), {x}, std::move(vjp));
  });
}

Unary Unary::clamping(Activation act) {
  for (const UnaryFn fn : {UnaryFn::identity, UnaryFn::relu, UnaryFn::relu6})
    if (Unary{fn}.activation() == act) return Unary{fn};
  Unary clip{UnaryFn::clip};
  if (std::isfinite(act.lo)) clip.alpha = static_cast<double>(act.lo);
  if (std::isfinite(act.hi)) clip.beta = static_cast<double>(act.hi);
  return clip;
}

bool Unary::is_clamp() const {
  return fn == UnaryFn::identity || fn == UnaryFn::relu || fn == UnaryFn::relu6 || fn == UnaryFn::clip;
}

Coefficients Unary::coefficients() const {
  const Coefficients defaults = with_row(kUnaryRows, fn, [](const auto& row) { return row.defaults; });
  return {alpha.value_or(defaults.alpha), beta.value_or(defaults.beta)};
}

Activation Unary::activation() const {
  if (!is_clamp() || fn == UnaryFn::identity) return Activation::none;
  const Coefficients k = coefficients();
  return {static_cast<float>(k.alpha), static_cast<float>(k.beta)};
}

Traits Unary::traits() const {
  // A function that does not exist is refused by shapes(), which every call goes through; here it promises nothing.
  if (static_cast<size_t>(fn) >= kEnumNames<UnaryFn>.size())
    return {.codes = Codes::none, .channels = Channels::mixes, .part = Part::other};
  const bool same = is_clamp() && activation() == Activation::none;
  return with_row(kUnaryRows, fn, [&](const auto& row) -> Traits {
    return {.codes = is_clamp()  ? Codes::keep
                     : row.fixed ? Codes::fixed
                                 : Codes::own,
            .channels = is_clamp() ? channels_of(activation()) : row.channels,
            .part = is_clamp() && !same ? Part::clamp : Part::other,
            .selects = same,
            .keeps_mean = same,
            .fixed = row.fixed};
  });
}

std::vector<Shape> Unary::shapes(const ShapeCall& call) const {
  call.expect_inputs(1);
  check(static_cast<size_t>(fn) < kEnumNames<UnaryFn>.size(), call.path, ": unknown unary function ", static_cast<int>(fn));
  const std::string_view name = kEnumNames<UnaryFn>[static_cast<size_t>(fn)];
  const int read = with_row(kUnaryRows, fn, [](const auto& row) { return row.coefficients; });
  check(read > 0 || !alpha, call.path, ": ", name, " takes no alpha");
  check(read > 1 || !beta, call.path, ": ", name, " takes no beta");
  const Coefficients k = coefficients();
  if (is_clamp()) {
    check_activation(activation(), call.path);
  } else {
    check(std::isfinite(static_cast<float>(k.alpha)) && std::isfinite(static_cast<float>(k.beta)), call.path, ": ", name,
          " with alpha ", k.alpha, " and beta ", k.beta);
    const bool divides = fn == UnaryFn::celu || fn == UnaryFn::softplus;
    check(!divides || static_cast<float>(k.alpha) != 0, call.path, ": ", name, " divides by alpha, which is ", k.alpha);
  }
  return {call.inputs[0]};
}

std::vector<Var> Unary::forward(const Call& call) const {
  const Var& x = call.inputs[0];
  if (is_clamp()) return {activation() == Activation::none ? x : clamp(x, activation())};
  return {with_row(kUnaryRows, fn, [&](const auto& row) { return applied(row, x, coefficients()); })};
}

ModuleTables Unary::tables(const LowerCall& call) const {
  if (is_clamp() || activation_16(*this, call.inputs[0], *call.output, call.rounding)) return {};
  if (const auto code = fixed_function(*this, call.inputs[0], *call.output, call.rounding)) return lookup_tables(call, *code);
  const Coefficients k = coefficients();
  return with_row(kUnaryRows, fn,
                  [&](const auto& row) { return lookup_tables(call, 1, [&](int64_t, double x) { return row.value(x, k); }); });
}

Lowered Unary::lower(const LowerCall& call) const {
  const int64_t count = numel(call.input_shapes[0]);
  if (auto formula = activation_16(*this, call.inputs[0], *call.output, call.rounding)) {
    formula->count = static_cast<int32_t>(count);
    return {{{*formula}}};
  }
  if (!is_clamp()) return looked_up(call, 1);
  if (call.inputs[0] != *call.output) return {{{requantize_args(call.inputs[0], *call.output, call.rounding, count)}}};
  if (activation() == Activation::none) return {{{copied(count, size_of(code_dtype(*call.output)))}}};
  kernels::ClampArgs a{};
  a.count = static_cast<int32_t>(count);
  const kernels::OutputArgs output = output_args(call.inputs[0], activation(), call.rounding, false);
  a.clamp_min = output.clamp_min;
  a.clamp_max = output.clamp_max;
  a.type = code_type(call.inputs[0]);
  return {{{a}}};
}

LoweredFloats Unary::lower_float(const FloatLowerCall& call) const {
  if (!is_clamp()) return {};
  const Activation act = activation();
  if (act == Activation::none) return copied_floats(call);
  return {{{FloatClampArgs{numel(call.input_shapes[0]), act.lo, act.hi}}}};
}

}  // namespace octet
