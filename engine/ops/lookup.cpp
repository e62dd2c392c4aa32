// SPDX-License-Identifier: Apache-2.0
// Tables of codes by code.
#include "engine/ops/lookup.h"

#include <algorithm>

#include "engine/ops/functional.h"
#include "engine/ops/wide.h"
#include "engine/quantize.h"

namespace octet {
namespace {

constexpr int64_t kCodes = 256;

/// The code whose bits are this byte.
int32_t code_of_byte(int64_t byte, const QParams& q) {
  return code_dtype(q) == DType::i8 ? static_cast<int8_t>(byte) : static_cast<int32_t>(byte);
}

ModuleTables tables_of(std::vector<int8_t> codes) {
  Blobs blobs;
  blobs.weight = Weights(std::move(codes));
  return {std::make_shared<const Blobs>(std::move(blobs))};
}

}  // namespace

ModuleTables lookup_tables(const LowerCall& call, int64_t channels, const std::function<double(int64_t, double)>& f) {
  const QParams &x = call.inputs[0], &y = *call.output;
  if (has_wide_codes(y)) {
    std::vector<int16_t> all;
    for (int64_t c = 0; c < channels; ++c) {
      const auto of_channel = [&](double v) { return f(c, v); };
      const auto one = interpolated_table(x.scale[0], 0, y.scale[0], 0, of_channel);
      check_interpolation(one, x.scale[0], y.scale[0], of_channel, call.path);
      for (const int16_t code : one) all.push_back(static_cast<int16_t>(std::clamp<int32_t>(code, y.qmin, y.qmax)));
    }
    return tables_of_16(all);
  }
  Tensor values({channels, kCodes}, DType::f32);
  const auto to = values.mutable_data<float>();
  for (int64_t c = 0; c < channels; ++c)
    for (int64_t byte = 0; byte < kCodes; ++byte) {
      const float real = x.scale[0] * static_cast<float>(code_of_byte(byte, x) - x.zero_point[0]);
      to[static_cast<size_t>(c * kCodes + byte)] = static_cast<float>(f(c, static_cast<double>(real)));
    }
  const Tensor codes = quantize(values, y, call.rounding);
  const auto* bytes = static_cast<const int8_t*>(codes.raw());
  return tables_of({bytes, bytes + codes.numel()});
}

ModuleTables lookup_tables(const LowerCall& call, const std::function<int32_t(int32_t)>& code) {
  return channel_tables(call, 1, [&](int64_t) { return code; });
}

ModuleTables channel_tables(const LowerCall& call, int64_t channels,
                            const std::function<std::function<int32_t(int32_t)>(int64_t)>& code_of) {
  const QParams &x = call.inputs[0], &y = *call.output;
  const int32_t shift = code_dtype(y) == DType::u8 ? 128 : 0;
  std::vector<int8_t> codes;
  for (int64_t c = 0; c < channels; ++c) {
    const std::function<int32_t(int32_t)> code = code_of(c);
    for (int64_t byte = 0; byte < kCodes; ++byte) {
      const int64_t q = int64_t{code(code_of_byte(byte, x) - x.zero_point[0])} + shift;  // a saturated code has no room above it
      codes.push_back(static_cast<int8_t>(std::clamp<int64_t>(q, y.qmin, y.qmax)));
    }
  }
  return tables_of(std::move(codes));
}

Lowered looked_up(const LowerCall& call, int64_t channels) {
  kernels::LookupArgs a{};
  a.count = static_cast<int32_t>(numel(call.input_shapes[0]));
  a.channels = static_cast<int32_t>(channels);
  a.input_type = code_type(call.inputs[0]);
  a.output_type = code_type(*call.output);
  return {{{a, {Operand::input(0)}, {Operand::output()}, 0}}};
}

}  // namespace octet
