// SPDX-License-Identifier: Apache-2.0
// Layouts by operator. A convolution's weight is permuted whatever its shape: O,I,3,3 with I = 3 fits both ways and is right in
// one.
#include "io/torch_layout.h"

#include <algorithm>
#include <numeric>

#include "io/torch_order.h"

namespace octet {
namespace {

constexpr std::string_view kNorm = "bn.";

Shape counted(size_t rank) {
  Shape order(rank);
  std::iota(order.begin(), order.end(), int64_t{0});
  return order;
}

/// A kernel's shape with height and width; of sequences only with the one of them that is longer.
void put_kernel(TorchParam& p, Pair kernel, bool sequence) {
  p.shape.insert(p.shape.end(), {kernel.h, kernel.w});
  if (kernel.h != 1 && kernel.w != 1) return;
  p.other_shape = p.shape;
  p.other_shape.erase(p.other_shape.end() - (kernel.h == 1 ? 2 : 1));
  if (sequence) std::swap(p.shape, p.other_shape);
}

void put_weight(TorchParam& p, const Conv2d& conv, bool sequence) {
  p.layout = {{conv.out, conv.in / conv.groups, conv.kernel.h, conv.kernel.w}, {0, 2, 3, 1}};
  p.shape = {conv.out, conv.in / conv.groups};
  put_kernel(p, conv.kernel, sequence);
}

void put_weight(TorchParam& p, const ConvTranspose2d& conv, bool sequence) {
  p.layout = {{conv.groups, conv.in / conv.groups, conv.out / conv.groups, conv.kernel.h, conv.kernel.w}, {0, 2, 3, 4, 1}};
  p.shape = {conv.in, conv.out / conv.groups};
  put_kernel(p, conv.kernel, sequence);
}

/// The norm of a ConvBn2d or LinearBn has the names that it had before it was fused, or those of PyTorch's fused modules.
void put_key(TorchParam& p, const Module& m) {
  p.key = m.path + "." + p.param;
  if (m.as<Constant>()) p.key = m.path;  // a bare nn.Parameter
  const bool fused = (m.as<ConvBn2d>() || m.as<LinearBn>()) && !m.fused.empty() && p.param.starts_with(kNorm);
  if (fused) p.other_key = std::exchange(p.key, m.fused[0] + p.param.substr(kNorm.size() - 1));
}

/// A picture's own shape: the last axis is PyTorch's second.
void put_picture(TorchParam& p) {
  const size_t rank = p.own.size();
  p.layout.order = counted(rank);
  std::rotate(p.layout.order.begin() + 1, p.layout.order.begin() + 2, p.layout.order.end());
  p.shape = p.own;
  std::rotate(p.shape.begin() + 1, p.shape.end() - 1, p.shape.end());
  p.layout.view = p.shape;
}

void put_layout(TorchParam& p, const Module& m, const TorchOrder& order, bool sequence) {
  p.shape = p.layout.view = p.own;
  p.layout.order = counted(p.own.size());
  if (p.param == "weight") {
    if (const auto* conv = m.as<Conv2d>()) return put_weight(p, *conv, sequence);
    if (const auto* trained = m.as<ConvBn2d>()) return put_weight(p, trained->conv, sequence);
    if (const auto* transposed = m.as<ConvTranspose2d>()) return put_weight(p, *transposed, sequence);
  }
  if (m.as<Constant>() && order.axes == Axes::picture) return put_picture(p);
  // Of a layer only the columns belong to its input; a norm's or a slope's values all do.
  const bool layer = traits_of(m.op).product.has_value() || m.as<LinearBn>();
  const bool by_feature = !p.own.empty() && p.own.back() == static_cast<int64_t>(order.features.size());
  if (by_feature && (!layer || p.param == "weight")) p.layout.features = order.features;
}

/// The values of t, whose axes are in the given order then.
Tensor with_axes(const Tensor& t, const Shape& order) {
  Shape shape, strides(t.rank());
  int64_t stride = 1;
  for (size_t axis = t.rank(); axis-- > 0; stride *= t.size(axis)) strides[axis] = stride;
  for (const int64_t axis : order) shape.push_back(t.size(static_cast<size_t>(axis)));
  Tensor out(shape, t.dtype());
  dispatch_float(t.dtype(), "state dict", [&]<class T>() {
    const auto from = t.data<T>();
    Shape at(order.size());
    int64_t place = 0;
    for (T& v : out.mutable_data<T>()) {
      v = from[static_cast<size_t>(place)];
      for (size_t axis = order.size(); axis-- > 0;) {
        place += strides[static_cast<size_t>(order[axis])];
        if (++at[axis] < shape[axis]) break;
        place -= at[axis] * strides[static_cast<size_t>(order[axis])];
        at[axis] = 0;
      }
    }
  });
  return out;
}

/// Columns by their numbers: column i of the result is column features[i], or the other way round.
Tensor with_features(const Tensor& t, const std::vector<int64_t>& features, bool inverse) {
  if (features.empty()) return t;
  Tensor out(t.shape(), t.dtype());
  dispatch_float(t.dtype(), "state dict", [&]<class T>() {
    const auto from = t.data<T>();
    const auto to = out.mutable_data<T>();
    for (size_t row = 0; row < from.size(); row += features.size())
      for (size_t i = 0; i < features.size(); ++i) {
        const size_t there = row + static_cast<size_t>(features[i]);
        if (inverse)
          to[there] = from[row + i];
        else
          to[row + i] = from[there];
      }
  });
  return out;
}

}  // namespace

std::vector<TorchParam> torch_params(const Model& model) {
  const std::vector<TorchOrder> orders = torch_orders(model);
  std::vector<TorchParam> all;
  for (size_t i = 0; i < model.modules.size(); ++i) {
    const Module& m = model.modules[i];
    if (!m.tied_to.empty()) continue;
    const bool sequence = !m.nominal.empty() && m.nominal[0].size() == 3;
    for (const Param& param : params_of(m.op)) {
      if (param.role == Role::flag) continue;  // octet's own
      const auto held = m.params.find(param.name);
      check(held == m.params.end() || !held->second.qparams(), m.path, ": ", param.name,
            " is quantized; PyTorch's state dict is of the float model, before convert");
      TorchParam p{.module = static_cast<int>(i), .param = param.name, .key = {}, .own = param.shape, .shape = {}};
      put_key(p, m);
      put_layout(p, m, orders[i], sequence);
      all.push_back(std::move(p));
    }
  }
  return all;
}

Tensor from_torch(const Tensor& t, const TorchParam& p) {
  return with_features(with_axes(t.reshape(p.layout.view), p.layout.order).reshape(p.own), p.layout.features, false);
}

Tensor to_torch(const Tensor& t, const TorchParam& p) {
  const TorchLayout& l = p.layout;
  Shape moved, back(l.order.size());
  for (size_t i = 0; i < l.order.size(); ++i) {
    moved.push_back(l.view[static_cast<size_t>(l.order[i])]);
    back[static_cast<size_t>(l.order[i])] = static_cast<int64_t>(i);
  }
  return with_axes(with_features(t, l.features, true).reshape(moved), back).reshape(p.shape);
}

}  // namespace octet
