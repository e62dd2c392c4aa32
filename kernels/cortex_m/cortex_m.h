// SPDX-License-Identifier: Apache-2.0
// Kernels for Cortex-M with the DSP extension (M4, M7: namespace m4) and with Helium (M55: namespace m55), equal to kernels/ref in
// every byte. They take weights that the host packed (pack.h) for one of the two targets; a layer that pack refuses runs on the
// reference kernel. Freestanding C++17; int8 codes only. Like the reference kernels they cannot fail.
//
// accepts(), packed_bytes() and scratch_bytes() depend on nothing but the arguments: what the validator of an image needs to know.
#pragma once

#include "kernels/args.h"

namespace octet::cortex_m {

using kernels::Conv2dArgs;
using kernels::LinearArgs;

/// Buffers of one layer. `packed` lies at a multiple of 4 bytes (m55: any), `scratch` at a multiple of 8. `second`: a residual,
/// which may be the output.
struct PackedData {
  const void* input;
  const void* packed;
  void* output;
  void* scratch;
  const void* second = nullptr;
};

inline constexpr int32_t round_up(int32_t n, int32_t to) { return (n + to - 1) / to * to; }
inline constexpr bool is_depthwise(const Conv2dArgs& a) { return a.groups > 1 && a.groups == a.in_c && a.groups == a.out_c; }

/// Sums on both targets; pack may still refuse.
inline bool accepts(const kernels::AddArgs& a) {
  const auto i8 = kernels::CodeType::i8;
  return a.a_type == i8 && a.b_type == i8 && a.output_type == i8 &&
         (a.rounding == Rounding::fixed_double || a.rounding == Rounding::fixed_single);
}

/// Average pools of the fixed modes on both targets; they need neither packing nor scratch memory.
inline bool accepts(const kernels::Pool2dArgs& a) {
  return a.type == kernels::CodeType::i8 && a.kind != kernels::PoolKind::max && a.channels % 4 == 0 &&
         (a.rounding == Rounding::fixed_double || a.rounding == Rounding::fixed_single);
}

namespace m4 {

using cortex_m::accepts;

bool accepts(const Conv2dArgs&);  ///< dense undilated convolution, or depthwise 3x3 of stride 1 or 2 in both directions
int32_t packed_bytes(const Conv2dArgs&);
int32_t scratch_bytes(const Conv2dArgs&);
template <Rounding>
void conv2d(const Conv2dArgs&, const PackedData&, int32_t begin, int32_t end);  ///< units as kernels::conv2d: output rows
template <Rounding>
void conv2d_sums(const Conv2dArgs&, const PackedData&, int32_t begin, int32_t end);  ///< the same with a residual
template <Rounding>
void depthwise3x3(const Conv2dArgs&, const PackedData&);  ///< the whole layer: it may scan along columns

bool accepts(const LinearArgs&);
int32_t packed_bytes(const LinearArgs&);
int32_t scratch_bytes(const LinearArgs&);
template <Rounding>
void linear(const LinearArgs&, const PackedData&, int32_t begin, int32_t end);  ///< units: input rows

int32_t packed_bytes(const kernels::AddArgs&);
inline int32_t scratch_bytes(const kernels::AddArgs&) { return 0; }
template <Rounding>  ///< fixed modes only; units: elements
void add(const kernels::AddArgs&, const void* a, const void* b, const void* packed, void* output, int32_t begin, int32_t end);

/// Both fixed modes; units as kernels::average_pool2d: output rows.
void average_pool2d(const kernels::Pool2dArgs&, const void* input, void* output, int32_t begin, int32_t end);

}  // namespace m4

namespace m55 {

using cortex_m::accepts;

bool accepts(const Conv2dArgs&);  ///< dense undilated convolution, or depthwise 3x3 of stride 1 or 2 in both directions
int32_t packed_bytes(const Conv2dArgs&);
int32_t scratch_bytes(const Conv2dArgs&);
template <Rounding>
void conv2d(const Conv2dArgs&, const PackedData&, int32_t begin, int32_t end);  ///< units as kernels::conv2d: output rows
template <Rounding>
void conv2d_sums(const Conv2dArgs&, const PackedData&, int32_t begin, int32_t end);  ///< the same with a residual
template <Rounding>
void depthwise3x3(const Conv2dArgs&, const PackedData&);  ///< the whole layer: it may scan along columns

bool accepts(const LinearArgs&);
int32_t packed_bytes(const LinearArgs&);
int32_t scratch_bytes(const LinearArgs&);
template <Rounding>
void linear(const LinearArgs&, const PackedData&, int32_t begin, int32_t end);  ///< units: input rows

int32_t packed_bytes(const kernels::AddArgs&);
inline int32_t scratch_bytes(const kernels::AddArgs&) { return 0; }
template <Rounding>  ///< fixed modes only; units: elements
void add(const kernels::AddArgs&, const void* a, const void* b, const void* packed, void* output, int32_t begin, int32_t end);

/// Both fixed modes; units as kernels::average_pool2d: output rows.
void average_pool2d(const kernels::Pool2dArgs&, const void* input, void* output, int32_t begin, int32_t end);

}  // namespace m55

}  // namespace octet::cortex_m
