// SPDX-License-Identifier: Apache-2.0
// The oneDNN engine as the rest of kernels/ sees it: one overload of make() a kernel family, and a template that declines all
// others. Compiled from absent.cpp where oneDNN is not built in, so that nobody needs a preprocessor switch.
#pragma once

#include <memory>

#include "kernels/kernel.h"

namespace octet::onednn {

/// Version and instruction set, or why the engine is missing.
QEngineInfo info();

Made make(const kernels::Conv2dArgs&, std::shared_ptr<const Blobs>);
Made make(const kernels::LinearArgs&, std::shared_ptr<const Blobs>);

/// Everything else: element-wise, so bound by memory, not by arithmetic.
template <class Args>
Made make(const Args&, const std::shared_ptr<const Blobs>&) {
  return {nullptr, "onednn: only convolution and linear are implemented"};
}

}  // namespace octet::onednn
