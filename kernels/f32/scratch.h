// SPDX-License-Identifier: Apache-2.0
// Buffers that each thread keeps from call to call, so that kernels allocate nothing once warm.
#pragma once

#include <cstddef>

namespace octet::f32 {

/// What a buffer is for; buffers of one thread alive at the same time must differ in this.
enum class Scratch { weights, gradient_weights, partials, columns, product };
constexpr int kScratchKinds = 5;

/// At least `bytes` bytes at a multiple of 64, uninitialized, until the calling thread asks for this kind again.
void* scratch(Scratch, size_t bytes);

float* scratch_floats(Scratch, size_t count);
double* scratch_doubles(Scratch, size_t count);

}  // namespace octet::f32
