// SPDX-License-Identifier: Apache-2.0
// A kernel that runs one loop of a level's table over ranges of units.
#include "kernels/native/loop_kernel.h"

#include <algorithm>

#include "kernels/held_constants.h"
#include "kernels/parallel.h"

namespace octet::native {
namespace {

using namespace kernels;

/// Null: there is none for this family.
Loop loop_of(Isa isa, const KernelArgs& args) {
  return std::visit(
      [&](const auto& a) {
        int rounding = is_wide(args) ? static_cast<int>(Rounding::fixed_double) : 0;  // of those that compute alike in all
        if constexpr (requires { a.rounding; }) rounding = static_cast<int>(a.rounding);
        return loops_of(isa).of[args.index()][rounding];
      },
      args);
}

class LoopKernel final : public Kernel {
 public:
  LoopKernel(const KernelArgs& args, std::shared_ptr<const Blobs> blobs, Isa isa)
      : args_(args),
        constants_(args, std::move(blobs)),
        inputs_(static_cast<size_t>(inputs_of(args))),
        implementation_(isa == Isa::avx2 ? "native avx2" : "native avx512") {
    loop_ = loop_of(isa, args);
    std::visit(
        [&](const auto& a) {
          units_ = output_bytes(args) > 0 ? units(a) : 0;
          constexpr int64_t kWorthAThread = 150'000;  // codes moved, or a tenth of the products: some 10 µs
          const int64_t work = std::max({macs(args) / 10, elements(args), int64_t{1}});
          grain_ = std::max<int64_t>(1, kWorthAThread * units_ / work);
        },
        args);
    const kernels::Channels& c = constants_.channels();
    data_.weight = constants_.weight();
    data_.scale = c.scale, data_.bias = c.bias, data_.bias_codes = c.bias_codes;
    data_.multiplier = c.multiplier, data_.shift = c.shift, data_.weight_zero_point = c.weight_zero_point;
    data_.args = std::visit([](const auto& a) -> const void* { return &a; }, args_);
  }

  using Kernel::run;

  bool may_overwrite(size_t input) const override { return input < inputs_ && (device_op(args_).overwrites >> input & 1) != 0; }

  void run(std::span<const void* const> inputs, std::span<void* const> outputs, State*, std::byte*) const override {
    LoopData d = data_;
    d.input = inputs_ > 0 ? inputs[0] : nullptr;
    d.second = inputs_ > 1 ? inputs[1] : nullptr;
    d.output = outputs[0];
    if (grain_ >= units_) {
      if (units_ > 0) loop_(d, 0, static_cast<int32_t>(units_));
      return;
    }
    parallel(units_, grain_,
             [&](int, int64_t begin, int64_t end) { loop_(d, static_cast<int32_t>(begin), static_cast<int32_t>(end)); });
  }

  std::string_view implementation() const override { return implementation_; }
  std::optional<QEngine> engine() const override { return QEngine::native; }

 private:
  KernelArgs args_;
  HeldConstants constants_;
  size_t inputs_;
  std::string_view implementation_;
  Loop loop_ = nullptr;
  int64_t units_ = 0, grain_ = 1;
  LoopData data_{};
};

}  // namespace

std::unique_ptr<Kernel> make_loop_kernel(const KernelArgs& args, std::shared_ptr<const Blobs> blobs, Isa isa) {
  if (loop_of(isa, args) == nullptr) return nullptr;
  return std::make_unique<LoopKernel>(args, std::move(blobs), isa);
}

}  // namespace octet::native
