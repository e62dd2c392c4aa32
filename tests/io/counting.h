// SPDX-License-Identifier: Apache-2.0
// Tensors of any dtype for tests that write and read files.
#pragma once

#include "engine/tensor.h"

namespace octet::testing {

/// Bytes that differ from their neighbours, of any dtype.
inline Tensor counting(Shape shape, DType dtype) {
  Tensor t(std::move(shape), dtype);
  auto* bytes = static_cast<unsigned char*>(t.mutable_raw());
  for (size_t i = 0; i < t.bytes(); ++i) bytes[i] = static_cast<unsigned char>(i * 37 + 1);
  return t;
}

}  // namespace octet::testing
