// SPDX-License-Identifier: Apache-2.0
// What this engine makes of a layer, and which layers automatic asks it for first.
#include "kernels/native/isa.h"
#include "kernels/native/loop_kernel.h"
#include "kernels/native/native.h"
#include "kernels/native/vnni/kernel.h"
#include "kernels/native/vnni/plan.h"

namespace octet::native {
namespace {

using namespace kernels;

Made make_vnni(const Conv2dArgs& a, const Blobs& b) { return vnni::make(a, b); }
Made make_vnni(const LinearArgs& a, const Blobs& b) { return vnni::make(a, b); }
template <class Args>
Made make_vnni(const Args&, const Blobs&) {
  return {};
}

bool has_vnni(const Conv2dArgs& a, const Blobs& b) { return vnni::refusal(a, b).empty(); }
bool has_vnni(const LinearArgs& a, const Blobs& b) { return has_vnni(vnni::as_convolution(a), b); }
template <class Args>
bool has_vnni(const Args&, const Blobs&) {
  return false;
}

/// Larger windows are oneDNN's: 64 channels of weights then leave the first-level cache, and oneDNN walks them better.
constexpr int32_t kMostProducts = 1024;
/// Rows for which a linear layer reads its weights once.
constexpr int32_t kFewRows = 6;

/// Products of a depthwise layer with stride, whose lanes serve one output row only, up to which this engine's short way in pays.
constexpr int64_t kSmallStrided = 200'000;

bool leads_at(const Conv2dArgs& a) {
  if (vnni::is_depthwise(a)) return (a.stride_h == 1 && a.stride_w == 1) || macs(a) <= kSmallStrided;
  return a.groups == 1 && a.kernel_h * a.kernel_w * a.in_c <= kMostProducts;
}
bool leads_at(const LinearArgs& a) { return a.in <= kMostProducts || a.rows <= kFewRows; }
template <class Args>
bool leads_at(const Args&) {
  return true;
}

}  // namespace

Made make(const KernelArgs& args, std::shared_ptr<const Blobs> blobs) {
  const Isa level = isa();
  if (level == Isa::none) return {nullptr, info().why_not};
  std::string why_not;
  if (level == Isa::avx512_vnni && blobs != nullptr) {
    Made made = std::visit([&](const auto& a) { return make_vnni(a, *blobs); }, args);
    if (made.kernel != nullptr) return made;
    why_not = std::move(made.why_not);
  }
  std::unique_ptr<Kernel> loop = make_loop_kernel(args, std::move(blobs), level);
  if (loop == nullptr) why_not = "native: no loop for " + std::string(octet::name_of(args));
  return {std::move(loop), std::move(why_not)};
}

bool leads(const KernelArgs& args, const Blobs& blobs) {
  const Isa level = isa();
  if (level == Isa::none || macs(args) == 0) return level != Isa::none;
  if (level != Isa::avx512_vnni || !std::visit([](const auto& a) { return leads_at(a); }, args)) return false;
  return std::visit([&](const auto& a) { return has_vnni(a, blobs); }, args);
}

}  // namespace octet::native
