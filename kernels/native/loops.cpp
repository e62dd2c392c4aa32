// SPDX-License-Identifier: Apache-2.0
// This level's table: the reference kernels as compiled for it, and octet's own loops where those are faster.
#include "kernels/native/unit.h"
#include "kernels/ref/ref.h"

namespace octet::native::OCTET_ISA {
namespace {

using namespace kernels;  // this level's (meson.build)

WeightedData weighted(const LoopData& d) {
  return {d.input, d.weight, d.second, d.output, {d.scale, d.bias, d.bias_codes, d.multiplier, d.shift, d.weight_zero_point}};
}

template <Rounding R>
void fill(Loops& t) {
  constexpr int r = static_cast<int>(R);
  t.conv2d[r] = [](const LoopData& d, int32_t begin, int32_t end) {
    kernels::conv2d<R>(args_of<Conv2dArgs>(d), weighted(d), begin, end);
  };
  t.linear[r] = [](const LoopData& d, int32_t begin, int32_t end) {
    kernels::linear<R>(args_of<LinearArgs>(d), weighted(d), begin, end);
  };
  t.add[r] = [](const LoopData& d, int32_t begin, int32_t end) {
    kernels::add<R>(args_of<AddArgs>(d), d.input, d.second, d.output, begin, end);
  };
  t.requantize[r] = [](const LoopData& d, int32_t begin, int32_t end) {
    kernels::requantize<R>(args_of<RequantizeArgs>(d), d.input, d.output, begin, end);
  };
  t.average_pool2d[r] = [](const LoopData& d, int32_t begin, int32_t end) {
    kernels::average_pool2d<R>(args_of<Pool2dArgs>(d), d.input, d.output, begin, end);
  };
  t.quantize[r] = [](const LoopData& d, int32_t begin, int32_t end) {
    kernels::quantize<R>(args_of<QuantizeArgs>(d), static_cast<const float*>(d.input), d.output, begin, end);
  };
}

}  // namespace

Loops loops() {
  Loops t;
  fill<Rounding::real>(t);
  fill<Rounding::int_bias>(t);
  fill<Rounding::fixed_double>(t);
  fill<Rounding::fixed_single>(t);
  t.dequantize = [](const LoopData& d, int32_t begin, int32_t end) {
    kernels::dequantize(args_of<DequantizeArgs>(d), d.input, static_cast<float*>(d.output), begin, end);
  };
  t.transpose = [](const LoopData& d, int32_t begin, int32_t end) {
    kernels::transpose(args_of<TransposeArgs>(d), d.input, d.output, begin, end);
  };
  t.add[static_cast<int>(Rounding::real)] = add_real;
  t.average_pool2d[static_cast<int>(Rounding::real)] = average_pool2d_real;
  t.max_pool2d = max_pool2d;
  t.clamp = clamp;
  return t;
}

}  // namespace octet::native::OCTET_ISA
