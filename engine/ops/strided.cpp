// SPDX-License-Identifier: Apache-2.0
// Views as tensors, their gradients, and as copies by stride.
#include "engine/ops/strided.h"

#include <algorithm>

#include "engine/ops/functional.h"
#include "engine/ops/wide.h"
#include "kernels/ref/ref.h"

namespace octet {
namespace {

kernels::TransposeArgs arguments(const View& view, size_t element_size) {
  constexpr int64_t kLimit = int64_t{1} << 31;
  const auto fits = [](int64_t n) { return n < kLimit; };
  check(view.shape.size() <= 6 && std::ranges::all_of(view.shape, fits) && std::ranges::all_of(view.strides, fits),
        "a view of shape ", to_string(view.shape), " with steps ", to_string(view.strides),
        ": at most six axes, whose lengths and steps are below 2^31");
  kernels::TransposeArgs a{};
  a.rank = static_cast<int32_t>(view.shape.size());
  a.element_size = static_cast<int32_t>(element_size);
  for (size_t i = 0; i < view.shape.size(); ++i)
    a.output_shape[i] = static_cast<int32_t>(view.shape[i]), a.input_stride[i] = static_cast<int32_t>(view.strides[i]);
  if (view.shape.empty()) a.rank = a.output_shape[0] = a.input_stride[0] = 1;  // a scalar; kernels know no rank 0
  return a;
}

Tensor copy_of(const Tensor& x, const View& view) {
  const kernels::TransposeArgs a = arguments(view, size_of(x.dtype()));
  Tensor y(view.output(), x.dtype());
  const auto* from = static_cast<const std::byte*>(x.raw()) + view.offset * static_cast<int64_t>(size_of(x.dtype()));
  if (y.numel() > 0) kernels::transpose(a, from, y.mutable_raw(), 0, kernels::units(a));
  return y;
}

/// to[where the view shows it] += grad, element by element in the view's order.
template <class T>
void add_back(const View& view, size_t axis, int64_t at, T* to, const T*& next) {
  if (axis == view.shape.size()) {
    to[at] += *next++;
    return;
  }
  for (int64_t i = 0; i < view.shape[axis]; ++i) add_back(view, axis + 1, at + i * view.strides[axis], to, next);
}

bool is_one_piece(const View& view) {
  const Shape packed = row_major(view.shape);
  for (size_t i = 0; i < view.shape.size(); ++i)
    if (view.shape[i] != 1 && view.strides[i] != packed[i]) return false;
  return true;
}

}  // namespace

Shape row_major(const Shape& shape) {
  Shape strides(shape.size(), 1);
  for (size_t i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * shape[i];
  return strides;
}

Shape broadcast_shape(std::span<const Shape> shapes, std::string_view path) {
  Shape y;
  for (const Shape& s : shapes) y.resize(std::max(y.size(), s.size()), 1);
  const auto text = [&] {
    std::string all;
    for (const Shape& s : shapes) all += (all.empty() ? "" : " and ") + to_string(s);
    return all;
  };
  if (y.size() > 6 && std::ranges::adjacent_find(shapes, std::ranges::not_equal_to()) != shapes.end())
    fail(path, ": inputs of shapes ", text(), " cannot be broadcast over more than six axes");
  for (const Shape& s : shapes)
    for (size_t back = 1; back <= s.size(); ++back) {
      const int64_t n = s[s.size() - back];
      int64_t& common = y[y.size() - back];
      if (n != common && n != 1 && common != 1) fail(path, ": inputs of shapes ", text(), " differ and cannot be broadcast");
      if (n != 1) common = n;
    }
  return y;
}

View broadcast(const Shape& from, const Shape& to) {
  View view{to, Shape(to.size(), 0)};
  const Shape packed = row_major(from);
  for (size_t i = 0, first = to.size() - from.size(); i < from.size(); ++i)
    if (from[i] != 1) view.strides[first + i] = packed[i];
  return view;
}

Var broadcast(const Var& x, const Shape& to) { return x.shape() == to ? x : shown(x, broadcast(x.shape(), to)); }

Var shown(const Var& x, const View& view) {
  auto vjp = [view, shape = x.shape()](const Tensor& grad, const Needs&) {
    Tensor dx = Tensor::zeros(shape, grad.dtype());
    dispatch_float(grad.dtype(), "view", [&]<class T>() {
      const T* next = grad.data<T>().data();
      if (grad.numel() > 0) add_back(view, 0, view.offset, dx.mutable_data<T>().data(), next);
    });
    return std::vector<Tensor>{std::move(dx)};
  };
  return Var::made(copy_of(x.value(), view), {x}, std::move(vjp));
}

namespace {

template <class Lowering>
Lowering lowered_as(std::span<const View> views, size_t element_size) {
  Lowering all;
  for (size_t port = 0; port < views.size(); ++port) {
    const View& view = views[port];
    all.calls.push_back({is_one_piece(view) ? copied(numel(view.shape), element_size) : arguments(view, element_size),
                         {Operand::input(0, view.offset * static_cast<int64_t>(element_size))},
                         {Operand::output(0, static_cast<int>(port))}});
  }
  return all;
}

}  // namespace

Lowered lowered(std::span<const View> views, const QParams& codes) {
  return lowered_as<Lowered>(views, static_cast<size_t>(code_size(codes)));
}
LoweredFloats lowered_floats(std::span<const View> views) { return lowered_as<LoweredFloats>(views, sizeof(float)); }

}  // namespace octet
