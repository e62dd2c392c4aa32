// SPDX-License-Identifier: Apache-2.0
// Where quantization parameters become kernel arguments: output limits, per-channel tables and the accumulator's bound.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "engine/model.h"
#include "engine/ops/functional.h"
#include "engine/ops/wide.h"
#include "kernels/multiplier.h"
#include "kernels/ref/ref16.h"

namespace octet {
namespace {

/// A layer's biases, floats or integer codes.
class Biases {
 public:
  Biases(const Tensor* bias, int64_t out, std::string_view path) : path_(path) {
    if (!bias) return;
    check(bias->shape() == Shape{out} && (bias->dtype() == DType::f32 || (bias->dtype() == DType::i32 && bias->qparams())), path,
          ": expected ", out, " biases, floats or int32 codes, got ", to_string(bias->dtype()), " of shape ",
          to_string(bias->shape()));
    real_ = dequantize(*bias);
    if (bias->dtype() == DType::i32) codes_ = bias->data<int32_t>(), scale_ = bias->qparams()->scale;
  }

  float real(int64_t c) const {
    const float b = real_.numel() > 0 ? real_.data<float>()[c] : 0;
    check(std::isfinite(b), path_, ": bias of channel ", c, " is ", b);
    return b;
  }
  /// In units of the input's scale x times the weights' scale w, at most `most` from zero: codes of these units as they are.
  int64_t code(int64_t c, float x, float w, int64_t most) const {
    const double unit = static_cast<double>(x) * static_cast<double>(w);
    double value = real(c);
    if (!codes_.empty()) {
      const float own = scale_[scale_.size() == 1 ? 0 : static_cast<size_t>(c)];
      if (own == x * w) return codes_[c];
      value = codes_[c] * static_cast<double>(own);
    }
    const double code = std::nearbyint(value / unit);
    check(std::abs(code) <= static_cast<double>(most), path_, ": bias ", value, " of channel ", c, " does not fit ",
          std::bit_width(static_cast<uint64_t>(most)) + 1, " bits in units of ", unit);
    return static_cast<int64_t>(code);
  }

 private:
  std::string_view path_;
  Tensor real_;
  std::span<const int32_t> codes_;
  std::vector<float> scale_;
};

/// A real value's code by the rule its kernel uses, before clamping.
double code_of(float value, const QParams& q, Rounding rounding, bool before_rounding) {
  const float scale = q.scale[0], inv = 1 / scale;
  const int32_t zero = q.zero_point[0], lo = q.qmin < 0 ? -128 : 0;
  switch (rounding) {
    case Rounding::real:
      if (before_rounding) return static_cast<double>(std::nearbyint(value * inv + static_cast<float>(zero - lo))) + lo;
      return static_cast<double>(std::nearbyint(value * inv)) + zero;
    case Rounding::int_bias: return static_cast<double>(std::nearbyint(value / scale)) + zero;
    case Rounding::fixed_double:
    case Rounding::fixed_single:
      return static_cast<double>(std::round(value / scale)) + zero;  // TfLiteRound: halves away from zero
  }
  fail("unknown rounding ", static_cast<int>(rounding));
}

}  // namespace

DType code_dtype(const QParams& q) {
  check(q.qmin <= q.qmax, "quantization parameters: qmin ", q.qmin, " exceeds qmax ", q.qmax);
  if (q.qmin >= 0 && q.qmax <= 255) return DType::u8;
  if (q.qmin >= -128 && q.qmax <= 127) return DType::i8;
  if (q.qmin >= -32768 && q.qmax <= 32767) return DType::i16;
  return DType::i32;
}

kernels::CodeType code_type(const QParams& q) {
  const DType dtype = code_dtype(q);
  check(dtype != DType::i32, "kernels take activations of 8 and 16 bits, got codes ", q.qmin, "..", q.qmax);
  if (dtype == DType::i16) return kernels::CodeType::i16;
  return dtype == DType::u8 ? kernels::CodeType::u8 : kernels::CodeType::i8;
}

kernels::OutputArgs output_args(const QParams& q, Activation act, Rounding rounding, bool before_rounding) {
  kernels::OutputArgs out{};
  out.inv_scale = rounding == Rounding::real ? 1 / q.scale[0] : q.scale[0];
  out.zero_point = q.zero_point[0];
  out.clamp_min = q.qmin;
  out.clamp_max = q.qmax;
  // Quantization never decreases, so limiting real values equals limiting codes.
  const auto code = [&](float value) {
    return static_cast<int32_t>(std::clamp(code_of(value, q, rounding, before_rounding), double(q.qmin), double(q.qmax)));
  };
  if (std::isfinite(act.lo)) out.clamp_min = code(act.lo);
  if (std::isfinite(act.hi)) out.clamp_max = code(act.hi);
  return out;
}

int32_t residual_shift(const LowerCall& call, const QParams& weight) {
  const double output = static_cast<double>(call.output->scale[0]);
  const double own = static_cast<double>(call.inputs[0].scale[0]) * static_cast<double>(std::ranges::max(weight.scale)) / output;
  const double other = std::ldexp(static_cast<double>(call.inputs[1].scale[0]) / output, -kernels::kResidualBits);
  constexpr int32_t kLeast = 30;  // with fewer bits the residual's own multiplier is off by more than an eighth of a code
  for (int32_t shift = 62; shift >= kLeast; --shift)
    if (std::nearbyint(std::ldexp(std::max(own, other), shift)) <= std::numeric_limits<int32_t>::max()) return shift;
  fail(call.path, ": the output's scale ", call.output->scale[0], " is too small for a sum of weights of scale ",
       std::ranges::max(weight.scale), " with a residual of scale ", call.inputs[1].scale[0], "; fuse without residuals");
}

ModuleTables weighted_tables(const LowerCall& call, const Tensor& weight, const Tensor* bias, bool float_product,
                             int32_t residual_shift) {
  check(weight.qparams().has_value(), call.path, ": weight of ", to_string(weight.dtype()), " without quantization parameters");
  const QParams &x = call.inputs[0], &w = *weight.qparams(), &y = *call.output;
  const int64_t out = weight.size(0), row = weight.numel() / out;
  check(weight.dtype() == DType::i8 && w.group == 0 && (w.axis < 0 || w.axis == 0), call.path,
        ": kernels need int8 weights quantized per tensor or per output channel, got ", to_string(weight.dtype()), ", ",
        to_string(w));
  const Biases biases(bias, out, call.path);
  const auto at = [](const auto& v, int64_t c) { return v.size() == 1 ? v[0] : v[c]; };
  Blobs blobs;
  const auto codes = weight.data<int8_t>();
  blobs.weight = Weights({weight.share(), codes.data()}, codes.size());
  const bool asymmetric = std::ranges::any_of(w.zero_point, [](int32_t z) { return z != 0; }), wide = has_wide_codes(x);
  check(!asymmetric || !wide, call.path, ": layers of 16-bit codes take weights around the zero point 0, got ", to_string(w));
  const int64_t most = wide ? kernels::kSum16Limit - 1 : std::numeric_limits<int32_t>::max();
  const int64_t reach = std::max<int64_t>(std::abs(x.qmin - x.zero_point[0]), std::abs(x.qmax - x.zero_point[0]));
  for (int64_t c = 0; c < out; ++c) {
    const float sw = at(w.scale, c), product = x.scale[0] * sw;
    const int32_t zw = at(w.zero_point, c);
    check(std::isnormal(product), call.path, ": input scale ", x.scale[0], " times weight scale ", sw, " of channel ", c,
          " is not a normal float");
    const float b = biases.real(c);
    if (asymmetric) blobs.weight_zero_point.push_back(zw);
    int64_t bound = 0;
    double multiplied = 0;  // by what a multiplier of 0 stands for
    for (int64_t i = c * row; i < (c + 1) * row; ++i) bound += std::abs(int64_t{codes[i]} - zw) * reach;
    switch (call.rounding) {
      case Rounding::real:
        blobs.scale.push_back(product);
        blobs.bias.push_back(b);
        break;
      case Rounding::int_bias:
      case Rounding::fixed_double:
      case Rounding::fixed_single: {
        const int64_t bias_code = biases.code(c, x.scale[0], sw, most);
        blobs.bias_codes.push_back(static_cast<int32_t>(static_cast<uint32_t>(bias_code)));
        if (wide) blobs.bias_codes.push_back(static_cast<int32_t>(bias_code >> 32));
        bound += std::abs(bias_code);
        if (call.rounding == Rounding::int_bias) {
          blobs.scale.push_back(product / y.scale[0]);
          break;
        }
        const double exact =
            float_product ? static_cast<double>(product) : static_cast<double>(x.scale[0]) * static_cast<double>(sw);
        const double real = exact / static_cast<double>(y.scale[0]);
        const FixedMultiplier m = residual_shift > 0
                                      ? FixedMultiplier{static_cast<int32_t>(std::nearbyint(std::ldexp(real, residual_shift))), 0}
                                      : quantize_multiplier(real);
        if (wide) check_wide_multiplier(m, real, call.path);
        if (wide && m.multiplier == 0) multiplied = real;
        blobs.multiplier.push_back(m.multiplier);
        blobs.shift.push_back(m.shift);
        break;
      }
    }
    check(bound <= most, call.path, ": the sum of channel ", c, " can reach ", bound, ", beyond ", wide ? 48 : 32,
          " bits; keep this layer float or split it");
    // Codes of a bias are a file's, and 0 is what TensorFlow Lite makes of these sums.
    check(!bias || bias->dtype() != DType::f32 || static_cast<double>(bound) * multiplied < 0.5, call.path, ": channel ", c,
          " would be 0 whatever it reads, its scales multiply sums of up to ", bound, " by ", multiplied,
          "; give its weights a larger scale or keep this layer float");
    // Multipliers that share a shift with a residual's are off by half a step of 2^-shift.
    check(residual_shift == 0 || bound <= int64_t{1} << (residual_shift - 2), call.path, ": the sum of channel ", c, " can reach ",
          bound, ", too much for the ", residual_shift, " bits that the largest weight scale leaves; fuse without residuals");
    blobs.accumulator_bound = std::max(blobs.accumulator_bound, bound);
  }
  return {std::make_shared<const Blobs>(std::move(blobs))};
}

kernels::RequantizeArgs requantize_args(const QParams& from, const QParams& to, Rounding rounding, int64_t row, int64_t rows,
                                        int64_t output_stride) {
  kernels::RequantizeArgs a{};
  if (from == to && has_wide_codes(from)) return copied_rows(row * 2, rows, output_stride * 2, rounding);
  a.rows = static_cast<int32_t>(rows);
  a.row = static_cast<int32_t>(row);
  a.output_stride = static_cast<int32_t>(std::max(row, output_stride));
  a.input_zero_point = from.zero_point[0];
  a.input_scale = from.scale[0];
  a.input_type = code_type(from);
  a.output_type = code_type(to);
  a.rounding = rounding;
  a.copy = from == to;
  a.output = output_args(to, Activation::none, rounding, false);
  const FixedMultiplier m = quantize_multiplier(static_cast<double>(from.scale[0]) / static_cast<double>(to.scale[0]));
  a.multiplier = m.multiplier, a.shift = m.shift;
  return a;
}

kernels::RequantizeArgs copied_rows(int64_t row, int64_t rows, int64_t output_stride, Rounding rounding) {
  kernels::RequantizeArgs a{};
  a.rows = static_cast<int32_t>(rows);
  a.row = static_cast<int32_t>(row);
  a.output_stride = static_cast<int32_t>(std::max(row, output_stride));
  a.input_scale = 1, a.output = {1, 0, 0, 255};  // what bytes would mean
  a.rounding = rounding;
  a.copy = 1;
  return a;
}

std::shared_ptr<const Blobs> integer_table(std::span<const int32_t> entries) {
  const auto bytes = std::as_bytes(entries);
  std::vector<int8_t> table(bytes.size());
  std::memcpy(table.data(), bytes.data(), bytes.size());
  Blobs blobs;
  blobs.weight = Weights(std::move(table));
  return std::make_shared<const Blobs>(std::move(blobs));
}

ModuleTables float_layer(const Tensor& weight, const Tensor& bias) {
  Blobs blobs;
  const auto elements = weight.data<float>(), biases = bias.data<float>();
  blobs.floats = FloatWeights({weight.share(), elements.data()}, elements.size());
  blobs.bias.assign(biases.begin(), biases.end());
  return {std::make_shared<const Blobs>(std::move(blobs))};
}

kernels::QuantizeArgs quantize_args(int64_t count, const QParams& q, Rounding rounding) {
  kernels::QuantizeArgs a{};
  a.count = static_cast<int32_t>(count);
  a.output_type = code_type(q);
  a.rounding = rounding;
  a.output = output_args(q, Activation::none, rounding, false);
  return a;
}

kernels::DequantizeArgs dequantize_args(int64_t count, const QParams& q) {
  kernels::DequantizeArgs a{};
  a.count = static_cast<int32_t>(count);
  a.zero_point = q.zero_point[0];
  a.scale = q.scale[0];
  a.input_type = code_type(q);
  return a;
}

kernels::TransposeArgs copied(int64_t count, size_t element_size) {
  kernels::TransposeArgs a{};
  a.rank = 1;
  a.element_size = static_cast<int32_t>(element_size);
  a.output_shape[0] = static_cast<int32_t>(count);
  a.input_stride[0] = 1;
  return a;
}

LoweredFloats copied_floats(const FloatLowerCall& call) { return {{{copied(numel(call.input_shapes[0]), sizeof(float))}}}; }

}  // namespace octet
