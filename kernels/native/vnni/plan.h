// SPDX-License-Identifier: Apache-2.0
// From kernel arguments and tables to plans for the loops of vnni.h: packed weights in lane order, tiles, scratch sizes.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "kernels/kernel.h"
#include "kernels/native/vnni/vnni.h"

namespace octet::native::vnni {

/// Constant memory in whole cache lines. Moves, but is not copied: the tables point into it.
class Memory {
 public:
  Memory() = default;
  Memory(Memory&&) = default;
  template <class T>
  T* take(int64_t n) {
    parts_.emplace_back(static_cast<size_t>(n * static_cast<int64_t>(sizeof(T)) + 63) / 64);
    return reinterpret_cast<T*>(parts_.back().data());
  }
  int64_t bytes() const {
    int64_t sum = 0;
    for (const auto& part : parts_) sum += static_cast<int64_t>(part.size() * sizeof(Line));
    return sum;
  }

 private:
  struct alignas(64) Line {
    std::byte bytes[64];
  };
  std::vector<std::vector<Line>> parts_;
};

/// A layer's weights and tables in lane order, for every input size and batch.
struct Packed final : PackedForm {
  uint8_t zero_point;         ///< of the unsigned input codes
  bool joined, pairs;         ///< the window's rows are runs; two output rows at a time
  kernels::Conv2dArgs layer;  ///< of which only what a layout depends on is read
  Memory memory;
  std::vector<Block> blocks;
  std::vector<Strip> strips;

  int64_t bytes() const override { return memory.bytes(); }
  bool unpacks() const override { return true; }
  std::vector<int8_t> unpacked() const override;
};

struct Plan {
  std::shared_ptr<const Packed> packed;
  std::vector<int64_t> offsets;
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
/// Takes the packed weights that the tables already have, or leaves them there.
std::unique_ptr<const Plan> make_plan(const kernels::Conv2dArgs&, const Blobs&);

}  // namespace octet::native::vnni
