// SPDX-License-Identifier: Apache-2.0
// Tensors to codes and back, per tensor or per channel, by the reference kernels' scalar rules.
#include <algorithm>
#include <cmath>
#include <new>

#include "engine/model.h"
#include "engine/module_check.h"
#include "engine/ops/functional.h"
#include "kernels/float_scope.h"
#include "kernels/qmath.h"
#include "kernels/ref/ref16.h"
#include "kernels/with_rounding.h"

namespace octet {
namespace {

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

/// piece(begin, n) over [0, count) in pieces that a kernel's 32-bit counts hold.
template <class Piece>
void in_pieces(int64_t count, const Piece& piece) {
  constexpr int64_t kMost = int64_t{1} << 30;
  for (int64_t begin = 0; begin < count; begin += kMost) piece(begin, static_cast<int32_t>(std::min(kMost, count - begin)));
}

}  // namespace

Tensor quantize(const Tensor& x, const QParams& q, Rounding rounding) try {
  const FloatScope environment;
  check_qparams(q, x.shape(), "quantize");
  check(x.dtype() == DType::f32, "quantize: needs an f32 tensor, got ", to_string(x.dtype()));
  const DType dtype = code_dtype(q);
  const bool wide = dtype == DType::i16;
  check(!wide || rounding != Rounding::int_bias, "quantize: rounding int_bias has no 16-bit codes, got ", q.qmin, "..", q.qmax);
  Tensor codes = Tensor(x.shape(), dtype).with(q);
  if (codes.numel() == 0) return codes;
  const Blocks b = blocks(x.shape(), q.axis);
  const float* from = x.data<float>().data();
  auto* to = static_cast<uint8_t*>(codes.mutable_raw());
  const auto size = static_cast<int64_t>(size_of(dtype));
  for (int64_t o = 0; o < b.outer; ++o)
    for (int64_t c = 0; c < b.channels; ++c, from += b.inner, to += b.inner * size) {
      QParams one{{q.scale[c]}, {q.zero_point[c]}, -1, 0, q.qmin, q.qmax};
      kernels::QuantizeArgs a{};
      a.output_type = code_type(one);
      a.rounding = rounding;
      a.output = output_args(one, Activation::none, rounding, false);
      in_pieces(b.inner, [&](int64_t begin, int32_t n) {
        a.count = n;
        if (wide) return kernels::quantize_16(a, from + begin, to + begin * size, 0, n);
        with_rounding(rounding, [&]<Rounding R>() { kernels::quantize<R>(a, from + begin, to + begin, 0, n); });
      });
    }
  return codes;
} catch (const std::bad_alloc&) {
  fail("quantize: out of memory");
}

QParams bias_qparams(std::vector<float> scale) {
  std::vector<int32_t> zero(scale.size(), 0);
  const int axis = scale.size() > 1 ? 0 : -1;
  return {std::move(scale), std::move(zero), axis, 0, INT32_MIN, INT32_MAX};
}

void check_codes(const Tensor& codes, std::string_view path) {
  check(codes.qparams().has_value(), path, ": codes without quantization parameters");
  const QParams& q = *codes.qparams();
  check(codes.dtype() == code_dtype(q), path, ": codes ", q.qmin, "..", q.qmax, " need ", to_string(code_dtype(q)), ", got ",
        to_string(codes.dtype()));
  const auto inside = [&](auto values) {
    for (size_t i = 0; i < values.size(); ++i)
      check(values[i] >= q.qmin && values[i] <= q.qmax, path, ": code ", int{values[i]}, " at element ", i, " is outside ", q.qmin,
            "..", q.qmax);
  };
  if (codes.dtype() == DType::u8 && (q.qmin > 0 || q.qmax < 255)) inside(codes.data<uint8_t>());
  if (codes.dtype() == DType::i8 && (q.qmin > -128 || q.qmax < 127)) inside(codes.data<int8_t>());
  if (codes.dtype() == DType::i16 && (q.qmin > -32768 || q.qmax < 32767)) inside(codes.data<int16_t>());
}

Tensor dequantize(const Tensor& codes) try {
  const FloatScope environment;
  if (codes.dtype() == DType::f32 || codes.dtype() == DType::f64) return codes;
  check(codes.qparams().has_value(), "dequantize: a ", to_string(codes.dtype()), " tensor without quantization parameters");
  const QParams& q = *codes.qparams();
  Tensor x(codes.shape(), DType::f32);
  if (codes.dtype() == DType::i32) {
    check_qparams(q, codes.shape(), "dequantize", Role::bias);
    const Blocks b = blocks(codes.shape(), q.axis);
    const auto from = codes.data<int32_t>();
    const auto to = x.mutable_data<float>();
    for (size_t i = 0; i < from.size(); ++i)
      to[i] = static_cast<float>(from[i] * static_cast<double>(q.scale[i / static_cast<size_t>(b.inner) % q.scale.size()]));
    return x;
  }
  const bool wide = codes.dtype() == DType::i16;
  if (x.numel() == 0) return x;
  const Blocks b = blocks(codes.shape(), q.axis);
  const auto* from = static_cast<const uint8_t*>(codes.raw());
  float* to = x.mutable_data<float>().data();
  const auto size = static_cast<int64_t>(size_of(codes.dtype()));
  for (int64_t o = 0; o < b.outer; ++o)
    for (int64_t c = 0; c < b.channels; ++c, from += b.inner * size, to += b.inner) {
      kernels::DequantizeArgs a{};
      a.zero_point = q.zero_point[c];
      a.scale = q.scale[c];
      a.input_type = wide ? kernels::CodeType::i16 : codes.dtype() == DType::u8 ? kernels::CodeType::u8 : kernels::CodeType::i8;
      in_pieces(b.inner, [&](int64_t begin, int32_t n) {
        a.count = n;
        if (wide) return kernels::dequantize_16(a, from + begin * size, to + begin, 0, n);
        kernels::dequantize(a, from + begin, to + begin, 0, n);
      });
    }
  return x;
} catch (const std::bad_alloc&) {
  fail("dequantize: out of memory");
}

}  // namespace octet
