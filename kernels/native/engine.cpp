// SPDX-License-Identifier: Apache-2.0
// What this engine makes of a layer, and which layers automatic asks it for first.
#include "kernels/native/isa.h"
#include "kernels/native/loop_kernel.h"
#include "kernels/native/native.h"

namespace octet::native {

Made make(const KernelArgs& args, std::shared_ptr<const Blobs> blobs) {
  const Isa level = isa();
  if (level == Isa::none) return {nullptr, info().why_not};
  return {make_loop_kernel(args, std::move(blobs), level), {}};
}

bool leads(const KernelArgs& args, const Blobs&) { return isa() != Isa::none && macs(args) == 0; }

}  // namespace octet::native
