// SPDX-License-Identifier: Apache-2.0
// What a device refuses when it opens an image (runtime/check*.cpp), said by name where the image is planned.
#include "io/firmware_limits.h"

#include <algorithm>
#include <cmath>

#include "engine/check.h"
#include "kernels/ref/ref16.h"
#include "runtime/image.h"

namespace octet {
namespace {

template <class Args>
void check_sides(const Args& args, std::string_view path) {
  constexpr std::string_view kSides[] = {"batch",    "in_h",     "in_w",     "in_c",       "out_h",    "out_w",      "out_c",
                                         "channels", "kernel_h", "kernel_w", "stride_h",   "stride_w", "dilation_h", "dilation_w",
                                         "groups",   "pad_top",  "pad_left", "pad_bottom", "pad_right"};
  kernels::Info<Args>::fields(args, [&]<class T>(std::string_view name, const T& value) {
    if constexpr (std::is_same_v<T, int32_t>)
      check(value <= image::kMaxSide || std::ranges::find(kSides, name) == std::end(kSides), path, ": ", kernels::Info<Args>::name,
            " with ", name, " ", value, "; a device takes at most ", image::kMaxSide);
    if constexpr (std::is_same_v<T, float>)  // 1 / scale; a device's floats may have no subnormal numbers
      check(name != "inv_scale" || std::isnormal(value), path, ": ", kernels::Info<Args>::name, " with the output scale ",
            1 / value, ", whose inverse is no normal float");
  });
  const int64_t cells = kernels::Info<Args>::cells(args);
  check(cells <= image::kMaxCells, path, ": an average of up to ", cells, " cells; a device takes at most ", image::kMaxCells);
}

/// A device knows the type of a layer's codes and not their limits: it counts with all of them.
template <class Args>
void check_sums(const Args& a, const Blobs& b, bool packed, std::string_view path) {
  const int64_t channels = kernels::Info<Args>::channels(a);
  const std::shared_ptr<const int8_t> held = b.weight.plain();
  const std::span<const int8_t> weights(held.get(), b.weight.size());
  const int64_t row = static_cast<int64_t>(weights.size()) / std::max<int64_t>(channels, 1);
  check(row <= image::kMaxRow, path, ": ", row, " weights of a channel; a device takes at most ", image::kMaxRow);
  if (packed) return;  // nothing is left to count
  const bool wide = kernels::Info<Args>::wide(a);
  const int64_t lowest = a.input_type == kernels::CodeType::i8 ? -128 : 0, zero = a.input_zero_point;
  const int64_t reach = wide ? 1 << 15 : std::max(zero - lowest, lowest + 255 - zero);
  const int64_t most = wide ? kernels::kSum16Limit - 1 : INT32_MAX;
  for (int64_t c = 0; c < channels; ++c) {
    const auto at = static_cast<size_t>(c);
    const int64_t center = b.weight_zero_point.empty() ? 0 : b.weight_zero_point[at];
    int64_t bound = 0;
    for (const int8_t w : weights.subspan(at * static_cast<size_t>(row), static_cast<size_t>(row))) bound += std::abs(w - center);
    bound *= reach;
    if (!b.bias_codes.empty())
      bound += std::abs(wide ? kernels::wide_bias(b.bias_codes.data(), static_cast<int32_t>(c)) : int64_t{b.bias_codes[at]});
    check(bound <= most, path, ": the sum of channel ", c, " can reach ", bound, " over all codes of ", wide ? 16 : 8,
          " bits, which is how a device counts: beyond ", wide ? 48 : 32, " bits; keep this layer off the device or split it");
  }
}

}  // namespace

void check_device_limits(const KernelArgs& args, const Blobs& blobs, bool packed, std::string_view path) {
  std::visit(
      [&]<class Args>(const Args& a) {
        check_sides(a, path);
        if constexpr (kernels::Info<Args>::constants == kernels::Constants::channels) check_sums(a, blobs, packed, path);
        if constexpr (std::is_same_v<Args, kernels::ReduceArgs>)
          check(kernels::times(1, a.shape, a.kept + a.reduced) <= INT32_MAX, path,
                ": windows of more than 2^31 cells in all; a device takes fewer");
      },
      args);
}

}  // namespace octet
