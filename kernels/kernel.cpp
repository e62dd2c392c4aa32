// SPDX-License-Identifier: Apache-2.0
// Facts about kernel arguments, the choice of an engine, and the reference engine: ref.h's kernels behind the Kernel interface,
// spread over the thread pool.
#include "kernels/kernel.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <utility>

#include "kernels/float_scope.h"
#include "kernels/native/native.h"
#include "kernels/onednn/onednn.h"
#include "kernels/parallel.h"
#include "kernels/ref/ref.h"
#include "kernels/with_rounding.h"

namespace octet {
namespace {

using namespace kernels;

int64_t product(std::initializer_list<int32_t> factors) {
  int64_t p = 1;
  for (const int32_t f : factors) p *= f;
  return p;
}

int64_t elements(const TransposeArgs& a) {
  int64_t n = 1;
  for (int i = 0; i < a.rank; ++i) n *= a.output_shape[i];
  return n;
}

int64_t macs_of(const Conv2dArgs& a) {
  return product({a.batch, a.out_h, a.out_w, a.out_c, a.kernel_h, a.kernel_w, a.in_c}) / std::max(a.groups, 1);
}
int64_t macs_of(const LinearArgs& a) { return product({a.rows, a.in, a.out}); }
template <class Args>
int64_t macs_of(const Args&) {
  return 0;
}

int64_t bytes_of(const Conv2dArgs& a) { return product({a.batch, a.out_h, a.out_w, a.out_c}); }
int64_t bytes_of(const LinearArgs& a) { return product({a.rows, a.out}); }
int64_t bytes_of(const RequantizeArgs& a) { return a.rows == 0 ? 0 : product({a.rows - 1, a.output_stride}) + a.row; }
int64_t bytes_of(const Pool2dArgs& a) { return product({a.batch, a.out_h, a.out_w, a.channels}); }
int64_t bytes_of(const DequantizeArgs& a) { return int64_t{a.count} * 4; }
int64_t bytes_of(const TransposeArgs& a) { return elements(a) * a.element_size; }
int64_t bytes_of(const AddArgs& a) { return a.count; }
int64_t bytes_of(const ClampArgs& a) { return a.count; }
int64_t bytes_of(const QuantizeArgs& a) { return a.count; }

/// Elementary operations of a whole run, for cutting it into chunks worth a thread.
int64_t work_of(const Pool2dArgs& a) { return product({a.batch, a.in_h, a.in_w, a.channels}); }
int64_t work_of(const RequantizeArgs& a) { return product({a.rows, a.row}); }
template <class Args>
int64_t work_of(const Args& a) {
  return std::max(macs_of(a), bytes_of(a));
}

template <class T>
const T* data_or_null(const std::vector<T>& v) {
  return v.empty() ? nullptr : v.data();
}

using Inputs = std::span<const void* const>;

void run_range(const Conv2dArgs& a, const WeightedData& d, Inputs, void*, int32_t begin, int32_t end) {
  with_rounding(a.rounding, [&]<Rounding R>() { conv2d<R>(a, d, begin, end); });
}
void run_range(const LinearArgs& a, const WeightedData& d, Inputs, void*, int32_t begin, int32_t end) {
  with_rounding(a.rounding, [&]<Rounding R>() { linear<R>(a, d, begin, end); });
}
void run_range(const AddArgs& a, const WeightedData&, Inputs in, void* out, int32_t begin, int32_t end) {
  with_rounding(a.rounding, [&]<Rounding R>() { add<R>(a, in[0], in[1], out, begin, end); });
}
void run_range(const RequantizeArgs& a, const WeightedData&, Inputs in, void* out, int32_t begin, int32_t end) {
  with_rounding(a.rounding, [&]<Rounding R>() { requantize<R>(a, in[0], out, begin, end); });
}
void run_range(const Pool2dArgs& a, const WeightedData&, Inputs in, void* out, int32_t begin, int32_t end) {
  if (a.kind == PoolKind::max) return max_pool2d(a, in[0], out, begin, end);
  with_rounding(a.rounding, [&]<Rounding R>() { average_pool2d<R>(a, in[0], out, begin, end); });
}
void run_range(const ClampArgs& a, const WeightedData&, Inputs in, void* out, int32_t begin, int32_t end) {
  clamp(a, in[0], out, begin, end);
}
void run_range(const QuantizeArgs& a, const WeightedData&, Inputs in, void* out, int32_t begin, int32_t end) {
  with_rounding(a.rounding, [&]<Rounding R>() { quantize<R>(a, static_cast<const float*>(in[0]), out, begin, end); });
}
void run_range(const DequantizeArgs& a, const WeightedData&, Inputs in, void* out, int32_t begin, int32_t end) {
  dequantize(a, in[0], static_cast<float*>(out), begin, end);
}
void run_range(const TransposeArgs& a, const WeightedData&, Inputs in, void* out, int32_t begin, int32_t end) {
  transpose(a, in[0], out, begin, end);
}

int32_t channels_of(const KernelArgs& args) {
  if (const auto* conv = std::get_if<Conv2dArgs>(&args)) return conv->out_c;
  if (const auto* linear = std::get_if<LinearArgs>(&args)) return linear->out;
  return 0;
}
bool has_residual(const KernelArgs& args) {
  const auto* conv = std::get_if<Conv2dArgs>(&args);
  return conv != nullptr && conv->rounding == Rounding::real && conv->residual_scale != 0;
}

class ReferenceKernel final : public Kernel {
 public:
  ReferenceKernel(const KernelArgs& args, std::shared_ptr<const Blobs> blobs)
      : args_(args), blobs_(blobs ? std::move(blobs) : std::make_shared<const Blobs>()), residual_(has_residual(args)) {
    const auto channels = static_cast<size_t>(channels_of(args));
    if (blobs_->bias.empty()) zero_bias_.resize(channels);
    if (blobs_->bias_codes.empty()) zero_bias_codes_.resize(channels);
    const Blobs& b = *blobs_;
    channels_ = {data_or_null(b.scale),
                 b.bias.empty() ? zero_bias_.data() : b.bias.data(),
                 b.bias_codes.empty() ? zero_bias_codes_.data() : b.bias_codes.data(),
                 data_or_null(b.multiplier),
                 data_or_null(b.shift),
                 data_or_null(b.weight_zero_point)};
  }

  using Kernel::run;

  bool may_overwrite(size_t input) const override {
    return std::holds_alternative<ClampArgs>(args_) || std::holds_alternative<AddArgs>(args_) || (residual_ && input == 1);
  }

  void run(std::span<const void* const> inputs, void* output, State*, std::byte*) const override {
    const bool two_inputs = residual_ || std::holds_alternative<AddArgs>(args_);
    assert(inputs.size() >= (two_inputs ? 2u : 1u));
    static_cast<void>(two_inputs);
    const WeightedData data{inputs[0], data_or_null(blobs_->weight), residual_ ? inputs[1] : nullptr, output, channels_};
    std::visit(
        [&](const auto& args) {
          const int64_t n = units(args);
          if (n <= 0 || bytes_of(args) <= 0) return;
          const int64_t per_unit = std::max<int64_t>(1, work_of(args) / n);
          parallel(n, std::max<int64_t>(1, kWorthAThread / per_unit), [&](int, int64_t begin, int64_t end) {
            run_range(args, data, inputs, output, static_cast<int32_t>(begin), static_cast<int32_t>(end));
          });
        },
        args_);
  }

  std::string_view implementation() const override { return "reference"; }
  QEngine engine() const override { return QEngine::reference; }

 private:
  static constexpr int64_t kWorthAThread = 100'000;  // operations: some 10 µs, well above the cost of waking a thread

  KernelArgs args_;
  std::shared_ptr<const Blobs> blobs_;
  bool residual_;
  std::vector<float> zero_bias_;
  std::vector<int32_t> zero_bias_codes_;
  Channels channels_;
};

/// Who is asked for a layer, fastest first.
std::array<QEngine, 3> order(const KernelArgs& args, const std::shared_ptr<const Blobs>& blobs) {
  static const Blobs kNone;  // a temporary here would make the whole expression a copy of the weights
  if (native::leads(args, blobs ? *blobs : kNone)) return {QEngine::native, QEngine::onednn, QEngine::reference};
  return {QEngine::onednn, QEngine::native, QEngine::reference};
}

}  // namespace

void Kernel::run(std::span<const void* const> inputs, void* output) const {
  const FloatScope environment;
  const std::unique_ptr<State> state = make_state();
  constexpr int64_t kAlignment = 64;
  std::vector<std::byte> memory(static_cast<size_t>(scratch_bytes() + kAlignment));
  void* scratch = memory.data();
  size_t room = memory.size();
  std::align(kAlignment, static_cast<size_t>(scratch_bytes()), scratch, room);
  run(inputs, output, state.get(), static_cast<std::byte*>(scratch));
}

std::string_view to_string(QEngine engine) {
  switch (engine) {
    case QEngine::automatic: return "automatic";
    case QEngine::reference: return "reference";
    case QEngine::onednn: return "onednn";
    case QEngine::native: return "native";
  }
  return "?";
}

std::string_view to_string(Rounding rounding) {
  switch (rounding) {
    case Rounding::real: return "real";
    case Rounding::int_bias: return "int_bias";
    case Rounding::fixed_double: return "fixed_double";
    case Rounding::fixed_single: return "fixed_single";
  }
  return "?";
}

std::string_view name_of(const KernelArgs& args) {
  constexpr std::string_view kNames[] = {"conv2d", "linear",   "add",        "requantize", "pool2d",
                                         "clamp",  "quantize", "dequantize", "transpose"};
  static_assert(std::size(kNames) == std::variant_size_v<KernelArgs>);
  return kNames[args.index()];
}

int64_t macs(const KernelArgs& args) {
  return std::visit([](const auto& a) { return macs_of(a); }, args);
}

int64_t output_bytes(const KernelArgs& args) {
  return std::visit([](const auto& a) { return bytes_of(a); }, args);
}

Made make(const KernelArgs& args, std::shared_ptr<const Blobs> blobs, QEngine engine) {
  const FloatScope environment;
  switch (engine) {
    case QEngine::automatic: {
      std::string why_not;
      for (const QEngine asked : order(args, blobs)) {
        Made made = make(args, blobs, asked);
        if (made.kernel != nullptr) return {std::move(made.kernel), std::move(why_not)};
        why_not += (why_not.empty() ? "" : "; ") + made.why_not;
      }
      return {nullptr, std::move(why_not)};
    }
    case QEngine::reference: return {std::make_unique<ReferenceKernel>(args, std::move(blobs)), {}};
    case QEngine::onednn: return std::visit([&](const auto& a) { return onednn::make(a, blobs); }, args);
    case QEngine::native: return native::make(args, std::move(blobs));
  }
  return {nullptr, "unknown engine"};
}

std::vector<QEngineInfo> qengines() { return {native::info(), onednn::info(), {QEngine::reference, true, {}, {}, {}}}; }

}  // namespace octet
