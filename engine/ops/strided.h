// SPDX-License-Identifier: Apache-2.0
// Operators that only show their input otherwise (transpose, slices, splits) say what they show of it, and have forward, derivative
// and kernels from here.
#pragma once

#include <span>

#include "engine/op_call.h"

namespace octet {

/// Element (i0, i1, …) of a view is element offset + Σ i * stride of the input, counted in its row-major order. Six axes at most.
struct View {
  Shape shape, strides;
  int64_t offset = 0;
};

/// Strides of a row-major tensor.
Shape row_major(const Shape&);
/// What the view shows, as a tensor. The gradient of an element is the sum over everywhere it is shown.
Var shown(const Var& x, const View&);
/// A kernel run for each output, in order: an uninterrupted piece as a copy, which a plan need not make.
Lowered lowered(std::span<const View>);
/// The same of floats.
LoweredFloats lowered_floats(std::span<const View>);

}  // namespace octet
