// SPDX-License-Identifier: Apache-2.0
// From kernel arguments and tables to plans for the loops of vnni.h: packed weights in lane order, tiles, scratch sizes.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "kernels/kernel.h"
#include "kernels/native/vnni/vnni.h"

namespace octet::native::vnni {

/// Constant memory in whole cache lines.
class Memory {
 public:
  template <class T>
  T* take(int64_t n) {
    struct alignas(64) Line {
      std::byte bytes[64];
    };
    auto lines = std::make_shared<std::vector<Line>>(static_cast<size_t>(n * static_cast<int64_t>(sizeof(T)) + 63) / 64);
    parts_.push_back(lines);
    return reinterpret_cast<T*>(lines->data());
  }

 private:
  std::vector<std::shared_ptr<void>> parts_;
};

struct Plan {
  Memory memory;
  Rescale rescale;
  Dense dense;
  Depthwise depthwise;
  bool is_depthwise;
  int32_t lines;          ///< units of work
  int64_t scratch_bytes;  ///< of one thread, whole cache lines

  void run(const Buffers& b, int32_t begin, int32_t end, uint8_t* scratch) const {
    if (is_depthwise)
      vnni::depthwise(depthwise, b, begin, end, scratch);
    else
      vnni::dense(dense, b, begin, end, scratch);
  }
};

/// A linear layer is a 1x1 convolution of rows.
kernels::Conv2dArgs as_convolution(const kernels::LinearArgs&);
bool is_depthwise(const kernels::Conv2dArgs&);

/// Why these kernels do not do a layer; empty: they do.
std::string refusal(const kernels::Conv2dArgs&, const Blobs&);
std::unique_ptr<const Plan> make_plan(const kernels::Conv2dArgs&, const Blobs&);

}  // namespace octet::native::vnni
