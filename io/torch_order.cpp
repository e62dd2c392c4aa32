// SPDX-License-Identifier: Apache-2.0
// One pass in list order. A picture stays one wherever three axes or more are left, until a Transpose makes it channel-first or a
// Reshape flattens it: then its features are in an order of their own until a layer has read them.
#include "io/torch_order.h"

#include <algorithm>
#include <numeric>
#include <optional>

namespace octet {
namespace {

template <class... Ts>
bool is_one_of(const Op& op) {
  return (std::holds_alternative<Ts>(op) || ...);
}

/// Of three axes and more these read channels from PyTorch's second axis and give pictures.
bool reads_pictures(const Op& op) {
  return is_one_of<Conv2d, ConvBn2d, ConvTranspose2d, Pool2d, LpPool2d, BatchNorm, GroupNorm>(op);
}

/// What has parameters for each feature, or none at all, and leaves every feature where it is.
bool keeps_features(const Op& op) {
  return is_one_of<Unary, Binary, Where, Dropout, BatchNorm, PRelu, LayerNorm, RMSNorm, L2Normalize>(op);
}

bool is_product_of_features(const Op& op) {
  const std::optional<Product> product = traits_of(op).product;
  return (product && product->flat) || is_one_of<LinearBn>(op);
}

int64_t elements(const Shape& shape, size_t begin, size_t end) {
  int64_t n = 1;
  for (size_t i = begin; i < end; ++i) n *= shape[i];
  return n;
}

TorchOrder reshaped(const TorchOrder& in, const Shape& from, const Shape& to) {
  if (in.axes == Axes::unknown || from == to || from.empty() || to.empty()) return in;
  const int64_t channels = from.back();
  if (in.axes == Axes::picture) {
    const int64_t positions = elements(from, 1, from.size() - 1);
    if (to.back() == channels && to.size() > from.size()) return in;          // N,L,C as N,1,L,C
    if (to.back() == channels || positions == 1 || channels == 1) return {};  // rows of channels; or but one order
    if (to.back() != positions * channels) return {.axes = Axes::unknown};
    TorchOrder flat;
    for (int64_t at = 0; at < positions; ++at)
      for (int64_t c = 0; c < channels; ++c) flat.features.push_back(c * positions + at);
    return flat;
  }
  if (!in.features.empty()) return {.axes = Axes::unknown};
  const bool several = to.size() >= 3 && to.back() != 1 && elements(to, 1, to.size() - 1) != 1;
  return {.split = several && (in.split || to.back() != channels)};
}

TorchOrder transposed(const TorchOrder& in, const Shape& order) {
  const auto rank = static_cast<int64_t>(order.size());
  const bool first = rank > 0 && order.front() == 0, last = rank > 0 && order.back() == rank - 1;
  // Rows and columns change places in both; where channels leave their place they are put where PyTorch has them.
  if (in.axes == Axes::picture) return {.axes = first && last ? Axes::picture : Axes::same};
  if (in.axes == Axes::unknown) return in;
  if (!in.features.empty()) return last ? in : TorchOrder{.axes = Axes::unknown};
  return {.split = in.split && (last || !first)};
}

class Follower {
 public:
  explicit Follower(const Model& model) : model_(model), outputs_(model.modules.size()), read_(model.modules.size()) {}

  std::vector<TorchOrder> run() {
    for (size_t i = 0; i < model_.modules.size(); ++i) {
      const Module& m = model_.modules[i];
      if (!m.inputs.empty()) read_[i] = outputs_[static_cast<size_t>(m.inputs[0].module)];
      check_followed(m, read_[i]);
      outputs_[i] = output(i);
    }
    return std::move(read_);
  }

 private:
  const Shape& shape(const Wire& w) const {
    return model_.modules[static_cast<size_t>(w.module)].nominal[static_cast<size_t>(w.port)];
  }

  static bool has_features(const TorchOrder& o) { return !o.features.empty(); }

  void check_followed(const Module& m, const TorchOrder& in) const {
    const char* kWay = "; put a Transpose to channel-first in front of the Reshape, as PyTorch has it";
    if (params_of(m.op).empty() || m.inputs.empty()) return;
    const bool by_feature = is_product_of_features(m.op) || keeps_features(m.op);
    check(in.axes != Axes::unknown || !by_feature, m.path,
          ": reads values of a picture in an order that PyTorch's cannot be told from", kWay);
    check(!has_features(in) || by_feature, m.path, ": a ", name_of(m.op),
          " of a flattened picture has groups of other values than PyTorch's", kWay);
    check(
        !in.split || !reads_pictures(m.op), m.path,
        ": reads features as a picture, which PyTorch splits into C,H,W; put a Reshape to channel-first and a Transpose before it");
  }

  TorchOrder output(size_t index) {
    const Module& m = model_.modules[index];
    const TorchOrder& in = read_[index];
    const size_t rank = m.nominal[0].size();
    if (m.as<Input>()) return {.axes = rank == 4 || (rank == 3 && read_as_picture(index)) ? Axes::picture : Axes::same};
    if (m.inputs.empty()) return {};
    if (const auto* t = m.as<Transpose>()) return transposed(in, t->order);
    if (m.as<Reshape>()) return reshaped(in, shape(m.inputs[0]), m.nominal[0]);
    if (reads_pictures(m.op) && rank >= 3) return {.axes = Axes::picture};
    if (is_product_of_features(m.op)) return {.axes = in.axes == Axes::picture && rank >= 3 ? Axes::picture : Axes::same};
    return joined(index);
  }

  bool read_as_picture(size_t index) const {
    return std::ranges::any_of(model_.modules, [&](const Module& m) {
      return reads_pictures(m.op) &&
             std::ranges::any_of(m.inputs, [&](const Wire& w) { return w.module == static_cast<int>(index); });
    });
  }

  /// Of any other operator, from all of its inputs.
  TorchOrder joined(size_t index) {
    const Module& m = model_.modules[index];
    const Shape& to = m.nominal[0];
    TorchOrder out;
    const TorchOrder* ordered = nullptr;
    bool known = true, agree = true, split = false;
    for (const Wire& w : m.inputs) {
      const TorchOrder& in = outputs_[static_cast<size_t>(w.module)];
      known = known && in.axes != Axes::unknown;
      split = split || in.split;
      const Shape& from = shape(w);
      const bool channels = from.size() == to.size() || (!from.empty() && !to.empty() && from.back() == to.back());
      if (in.axes == Axes::picture && to.size() >= 3 && channels) out.axes = Axes::picture;
      if (has_features(in)) {
        agree = agree && (ordered == nullptr || ordered->features == in.features);
        ordered = &in;
      }
    }
    if (!known) return {.axes = Axes::unknown};
    out.split = split && to.size() >= 3;
    if (const auto* concat = m.as<Concat>(); concat && ordered && is_last(concat->axis, to.size())) return concatenated(m);
    if (!keeps_features(m.op) || (ordered && !agree)) return ordered ? TorchOrder{.axes = Axes::unknown} : out;
    if (ordered) out.features = ordered->features;
    for (const Wire& w : m.inputs) follow_constant(w, out, to);
    for (const Wire& w : m.inputs)  // values of another order, repeated or not, beside them
      if (const Module& from = model_.modules[static_cast<size_t>(w.module)]; ordered && !from.as<Constant>() && !shape(w).empty())
        if (shape(w).back() != 1 && !has_features(outputs_[static_cast<size_t>(w.module)])) return {.axes = Axes::unknown};
    return out;
  }

  static bool is_last(int64_t axis, size_t rank) { return axis == -1 || axis == static_cast<int64_t>(rank) - 1; }

  TorchOrder concatenated(const Module& m) const {
    TorchOrder out;
    for (const Wire& w : m.inputs) {
      std::vector<int64_t> part = outputs_[static_cast<size_t>(w.module)].features;
      const auto before = static_cast<int64_t>(out.features.size());
      if (part.empty()) {
        part.resize(static_cast<size_t>(shape(w).back()));
        std::iota(part.begin(), part.end(), int64_t{0});
      }
      for (const int64_t feature : part) out.features.push_back(before + feature);
    }
    return out;
  }

  /// A Constant is what it is together with: of a picture, or of a flattened one.
  void follow_constant(const Wire& w, const TorchOrder& with, const Shape& to) {
    const auto at = static_cast<size_t>(w.module);
    if (!model_.modules[at].as<Constant>()) return;
    const Shape& own = model_.modules[at].nominal[0];
    TorchOrder order;
    if (own.size() == to.size() && own.size() >= 3) order.axes = with.axes;
    if (!own.empty() && own.back() == static_cast<int64_t>(with.features.size())) order.features = with.features;
    read_[at] = std::move(order);
  }

  const Model& model_;
  std::vector<TorchOrder> outputs_, read_;
};

}  // namespace

std::vector<TorchOrder> torch_orders(const Model& model) { return Follower(model).run(); }

}  // namespace octet
