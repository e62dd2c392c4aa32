// SPDX-License-Identifier: Apache-2.0
// Tensor: a dense array as a value. Copies share storage until one of them is written; there are no views and no strides.
// A tensor of codes carries the quantization parameters that give the codes a meaning.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "engine/check.h"

namespace octet {

enum class DType : uint8_t { f32, f64, u8, i8, i16, i32 };

/// Dimensions; activations are N,H,W,C and convolution weights O,kH,kW,I/groups everywhere but in io/.
using Shape = std::vector<int64_t>;

std::string_view to_string(DType);
/// "[2, 3, 4]"
std::string to_string(const Shape&);
size_t size_of(DType);
/// Product of the dimensions; throws if one is negative or the product overflows.
int64_t numel(const Shape&);

template <class T>
constexpr DType dtype_of() {
  if constexpr (std::is_same_v<T, float>)
    return DType::f32;
  else if constexpr (std::is_same_v<T, double>)
    return DType::f64;
  else if constexpr (std::is_same_v<T, uint8_t>)
    return DType::u8;
  else if constexpr (std::is_same_v<T, int8_t>)
    return DType::i8;
  else if constexpr (std::is_same_v<T, int16_t>)
    return DType::i16;
  else {
    static_assert(std::is_same_v<T, int32_t>, "no DType for this element type");
    return DType::i32;
  }
}

/// real = scale[c] * (code - zero_point[c]). axis < 0: one pair for the whole tensor.
struct QParams {
  std::vector<float> scale;
  std::vector<int32_t> zero_point;
  int axis = -1;
  int group = 0;  ///< > 0: one pair per `group` elements along the axis
  int32_t qmin = 0, qmax = 255;
  bool operator==(const QParams&) const = default;
};
/// "scale 0.0078, zero point 3, codes 0..127"; a per-channel one prints its number of channels and range of scales.
std::string to_string(const QParams&);

class Tensor {
 public:
  Tensor() : Tensor(Shape{0}, DType::f32) {}
  Tensor(const Tensor&) = default;
  Tensor& operator=(const Tensor&) = default;
  /// What was moved from has no elements, and may be assigned to.
  Tensor(Tensor&& other) noexcept
      : shape_(std::move(other.shape_)),
        numel_(std::exchange(other.numel_, 0)),
        dtype_(other.dtype_),
        storage_(std::move(other.storage_)),
        qparams_(std::move(other.qparams_)) {}
  Tensor& operator=(Tensor&& other) noexcept {
    shape_ = std::move(other.shape_), numel_ = std::exchange(other.numel_, 0), dtype_ = other.dtype_;
    storage_ = std::move(other.storage_), qparams_ = std::move(other.qparams_);
    return *this;
  }
  ~Tensor() = default;
  /// Uninitialised elements.
  Tensor(Shape shape, DType dtype);
  static Tensor zeros(Shape shape, DType dtype = DType::f32);
  static Tensor full(Shape shape, double value, DType dtype = DType::f32);
  template <class T>
  static Tensor of(Shape shape, std::span<const T> values) {
    Tensor t(std::move(shape), dtype_of<T>());
    check(t.numel() == static_cast<int64_t>(values.size()), "Tensor::of: shape ", to_string(t.shape()), " needs ", t.numel(),
          " values, ", values.size(), " came");
    std::span<T> to = t.mutable_data<T>();
    for (size_t i = 0; i < values.size(); ++i) to[i] = values[i];
    return t;
  }
  template <class T>
  static Tensor of(Shape shape, const std::vector<T>& values) {
    return of(std::move(shape), std::span<const T>(values));
  }

  const Shape& shape() const { return shape_; }
  /// Throws for an axis that the tensor does not have.
  int64_t size(size_t axis) const {
    if (axis >= shape_.size()) fail_axis(axis);
    return shape_[axis];
  }
  size_t rank() const { return shape_.size(); }
  DType dtype() const { return dtype_; }
  int64_t numel() const { return numel_; }
  size_t bytes() const { return static_cast<size_t>(numel_) * size_of(dtype_); }

  /// Elements for reading; throws if T is not this tensor's dtype.
  template <class T>
  std::span<const T> data() const {
    require(dtype_of<T>());
    if (storage_ == nullptr && numel_ != 0) fail_released();
    return {static_cast<const T*>(raw()), static_cast<size_t>(numel_)};
  }
  /// Elements for writing; makes a private copy first if the storage is shared.
  template <class T>
  std::span<T> mutable_data() {
    require(dtype_of<T>());
    return {static_cast<T*>(mutable_raw()), static_cast<size_t>(numel_)};
  }
  const void* raw() const { return storage_.get(); }
  void* mutable_raw();
  /// Shape, dtype and parameters without elements: what is left of weights that only kernels hold. Whoever reads it gets an error.
  Tensor released() const;
  /// The elements, kept alive for whoever holds this: a tensor that is written to meanwhile gets memory of its own.
  std::shared_ptr<const void> share() const { return storage_; }

  /// The only element of a one-element float tensor.
  double item() const;

  const std::optional<QParams>& qparams() const;
  Tensor with(QParams) const;
  Tensor without_qparams() const;
  /// Same elements, other shape; one dimension may be -1.
  Tensor reshape(Shape) const;
  /// Elements converted to another dtype, integers saturating; quantization parameters are dropped.
  Tensor to(DType) const;

 private:
  void require(DType) const;
  // Messages cost memory, so they are made where they are needed and not before.
  [[noreturn]] void fail_axis(size_t axis) const;
  [[noreturn]] void fail_released() const;
  std::shared_ptr<std::byte> allocated() const;

  Shape shape_;
  int64_t numel_ = 0;
  DType dtype_ = DType::f32;
  std::shared_ptr<std::byte> storage_;
  std::shared_ptr<const std::optional<QParams>> qparams_;
};

/// Calls f.template operator()<T>() with the float type of dtype; throws naming `who` for an integer dtype.
template <class F>
decltype(auto) dispatch_float(DType dtype, std::string_view who, F&& f) {
  check(dtype == DType::f32 || dtype == DType::f64, who, ": needs a float tensor, got ", to_string(dtype));
  if (dtype == DType::f64) return f.template operator()<double>();
  return f.template operator()<float>();
}

/// NCHW <-> NHWC copies for data that comes from elsewhere.
Tensor nhwc_from_nchw(const Tensor&);
Tensor nchw_from_nhwc(const Tensor&);
/// Rows [begin, end) of the first axis.
Tensor slice_rows(const Tensor&, int64_t begin, int64_t end);
/// Tensors joined along an axis; all other dimensions, the dtype and the quantization parameters must agree.
Tensor concat(std::span<const Tensor>, int axis);

}  // namespace octet
