// SPDX-License-Identifier: Apache-2.0
// A kernel that runs a plan, cut into runs of output lines where the layer is worth more than one thread.
#include "kernels/native/vnni/kernel.h"

#include <algorithm>

#include "kernels/native/vnni/plan.h"
#include "kernels/parallel.h"

namespace octet::native::vnni {
namespace {

using namespace kernels;

constexpr int64_t kWorthAThread = 1'500'000;  // products: 10 to 20 µs
constexpr int64_t kOutput = 50;               // what an output code costs beside its products, in products

class VnniKernel final : public Kernel {
 public:
  VnniKernel(std::unique_ptr<const Plan> plan, bool residual, int64_t work)
      : plan_(std::move(plan)),
        residual_(residual),
        parts_(std::clamp<int64_t>(work / kWorthAThread, 1, std::min(threads(), plan_->lines))) {}

  using Kernel::run;

  int64_t scratch_bytes() const override { return parts_ * plan_->scratch_bytes; }

  /// A residual is read just before its place is written; the input is read again for the next row.
  bool may_overwrite(size_t input) const override { return residual_ && input == 1; }

  void run(std::span<const void* const> inputs, std::span<void* const> outputs, State*, std::byte* scratch) const override {
    const Buffers buffers{static_cast<const uint8_t*>(inputs[0]), residual_ ? static_cast<const uint8_t*>(inputs[1]) : nullptr,
                          static_cast<uint8_t*>(outputs[0])};
    auto* memory = reinterpret_cast<uint8_t*>(scratch);
    if (parts_ == 1) return plan_->run(buffers, 0, plan_->lines, memory);
    parallel(parts_, 1, [&](int, int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        plan_->run(buffers, static_cast<int32_t>(plan_->lines * i / parts_), static_cast<int32_t>(plan_->lines * (i + 1) / parts_),
                   memory + i * plan_->scratch_bytes);
    });
  }

  std::string_view implementation() const override {
    return plan_->is_depthwise ? "native avx512-vnni depthwise" : "native avx512-vnni dense";
  }
  std::optional<QEngine> engine() const override { return QEngine::native; }

 private:
  std::unique_ptr<const Plan> plan_;
  bool residual_;
  int64_t parts_;
};

}  // namespace

Made make(const Conv2dArgs& a, const Blobs& blobs) {
  if (std::string why = refusal(a, blobs); !why.empty()) return {nullptr, "native: " + why};
  return {std::make_unique<VnniKernel>(make_plan(a, blobs), a.residual_scale != 0, macs(a) + kOutput * output_bytes(a)), {}};
}

Made make(const LinearArgs& l, const Blobs& blobs) { return make(as_convolution(l), blobs); }

}  // namespace octet::native::vnni
