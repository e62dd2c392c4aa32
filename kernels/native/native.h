// SPDX-License-Identifier: Apache-2.0
// The native engine as the rest of kernels/ sees it: octet's own x86 kernels. Compiled from absent.cpp on other processors, so that
// nobody needs a preprocessor switch.
#pragma once

#include <memory>

#include "kernels/kernel.h"

namespace octet::native {

/// The instruction set in use, or why the engine is missing.
QEngineInfo info();

/// Accepts every family of its table (kernels/native/loops.h) in every rounding where the CPU has AVX2.
Made make(const KernelArgs&, std::shared_ptr<const Blobs>);

/// Whether this engine was measured to be the fastest for these arguments, so that automatic asks it first (docs/engines.md).
bool leads(const KernelArgs&, const Blobs&);

/// For tests: "avx512-vnni", "avx512", "avx2" or "none". False if the CPU has not got it. Kernels already made keep theirs.
bool set_isa(const char* name);

}  // namespace octet::native
