// SPDX-License-Identifier: Apache-2.0
// Per-thread buffers of the float kernels; compiled once, for any processor.
#include "kernels/f32/scratch.h"

#include <new>

namespace octet::f32 {
namespace {

constexpr auto kAlignment = std::align_val_t{64};

struct Buffers {
  void* data[kScratchKinds] = {};
  size_t size[kScratchKinds] = {};
  ~Buffers() {
    for (void* p : data) ::operator delete(p, kAlignment);
  }
};
thread_local constinit Buffers buffers;

}  // namespace

void* scratch(Scratch kind, size_t bytes) {
  const auto i = static_cast<size_t>(kind);
  if (bytes > buffers.size[i]) {
    ::operator delete(buffers.data[i], kAlignment);
    buffers.data[i] = nullptr;
    buffers.size[i] = 0;
    buffers.data[i] = ::operator new(bytes, kAlignment);
    buffers.size[i] = bytes;
  }
  return buffers.data[i];
}

float* scratch_floats(Scratch kind, size_t count) { return static_cast<float*>(scratch(kind, count * sizeof(float))); }
double* scratch_doubles(Scratch kind, size_t count) { return static_cast<double*>(scratch(kind, count * sizeof(double))); }

}  // namespace octet::f32
