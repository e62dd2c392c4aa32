// SPDX-License-Identifier: Apache-2.0
// The C runtime as a test calls it: an image in aligned memory, an arena between guard bytes, outputs and layer checksums as
// values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "engine/tensor.h"
#include "io/image.h"
#include "runtime/octet.h"
#include "tests/runtime/all_ops.h"

namespace octet::device {

/// Every operator of the library.
inline std::vector<const octet_op*> all_ops() { return {std::begin(kAllOps), std::end(kAllOps)}; }

/// Memory aligned as the runtime asks, exactly as long as said: what lies beyond is another allocation, which ASan watches.
class Aligned {
 public:
  explicit Aligned(size_t bytes)
      : bytes_(bytes), data_(new (std::align_val_t{OCTET_ALIGNMENT}) std::byte[bytes == 0 ? 1 : bytes]) {}
  explicit Aligned(std::span<const std::byte> from) : Aligned(from.size()) {
    if (!from.empty()) std::memcpy(data_, from.data(), from.size());
  }
  Aligned(const Aligned&) = delete;
  Aligned& operator=(const Aligned&) = delete;
  ~Aligned() { ::operator delete[](data_, std::align_val_t{OCTET_ALIGNMENT}); }
  std::byte* data() const { return data_; }
  size_t size() const { return bytes_; }

 private:
  size_t bytes_;
  std::byte* data_;
};

struct Layer {
  std::string name;
  uint32_t checksum;
  bool operator==(const Layer&) const = default;
};

struct Outcome {
  octet_status status = OCTET_OK;
  std::vector<std::vector<std::byte>> outputs;
  std::vector<Layer> layers;
};

inline void collect(void* user, const octet_layer* layer) {
  static_cast<std::vector<Layer>*>(user)->push_back(
      {std::string(layer->name, layer->name_bytes), octet_crc32(layer->output[0], layer->output_bytes[0], 0)});
}

/// An opened model and its arena.
class Device {
 public:
  Device(std::span<const std::byte> image, std::vector<const octet_op*> ops)
      : image_(image),
        ops_(std::move(ops)),
        status_(octet_model_open(&model_, image_.data(), image.size(), ops_.data(), ops_.size())) {}
  explicit Device(std::span<const std::byte> image) : Device(image, all_ops()) {}

  octet_status status() const { return status_; }
  const octet_model* model() const { return &model_; }

  /// Copies the inputs in, runs in a fresh arena filled with `fill`, copies the outputs out.
  Outcome run(std::span<const Tensor> inputs, std::byte fill = std::byte{0xa5}) const {
    Outcome o{status_, {}, {}};
    if (status_ != OCTET_OK) return o;
    const Aligned arena(octet_arena_size(&model_));
    std::memset(arena.data(), static_cast<int>(fill), arena.size());
    for (uint32_t i = 0; i < octet_input_count(&model_); ++i) {
      octet_tensor info{};
      octet_input_info(&model_, i, &info);
      check(inputs[i].bytes() == info.bytes, "input ", i, ": ", inputs[i].bytes(), " bytes for ", info.bytes);
      std::memcpy(octet_input(&model_, arena.data(), i), inputs[i].raw(), info.bytes);
    }
    o.status = octet_run(&model_, arena.data(), arena.size(), collect, &o.layers);
    for (uint32_t i = 0; i < octet_output_count(&model_); ++i) {
      octet_tensor info{};
      octet_output_info(&model_, i, &info);
      const auto* from = static_cast<const std::byte*>(octet_output(&model_, arena.data(), i));
      o.outputs.emplace_back(from, from + info.bytes);
    }
    return o;
  }

 private:
  Aligned image_;
  std::vector<const octet_op*> ops_;
  octet_model model_{};
  octet_status status_;
};

/// Checksums of every module's codes on the host, by path; of further outputs by "path:1", ….
inline std::map<std::string, uint32_t> host_checksums(const Model& model, std::span<const Tensor> inputs) {
  std::map<std::string, uint32_t> sums;
  infer(model, inputs, [&](int index, std::span<const Tensor> out) {
    for (size_t port = 0; port < out.size(); ++port)
      sums[model.modules[static_cast<size_t>(index)].path + (port == 0 ? "" : ":" + std::to_string(port))] =
          crc32({static_cast<const std::byte*>(out[port].raw()), out[port].bytes()});
  });
  return sums;
}

}  // namespace octet::device
