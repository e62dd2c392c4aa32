// SPDX-License-Identifier: Apache-2.0
// What octet_step::args points to, in C99: the structs of kernels/args.h, where every field is explained. Written by
// tests/runtime/args_header.cpp from the list of kernels; that test fails if they differ.
#ifndef OCTET_RUNTIME_ARGS_H
#define OCTET_RUNTIME_ARGS_H

#include <stdint.h>

/* Values of the fields called rounding, *_type and kind. */
enum { OCTET_REAL = 0, OCTET_INT_BIAS = 1, OCTET_FIXED_DOUBLE = 2, OCTET_FIXED_SINGLE = 3 };
enum { OCTET_CODES_U8 = 0, OCTET_CODES_I8 = 1, OCTET_CODES_I16 = 2 };
enum { OCTET_LOGISTIC = 0, OCTET_TANH = 1, OCTET_LEAKY_RELU = 2 };
enum { OCTET_POOL_MAX = 0, OCTET_POOL_AVERAGE = 1, OCTET_POOL_ADAPTIVE_AVERAGE = 2 };

/* Record kinds: what an octet_op computes. */
enum {
  OCTET_KIND_CONV2D = 16,
  OCTET_KIND_CONV2D_16 = 34,
  OCTET_KIND_LINEAR = 17,
  OCTET_KIND_LINEAR_16 = 35,
  OCTET_KIND_ADD = 18,
  OCTET_KIND_ADD_16 = 36,
  OCTET_KIND_REQUANTIZE = 19,
  OCTET_KIND_REQUANTIZE_16 = 37,
  OCTET_KIND_MAX_POOL2D = 20,
  OCTET_KIND_AVERAGE_POOL2D = 21,
  OCTET_KIND_MAX_POOL2D_16 = 38,
  OCTET_KIND_AVERAGE_POOL2D_16 = 39,
  OCTET_KIND_CLAMP = 22,
  OCTET_KIND_CLAMP_16 = 40,
  OCTET_KIND_QUANTIZE = 23,
  OCTET_KIND_QUANTIZE_16 = 41,
  OCTET_KIND_DEQUANTIZE = 24,
  OCTET_KIND_DEQUANTIZE_16 = 42,
  OCTET_KIND_TRANSPOSE = 25,
  OCTET_KIND_LOOKUP = 26,
  OCTET_KIND_LOOKUP_16 = 43,
  OCTET_KIND_BINARY = 27,
  OCTET_KIND_BINARY_16 = 44,
  OCTET_KIND_REDUCE = 28,
  OCTET_KIND_REDUCE_16 = 45,
  OCTET_KIND_GATHER = 29,
  OCTET_KIND_SOFTMAX = 30,
  OCTET_KIND_SOFTMAX_16 = 46,
  OCTET_KIND_MATMUL = 31,
  OCTET_KIND_MATMUL_16 = 47,
  OCTET_KIND_CONSTANT = 32,
  OCTET_KIND_RESIZE = 33,
  OCTET_KIND_RESIZE_16 = 48,
  OCTET_KIND_ACTIVATION = 49
};

typedef struct octet_output_args {
  float inv_scale;
  int32_t zero_point;
  int32_t clamp_min;
  int32_t clamp_max;
} octet_output_args;

typedef struct octet_conv2d_args {
  int32_t batch;
  int32_t in_h;
  int32_t in_w;
  int32_t in_c;
  int32_t out_h;
  int32_t out_w;
  int32_t out_c;
  int32_t kernel_h;
  int32_t kernel_w;
  int32_t stride_h;
  int32_t stride_w;
  int32_t dilation_h;
  int32_t dilation_w;
  int32_t pad_top;
  int32_t pad_left;
  int32_t groups;
  int32_t input_zero_point;
  int32_t residual_zero_point;
  float residual_scale;
  int32_t residual_multiplier;
  int32_t residual_shift;
  uint8_t input_type;
  uint8_t output_type;
  uint8_t residual_type;
  uint8_t rounding;
  octet_output_args output;
} octet_conv2d_args;

typedef struct octet_linear_args {
  int32_t rows;
  int32_t in;
  int32_t out;
  int32_t input_zero_point;
  uint8_t input_type;
  uint8_t output_type;
  uint8_t rounding;
  uint8_t reserved;
  octet_output_args output;
} octet_linear_args;

typedef struct octet_add_args {
  int32_t count;
  int32_t a_zero_point;
  int32_t b_zero_point;
  float a_scale;
  float b_scale;
  float offset;
  int32_t a_multiplier;
  int32_t a_shift;
  int32_t b_multiplier;
  int32_t b_shift;
  int32_t output_multiplier;
  int32_t output_shift;
  uint8_t a_type;
  uint8_t b_type;
  uint8_t output_type;
  uint8_t rounding;
  octet_output_args output;
} octet_add_args;

typedef struct octet_requantize_args {
  int32_t rows;
  int32_t row;
  int32_t output_stride;
  int32_t input_zero_point;
  float input_scale;
  int32_t multiplier;
  int32_t shift;
  uint8_t input_type;
  uint8_t output_type;
  uint8_t rounding;
  uint8_t copy;
  octet_output_args output;
} octet_requantize_args;

typedef struct octet_pool2d_args {
  int32_t batch;
  int32_t in_h;
  int32_t in_w;
  int32_t channels;
  int32_t out_h;
  int32_t out_w;
  int32_t kernel_h;
  int32_t kernel_w;
  int32_t stride_h;
  int32_t stride_w;
  int32_t pad_top;
  int32_t pad_left;
  int32_t pad_bottom;
  int32_t pad_right;
  int32_t zero_point;
  int32_t clamp_min;
  int32_t clamp_max;
  float input_scale;
  float output_scale;
  uint8_t kind;
  uint8_t type;
  uint8_t rounding;
  uint8_t count_include_pad;
} octet_pool2d_args;

typedef struct octet_clamp_args {
  int32_t count;
  int32_t clamp_min;
  int32_t clamp_max;
  uint8_t type;
  uint8_t reserved[3];
} octet_clamp_args;

typedef struct octet_quantize_args {
  int32_t count;
  uint8_t output_type;
  uint8_t rounding;
  uint8_t reserved[2];
  octet_output_args output;
} octet_quantize_args;

typedef struct octet_dequantize_args {
  int32_t count;
  int32_t zero_point;
  float scale;
  uint8_t input_type;
  uint8_t reserved[3];
} octet_dequantize_args;

typedef struct octet_transpose_args {
  int32_t rank;
  int32_t element_size;
  int32_t output_shape[6];
  int32_t input_stride[6];
} octet_transpose_args;

typedef struct octet_lookup_args {
  int32_t count;
  int32_t channels;
  uint8_t input_type;
  uint8_t output_type;
  uint8_t reserved[2];
} octet_lookup_args;

typedef struct octet_binary_args {
  int32_t rank;
  int32_t output_shape[6];
  int32_t a_stride[6];
  int32_t b_stride[6];
  int32_t a_zero_point;
  int32_t b_zero_point;
  float a_scale;
  float b_scale;
  float offset;
  int32_t a_multiplier;
  int32_t a_shift;
  int32_t b_multiplier;
  int32_t b_shift;
  int32_t output_multiplier;
  int32_t output_shift;
  uint8_t kind;
  uint8_t a_type;
  uint8_t b_type;
  uint8_t output_type;
  uint8_t rounding;
  uint8_t reserved[3];
  octet_output_args output;
} octet_binary_args;

typedef struct octet_reduce_args {
  int32_t kept;
  int32_t reduced;
  int32_t shape[6];
  int32_t stride[6];
  int32_t input_zero_point;
  float scale;
  int32_t multiplier;
  int32_t shift;
  uint8_t kind;
  uint8_t input_type;
  uint8_t output_type;
  uint8_t rounding;
  octet_output_args output;
} octet_reduce_args;

typedef struct octet_gather_args {
  int32_t rank;
  int32_t element_size;
  int32_t run;
  int32_t output_shape[6];
  int32_t table;
  uint8_t constant[8];
} octet_gather_args;

typedef struct octet_softmax_args {
  int32_t rows;
  int32_t n;
  uint8_t input_type;
  uint8_t output_type;
  uint8_t rounding;
  uint8_t reserved;
  octet_output_args output;
} octet_softmax_args;

typedef struct octet_matmul_args {
  int32_t rank;
  int32_t batch[4];
  int32_t a_batch[4];
  int32_t b_batch[4];
  int32_t m;
  int32_t n;
  int32_t k;
  int32_t a_row;
  int32_t a_step;
  int32_t b_column;
  int32_t b_step;
  int32_t a_zero_point;
  int32_t b_zero_point;
  float scale;
  int32_t multiplier;
  int32_t shift;
  uint8_t a_type;
  uint8_t b_type;
  uint8_t output_type;
  uint8_t rounding;
  octet_output_args output;
} octet_matmul_args;

typedef struct octet_constant_args {
  int32_t count;
} octet_constant_args;

typedef struct octet_resize_args {
  int32_t batch;
  int32_t in_h;
  int32_t in_w;
  int32_t channels;
  int32_t out_h;
  int32_t out_w;
  int32_t zero_point;
  uint8_t type;
  uint8_t rounding;
  uint8_t reserved[2];
} octet_resize_args;

typedef struct octet_activation_args {
  int32_t count;
  int32_t multiplier;
  int32_t shift;
  int32_t negative_multiplier;
  int32_t negative_shift;
  int32_t clamp_min;
  int32_t clamp_max;
  uint8_t kind;
  uint8_t type;
  uint8_t rounding;
  uint8_t inverts;
} octet_activation_args;

#endif
