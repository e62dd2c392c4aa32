// SPDX-License-Identifier: Apache-2.0
// What lowering has to know of 16-bit codes: where they are, what kernels of them take, and TensorFlow Lite's interpolated tables.
#pragma once

#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "engine/op_call.h"
#include "kernels/multiplier.h"

namespace octet {

/// Codes of more than 8 bits.
bool has_wide_codes(const QParams&);
/// Bytes of one of these codes.
int64_t code_size(const QParams&);

/// Throws naming `path` unless the model's rounding has kernels for the codes on these wires.
void check_wide_rounding(std::span<const QParams> inputs, const QParams& output, Rounding, std::string_view path);
/// Throws naming `path` if the arguments mix codes of 8 and 16 bits, which only a requantization may.
void check_one_width(const KernelArgs&, std::string_view path);
/// Throws naming `path` if a layer's rescaling, whose real value this is, is beyond what multiply_fixed_16 shifts.
void check_wide_multiplier(FixedMultiplier, double real, std::string_view path);

/// TensorFlow Lite's table of a function for 16-bit codes (LUTPopulate of tensorflow/lite/kernels/internal/common.h): 512 values at
/// equal steps from the lowest code's real value to the highest's, each moved by half of the error that interpolation makes in the
/// middle of its step, and the value at the highest code; in units of `output_scale`, halves away from zero.
std::vector<int16_t> interpolated_table(float input_scale, int32_t input_zero_point, float output_scale, int32_t output_zero_point,
                                        const std::function<double(double)>& f);
/// Throws naming `path` where values between the entries are off by more than kMostInterpolationError codes: functions that jump or
/// turn within a step, which a table cannot hold.
constexpr int32_t kMostInterpolationError = 1024;  ///< four codes of 8 bits
void check_interpolation(std::span<const int16_t> table, float input_scale, float output_scale,
                         const std::function<double(double)>& f, std::string_view path);
/// Such tables, one behind the other and then these words, as a kernel's constants.
ModuleTables tables_of_16(std::span<const int16_t> entries, std::span<const int32_t> words = {});

}  // namespace octet
