// SPDX-License-Identifier: Apache-2.0
// Descriptions of the three passes, the choice of layouts, and the primitives kept by shape.
#include "kernels/onednn/f32_convolution.h"

#include <algorithm>
#include <array>
#include <map>
#include <mutex>
#include <optional>
#include <string_view>

#include "kernels/onednn/primitive.h"

namespace octet::onednn {
namespace {

using dnnl::algorithm;
using dnnl::memory;
using tag = memory::format_tag;

/// oneDNN's kernels on N,H,W,C lose half their speed on rows this short; on blocks of 16 channels they keep it, and copying such
/// small tensors costs little.
constexpr int64_t kShortRow = 7;

bool blocked(Pass pass, const ConvGeometry& g) {
  const int64_t row = pass == Pass::input_gradient ? g.in_w : g.out_w;
  return g.kernel_h * g.kernel_w > 1 && g.groups == 1 && std::min(row, g.out_w) <= kShortRow && g.in_c % 16 == 0 &&
         g.out_c % 16 == 0;
}

/// Padding after the input; never negative, oneDNN rounds the output size down.
int64_t padding_after(int64_t in, int64_t out, int64_t kernel, int64_t stride, int64_t dilation, int64_t before) {
  return std::max<int64_t>(0, (out - 1) * stride + (kernel - 1) * dilation + 1 - in - before);
}

template <class Description>
std::shared_ptr<const Convolution> finish(const Description& d, const Convolution::Layouts& plain,
                                          const Convolution::Layouts& own) {
  const std::string_view name = d.impl_info_str();
  if (name.starts_with("ref") || name.starts_with("gemm")) return nullptr;  // octet's own are faster
  return std::make_shared<const Convolution>(
      Convolution{dnnl::primitive(d.get()), plain, own, d.query_md(dnnl::query::scratchpad_md), std::string(name)});
}

std::shared_ptr<const Convolution> make(Pass pass, const ConvGeometry& g, bool bias) {
  const auto f32 = memory::data_type::f32;
  const memory::dims x{g.batch, g.in_c, g.in_h, g.in_w}, y{g.batch, g.out_c, g.out_h, g.out_w};
  const memory::dims w = g.groups == 1 ? memory::dims{g.out_c, g.in_c, g.kernel_h, g.kernel_w}
                                       : memory::dims{g.groups, g.out_c / g.groups, g.in_c / g.groups, g.kernel_h, g.kernel_w};
  const memory::dims stride{g.stride_h, g.stride_w}, dilation{g.dilation_h - 1, g.dilation_w - 1}, before{g.pad_top, g.pad_left};
  const memory::dims after{padding_after(g.in_h, g.out_h, g.kernel_h, g.stride_h, g.dilation_h, g.pad_top),
                           padding_after(g.in_w, g.out_w, g.kernel_w, g.stride_w, g.dilation_w, g.pad_left)};
  const Convolution::Layouts plain{{x, f32, tag::nhwc}, {w, f32, g.groups == 1 ? tag::ohwi : tag::gohwi}, {y, f32, tag::nhwc}};
  const tag data = blocked(pass, g) ? tag::nChw16c : tag::nhwc;
  const memory::desc mx(x, f32, data), mw(w, f32, tag::any), my(y, f32, data);
  const memory::desc mb = bias ? memory::desc({g.out_c}, f32, tag::a) : memory::desc();
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  const auto kind = algorithm::convolution_direct;
  const dnnl::convolution_forward::primitive_desc forward(cpu(), dnnl::prop_kind::forward_training, kind, mx, mw, mb, my, stride,
                                                          dilation, before, after, attributes);
  switch (pass) {
    case Pass::forward: return finish(forward, plain, {mx, forward.weights_desc(), my});
    case Pass::input_gradient: {
      const dnnl::convolution_backward_data::primitive_desc d(cpu(), kind, mx, mw, my, stride, dilation, before, after, forward,
                                                              attributes);
      return finish(d, plain, {mx, d.weights_desc(), my});
    }
    case Pass::weight_gradient: {
      const dnnl::convolution_backward_weights::primitive_desc d(cpu(), kind, mx, mw, my, stride, dilation, before, after, forward,
                                                                 attributes);
      return finish(d, plain, {mx, d.diff_weights_desc(), my});
    }
  }
  return nullptr;
}

using Key = std::array<int64_t, 18>;

Key key(Pass pass, const ConvGeometry& g, bool bias) {
  return {static_cast<int64_t>(pass),
          bias,
          g.batch,
          g.in_h,
          g.in_w,
          g.in_c,
          g.out_h,
          g.out_w,
          g.out_c,
          g.kernel_h,
          g.kernel_w,
          g.stride_h,
          g.stride_w,
          g.dilation_h,
          g.dilation_w,
          g.pad_top,
          g.pad_left,
          g.groups};
}

/// Convolutions by shape, declined ones too.
class Kept {
 public:
  /// The convolution, or nullopt if it is not kept.
  std::optional<std::shared_ptr<const Convolution>> find(const Key& k) {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(k);
    if (found == entries_.end()) return std::nullopt;
    found->second.used = ++clock_;
    return found->second.convolution;
  }

  void add(const Key& k, std::shared_ptr<const Convolution> made) {
    const std::lock_guard lock(mutex_);
    if (entries_.size() >= kKeptConvolutions && !entries_.contains(k))
      entries_.erase(std::ranges::min_element(entries_, {}, [](const auto& entry) { return entry.second.used; }));
    entries_[k] = {std::move(made), ++clock_};
  }

 private:
  struct Entry {
    std::shared_ptr<const Convolution> convolution;
    uint64_t used;
  };
  std::mutex mutex_;
  std::map<Key, Entry> entries_;
  uint64_t clock_ = 0;
};

/// Never destroyed: threads may still compute while the process ends.
Kept& kept() {
  static Kept& instance = *new Kept;
  return instance;
}

}  // namespace

std::shared_ptr<const Convolution> convolution(Pass pass, const ConvGeometry& g, bool bias) {
  const Key k = key(pass, g, bias);
  if (auto found = kept().find(k)) return *found;
  std::shared_ptr<const Convolution> made;
  try {
    const OneThread one;
    made = make(pass, g, bias);
  } catch (const dnnl::error& e) {
    if (e.status != dnnl_unimplemented && e.status != dnnl_invalid_arguments) throw;
  }
  kept().add(k, made);
  return made;
}

}  // namespace octet::onednn
