// SPDX-License-Identifier: Apache-2.0
// The functions of f32.h as a table of pointers: every instruction set's build of this folder fills one, the dispatcher picks one.
#pragma once

#include "kernels/f32/f32.h"

namespace octet::f32 {

struct Table {
  decltype(&f32::matmul) matmul;
  decltype(&f32::matmul_fused) matmul_fused;
  decltype(&f32::matmul_panels) matmul_panels;
  decltype(&f32::conv2d_panels) conv2d_panels;
  decltype(&f32::panels_size) panels_size;
  decltype(&f32::pack_panels) pack_panels;
  decltype(&f32::unpack_panels) unpack_panels;
  decltype(&f32::conv2d_reads_taps) conv2d_reads_taps;
  decltype(&f32::conv2d_fused) conv2d_fused;
  decltype(&f32::conv2d_grad_input) conv2d_grad_input;
  decltype(&f32::conv2d_grad_weight) conv2d_grad_weight;
  decltype(&f32::column_sum) column_sum;
  decltype(&f32::column_moments) column_moments;
  decltype(&f32::column_affine) column_affine;
  decltype(&f32::batch_norm_sums) batch_norm_sums;
  decltype(&f32::batch_norm_grad_input) batch_norm_grad_input;
  decltype(&f32::clamp) clamp;
  decltype(&f32::clamp_grad) clamp_grad;
  decltype(&f32::add) add;
  decltype(&f32::add_clamped) add_clamped;
  decltype(&f32::axpby) axpby;
  decltype(&f32::sgd) sgd;
  decltype(&f32::min_max) min_max;
  decltype(&f32::min_max_channels) min_max_channels;
  decltype(&f32::histogram) histogram;
  decltype(&f32::fake_quantize) fake_quantize;
  decltype(&f32::fake_quantize_grad) fake_quantize_grad;
  decltype(&f32::pool2d_max) pool2d_max;
  decltype(&f32::pool2d_max_grad) pool2d_max_grad;
  decltype(&f32::pool2d_average) pool2d_average;
  decltype(&f32::pool2d_average_grad) pool2d_average_grad;
};

// One function per build, defined in table.cpp: v1 is the baseline, for any processor.
namespace v1 {
Table table();
}
namespace v3 {
Table table();
}
namespace v4 {
Table table();
}

/// The table in use; differs between instruction sets in every entry.
const Table& current_table();

}  // namespace octet::f32
