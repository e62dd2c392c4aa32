// SPDX-License-Identifier: Apache-2.0
// What this engine makes of a layer, and which layers automatic asks it for first.
#include "kernels/native/isa.h"
#include "kernels/native/loop_kernel.h"
#include "kernels/native/native.h"
#include "kernels/native/vnni/kernel.h"

namespace octet::native {
namespace {

using namespace kernels;

Made make_vnni(const Conv2dArgs& a, const Blobs& b) { return vnni::make(a, b); }
Made make_vnni(const LinearArgs& a, const Blobs& b) { return vnni::make(a, b); }
template <class Args>
Made make_vnni(const Args&, const Blobs&) {
  return {};
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
  return {make_loop_kernel(args, std::move(blobs), level), std::move(why_not)};
}

bool leads(const KernelArgs& args, const Blobs&) { return isa() != Isa::none && macs(args) == 0; }

}  // namespace octet::native
