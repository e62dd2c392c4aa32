// SPDX-License-Identifier: Apache-2.0
// A kernel that runs one loop of a level's table over ranges of units.
#include "kernels/native/loop_kernel.h"

#include <algorithm>

#include "kernels/parallel.h"
#include "kernels/ref/ref.h"

namespace octet::native {
namespace {

using namespace kernels;

template <class Args>
int index(const Args& a) {
  return static_cast<int>(a.rounding);
}

Loop loop_of(const Loops& t, const Conv2dArgs& a) { return t.conv2d[index(a)]; }
Loop loop_of(const Loops& t, const LinearArgs& a) { return t.linear[index(a)]; }
Loop loop_of(const Loops& t, const AddArgs& a) { return t.add[index(a)]; }
Loop loop_of(const Loops& t, const RequantizeArgs& a) { return t.requantize[index(a)]; }
Loop loop_of(const Loops& t, const Pool2dArgs& a) { return a.kind == PoolKind::max ? t.max_pool2d : t.average_pool2d[index(a)]; }
Loop loop_of(const Loops& t, const ClampArgs&) { return t.clamp; }
Loop loop_of(const Loops& t, const QuantizeArgs& a) { return t.quantize[index(a)]; }
Loop loop_of(const Loops& t, const DequantizeArgs&) { return t.dequantize; }
Loop loop_of(const Loops& t, const TransposeArgs&) { return t.transpose; }

/// Bytes read, for pools, which may write far fewer.
int64_t read_by(const Pool2dArgs& a) { return int64_t{a.batch} * a.in_h * a.in_w * a.channels; }
template <class Args>
int64_t read_by(const Args&) {
  return 0;
}

bool takes_two(const KernelArgs& args) {
  const auto* conv = std::get_if<Conv2dArgs>(&args);
  return std::holds_alternative<AddArgs>(args) ||
         (conv != nullptr && conv->rounding == Rounding::real && conv->residual_scale != 0);
}

template <class T>
const T* data_or_null(const std::vector<T>& v) {
  return v.empty() ? nullptr : v.data();
}

class LoopKernel final : public Kernel {
 public:
  LoopKernel(const KernelArgs& args, std::shared_ptr<const Blobs> blobs, Isa isa)
      : args_(args),
        blobs_(blobs ? std::move(blobs) : std::make_shared<const Blobs>()),
        two_(takes_two(args)),
        implementation_(isa == Isa::avx2 ? "native avx2" : "native avx512") {
    std::visit(
        [&](const auto& a) {
          loop_ = loop_of(loops_of(isa), a);
          units_ = output_bytes(args) > 0 ? units(a) : 0;
          constexpr int64_t kWorthAThread = 150'000;  // codes moved, or a tenth of the products: some 10 µs
          const int64_t work = std::max({macs(args) / 10, output_bytes(args), read_by(a), int64_t{1}});
          grain_ = std::max<int64_t>(1, kWorthAThread * units_ / work);
        },
        args);
    const auto channels = static_cast<size_t>(channels_of(args));
    const Blobs& b = *blobs_;
    if (b.bias.empty()) zero_bias_.resize(channels);
    if (b.bias_codes.empty()) zero_bias_codes_.resize(channels);
    data_.weight = data_or_null(b.weight);
    data_.scale = data_or_null(b.scale);
    data_.bias = b.bias.empty() ? zero_bias_.data() : b.bias.data();
    data_.bias_codes = b.bias_codes.empty() ? zero_bias_codes_.data() : b.bias_codes.data();
    data_.multiplier = data_or_null(b.multiplier);
    data_.shift = data_or_null(b.shift);
    data_.weight_zero_point = data_or_null(b.weight_zero_point);
    data_.args = std::visit([](const auto& a) -> const void* { return &a; }, args_);
  }

  using Kernel::run;

  bool may_overwrite(size_t) const override {
    const auto* add = std::get_if<AddArgs>(&args_);
    return std::holds_alternative<ClampArgs>(args_) || (add != nullptr && add->rounding == Rounding::real);
  }

  void run(std::span<const void* const> inputs, void* output, State*, std::byte*) const override {
    LoopData d = data_;
    d.input = inputs[0];
    d.second = two_ ? inputs[1] : nullptr;
    d.output = output;
    if (grain_ >= units_) {
      if (units_ > 0) loop_(d, 0, static_cast<int32_t>(units_));
      return;
    }
    parallel(units_, grain_,
             [&](int, int64_t begin, int64_t end) { loop_(d, static_cast<int32_t>(begin), static_cast<int32_t>(end)); });
  }

  std::string_view implementation() const override { return implementation_; }
  QEngine engine() const override { return QEngine::native; }

 private:
  static int32_t channels_of(const KernelArgs& args) {
    if (const auto* conv = std::get_if<Conv2dArgs>(&args)) return conv->out_c;
    if (const auto* linear = std::get_if<LinearArgs>(&args)) return linear->out;
    return 0;
  }

  KernelArgs args_;
  std::shared_ptr<const Blobs> blobs_;
  bool two_;
  std::string_view implementation_;
  Loop loop_ = nullptr;
  int64_t units_ = 0, grain_ = 1;
  std::vector<float> zero_bias_;
  std::vector<int32_t> zero_bias_codes_;
  LoopData data_{};
};

}  // namespace

std::unique_ptr<Kernel> make_loop_kernel(const KernelArgs& args, std::shared_ptr<const Blobs> blobs, Isa isa) {
  return std::make_unique<LoopKernel>(args, std::move(blobs), isa);
}

}  // namespace octet::native
