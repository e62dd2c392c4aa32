// SPDX-License-Identifier: Apache-2.0
// Functions of 16-bit codes by formulas of TensorFlow Lite: logistic and tanh between the 256 entries of one table, leaky_relu by a
// rescaling for each sign.
#include "kernels/qmath.h"
#include "kernels/ref/codes.h"
#include "kernels/ref/ref16.h"

namespace octet::kernels {
namespace {

/// 65536 / (1 + e^(-k / 24)) for k = 0..255, as TensorFlow Lite has it: 44 entries are one above the nearest.
constexpr uint16_t kSigmoid[256] = {
    32768, 33451, 34133, 34813, 35493, 36169, 36843, 37513, 38180, 38841, 39498, 40149, 40794, 41432, 42064, 42688, 43304, 43912,
    44511, 45102, 45683, 46255, 46817, 47369, 47911, 48443, 48964, 49475, 49975, 50464, 50942, 51409, 51865, 52311, 52745, 53169,
    53581, 53983, 54374, 54755, 55125, 55485, 55834, 56174, 56503, 56823, 57133, 57433, 57724, 58007, 58280, 58544, 58800, 59048,
    59288, 59519, 59743, 59959, 60168, 60370, 60565, 60753, 60935, 61110, 61279, 61441, 61599, 61750, 61896, 62036, 62172, 62302,
    62428, 62549, 62666, 62778, 62886, 62990, 63090, 63186, 63279, 63368, 63454, 63536, 63615, 63691, 63765, 63835, 63903, 63968,
    64030, 64090, 64148, 64204, 64257, 64308, 64357, 64405, 64450, 64494, 64536, 64576, 64614, 64652, 64687, 64721, 64754, 64786,
    64816, 64845, 64873, 64900, 64926, 64950, 64974, 64997, 65019, 65039, 65060, 65079, 65097, 65115, 65132, 65149, 65164, 65179,
    65194, 65208, 65221, 65234, 65246, 65258, 65269, 65280, 65291, 65301, 65310, 65319, 65328, 65337, 65345, 65352, 65360, 65367,
    65374, 65381, 65387, 65393, 65399, 65404, 65410, 65415, 65420, 65425, 65429, 65433, 65438, 65442, 65445, 65449, 65453, 65456,
    65459, 65462, 65465, 65468, 65471, 65474, 65476, 65479, 65481, 65483, 65485, 65488, 65489, 65491, 65493, 65495, 65497, 65498,
    65500, 65501, 65503, 65504, 65505, 65507, 65508, 65509, 65510, 65511, 65512, 65513, 65514, 65515, 65516, 65517, 65517, 65518,
    65519, 65520, 65520, 65521, 65522, 65522, 65523, 65523, 65524, 65524, 65525, 65525, 65526, 65526, 65526, 65527, 65527, 65528,
    65528, 65528, 65529, 65529, 65529, 65529, 65530, 65530, 65530, 65530, 65531, 65531, 65531, 65531, 65531, 65532, 65532, 65532,
    65532, 65532, 65532, 65533, 65533, 65533, 65533, 65533, 65533, 65533, 65533, 65534, 65534, 65534, 65534, 65534, 65534, 65534,
    65534, 65534, 65534, 65535};

constexpr int32_t kBeyond = 1 << 24;  // arguments far outside of the table

/// The code as an argument in units of 1/12288.
inline int32_t argument(const ActivationArgs& a, int32_t code) {
  const int64_t half = a.shift > 0 ? int64_t{1} << (a.shift - 1) : 0;
  const int64_t v = (int64_t{code} * a.multiplier + half) >> a.shift;
  return v < -kBeyond ? -kBeyond : v > kBeyond ? kBeyond : static_cast<int32_t>(v);
}

/// The table at |v|, whose entries lie 2^bits apart: in units of 2^-bits of theirs.
inline int32_t table_at(int32_t v, int32_t bits, int32_t beyond) {
  const int32_t u = v < 0 ? -v : v, k = u >> bits;
  if (k >= 255) return beyond;
  return kSigmoid[k] * (1 << bits) + (u & ((1 << bits) - 1)) * (kSigmoid[k + 1] - kSigmoid[k]);
}

inline int32_t logistic(const ActivationArgs& a, int32_t code) {
  const int32_t v = argument(a, code), r = table_at(v, 9, 0x7fff << 10);
  return v >= 0 ? (r + 512) >> 10 : ((1 << 25) - r + 511) >> 10;
}

inline int32_t tanh(const ActivationArgs& a, int32_t code) {
  const int32_t v = argument(a, code), r = table_at(v, 8, 0xffff << 8);
  return v >= 0 ? (r - (1 << 23) + 128) >> 8 : ((1 << 23) - r + 127) >> 8;
}

template <Rounding R>
inline int32_t leaky_relu(const ActivationArgs& a, int32_t code) {
  if (code >= 0) return qmath::multiply_fixed<R>(code, a.multiplier, a.shift);
  const int32_t y = qmath::multiply_fixed<R>(code, a.negative_multiplier, a.negative_shift);
  return a.inverts != 0 ? qmath::wrapping_sub(0, y) : y;
}

template <class F>
inline void each(const ActivationArgs& args, const void* input, void* output, int32_t begin, int32_t end, const F& f) {
  const ActivationArgs a = args;
  const int16_t* x = wide(input);
  int16_t* y = wide(output);
  for (int32_t i = begin; i < end; ++i) y[i] = static_cast<int16_t>(larger(a.clamp_min, smaller(f(a, x[i]), a.clamp_max)));
}

}  // namespace

template <Rounding R>
void activation(const ActivationArgs& a, const void* input, void* output, int32_t begin, int32_t end) {
  switch (a.kind) {
    case ActivationKind::logistic: return each(a, input, output, begin, end, logistic);
    case ActivationKind::tanh: return each(a, input, output, begin, end, tanh);
    case ActivationKind::leaky_relu: return each(a, input, output, begin, end, leaky_relu<R>);
  }
}

template void activation<static_cast<Rounding>(OCTET_ROUNDING)>(const ActivationArgs&, const void*, void*, int32_t, int32_t);

}  // namespace octet::kernels
