// SPDX-License-Identifier: Apache-2.0
// The bytes of every argument struct: they are the firmware image's format, so each size and offset is pinned here. A failing line
// means a new image version, not a new number in this file.
#include "kernels/list.h"

#include <cstddef>
#include <type_traits>

#include "tests/catch.h"

namespace octet::kernels {
namespace {

template <class T>
constexpr bool plain_bytes = std::is_standard_layout_v<T>&& std::is_trivially_copyable_v<T> && alignof(T) == 4;

static_assert(sizeof(Rounding) == 1 && sizeof(CodeType) == 1 && sizeof(PoolKind) == 1 && sizeof(float) == 4);
static_assert(int(Rounding::real) == 0 && int(Rounding::int_bias) == 1 && int(Rounding::fixed_double) == 2 &&
              int(Rounding::fixed_single) == 3);
static_assert(int(CodeType::u8) == 0 && int(CodeType::i8) == 1 && int(CodeType::i16) == 2);
static_assert(int(ActivationKind::logistic) == 0 && int(ActivationKind::tanh) == 1 && int(ActivationKind::leaky_relu) == 2);
static_assert(int(PoolKind::max) == 0 && int(PoolKind::average) == 1 && int(PoolKind::adaptive_average) == 2);

static_assert(plain_bytes<OutputArgs> && sizeof(OutputArgs) == 16);
static_assert(offsetof(OutputArgs, inv_scale) == 0 && offsetof(OutputArgs, zero_point) == 4 &&
              offsetof(OutputArgs, clamp_min) == 8 && offsetof(OutputArgs, clamp_max) == 12);

static_assert(plain_bytes<Conv2dArgs> && sizeof(Conv2dArgs) == 104);
static_assert(offsetof(Conv2dArgs, batch) == 0 && offsetof(Conv2dArgs, in_h) == 4 && offsetof(Conv2dArgs, in_w) == 8 &&
              offsetof(Conv2dArgs, in_c) == 12 && offsetof(Conv2dArgs, out_h) == 16 && offsetof(Conv2dArgs, out_w) == 20 &&
              offsetof(Conv2dArgs, out_c) == 24);
static_assert(offsetof(Conv2dArgs, kernel_h) == 28 && offsetof(Conv2dArgs, kernel_w) == 32 &&
              offsetof(Conv2dArgs, stride_h) == 36 && offsetof(Conv2dArgs, stride_w) == 40 &&
              offsetof(Conv2dArgs, dilation_h) == 44 && offsetof(Conv2dArgs, dilation_w) == 48 &&
              offsetof(Conv2dArgs, pad_top) == 52 && offsetof(Conv2dArgs, pad_left) == 56 && offsetof(Conv2dArgs, groups) == 60);
static_assert(offsetof(Conv2dArgs, input_zero_point) == 64 && offsetof(Conv2dArgs, residual_zero_point) == 68 &&
              offsetof(Conv2dArgs, residual_scale) == 72 && offsetof(Conv2dArgs, residual_multiplier) == 76 &&
              offsetof(Conv2dArgs, residual_shift) == 80 && offsetof(Conv2dArgs, input_type) == 84 &&
              offsetof(Conv2dArgs, output_type) == 85 && offsetof(Conv2dArgs, residual_type) == 86 &&
              offsetof(Conv2dArgs, rounding) == 87 && offsetof(Conv2dArgs, output) == 88);

static_assert(plain_bytes<LinearArgs> && sizeof(LinearArgs) == 36);
static_assert(offsetof(LinearArgs, rows) == 0 && offsetof(LinearArgs, in) == 4 && offsetof(LinearArgs, out) == 8 &&
              offsetof(LinearArgs, input_zero_point) == 12 && offsetof(LinearArgs, input_type) == 16 &&
              offsetof(LinearArgs, output_type) == 17 && offsetof(LinearArgs, rounding) == 18 &&
              offsetof(LinearArgs, reserved) == 19 && offsetof(LinearArgs, output) == 20);

static_assert(plain_bytes<AddArgs> && sizeof(AddArgs) == 68);
static_assert(offsetof(AddArgs, count) == 0 && offsetof(AddArgs, a_zero_point) == 4 && offsetof(AddArgs, b_zero_point) == 8 &&
              offsetof(AddArgs, a_scale) == 12 && offsetof(AddArgs, b_scale) == 16 && offsetof(AddArgs, offset) == 20 &&
              offsetof(AddArgs, a_multiplier) == 24 && offsetof(AddArgs, a_shift) == 28 && offsetof(AddArgs, b_multiplier) == 32 &&
              offsetof(AddArgs, b_shift) == 36 && offsetof(AddArgs, output_multiplier) == 40 &&
              offsetof(AddArgs, output_shift) == 44);
static_assert(offsetof(AddArgs, a_type) == 48 && offsetof(AddArgs, b_type) == 49 && offsetof(AddArgs, output_type) == 50 &&
              offsetof(AddArgs, rounding) == 51 && offsetof(AddArgs, output) == 52);

static_assert(plain_bytes<RequantizeArgs> && sizeof(RequantizeArgs) == 48);
static_assert(offsetof(RequantizeArgs, rows) == 0 && offsetof(RequantizeArgs, row) == 4 &&
              offsetof(RequantizeArgs, output_stride) == 8 && offsetof(RequantizeArgs, input_zero_point) == 12 &&
              offsetof(RequantizeArgs, input_scale) == 16 && offsetof(RequantizeArgs, multiplier) == 20 &&
              offsetof(RequantizeArgs, shift) == 24 && offsetof(RequantizeArgs, input_type) == 28 &&
              offsetof(RequantizeArgs, output_type) == 29 && offsetof(RequantizeArgs, rounding) == 30 &&
              offsetof(RequantizeArgs, copy) == 31 && offsetof(RequantizeArgs, output) == 32);

static_assert(plain_bytes<Pool2dArgs> && sizeof(Pool2dArgs) == 80);
static_assert(offsetof(Pool2dArgs, batch) == 0 && offsetof(Pool2dArgs, in_h) == 4 && offsetof(Pool2dArgs, in_w) == 8 &&
              offsetof(Pool2dArgs, channels) == 12 && offsetof(Pool2dArgs, out_h) == 16 && offsetof(Pool2dArgs, out_w) == 20 &&
              offsetof(Pool2dArgs, kernel_h) == 24 && offsetof(Pool2dArgs, kernel_w) == 28 &&
              offsetof(Pool2dArgs, stride_h) == 32 && offsetof(Pool2dArgs, stride_w) == 36 && offsetof(Pool2dArgs, pad_top) == 40 &&
              offsetof(Pool2dArgs, pad_left) == 44 && offsetof(Pool2dArgs, pad_bottom) == 48 &&
              offsetof(Pool2dArgs, pad_right) == 52);
static_assert(offsetof(Pool2dArgs, zero_point) == 56 && offsetof(Pool2dArgs, clamp_min) == 60 &&
              offsetof(Pool2dArgs, clamp_max) == 64 && offsetof(Pool2dArgs, input_scale) == 68 &&
              offsetof(Pool2dArgs, output_scale) == 72 && offsetof(Pool2dArgs, kind) == 76 && offsetof(Pool2dArgs, type) == 77 &&
              offsetof(Pool2dArgs, rounding) == 78 && offsetof(Pool2dArgs, count_include_pad) == 79);

static_assert(plain_bytes<ClampArgs> && sizeof(ClampArgs) == 16);
static_assert(offsetof(ClampArgs, count) == 0 && offsetof(ClampArgs, clamp_min) == 4 && offsetof(ClampArgs, clamp_max) == 8 &&
              offsetof(ClampArgs, type) == 12 && offsetof(ClampArgs, reserved) == 13);

static_assert(plain_bytes<QuantizeArgs> && sizeof(QuantizeArgs) == 24);
static_assert(offsetof(QuantizeArgs, count) == 0 && offsetof(QuantizeArgs, output_type) == 4 &&
              offsetof(QuantizeArgs, rounding) == 5 && offsetof(QuantizeArgs, reserved) == 6 &&
              offsetof(QuantizeArgs, output) == 8);

static_assert(plain_bytes<DequantizeArgs> && sizeof(DequantizeArgs) == 16);
static_assert(offsetof(DequantizeArgs, count) == 0 && offsetof(DequantizeArgs, zero_point) == 4 &&
              offsetof(DequantizeArgs, scale) == 8 && offsetof(DequantizeArgs, input_type) == 12 &&
              offsetof(DequantizeArgs, reserved) == 13);

static_assert(plain_bytes<TransposeArgs> && sizeof(TransposeArgs) == 56);
static_assert(offsetof(TransposeArgs, rank) == 0 && offsetof(TransposeArgs, element_size) == 4 &&
              offsetof(TransposeArgs, output_shape) == 8 && offsetof(TransposeArgs, input_stride) == 32);

static_assert(plain_bytes<LookupArgs> && sizeof(LookupArgs) == 12);
static_assert(offsetof(LookupArgs, count) == 0 && offsetof(LookupArgs, channels) == 4 && offsetof(LookupArgs, input_type) == 8 &&
              offsetof(LookupArgs, output_type) == 9 && offsetof(LookupArgs, reserved) == 10);

static_assert(plain_bytes<BinaryArgs> && sizeof(BinaryArgs) == 144);
static_assert(offsetof(BinaryArgs, rank) == 0 && offsetof(BinaryArgs, output_shape) == 4 && offsetof(BinaryArgs, a_stride) == 28 &&
              offsetof(BinaryArgs, b_stride) == 52 && offsetof(BinaryArgs, a_zero_point) == 76 &&
              offsetof(BinaryArgs, b_zero_point) == 80 && offsetof(BinaryArgs, a_scale) == 84 &&
              offsetof(BinaryArgs, b_scale) == 88 && offsetof(BinaryArgs, offset) == 92 &&
              offsetof(BinaryArgs, a_multiplier) == 96 && offsetof(BinaryArgs, a_shift) == 100 &&
              offsetof(BinaryArgs, b_multiplier) == 104 && offsetof(BinaryArgs, b_shift) == 108 &&
              offsetof(BinaryArgs, output_multiplier) == 112 && offsetof(BinaryArgs, output_shift) == 116 &&
              offsetof(BinaryArgs, kind) == 120 && offsetof(BinaryArgs, a_type) == 121 && offsetof(BinaryArgs, b_type) == 122 &&
              offsetof(BinaryArgs, output_type) == 123 && offsetof(BinaryArgs, rounding) == 124 &&
              offsetof(BinaryArgs, reserved) == 125 && offsetof(BinaryArgs, output) == 128);

static_assert(plain_bytes<MatMulArgs> && sizeof(MatMulArgs) == 120);
static_assert(offsetof(MatMulArgs, rank) == 0 && offsetof(MatMulArgs, batch) == 4 && offsetof(MatMulArgs, a_batch) == 20 &&
              offsetof(MatMulArgs, b_batch) == 36 && offsetof(MatMulArgs, m) == 52 && offsetof(MatMulArgs, n) == 56 &&
              offsetof(MatMulArgs, k) == 60 && offsetof(MatMulArgs, a_row) == 64 && offsetof(MatMulArgs, a_step) == 68 &&
              offsetof(MatMulArgs, b_column) == 72 && offsetof(MatMulArgs, b_step) == 76 &&
              offsetof(MatMulArgs, a_zero_point) == 80 && offsetof(MatMulArgs, b_zero_point) == 84 &&
              offsetof(MatMulArgs, scale) == 88 && offsetof(MatMulArgs, multiplier) == 92 && offsetof(MatMulArgs, shift) == 96 &&
              offsetof(MatMulArgs, a_type) == 100 && offsetof(MatMulArgs, b_type) == 101 &&
              offsetof(MatMulArgs, output_type) == 102 && offsetof(MatMulArgs, rounding) == 103 &&
              offsetof(MatMulArgs, output) == 104);

static_assert(plain_bytes<ResizeArgs> && sizeof(ResizeArgs) == 32);
static_assert(offsetof(ResizeArgs, batch) == 0 && offsetof(ResizeArgs, in_h) == 4 && offsetof(ResizeArgs, in_w) == 8 &&
              offsetof(ResizeArgs, channels) == 12 && offsetof(ResizeArgs, out_h) == 16 && offsetof(ResizeArgs, out_w) == 20 &&
              offsetof(ResizeArgs, zero_point) == 24 && offsetof(ResizeArgs, type) == 28 && offsetof(ResizeArgs, rounding) == 29 &&
              offsetof(ResizeArgs, reserved) == 30);

static_assert(plain_bytes<ActivationArgs> && sizeof(ActivationArgs) == 32);
static_assert(offsetof(ActivationArgs, count) == 0 && offsetof(ActivationArgs, multiplier) == 4 &&
              offsetof(ActivationArgs, shift) == 8 && offsetof(ActivationArgs, negative_multiplier) == 12 &&
              offsetof(ActivationArgs, negative_shift) == 16 && offsetof(ActivationArgs, clamp_min) == 20 &&
              offsetof(ActivationArgs, clamp_max) == 24 && offsetof(ActivationArgs, kind) == 28 &&
              offsetof(ActivationArgs, type) == 29 && offsetof(ActivationArgs, rounding) == 30 &&
              offsetof(ActivationArgs, inverts) == 31);

static_assert(plain_bytes<ConstantArgs> && sizeof(ConstantArgs) == 4 && offsetof(ConstantArgs, count) == 0);

static_assert(plain_bytes<ReduceArgs> && sizeof(ReduceArgs) == 92);
static_assert(offsetof(ReduceArgs, kept) == 0 && offsetof(ReduceArgs, reduced) == 4 && offsetof(ReduceArgs, shape) == 8 &&
              offsetof(ReduceArgs, stride) == 32 && offsetof(ReduceArgs, input_zero_point) == 56 &&
              offsetof(ReduceArgs, scale) == 60 && offsetof(ReduceArgs, multiplier) == 64 && offsetof(ReduceArgs, shift) == 68 &&
              offsetof(ReduceArgs, kind) == 72 && offsetof(ReduceArgs, input_type) == 73 &&
              offsetof(ReduceArgs, output_type) == 74 && offsetof(ReduceArgs, rounding) == 75 &&
              offsetof(ReduceArgs, output) == 76);

static_assert(plain_bytes<GatherArgs> && sizeof(GatherArgs) == 48);
static_assert(offsetof(GatherArgs, rank) == 0 && offsetof(GatherArgs, element_size) == 4 && offsetof(GatherArgs, run) == 8 &&
              offsetof(GatherArgs, output_shape) == 12 && offsetof(GatherArgs, table) == 36 &&
              offsetof(GatherArgs, constant) == 40);

static_assert(plain_bytes<SoftmaxArgs> && sizeof(SoftmaxArgs) == 28);
static_assert(offsetof(SoftmaxArgs, rows) == 0 && offsetof(SoftmaxArgs, n) == 4 && offsetof(SoftmaxArgs, input_type) == 8 &&
              offsetof(SoftmaxArgs, output_type) == 9 && offsetof(SoftmaxArgs, rounding) == 10 &&
              offsetof(SoftmaxArgs, reserved) == 11 && offsetof(SoftmaxArgs, output) == 12);

/// Whether the list's fields follow each other without a gap from the struct's first byte to its last: no two values may differ in
/// padding only, and none is left out of case lines, files and tests.
template <class Args>
bool covered() {
  Args a{};
  const char* at = reinterpret_cast<const char*>(&a);
  const char* const end = at + sizeof a;
  bool whole = true;
  Info<Args>::fields(a, [&](const char*, auto& field) {
    whole &= reinterpret_cast<const char*>(&field) == at;
    at += sizeof field;
  });
  return whole && at == end;
}

TEST_CASE("every kernel's arguments have the pinned size, offsets and no padding") {
  int families = 0;
  Kernels::each([&](auto info) {
    INFO(info.name);
    CHECK(covered<typename decltype(info)::Args>());
    ++families;
  });
  CHECK(families == Kernels::size);
  CHECK(Kernels::largest() == sizeof(BinaryArgs));
}

}  // namespace
}  // namespace octet::kernels
