// SPDX-License-Identifier: Apache-2.0
// Binary: any function of engine/ops/binary_functions.h on two tensors with broadcasting, with an optional activation.
#include <algorithm>
#include <cmath>

#include "engine/float_kernels.h"
#include "engine/ops/binary_functions.h"
#include "engine/ops/functional.h"
#include "engine/ops/strided.h"
#include "engine/ops/wide.h"
#include "kernels/multiplier.h"
#include "kernels/parallel.h"

namespace octet {
namespace {

/// The function of two tensors of equal shape and dtype.
template <class Row>
Var applied(const Row& row, const Var& a, const Var& b) {
  return dispatch_float(a.dtype(), "binary", [&]<class T>() {
    constexpr int64_t kWorthAThread = 16384;  // elements
    Tensor y(a.shape(), a.dtype());
    const T *pa = a.value().data<T>().data(), *pb = b.value().data<T>().data();
    T* to = y.mutable_data<T>().data();
    parallel(y.numel(), kWorthAThread, [&](int, int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) to[i] = row.value(pa[i], pb[i]);
    });
    auto vjp = [row, a = a.value(), b = b.value(), y](const Tensor& grad, const Needs& needs) {
      const T *pa = a.template data<T>().data(), *pb = b.template data<T>().data(), *py = y.template data<T>().data();
      const T* dy = grad.data<T>().data();
      const auto by = [&](const auto& derivative) {
        Tensor d(y.shape(), y.dtype());
        T* to = d.template mutable_data<T>().data();
        parallel(d.numel(), kWorthAThread, [&](int, int64_t begin, int64_t end) {
          for (int64_t i = begin; i < end; ++i) to[i] = dy[i] * derivative(pa[i], pb[i], py[i]);
        });
        return d;
      };
      std::vector<Tensor> grads(2);
      if (needs[0]) grads[0] = by(row.by_a);
      if (needs[1]) grads[1] = by(row.by_b);
      return grads;
    };
    return Var::made(std::move(y), {a, b}, std::move(vjp));
  });
}

/// What sums and differences of codes share, whatever walks over them.
template <class Args>
void set_sum(Args& a, const LowerCall& call, bool subtracts) {
  const QParams &qa = call.inputs[0], &qb = call.inputs[1];
  const float sa = qa.scale[0], sb = qb.scale[0], so = call.output->scale[0];
  switch (call.rounding) {
    case Rounding::real: a.a_scale = sa, a.b_scale = sb; break;
    case Rounding::int_bias: {
      a.a_scale = sa / so, a.b_scale = sb / so;
      const float shifted = a.b_scale * static_cast<float>(a.b_zero_point);
      const float inner = std::fma(a.a_scale, static_cast<float>(a.a_zero_point), subtracts ? -shifted : shifted);
      a.offset = static_cast<float>(a.output.zero_point) - inner;
      check(std::isfinite(a.a_scale) && std::isfinite(a.b_scale) && std::isfinite(a.offset), call.path, ": scales ", sa, " and ",
            sb, " over ", so, " are beyond a float");
      break;
    }
    case Rounding::fixed_double:
    case Rounding::fixed_single: {
      // TensorFlow Lite: both inputs in units of twice the larger scale, 20 bits up (15 of 16-bit codes), then one rescale to the
      // output.
      const double twice_max = 2.0 * std::max(sa, sb), unit = has_wide_codes(*call.output) ? 1 << 15 : 1 << 20;
      const auto ma = quantize_multiplier(sa / twice_max), mb = quantize_multiplier(sb / twice_max);
      const auto mo = quantize_multiplier(twice_max / (unit * so));
      a.a_multiplier = ma.multiplier, a.a_shift = ma.shift;
      a.b_multiplier = mb.multiplier, a.b_shift = mb.shift;
      a.output_multiplier = mo.multiplier, a.output_shift = mo.shift;
      break;
    }
  }
}

void set_product(kernels::BinaryArgs& a, const LowerCall& call) {
  const float sa = call.inputs[0].scale[0], sb = call.inputs[1].scale[0], so = call.output->scale[0], product = sa * sb;
  check(std::isnormal(product), call.path, ": scales ", sa, " times ", sb, " is not a normal float");
  a.a_scale = call.rounding == Rounding::int_bias ? product / so : product, a.b_scale = 1;
  check(std::isnormal(a.a_scale), call.path, ": scales ", sa, " times ", sb, " over ", so, " is not a normal float");
  const auto m = quantize_multiplier(static_cast<double>(sa) * static_cast<double>(sb) / static_cast<double>(so));
  a.output_multiplier = m.multiplier, a.output_shift = m.shift;
}

/// What both structs say of their wires.
template <class Args>
void set_wires(Args& a, const LowerCall& call, Activation act) {
  const QParams &qa = call.inputs[0], &qb = call.inputs[1];
  a.a_type = code_type(qa), a.b_type = code_type(qb), a.output_type = code_type(*call.output);
  a.a_zero_point = qa.zero_point[0], a.b_zero_point = qb.zero_point[0];
  a.rounding = call.rounding;
  a.output = output_args(*call.output, act, call.rounding, false);
}

/// Output axes and both inputs' steps along them, with neighbours that are walked as one joined: six axes at most are left.
void set_axes(kernels::BinaryArgs& a, const LowerCall& call) {
  const View va = broadcast(call.input_shapes[0], call.output_shapes[0]),
             vb = broadcast(call.input_shapes[1], call.output_shapes[0]);
  a.rank = 0;
  for (size_t i = 0; i < va.shape.size(); ++i) {
    if (va.shape[i] == 1) continue;
    const auto n = static_cast<int32_t>(va.shape[i]), sa = static_cast<int32_t>(va.strides[i]),
               sb = static_cast<int32_t>(vb.strides[i]);
    const int32_t last = a.rank - 1;
    if (last >= 0 && a.a_stride[last] == sa * n && a.b_stride[last] == sb * n) {
      a.output_shape[last] *= n;
    } else {
      check(a.rank < 6, call.path, ": broadcasting over more than six axes");
      a.output_shape[a.rank++] = n;
    }
    a.a_stride[a.rank - 1] = sa, a.b_stride[a.rank - 1] = sb;
  }
  if (a.rank == 0) a.rank = 1, a.output_shape[0] = 1;  // one element
}

}  // namespace

Var add(const Var& a, const Var& b, Activation act, std::string_view path) {
  check(a.shape() == b.shape(), path, ": shapes ", to_string(a.shape()), " and ", to_string(b.shape()), " differ");
  check(a.dtype() == b.dtype(), path, ": dtypes ", to_string(a.dtype()), " and ", to_string(b.dtype()), " differ");
  const Var sum = dispatch_float(a.dtype(), path, [&]<class T>() {
    Tensor y(a.shape(), a.dtype());
    fk::add(y.numel(), a.value().data<T>().data(), b.value().data<T>().data(), y.mutable_data<T>().data());
    return Var::made(std::move(y), {a, b}, [](const Tensor& grad, const Needs&) { return std::vector<Tensor>{grad, grad}; });
  });
  return act == Activation::none ? sum : clamp(sum, act);
}

Traits Binary::traits() const {
  const bool selects = fn == BinaryFn::minimum || fn == BinaryFn::maximum;
  const bool known = static_cast<size_t>(fn) < kEnumNames<BinaryFn>.size();  // or shapes() refuses it
  const bool int8 = known && with_row(kBinaryRows, fn, [](const auto& row) { return row.kind.has_value(); });
  return {.codes = int8 ? Codes::own : Codes::none,
          .channels = Channels::mixes,
          .part = fn == BinaryFn::add ? Part::sum : Part::other,
          .wires = 2,
          .selects = selects && act == Activation::none,
          .decides = fn >= BinaryFn::equal ? std::optional(0) : std::nullopt};
}

std::vector<Shape> Binary::shapes(const ShapeCall& call) const {
  call.expect_inputs(2);
  check(static_cast<size_t>(fn) < kEnumNames<BinaryFn>.size(), call.path, ": unknown binary function ", static_cast<int>(fn));
  check_activation(act, call.path);
  return {broadcast_shape(call.inputs, call.path)};
}

std::vector<Var> Binary::forward(const Call& call) const {
  const Shape to = shapes({call.path, std::vector<Shape>{call.inputs[0].shape(), call.inputs[1].shape()}})[0];
  const Var a = broadcast(call.inputs[0], to), b = broadcast(call.inputs[1], to);
  if (fn == BinaryFn::add) return {add(a, b, act, call.path)};
  check(a.dtype() == b.dtype(), call.path, ": dtypes ", to_string(a.dtype()), " and ", to_string(b.dtype()), " differ");
  const Var y = with_row(kBinaryRows, fn, [&](const auto& row) { return applied(row, a, b); });
  return {act == Activation::none ? y : clamp(y, act)};
}

Lowered Binary::lower(const LowerCall& call) const {
  if (fn == BinaryFn::add && call.input_shapes[0] == call.input_shapes[1]) {
    kernels::AddArgs a{};
    a.count = static_cast<int32_t>(numel(call.input_shapes[0]));
    set_wires(a, call, act);
    set_sum(a, call, false);
    return {{{a, {Operand::input(0), Operand::input(1)}}}};
  }
  kernels::BinaryArgs a{};
  const auto kind = with_row(kBinaryRows, fn, [](const auto& row) { return row.kind; });
  check(kind.has_value(), call.path, ": ", kEnumNames<BinaryFn>[static_cast<size_t>(fn)], " has no int8 form");
  a.kind = *kind;
  set_axes(a, call);
  Lowered lowered;
  std::vector<Operand> inputs{Operand::input(0), Operand::input(1)};
  if (fn == BinaryFn::minimum || fn == BinaryFn::maximum) {
    // The larger code is the larger value only where both mean the same.
    for (size_t i = 0; i < 2; ++i)
      if (call.inputs[i] != *call.output) {
        const int64_t n = numel(call.input_shapes[i]);
        inputs[i] = Operand::temporary(static_cast<int>(lowered.temporaries.size()));
        lowered.calls.push_back(
            {requantize_args(call.inputs[i], *call.output, call.rounding, n), {Operand::input(static_cast<int>(i))}, {inputs[i]}});
        lowered.temporaries.push_back(n * code_size(*call.output));
      }
    set_wires(a, call, act);
    a.a_type = a.b_type = a.output_type, a.a_zero_point = a.b_zero_point = a.output.zero_point;
    a.a_scale = a.b_scale = call.output->scale[0];
  } else {
    set_wires(a, call, act);
    if (fn == BinaryFn::mul)
      set_product(a, call);
    else
      set_sum(a, call, fn == BinaryFn::sub);
  }
  lowered.calls.push_back({a, std::move(inputs)});
  return lowered;
}

LoweredFloats Binary::lower_float(const FloatLowerCall& call) const {
  if (fn != BinaryFn::add || call.input_shapes[0] != call.input_shapes[1]) return {};
  return {{{FloatAddArgs{numel(call.input_shapes[0]), act.lo, act.hi}, {Operand::input(0), Operand::input(1)}}}};
}

}  // namespace octet
