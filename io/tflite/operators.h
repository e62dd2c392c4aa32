// SPDX-License-Identifier: Apache-2.0
// The operators of a file that octet has, by the number of their code.
#pragma once

#include "io/tflite/node.h"

namespace octet::tflite {

/// What makes modules of an operator; null if octet does not have it.
using Importer = void (*)(Node&);
Importer importer_of(int code);

// Layers with weights (layers.cpp).
void conv_2d(Node&);
void depthwise_conv_2d(Node&);
void fully_connected(Node&);
void transpose_conv(Node&);
void batch_matmul(Node&);

// Functions of elements (elementwise.cpp).
void add(Node&);
void sub(Node&);
void mul(Node&);
void div(Node&);
void maximum(Node&);
void minimum(Node&);
void pow(Node&);
void squared_difference(Node&);
void quantize(Node&);
void dequantize(Node&);
void relu(Node&);
void relu6(Node&);
void relu_n1_to_1(Node&);
void relu_0_to_1(Node&);
void logistic(Node&);
void tanh(Node&);
void hard_swish(Node&);
void leaky_relu(Node&);
void prelu(Node&);
void elu(Node&);
void gelu(Node&);
void exp(Node&);
void log(Node&);
void sqrt(Node&);
void rsqrt(Node&);
void square(Node&);
void abs(Node&);
void neg(Node&);
void sin(Node&);
void cos(Node&);
void floor(Node&);
void ceil(Node&);
void round(Node&);
void sign(Node&);

// Windows, reductions, sizes (windows.cpp).
void average_pool_2d(Node&);
void max_pool_2d(Node&);
void mean(Node&);
void sum(Node&);
void reduce_max(Node&);
void reduce_min(Node&);
void reduce_prod(Node&);
void softmax(Node&);
void log_softmax(Node&);
void l2_normalization(Node&);
void resize_bilinear(Node&);
void resize_nearest(Node&);

// Values moved (moves.cpp).
void reshape(Node&);
void transpose(Node&);
void concatenation(Node&);
void pad(Node&);
void mirror_pad(Node&);
void strided_slice(Node&);
void slice(Node&);
void split(Node&);
void split_v(Node&);
void pack(Node&);
void unpack(Node&);
void gather(Node&);
void tile(Node&);
void broadcast_to(Node&);
void reverse(Node&);
void depth_to_space(Node&);
void space_to_depth(Node&);
void space_to_batch(Node&);
void batch_to_space(Node&);

/// Padding before and after an axis, by the file's enum (0: SAME, 1: VALID).
struct Cut {
  int64_t before = 0, after = 0;
};
Cut window_padding(const Node&, int8_t padding, int64_t size, int64_t kernel, int64_t stride, int64_t dilation);

}  // namespace octet::tflite
