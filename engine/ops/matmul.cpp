// SPDX-License-Identifier: Apache-2.0
// MatMul: products of the matrices that the last two axes of both inputs hold, with broadcasting of all other axes.
#include <algorithm>
#include <cmath>

#include "engine/float_kernels.h"
#include "engine/ops/functional.h"
#include "engine/ops/wide.h"
#include "kernels/multiplier.h"
#include "kernels/ref/ref16.h"

namespace octet {
namespace {

/// What is multiplied: matrices of [m, k] and [k, n] along the output's leading axes, whose neighbours that are walked as one are
/// joined; steps in elements, 0 where an input is broadcast.
struct Products {
  Shape batch, a_batch, b_batch, output;
  int64_t m = 0, n = 0, k = 0;

  int64_t count() const { return numel(batch); }
  /// f(number, first element of a's matrix, of b's) for every product.
  template <class F>
  void each(const F& f) const {
    for (int64_t i = 0; i < count(); ++i) {
      int64_t rest = i, at_a = 0, at_b = 0;
      for (size_t axis = batch.size(); axis-- > 0; rest /= batch[axis])
        at_a += rest % batch[axis] * a_batch[axis], at_b += rest % batch[axis] * b_batch[axis];
      f(i, at_a, at_b);
    }
  }
};

Products products(const MatMul& op, const Shape& a, const Shape& b, std::string_view path) {
  check(a.size() >= 2 && b.size() >= 2, path, ": expected two inputs of at least two axes, got shapes ", to_string(a), " and ",
        to_string(b));
  Products p;
  const auto sides = [](const Shape& s, bool transposed) {
    const int64_t rows = s[s.size() - 2], columns = s[s.size() - 1];
    return transposed ? std::pair(columns, rows) : std::pair(rows, columns);
  };
  const auto [m, k] = sides(a, op.transpose_a);
  const auto [terms, n] = sides(b, op.transpose_b);
  check(k == terms, path, ": matrices of ", m, " x ", k, " and ", terms, " x ", n, " cannot be multiplied; inputs of shapes ",
        to_string(a), " and ", to_string(b));
  p.m = m, p.n = n, p.k = k;
  const size_t rank = std::max(a.size(), b.size());
  const Shape packed_a = row_major(a), packed_b = row_major(b);
  for (size_t axis = 0; axis + 2 < rank; ++axis) {
    const auto length = [&](const Shape& s) { return axis + s.size() < rank ? 1 : s[axis + s.size() - rank]; };
    const int64_t na = length(a), nb = length(b);
    check(na == nb || na == 1 || nb == 1, path, ": inputs of shapes ", to_string(a), " and ", to_string(b),
          " differ in leading axes and cannot be broadcast");
    const int64_t both = na == 1 ? nb : na;
    p.output.push_back(both);
    if (both == 1) continue;
    const int64_t step_a = na == 1 ? 0 : packed_a[axis + a.size() - rank], step_b = nb == 1 ? 0 : packed_b[axis + b.size() - rank];
    if (!p.batch.empty() && p.a_batch.back() == step_a * both && p.b_batch.back() == step_b * both) {
      p.batch.back() *= both, p.a_batch.back() = step_a, p.b_batch.back() = step_b;
    } else {
      p.batch.push_back(both), p.a_batch.push_back(step_a), p.b_batch.push_back(step_b);
    }
  }
  p.output.push_back(m), p.output.push_back(n);
  return p;
}

}  // namespace

bool MatMul::remap_axes(const AxisOrder& order) {
  int64_t last = -1, before = -2;  // both in their places, or the matrices are others
  return order.keeps_last() && order.move(last) && order.move(before) && before + 1 == last;
}

std::vector<Shape> MatMul::shapes(const ShapeCall& call) const {
  call.expect_inputs(2);
  const Products p = products(*this, call.inputs[0], call.inputs[1], call.path);
  check(p.batch.size() <= 4, call.path, ": inputs of shapes ", to_string(call.inputs[0]), " and ", to_string(call.inputs[1]),
        " are broadcast over more than four axes");
  return {p.output};
}

std::vector<Var> MatMul::forward(const Call& call) const {
  const Var &a = call.inputs[0], &b = call.inputs[1];
  check(a.dtype() == b.dtype(), call.path, ": dtypes ", to_string(a.dtype()), " and ", to_string(b.dtype()), " differ");
  const Products p = products(*this, a.shape(), b.shape(), call.path);
  return {dispatch_float(a.dtype(), call.path, [&]<class T>() {
    const T* const no_bias = nullptr;
    Tensor y(p.output, a.dtype());
    const T *from_a = a.value().data<T>().data(), *from_b = b.value().data<T>().data();
    T* to = y.mutable_data<T>().data();
    const f32::Matmul product{.m = p.m, .n = p.n, .k = p.k, .transpose_a = transpose_a, .transpose_b = transpose_b};
    p.each([&](int64_t i, int64_t at_a, int64_t at_b) {
      fk::matmul(product, from_a + at_a, from_b + at_b, no_bias, to + i * p.m * p.n);
    });
    auto vjp = [p, no_bias, op = *this, a = a.value(), b = b.value()](const Tensor& dy, const Needs& needs) {
      const T *from_a = a.template data<T>().data(), *from_b = b.template data<T>().data(), *from = dy.data<T>().data();
      std::vector<Tensor> grads(2);
      if (needs[0]) {  // dA = dY B^T, or its transpose; a broadcast matrix gets the sum
        grads[0] = Tensor::zeros(a.shape(), a.dtype());
        T* da = grads[0].template mutable_data<T>().data();
        p.each([&](int64_t i, int64_t at_a, int64_t at_b) {
          const T* g = from + i * p.m * p.n;
          if (op.transpose_a)
            fk::matmul(f32::Matmul{p.k, p.m, p.n, op.transpose_b, true, true}, from_b + at_b, g, no_bias, da + at_a);
          else
            fk::matmul(f32::Matmul{p.m, p.k, p.n, false, !op.transpose_b, true}, g, from_b + at_b, no_bias, da + at_a);
        });
      }
      if (needs[1]) {  // dB = A^T dY, or its transpose
        grads[1] = Tensor::zeros(b.shape(), b.dtype());
        T* db = grads[1].template mutable_data<T>().data();
        p.each([&](int64_t i, int64_t at_a, int64_t at_b) {
          const T* g = from + i * p.m * p.n;
          if (op.transpose_b)
            fk::matmul(f32::Matmul{p.n, p.k, p.m, true, op.transpose_a, true}, g, from_a + at_a, no_bias, db + at_b);
          else
            fk::matmul(f32::Matmul{p.k, p.n, p.m, !op.transpose_a, false, true}, from_a + at_a, g, no_bias, db + at_b);
        });
      }
      return grads;
    };
    return Var::made(std::move(y), {a, b}, std::move(vjp));
  })};
}

Lowered MatMul::lower(const LowerCall& call) const {
  const Products p = products(*this, call.input_shapes[0], call.input_shapes[1], call.path);
  const bool wide = has_wide_codes(*call.output);
  const int64_t most = wide ? kernels::kMostMatMul16Terms : kernels::kMostMatMulTerms;
  check(p.k >= 1 && p.k <= most, call.path, ": sums of ", p.k, " products of codes; 1 to ", most, " stay within ", wide ? 48 : 32,
        " bits");
  kernels::MatMulArgs g{};
  const auto narrow = [&](int64_t n) {
    check(n <= INT32_MAX, call.path, ": inputs of shapes ", to_string(call.input_shapes[0]), " and ",
          to_string(call.input_shapes[1]), " are too large for a kernel");
    return static_cast<int32_t>(n);
  };
  g.rank = std::max<int32_t>(1, narrow(std::ssize(p.batch)));
  g.batch[0] = 1;  // one product alone
  for (size_t i = 0; i < p.batch.size(); ++i)
    g.batch[i] = narrow(p.batch[i]), g.a_batch[i] = narrow(p.a_batch[i]), g.b_batch[i] = narrow(p.b_batch[i]);
  g.m = narrow(p.m), g.n = narrow(p.n), g.k = narrow(p.k);
  g.a_row = transpose_a ? 1 : g.k, g.a_step = transpose_a ? g.m : 1;
  g.b_column = transpose_b ? g.k : 1, g.b_step = transpose_b ? 1 : g.n;
  const QParams &a = call.inputs[0], &b = call.inputs[1];
  g.a_type = code_type(a), g.b_type = code_type(b), g.output_type = code_type(*call.output);
  g.a_zero_point = a.zero_point[0], g.b_zero_point = b.zero_point[0];
  g.rounding = call.rounding;
  g.output = output_args(*call.output, Activation::none, call.rounding, true);
  // TensorFlow Lite, too, multiplies the two scales in float32.
  const float sa = a.scale[0], sb = b.scale[0], so = call.output->scale[0], product = sa * sb;
  g.scale = call.rounding == Rounding::int_bias ? product / so : product;
  check(std::isnormal(product) && std::isnormal(g.scale), call.path, ": scales ", sa, " times ", sb, " over ", so,
        " is not a normal float");
  const FixedMultiplier multiplier = quantize_multiplier(static_cast<double>(product) / static_cast<double>(so));
  g.multiplier = multiplier.multiplier, g.shift = multiplier.shift;
  if (wide) check_wide_multiplier(multiplier, static_cast<double>(product) / static_cast<double>(so), call.path);
  return {{{g, {Operand::input(0), Operand::input(1)}}}};
}

LoweredFloats MatMul::lower_float(const FloatLowerCall& call) const {
  const Products p = products(*this, call.input_shapes[0], call.input_shapes[1], call.path);
  FloatMatMulArgs g{.m = p.m, .n = p.n, .k = p.k, .transpose_a = transpose_a, .transpose_b = transpose_b};
  for (size_t i = 0; i < p.batch.size(); ++i) g.batch[i] = p.batch[i], g.a_batch[i] = p.a_batch[i], g.b_batch[i] = p.b_batch[i];
  return {{{g, {Operand::input(0), Operand::input(1)}}}};
}

}  // namespace octet
