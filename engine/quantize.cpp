// SPDX-License-Identifier: Apache-2.0
// Tensors to codes and back, per tensor or per channel, by the reference kernels' scalar rules.
#include <cmath>

#include "engine/model.h"
#include "engine/ops/functional.h"
#include "kernels/qmath.h"
#include "kernels/ref/ref.h"

namespace octet {
namespace {

void check_qparams(const QParams& q) {
  check(q.scale.size() == q.zero_point.size() && !q.scale.empty(), "quantize: ", q.scale.size(), " scales and ",
        q.zero_point.size(), " zero points");
  check(q.group == 0, "quantize: grouped parameters are not supported here");
  for (size_t c = 0; c < q.scale.size(); ++c) {
    check(std::isnormal(q.scale[c]) && q.scale[c] > 0, "quantize: scale ", q.scale[c], " of channel ", c,
          " must be a positive normal float");
    check(q.zero_point[c] >= q.qmin && q.zero_point[c] <= q.qmax, "quantize: zero point ", q.zero_point[c], " of channel ", c,
          " outside ", q.qmin, "..", q.qmax);
  }
}

/// [outer, channels, inner] around the axis; per tensor: one channel.
struct Blocks {
  int64_t outer = 1, channels = 1, inner = 1;
};
Blocks blocks(const Shape& shape, int axis) {
  Blocks b;
  if (axis < 0) {
    b.inner = numel(shape);
    return b;
  }
  for (int i = 0; i < axis; ++i) b.outer *= shape[i];
  b.channels = shape[axis];
  for (size_t i = axis + 1; i < shape.size(); ++i) b.inner *= shape[i];
  return b;
}

}  // namespace

Tensor quantize(const Tensor& x, const QParams& q, Rounding rounding) {
  check_qparams(q);
  check(x.dtype() == DType::f32, "quantize: needs an f32 tensor, got ", to_string(x.dtype()));
  const DType dtype = code_dtype(q);
  check(dtype == DType::u8 || dtype == DType::i8, "quantize: codes ", q.qmin, "..", q.qmax, " need more than 8 bits");
  Tensor codes = Tensor(x.shape(), dtype).with(q);
  if (codes.numel() == 0) return codes;
  const Blocks b = blocks(x.shape(), q.axis);
  const float* from = x.data<float>().data();
  auto* to = static_cast<uint8_t*>(codes.mutable_raw());
  for (int64_t o = 0; o < b.outer; ++o)
    for (int64_t c = 0; c < b.channels; ++c, from += b.inner, to += b.inner) {
      QParams one{{q.scale[c]}, {q.zero_point[c]}, -1, 0, q.qmin, q.qmax};
      kernels::QuantizeArgs a{};
      a.count = static_cast<int32_t>(b.inner);
      a.output_type = code_type(one);
      a.rounding = rounding;
      a.output = output_args(one, Activation::none, rounding, false);
      if (rounding == Rounding::int_bias)
        kernels::quantize<Rounding::int_bias>(a, from, to, 0, a.count);
      else
        kernels::quantize<Rounding::real>(a, from, to, 0, a.count);
    }
  return codes;
}

Tensor dequantize(const Tensor& codes) {
  if (codes.dtype() == DType::f32 || codes.dtype() == DType::f64) return codes;
  check(codes.qparams().has_value(), "dequantize: a ", to_string(codes.dtype()), " tensor without quantization parameters");
  const QParams& q = *codes.qparams();
  check(codes.dtype() == DType::u8 || codes.dtype() == DType::i8, "dequantize: needs 8-bit codes, got ", to_string(codes.dtype()));
  Tensor x(codes.shape(), DType::f32);
  if (x.numel() == 0) return x;
  const Blocks b = blocks(codes.shape(), q.axis);
  const auto* from = static_cast<const uint8_t*>(codes.raw());
  float* to = x.mutable_data<float>().data();
  for (int64_t o = 0; o < b.outer; ++o)
    for (int64_t c = 0; c < b.channels; ++c, from += b.inner, to += b.inner) {
      kernels::DequantizeArgs a{};
      a.count = static_cast<int32_t>(b.inner);
      a.zero_point = q.zero_point[c];
      a.scale = q.scale[c];
      a.input_type = codes.dtype() == DType::u8 ? kernels::CodeType::u8 : kernels::CodeType::i8;
      kernels::dequantize(a, from, to, 0, a.count);
    }
  return x;
}

}  // namespace octet
