// SPDX-License-Identifier: Apache-2.0
// Tensor storage, element conversion and the few whole-tensor copies that are not operators.
#include "engine/tensor.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <limits>
#include <new>
#include <numeric>

#include "engine/storage.h"
#include "engine/text.h"
#include "kernels/float_scope.h"

namespace octet {
namespace {

template <class F>
decltype(auto) dispatch(DType dtype, F&& f) {
  switch (dtype) {
    case DType::f32: return f.template operator()<float>();
    case DType::f64: return f.template operator()<double>();
    case DType::u8: return f.template operator()<uint8_t>();
    case DType::i8: return f.template operator()<int8_t>();
    case DType::i16: return f.template operator()<int16_t>();
    case DType::i32: return f.template operator()<int32_t>();
  }
  fail("unknown dtype ", static_cast<int>(dtype));
}

const std::optional<QParams> kNoQParams;

/// A value as another type; integers saturate and NaN becomes 0, because an out-of-range cast is undefined.
template <class To, class From>
To converted(From v) {
  if constexpr (std::is_integral_v<To>) {
    const auto wide = static_cast<double>(v);
    if (!(wide > static_cast<double>(std::numeric_limits<To>::min()))) return wide == wide ? std::numeric_limits<To>::min() : To(0);
    if (wide >= static_cast<double>(std::numeric_limits<To>::max())) return std::numeric_limits<To>::max();
  }
  return static_cast<To>(v);
}

/// [a, b, c, d] -> [a, d, b, c] in blocks: swaps the last axis with the two before it, or back.
Tensor swap_trailing(const Tensor& x, int64_t outer, int64_t inner, Shape shape) {
  // x is [batch, outer, inner] in memory, the result [batch, inner, outer].
  Tensor y(std::move(shape), x.dtype());
  const size_t item = size_of(x.dtype());
  const auto* from = static_cast<const std::byte*>(x.raw());
  auto* to = static_cast<std::byte*>(y.mutable_raw());
  const int64_t batch = outer * inner == 0 ? 0 : x.numel() / (outer * inner);
  for (int64_t n = 0; n < batch; ++n, from += outer * inner * item, to += outer * inner * item)
    for (int64_t i = 0; i < inner; ++i)
      for (int64_t o = 0; o < outer; ++o) std::memcpy(to + (i * outer + o) * item, from + (o * inner + i) * item, item);
  return y;
}

}  // namespace

std::string_view to_string(DType dtype) {
  constexpr std::string_view names[] = {"f32", "f64", "u8", "i8", "i16", "i32"};
  return names[static_cast<size_t>(dtype)];
}

std::string to_string(const Shape& shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

size_t size_of(DType dtype) {
  return dispatch(dtype, []<class T>() { return sizeof(T); });
}

int64_t numel(const Shape& shape) {
  int64_t n = 1;
  for (const int64_t d : shape) {
    check(d >= 0, "shape ", to_string(shape), " has a negative dimension");
    check(!__builtin_mul_overflow(n, d, &n), "shape ", to_string(shape), " has too many elements");
  }
  return n;
}

std::string to_string(const QParams& q) {
  Text text;
  text.precision(9);
  if (q.axis < 0 && !q.scale.empty()) {
    text << "scale " << q.scale[0] << ", zero point " << q.zero_point[0];
  } else if (!q.scale.empty()) {
    const auto [lo, hi] = std::minmax_element(q.scale.begin(), q.scale.end());
    text << q.scale.size() << " channels on axis " << q.axis << ", scales " << *lo << ".." << *hi;
  }
  text << ", codes " << q.qmin << ".." << q.qmax;
  return text.str();
}

Tensor::Tensor(Shape shape, DType dtype) : shape_(std::move(shape)), numel_(octet::numel(shape_)), dtype_(dtype) {
  check(numel_ <= std::numeric_limits<int64_t>::max() / 16, "shape ", to_string(shape_), " has too many elements");
  storage_ = allocated();
}

std::shared_ptr<std::byte> Tensor::allocated() const try { return allocate_storage(bytes()); } catch (const std::bad_alloc&) {
  throw OutOfMemory("out of memory: " + std::to_string(bytes()) + " bytes for a tensor of " + std::string(to_string(dtype_)) + " " +
                    to_string(shape_));
}

Tensor Tensor::zeros(Shape shape, DType dtype) {
  Tensor t(std::move(shape), dtype);
  if (t.bytes() > 0) std::memset(t.mutable_raw(), 0, t.bytes());
  return t;
}

Tensor Tensor::full(Shape shape, double value, DType dtype) {
  const FloatScope environment;
  Tensor t(std::move(shape), dtype);
  dispatch(dtype, [&]<class T>() { std::ranges::fill(t.mutable_data<T>(), converted<T>(value)); });
  return t;
}

void Tensor::fail_axis(size_t axis) const { fail("size: axis ", axis, " of a tensor of shape ", to_string(shape_)); }

void Tensor::fail_released() const { fail("a tensor of shape ", to_string(shape_), " whose elements were released"); }

Tensor Tensor::released() const {
  Tensor t = *this;
  t.storage_ = nullptr;
  return t;
}

void* Tensor::mutable_raw() {
  if (storage_ == nullptr && numel_ != 0) fail_released();
  if (storage_.use_count() > 1) {
    std::shared_ptr<std::byte> own = allocated();
    if (bytes() > 0) std::memcpy(own.get(), storage_.get(), bytes());
    storage_ = std::move(own);
  } else {
    // The last other owner may have read this storage in another thread just before it let go.
    std::atomic_thread_fence(std::memory_order_acquire);
  }
  return storage_.get();
}

double Tensor::item() const {
  check(numel_ == 1, "item: needs one element, the tensor has shape ", to_string(shape_));
  return dispatch(dtype_, [&]<class T>() { return static_cast<double>(data<T>()[0]); });
}

void Tensor::require(DType dtype) const { check(dtype == dtype_, "tensor of ", to_string(dtype_), " read as ", to_string(dtype)); }

const std::optional<QParams>& Tensor::qparams() const { return qparams_ ? *qparams_ : kNoQParams; }

Tensor Tensor::with(QParams q) const {
  const size_t pairs = q.scale.size();
  check(pairs > 0 && pairs == q.zero_point.size(), "quantization parameters: ", pairs, " scales and ", q.zero_point.size(),
        " zero points");
  const auto holds = [&](int64_t lo, int64_t hi) { return q.qmin >= lo && q.qmax <= hi; };
  check((dtype_ == DType::u8 && holds(0, 255)) || (dtype_ == DType::i8 && holds(-128, 127)) ||
            (dtype_ == DType::i16 && holds(-32768, 32767)) || dtype_ == DType::i32,
        "quantization parameters: codes ", q.qmin, "..", q.qmax, " on a tensor of ", to_string(dtype_));
  check(q.axis < static_cast<int>(rank()), "quantization parameters: axis ", q.axis, " of a tensor of shape ", to_string(shape_));
  const size_t expected = q.axis < 0 ? 1 : static_cast<size_t>(shape_[q.axis]);
  check(q.group > 0 || pairs == expected, "quantization parameters: ", pairs, " scales for shape ", to_string(shape_), " on axis ",
        q.axis);
  Tensor t = *this;
  t.qparams_ = std::make_shared<const std::optional<QParams>>(std::move(q));
  return t;
}

Tensor Tensor::without_qparams() const {
  Tensor t = *this;
  t.qparams_.reset();
  return t;
}

Tensor Tensor::reshape(Shape shape) const {
  const auto unknown = std::ranges::find(shape, -1);
  if (unknown != shape.end()) {
    *unknown = 1;
    const int64_t rest = octet::numel(shape);
    *unknown = -1;
    check(rest > 0 && numel_ % rest == 0, "reshape: ", to_string(shape_), " does not fit ", to_string(shape));
    *unknown = numel_ / rest;
  }
  check(octet::numel(shape) == numel_, "reshape: ", to_string(shape_), " does not fit ", to_string(shape));
  check(!qparams() || qparams()->axis < 0, "reshape: a per-channel quantized tensor keeps its shape");
  Tensor t = *this;
  t.shape_ = std::move(shape);
  return t;
}

Tensor Tensor::to(DType dtype) const {
  const FloatScope environment;
  if (dtype == dtype_) return without_qparams();
  Tensor t(shape_, dtype);
  dispatch(dtype_, [&]<class From>() {
    dispatch(dtype, [&]<class To>() {
      std::ranges::transform(data<From>(), t.mutable_data<To>().begin(), [](From v) { return converted<To>(v); });
    });
  });
  return t;
}

Tensor nhwc_from_nchw(const Tensor& x) {
  check(x.rank() == 4, "nhwc_from_nchw: needs four axes, got ", to_string(x.shape()));
  const Shape& s = x.shape();
  return swap_trailing(x, s[1], s[2] * s[3], {s[0], s[2], s[3], s[1]});
}

Tensor nchw_from_nhwc(const Tensor& x) {
  check(x.rank() == 4, "nchw_from_nhwc: needs four axes, got ", to_string(x.shape()));
  const Shape& s = x.shape();
  return swap_trailing(x, s[1] * s[2], s[3], {s[0], s[3], s[1], s[2]});
}

Tensor slice_rows(const Tensor& x, int64_t begin, int64_t end) {
  check(x.rank() > 0 && begin >= 0 && begin <= end && end <= x.size(0), "rows ", begin, "..", end, " of a tensor of shape ",
        to_string(x.shape()));
  Shape shape = x.shape();
  const size_t row = shape[0] == 0 ? 0 : x.bytes() / static_cast<size_t>(shape[0]);
  shape[0] = end - begin;
  Tensor y(std::move(shape), x.dtype());
  if (y.bytes() > 0) std::memcpy(y.mutable_raw(), static_cast<const std::byte*>(x.raw()) + begin * row, y.bytes());
  return x.qparams() && x.qparams()->axis < 0 ? y.with(*x.qparams()) : y;
}

Tensor concat(std::span<const Tensor> parts, int axis) {
  check(!parts.empty(), "concat: nothing to join");
  Shape shape = parts[0].shape();
  check(axis >= 0 && axis < static_cast<int>(shape.size()), "concat: axis ", axis, " of shape ", to_string(shape));
  shape[axis] = 0;
  for (const Tensor& p : parts) {
    Shape other = p.shape();
    check(other.size() == shape.size(), "concat: shapes ", to_string(parts[0].shape()), " and ", to_string(p.shape()));
    shape[axis] += other[axis];
    other[axis] = shape[axis];
    check(other == shape, "concat: shapes ", to_string(parts[0].shape()), " and ", to_string(p.shape()), " differ off axis ", axis);
    check(p.dtype() == parts[0].dtype(), "concat: ", to_string(parts[0].dtype()), " and ", to_string(p.dtype()));
    check(p.qparams() == parts[0].qparams(), "concat: quantization parameters differ");
  }
  Tensor y(shape, parts[0].dtype());
  const int64_t outer = std::accumulate(shape.begin(), shape.begin() + axis, int64_t{1}, std::multiplies<>());
  auto* to = static_cast<std::byte*>(y.mutable_raw());
  for (int64_t o = 0; o < outer; ++o)
    for (const Tensor& p : parts) {
      const size_t block = p.bytes() / static_cast<size_t>(outer);
      if (block > 0) std::memcpy(to, static_cast<const std::byte*>(p.raw()) + o * block, block);
      to += block;
    }
  return parts[0].qparams() ? y.with(*parts[0].qparams()) : y;
}

}  // namespace octet
