// SPDX-License-Identifier: Apache-2.0
// What lowering knows of 16-bit codes, see the header.
#include "engine/ops/wide.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "engine/quantize.h"
#include "kernels/ref/ref16.h"

namespace octet {

bool has_wide_codes(const QParams& q) { return code_dtype(q) == DType::i16; }
int64_t code_size(const QParams& q) { return static_cast<int64_t>(size_of(code_dtype(q))); }

void check_wide_rounding(std::span<const QParams> inputs, const QParams& output, Rounding rounding, std::string_view path) {
  if (!has_wide_codes(output) && std::ranges::none_of(inputs, has_wide_codes)) return;
  check(kernels::is_fixed(rounding), path,
        ": 16-bit activations need rounding \"fixed_double\" or \"fixed_single\", the model has \"", to_string(rounding),
        "\"; set Model::rounding before fuse and prepare, or keep this module at 8 bits");
}

void check_one_width(const KernelArgs& args, std::string_view path) {
  if (std::holds_alternative<kernels::RequantizeArgs>(args)) return;
  int narrow = 0, wide = 0;
  std::visit(
      [&]<class Args>(const Args& a) {
        kernels::Info<Args>::fields(a, [&]<class T>(std::string_view name, const T& value) {
          if constexpr (std::is_same_v<T, kernels::CodeType>)
            if (name != "residual_type") ++(kernels::is_wide(value) ? wide : narrow);
        });
      },
      args);
  check(narrow == 0 || wide == 0, path, ": ", name_of(args),
        " with codes of 8 bits and of 16; give this module and those it reads one configuration, or let prepare() put a crossing "
        "between them");
}

void check_wide_multiplier(FixedMultiplier m, double real, std::string_view path) {
  check(m.shift <= 14, path, ": its scales multiply sums by ", real, "; layers of 16-bit codes take less than 2^14");
}

std::vector<int16_t> interpolated_table(float input_scale, int32_t input_zero_point, float output_scale, int32_t output_zero_point,
                                        const std::function<double(double)>& f) {
  constexpr int32_t kLow = INT16_MIN, kHigh = INT16_MAX, kSteps = kernels::kLookup16Entries - 1;
  // All in float32, as the original is.
  const float from = input_scale * static_cast<float>(kLow - input_zero_point);
  const float to = input_scale * static_cast<float>(kHigh - input_zero_point);
  const float low = output_scale * static_cast<float>(kLow - output_zero_point);
  const float high = output_scale * static_cast<float>(kHigh - output_zero_point);
  const float step = (to - from) / static_cast<float>(kSteps), half = step / 2;
  const float units = static_cast<float>(kHigh - kLow + 1) / (high - low);
  const auto at = [&](float x) { return static_cast<float>(f(static_cast<double>(x))); };
  const auto code = [](float v) {
    return static_cast<int16_t>(std::isnan(v) ? 0.0F : std::clamp(v, static_cast<float>(kLow), static_cast<float>(kHigh)));
  };
  std::vector<int16_t> table;
  for (int32_t i = 0; i < kSteps; ++i) {
    const float x = from + static_cast<float>(i) * step;
    const float value = std::round(at(x) * units), middle = std::round(at(x + half) * units);
    const float between = std::round((at(from + static_cast<float>(i + 1) * step) * units + value) / 2);
    const float moved = std::round((between - middle) / 2);
    table.push_back(code(std::isfinite(moved) ? value - moved : value));
  }
  table.push_back(code(std::round(at(to) * units)));
  return table;
}

void check_interpolation(std::span<const int16_t> table, float input_scale, float output_scale,
                         const std::function<double(double)>& f, std::string_view path) {
  constexpr int32_t kEvery = 8;  // an eighth of a step is near enough to any jump
  for (int32_t code = INT16_MIN; code <= INT16_MAX; code += kEvery) {
    const double x = static_cast<double>(input_scale) * code, real = f(x) / static_cast<double>(output_scale);
    const int32_t got = kernels::interpolate(code, table.data());
    const double off = std::abs(got - std::clamp(real, static_cast<double>(INT16_MIN), static_cast<double>(INT16_MAX)));
    check(!(off > kMostInterpolationError), path, ": between the entries of its 16-bit table it would be off by ", std::floor(off),
          " codes at ", x, "; give it 8 bits or keep it float");
  }
}

ModuleTables tables_of_16(std::span<const int16_t> entries, std::span<const int32_t> words) {
  std::vector<int8_t> bytes(entries.size_bytes() + words.size_bytes());
  std::memcpy(bytes.data(), entries.data(), entries.size_bytes());
  if (!words.empty()) std::memcpy(bytes.data() + entries.size_bytes(), words.data(), words.size_bytes());
  Blobs blobs;
  blobs.weight = Weights(std::move(bytes));
  return {std::make_shared<const Blobs>(std::move(blobs))};
}

}  // namespace octet
