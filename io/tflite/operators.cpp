// SPDX-License-Identifier: Apache-2.0
// Which function imports which operator. Codes are the format's.
#include "io/tflite/operators.h"

#include <algorithm>
#include <utility>

namespace octet::tflite {
namespace {

constexpr std::pair<int, Importer> kImporters[] = {
    {0, add},
    {1, average_pool_2d},
    {2, concatenation},
    {3, conv_2d},
    {4, depthwise_conv_2d},
    {5, depth_to_space},
    {6, dequantize},
    {8, floor},
    {9, fully_connected},
    {11, l2_normalization},
    {14, logistic},
    {17, max_pool_2d},
    {18, mul},
    {19, relu},
    {20, relu_n1_to_1},
    {21, relu6},
    {22, reshape},
    {23, resize_bilinear},
    {25, softmax},
    {26, space_to_depth},
    {28, tanh},
    {34, pad},
    {36, gather},
    {37, batch_to_space},
    {38, space_to_batch},
    {39, transpose},
    {40, mean},
    {41, sub},
    {42, div},
    {43, reshape},  // SQUEEZE: the file says the shape
    {45, strided_slice},
    {47, exp},
    {49, split},
    {50, log_softmax},
    {54, prelu},
    {55, maximum},
    {57, minimum},
    {59, neg},
    {60, pad},
    {65, slice},
    {66, sin},
    {67, transpose_conv},
    {69, tile},
    {70, reshape},  // EXPAND_DIMS
    {73, log},
    {74, sum},
    {75, sqrt},
    {76, rsqrt},
    {78, pow},
    {81, reduce_prod},
    {82, reduce_max},
    {83, pack},
    {88, unpack},
    {89, reduce_min},
    {92, square},
    {97, resize_nearest},
    {98, leaky_relu},
    {99, squared_difference},
    {100, mirror_pad},
    {101, abs},
    {102, split_v},
    {104, ceil},
    {105, reverse},
    {108, cos},
    {111, elu},
    {114, quantize},
    {116, round},
    {117, hard_swish},
    {126, batch_matmul},
    {130, broadcast_to},
    {150, gelu},
    {152, relu_0_to_1},
    {158, sign},
};

}  // namespace

Importer importer_of(int code) {
  const auto* const found = std::ranges::find(kImporters, code, &std::pair<int, Importer>::first);
  return found == std::end(kImporters) ? nullptr : found->second;
}

}  // namespace octet::tflite
