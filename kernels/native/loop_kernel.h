// SPDX-License-Identifier: Apache-2.0
// The loops of a level behind the Kernel interface, spread over the thread pool.
#pragma once

#include <memory>

#include "kernels/kernel.h"
#include "kernels/native/isa.h"

namespace octet::native {

std::unique_ptr<Kernel> make_loop_kernel(const KernelArgs&, std::shared_ptr<const Blobs>, Isa);

}  // namespace octet::native
