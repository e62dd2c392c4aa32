// SPDX-License-Identifier: Apache-2.0
// ArgReduce and TopK: elements by their order along an axis.
#include <algorithm>
#include <numeric>

#include "engine/ops/axis_order.h"
#include "engine/ops/reduce.h"

namespace octet {
namespace {

/// Elements along one axis: element (o, i, r) lies at (o * n + i) * inner + r.
struct Lines {
  size_t axis = 0;
  int64_t outer = 1, n = 1, inner = 1;
};

Lines lines_of(const Shape& x, int64_t axis, std::string_view path) {
  const auto rank = static_cast<int64_t>(x.size());
  check(axis >= -rank && axis < rank, path, ": axis ", axis, " of shape ", to_string(x));
  Lines l{.axis = static_cast<size_t>(axis < 0 ? axis + rank : axis)};
  for (size_t i = 0; i < l.axis; ++i) l.outer *= x[i];
  l.n = x[l.axis];
  for (size_t i = l.axis + 1; i < x.size(); ++i) l.inner *= x[i];
  check(l.n <= int64_t{1} << 24, path, ": ", l.n, " elements along axis ", axis, " of shape ", to_string(x),
        "; up to 2^24 have places that a float holds");
  return l;
}

/// f(first element of the line, number of the line's first output where an output line has `outputs` elements).
template <class F>
void each_line(const Lines& l, int64_t outputs, const F& f) {
  for (int64_t o = 0; o < l.outer; ++o)
    for (int64_t r = 0; r < l.inner; ++r) f(o * l.n * l.inner + r, o * outputs * l.inner + r);
}

/// Whether a comes before b, of elements alone: a NaN is the largest.
template <class T>
bool before(T a, T b, bool smallest) {
  if (a != a || b != b) return smallest ? b != b && a == a : a != a && b == b;
  return smallest ? a < b : a > b;
}

}  // namespace

std::vector<Shape> ArgReduce::shapes(const ShapeCall& call) const {
  call.expect_inputs(1);
  Shape y = call.inputs[0];
  const Lines l = lines_of(y, axis, call.path);
  check(l.n > 0, call.path, ": no element along axis ", axis, " of shape ", to_string(y));
  if (keepdims)
    y[l.axis] = 1;
  else
    y.erase(y.begin() + static_cast<std::ptrdiff_t>(l.axis));
  return {y};
}

std::vector<Var> ArgReduce::forward(const Call& call) const {
  const Tensor& x = call.inputs[0].value();
  const Lines l = lines_of(x.shape(), axis, call.path);
  Tensor y(shapes({call.path, {&x.shape(), 1}})[0], x.dtype());
  dispatch_float(x.dtype(), call.path, [&]<class T>() {
    const auto from = x.data<T>();
    const auto to = y.mutable_data<T>();
    each_line(l, 1, [&](int64_t first, int64_t at) {
      const auto element = [&](int64_t i) { return from[static_cast<size_t>(first + i * l.inner)]; };
      // NaN wins either way, as in NumPy and PyTorch.
      const auto better = [&](T a, T b) { return a != a || b != b ? a != a && b == b : before(a, b, smallest); };
      int64_t best = 0;
      for (int64_t i = 1; i < l.n; ++i)
        if (better(element(i), element(best)) || (select_last && !better(element(best), element(i)))) best = i;
      to[static_cast<size_t>(at)] = static_cast<T>(best);
    });
  });
  return {Var(std::move(y))};
}

std::vector<Shape> TopK::shapes(const ShapeCall& call) const {
  call.expect_inputs(1);
  Shape y = call.inputs[0];
  const Lines l = lines_of(y, axis, call.path);
  check(k >= 1 && k <= l.n, call.path, ": the first ", k, " of ", l.n, " elements along axis ", axis, " of shape ", to_string(y));
  y[l.axis] = k;
  return {y, y};
}

std::vector<Var> TopK::forward(const Call& call) const {
  const Tensor& x = call.inputs[0].value();
  const Lines l = lines_of(x.shape(), axis, call.path);
  const Shape shape = shapes({call.path, {&x.shape(), 1}})[0];
  return dispatch_float(x.dtype(), call.path, [&]<class T>() -> std::vector<Var> {
    Tensor values(shape, x.dtype()), places(shape, x.dtype());
    const auto from = x.data<T>();
    const auto to = values.mutable_data<T>(), where = places.mutable_data<T>();
    std::vector<int64_t> order(static_cast<size_t>(l.n)), taken;  // taken: where each output comes from
    taken.resize(to.size());
    each_line(l, k, [&](int64_t first, int64_t at) {
      std::iota(order.begin(), order.end(), 0);
      const auto element = [&](int64_t i) { return from[static_cast<size_t>(first + i * l.inner)]; };
      std::partial_sort(order.begin(), order.begin() + k, order.end(), [&](int64_t a, int64_t b) {
        if (before(element(a), element(b), smallest)) return true;
        return !before(element(b), element(a), smallest) && a < b;
      });
      for (int64_t j = 0; j < k; ++j) {
        const auto out = static_cast<size_t>(at + j * l.inner);
        const int64_t i = order[static_cast<size_t>(j)];
        to[out] = element(i), where[out] = static_cast<T>(i), taken[out] = first + i * l.inner;
      }
    });
    auto vjp = [taken, of = x.shape()](const Tensor& grad, const Needs&) {
      Tensor dx = Tensor::zeros(of, grad.dtype());
      const auto dy = grad.data<T>();
      const auto d = dx.template mutable_data<T>();
      for (size_t i = 0; i < taken.size(); ++i) d[static_cast<size_t>(taken[i])] += dy[i];
      return std::vector<Tensor>{std::move(dx)};
    };
    return {Var::made(std::move(values), {call.inputs[0]}, std::move(vjp)), Var(std::move(places))};
  });
}

}  // namespace octet
