// SPDX-License-Identifier: Apache-2.0
// See pack_channel.h. All bounds are computed in 64 bits from the weights at hand, not from their type.
#include "kernels/cortex_m/pack_channel.h"

#include <cmath>

#include "kernels/qmath.h"

namespace octet::cortex_m {
namespace {

int32_t bits(float f) {
  int32_t b;
  __builtin_memcpy(&b, &f, sizeof b);
  return b;
}

bool fits(int64_t v) { return v >= INT32_MIN && v <= INT32_MAX; }

/// Throws unless the rounding constant, and its sums with the scaled accumulators, are 32 bits.
void check_sums(int64_t addend, int64_t least, int64_t most, int32_t shift, const std::string& where) {
  const std::string at = " at shift " + std::to_string(shift);
  if (!fits(addend)) refuse(where + "rounding constant " + std::to_string(addend) + " exceeds 32 bits" + at);
  for (const int64_t scaled : {least, most})
    if (!fits(scaled + addend))
      refuse(where + "rounding constant " + std::to_string(addend) + " and scaled accumulator " + std::to_string(scaled) +
             " exceed 32 bits" + at);
}

std::string at_channel(int32_t c) { return "output channel " + std::to_string(c) + ": "; }

/// The double-rounding record; every step of m4_requantize.h stays inside 32 bits for accumulators from least to most.
m4::Rescale fixed_double(int32_t multiplier, int32_t shift, int32_t zero, int64_t least, int64_t most, const std::string& where) {
  if (shift > -1 || shift < -30) refuse(where + "shift " + std::to_string(shift) + ", double rounding needs -30 to -1");
  const int32_t e = -shift;
  const int64_t addend = (int64_t{1} << (e - 1)) + zero * (int64_t{1} << e);
  const auto high = [&](int64_t acc) { return (acc * multiplier + (int64_t{1} << 30)) >> 31; };
  check_sums(addend, high(least) - 1, high(most), shift, where);
  return {static_cast<int32_t>(static_cast<uint32_t>(multiplier) * 2), static_cast<int32_t>(addend), e};
}

/// The single-rounding record for accumulators times `scaled` (1 or 256).
m4::Rescale fixed_single(int32_t multiplier, int32_t shift, int32_t zero, int64_t least, int64_t most, int32_t scaled,
                         const std::string& where) {
  if (shift > -2 || shift < -31) refuse(where + "shift " + std::to_string(shift) + ", single rounding needs -31 to -2");
  const int32_t s = -shift - 1 + (scaled == 256 ? 8 : 0);
  if (s > 31) refuse(where + "shift " + std::to_string(shift) + " is too large for a paired channel");
  const int64_t addend = (int64_t{1} << (s - 1)) + zero * (int64_t{1} << s);
  const auto high = [&](int64_t acc) { return acc * scaled * multiplier >> 32; };
  check_sums(addend, high(least), high(most), shift, where);
  return {multiplier, static_cast<int32_t>(addend), s};
}

/// Helium's instructions keep 64 bits inside; only the shift must be one that they round rightly.
m4::Rescale vector_shift(Rounding rounding, int32_t multiplier, int32_t shift, const std::string& where) {
  const bool twice = rounding == Rounding::fixed_double;
  if (shift > (twice ? -1 : -2) || shift < -31)
    refuse(where + "shift " + std::to_string(shift) +
           (twice ? ", double rounding needs -31 to -1" : ", single rounding needs -31 to -2"));
  return {multiplier, 0, twice ? shift : shift + 1};
}

/// The code of an accumulator (bias included), as the reference computes it.
int32_t code_of(const kernels::Channels& t, Rounding rounding, const kernels::OutputArgs& o, int32_t c, int64_t acc) {
  const auto at = static_cast<int32_t>(acc);
  if (rounding == Rounding::real) return qmath::requantize<Rounding::real>(at, {t.scale[c], t.bias[c], 0, 0, 0}, o, -128);
  const qmath::Scale s{0, 0, 0, t.multiplier[c], t.shift[c]};
  return rounding == Rounding::fixed_double ? qmath::requantize<Rounding::fixed_double>(at, s, o, -128)
                                            : qmath::requantize<Rounding::fixed_single>(at, s, o, -128);
}

/// A channel's weights, tables and accumulators from `bias` on.
Channel accumulated(const kernels::Buffers& data, Rounding rounding, int32_t input_zero_point, int32_t c, const int8_t* weights,
                    int32_t count, int64_t bias) {
  const kernels::Channels& t = data.channels;
  if (t.weight_zero_point != nullptr && t.weight_zero_point[c] != 0) refuse(at_channel(c) + "weights have a zero point");
  Channel r;
  r.weights = {weights, weights + count};
  const bool real = rounding == Rounding::real;
  r.scale = real ? t.scale[c] : 0, r.bias = real ? t.bias[c] : 0;
  r.multiplier = real ? 0 : t.multiplier[c], r.shift = real ? 0 : t.shift[c], r.bias_codes = real ? 0 : t.bias_codes[c];
  int64_t start = bias;
  r.least = r.most = bias;
  for (const int8_t w : r.weights) {
    const int64_t low = w * int64_t{-128 - input_zero_point}, high = w * int64_t{127 - input_zero_point};
    r.least += std::min(low, high), r.most += std::max(low, high);
    start -= w * int64_t{input_zero_point};
  }
  if (!fits(r.least) || !fits(r.most)) refuse(at_channel(c) + "accumulator exceeds 32 bits");
  r.start = static_cast<int32_t>(static_cast<uint32_t>(start));  // modulo 2^32: only the finished sum must fit
  return r;
}

}  // namespace

void refuse(const std::string& reason) { throw Refusal{reason}; }

m4::Rescale make_rescale(Target target, Rounding rounding, int32_t multiplier, int32_t shift, int32_t zero_point, int64_t least,
                         int64_t most, const std::string& where) {
  if (target == Target::m55) return vector_shift(rounding, multiplier, shift, where);
  if (rounding == Rounding::fixed_double) return fixed_double(multiplier, shift, zero_point, least, most, where);
  return fixed_single(multiplier, shift, zero_point, least, most, 1, where);
}

Channel make_sums_channel(const kernels::Buffers& data, Rounding rounding, int32_t input_zero_point, int32_t c,
                          const int8_t* weights, int32_t count) {
  return accumulated(data, rounding, input_zero_point, c, weights, count, 0);
}

Channel make_channel(const kernels::Buffers& data, Rounding rounding, const kernels::OutputArgs& o, int32_t input_zero_point,
                     int32_t c, const int8_t* weights, int32_t count, Target target) {
  const kernels::Channels& t = data.channels;
  const bool real = rounding == Rounding::real;
  Channel r = accumulated(data, rounding, input_zero_point, c, weights, count, real ? 0 : t.bias_codes[c]);
  // A code never decreases with its accumulator, so a channel whose ends have one code has no other: as if nothing were summed. Its
  // constants can be such that no step of a kernel needs more than 32 bits.
  if (const int32_t code = code_of(t, rounding, o, c, r.least); code == code_of(t, rounding, o, c, r.most)) {
    r.weights.assign(r.weights.size(), 0);
    if (real)
      r.bias = static_cast<float>(r.least) * r.scale + r.bias, r.scale = 0, r.start = 0;
    else
      r.multiplier = 1 << 30, r.shift = -2, r.start = 8 * (code - o.zero_point);
    r.least = r.most = r.start;
  }
  if (real)
    r.rescale = {bits(r.scale), bits(r.bias), 0};
  else
    r.rescale = make_rescale(target, rounding, r.multiplier, r.shift, o.zero_point, r.least, r.most, at_channel(c));
  r.high = r.rescale;
  return r;
}

void check_high(const Channel& r, int32_t c) {
  if (r.least <= -(int64_t{1} << 23) || r.most >= int64_t{1} << 23)
    refuse(at_channel(c) + "accumulator may reach 2^23, too large for the high half of a pair");
}

void make_high(Channel& r, Rounding rounding, const kernels::OutputArgs& o, int32_t c) {
  check_high(r, c);
  if (rounding == Rounding::fixed_single) {
    r.high = fixed_single(r.multiplier, r.shift, o.zero_point, r.least, r.most, 256, at_channel(c));
  } else if (rounding == Rounding::real) {
    const float part = r.scale / 256;
    if (r.scale != 0 && !(std::fabs(part) >= 1e-30f && std::fabs(part) <= 1e30f))
      refuse(at_channel(c) + "scale is too small to be divided by 256");
    r.high.multiplier = bits(part);
  }
}

Channel filler(size_t weights) {
  Channel r;
  r.weights.assign(weights, 0);
  r.rescale = r.high = {0, 0, 1};
  return r;
}

void add_sum_constants(Words& words, const std::vector<Channel>& channels, Rounding rounding) {
  const bool real = rounding == Rounding::real;
  for (const Channel& c : channels) words.add(real ? bits(c.scale) : c.multiplier), words.add(real ? bits(c.bias) : c.bias_codes);
}

void m4_group(Words& words, const Channel* channels, int32_t n, int32_t steps, int32_t first_channel, bool sums) {
  for (int32_t p = 0; p < n; p += 2) {
    const auto high = static_cast<uint32_t>(channels[p].start), low = static_cast<uint32_t>(channels[p + 1].start);
    words.add(static_cast<int32_t>(256 * high + low));
    words.add(static_cast<int32_t>(low));
  }
  constexpr size_t kOrder[2][2] = {{0, 2}, {1, 3}};
  const size_t count = channels[0].weights.size() / 2;
  for (size_t k = 0; k < count; k += static_cast<size_t>(steps))
    for (int32_t p = 0; p < n; p += 2)
      for (size_t s = k; s < k + static_cast<size_t>(steps); ++s) {
        int32_t both[2];
        for (int i = 0; i < 2; ++i) {
          const size_t at = s / 2 * 4 + kOrder[s % 2][i];
          both[i] = 256 * channels[p].weights[at] + channels[p + 1].weights[at];
          if (both[i] < INT16_MIN) refuse(at_channel(first_channel + p) + "a weight of -128 cannot be paired");
        }
        words.add_halves(both[0], both[1]);
      }
  for (int32_t c = 0; c < n && !sums; ++c) words.add(c % 2 == 0 ? channels[c].high : channels[c].rescale);
}

}  // namespace octet::cortex_m
