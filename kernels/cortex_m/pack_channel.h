// SPDX-License-Identifier: Apache-2.0
// What packing shares between kernels: one output channel's exact range of accumulators, its start value with the input's zero
// point folded in, and its rescaling constants with the proof that no intermediate leaves 32 bits.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/args.h"
#include "kernels/cortex_m/cortex_m.h"
#include "kernels/cortex_m/m4_requantize.h"
#include "kernels/cortex_m/pack.h"

namespace octet::cortex_m {

/// One output channel as the device sees it.
struct Channel {
  std::vector<int8_t> weights{};
  int32_t start = 0;                                  ///< bias codes - zero point * sum of the weights (real: without the bias)
  int64_t least = 0, most = 0;                        ///< bounds of the accumulator over all int8 inputs
  int32_t multiplier = 0, shift = 0, bias_codes = 0;  ///< of the fixed modes
  float scale = 0, bias = 0;                          ///< of real
  m4::Rescale rescale{};                              ///< of the accumulator itself
  m4::Rescale high{};  ///< by make_high: of the pair's high channel (fixed_single, real: 256 times the accumulator)
};

/// Thrown inside pack, returned as Packed::refusal.
struct Refusal {
  std::string reason;
};
[[noreturn]] void refuse(const std::string& reason);

/// The constants of a rescaling of accumulators from `least` to `most` in a fixed mode; m55: multiplier and VRSHL's (negative)
/// shift. Throws Refusal, starting with `where`, if a step would leave 32 bits or the shift is one that the target rounds
/// differently.
m4::Rescale make_rescale(Target, Rounding, int32_t multiplier, int32_t shift, int32_t zero_point, int64_t least, int64_t most,
                         const std::string& where);
/// Channel c as far as its accumulator goes, without bias, of a layer whose codes are of sums (sums.h). Throws as make_channel.
Channel make_sums_channel(const kernels::Buffers&, Rounding, int32_t input_zero_point, int32_t c, const int8_t* weights,
                          int32_t count);
/// Channel c with `count` weights from `weights`; one whose code is the same for every input gets weights of zero. Throws Refusal
/// naming the channel.
Channel make_channel(const kernels::Buffers&, Rounding, const kernels::OutputArgs&, int32_t input_zero_point, int32_t c,
                     const int8_t* weights, int32_t count, Target);
/// Little-endian words in order.
class Words {
 public:
  void add(int32_t v) { bytes_.insert(bytes_.end(), {byte(v, 0), byte(v, 8), byte(v, 16), byte(v, 24)}); }
  void add(const int8_t* from, int32_t n) { bytes_.insert(bytes_.end(), from, from + n); }
  void add(const m4::Rescale& r) { add(r.multiplier), add(r.addend), add(r.shift); }
  void add_halves(int32_t low, int32_t high) {
    add(static_cast<int32_t>((static_cast<uint32_t>(low) & 0xffff) | static_cast<uint32_t>(high) << 16));
  }
  std::vector<uint8_t> take() { return std::move(bytes_); }

 private:
  static uint8_t byte(int32_t v, int at) { return static_cast<uint8_t>(static_cast<uint32_t>(v) >> at & 0xff); }
  std::vector<uint8_t> bytes_;
};

/// Throws Refusal unless |A| < 2^23.
void check_high(const Channel&, int32_t c);
/// Makes channel c's constants for the high half of a pair; throws as check_high.
void make_high(Channel&, Rounding, const kernels::OutputArgs&, int32_t c);
/// A channel that only fills up a group: zero weights, code 0.
Channel filler(size_t weights);
/// `n` channels as the M4 blocks stream them: start values pair by pair (256 A + B, B), 16-bit weight pairs, rescaling constants.
/// Inputs come in the order in which SXTB16 delivers them (0, 2, 1, 3 of each word); `steps` words of a pair lie together.
/// Throws Refusal unless every 256 A + B is an int16. `sums`: no rescaling constants.
void m4_group(Words&, const Channel* channels, int32_t n, int32_t steps, int32_t first_channel, bool sums = false);
/// SumConstants of all channels, behind the groups.
void add_sum_constants(Words&, const std::vector<Channel>&, Rounding);

std::vector<uint8_t> m4_conv2d(const kernels::Conv2dArgs&, const kernels::Buffers&);
std::vector<uint8_t> add_constants(const kernels::AddArgs&, Target);
std::vector<uint8_t> m4_linear(const kernels::LinearArgs&, const kernels::Buffers&);
std::vector<uint8_t> m55_conv2d(const kernels::Conv2dArgs&, const kernels::Buffers&);
std::vector<uint8_t> m55_linear(const kernels::LinearArgs&, const kernels::Buffers&);
std::vector<uint8_t> m55_depthwise3x3(const kernels::Conv2dArgs&, const kernels::Buffers&);
std::vector<uint8_t> m4_depthwise3x3(const kernels::Conv2dArgs&, const kernels::Buffers&);

}  // namespace octet::cortex_m
