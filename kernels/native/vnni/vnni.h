// SPDX-License-Identifier: Apache-2.0
// Plans of convolutions and linear layers for 512-bit VNNI, and the two loops that run them: plain structs without any inline code,
// because the units that see them are compiled for different instruction sets. plan.h makes plans.
//
// Both loops read unsigned codes (i8 ones with the top bit flipped) and fold the zero point into the initial sums: padding is a
// copy of the input with a border of zero-point codes, so that every window is whole. An output channel's place in the vectors
// ("lane order") is such that the in-lane packs at the end leave codes in memory order.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace octet::native::vnni {

/// What turns sums into codes, as whole vectors.
struct alignas(64) Rescale {
  float inv_scale[16], shift[16], residual_scale[16];
  int32_t residual_zero[16];
  uint8_t low[64], high[64], flip[64], residual_flip[64];
  bool residual, shifted;  ///< not shifted: the output's zero point is the lowest code, and there is nothing to add
};

/// Buffers of one run.
struct Buffers {
  const uint8_t* input;
  const uint8_t* residual;
  uint8_t* output;
};

/// The input as the loops want it. Pixels are split by column modulo `planes` (a depthwise layer's stride), a plane after the
/// other.
struct Source {
  int32_t in_h, in_w, in_c;
  int32_t pad_left, padded_w;  ///< in pixels
  int32_t planes;
  int64_t plane_bytes, row_bytes;  ///< of the copy
  uint8_t fill, flip;              ///< zero point of the unsigned codes; what to flip in the input's
};

/// `vectors` * 16 output channels from `channel` on, of which `count` exist.
struct Block {
  int32_t channel, count, vectors;
  const int8_t* weights;   ///< [run][quad][vector][lane][4]
  const int32_t* initial;  ///< [vector][lane], as the next two
  const float *scale, *bias;
};

struct Dense {
  Source source;
  bool copies;  ///< else windows are read from the input itself
  bool flat;    ///< lines follow each other in input and output, and may be taken as one
  int32_t out_h, out_w, out_c, stride_h, pad_top;
  int32_t reach_h;      ///< input rows under one window, gaps included
  int32_t tile;         ///< output lines done for one block before the next block
  int32_t runs, quads;  ///< contiguous pieces of a window, and their length in groups of four codes
  const int64_t* run_offset;
  int64_t pixel_step;  ///< bytes from one output pixel's window to the next
  int32_t blocks;
  const Block* block;
  const Rescale* rescale;
};

/// 64 output codes of a row, starting at code 64 * i for every i of the same remainder.
struct Strip {
  const int8_t* weights;  ///< [group][column][4 vectors][16][4], for pairs of output rows twice: first row's, second's
  const int32_t* initial;
  const float *scale, *bias;
};

struct Depthwise {
  Source source;
  int32_t out_h, row_codes;  ///< codes of an output row
  int32_t stride_h, dilation_h, pad_top, kernel_h, kernel_w;
  bool pairs;                    ///< two output rows at a time
  int32_t groups;                ///< of four window rows
  int32_t ring;                  ///< input rows kept
  const int64_t* column_offset;  ///< of each tap column, in a copied row
  int32_t strips;
  const Strip* strip;
  const Rescale* rescale;
};

constexpr int32_t kMostGroups = 4;  ///< of a depthwise window's rows
constexpr int32_t kSlack = 64;      ///< bytes behind copied rows that may be read

/// Output lines (batch * out_h) [begin, end); scratch as the plan says.
void dense(const Dense&, const Buffers&, int32_t begin, int32_t end, uint8_t* scratch);
void depthwise(const Depthwise&, const Buffers&, int32_t begin, int32_t end, uint8_t* scratch);

}  // namespace octet::native::vnni
