// SPDX-License-Identifier: Apache-2.0
// Random numbers that equal PyTorch's CPU generator bit for bit: mt19937 and its distributions.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "engine/state.h"

namespace octet {

class Generator {
 public:
  /// Only the low 32 bits of the seed count, as in PyTorch.
  explicit Generator(uint64_t seed);

  uint32_t next32();
  /// Two draws, the first is the high word.
  uint64_t next64();
  /// [0, 1) from one draw: (u & 0xFFFFFF) * 2^-24.
  float uniform();
  /// lo + u % (hi - lo); consumes one draw even when only one value is possible.
  int64_t integer(int64_t lo, int64_t hi);
  /// Standard normal by Box-Muller in double; the second value of a pair is kept for the next call.
  double normal();
  void skip(int64_t draws);

  /// The words, the place in them and the kept normal: a generator that loads it draws what this one would have drawn.
  StateDict state() const;
  /// Throws, and stays where it was, for a state that is not a generator's.
  void load(const StateDict&);

 private:
  void twist();

  std::array<uint32_t, 624> state_;
  int next_ = 624;
  std::optional<double> cached_normal_;
};

/// torch.rand: one draw per element (f32), two (f64).
Tensor rand(Generator&, Shape, DType = DType::f32);
/// Tensor.uniform_(a, b), float32.
Tensor uniform(Generator&, Shape, double a, double b);
/// torch.randn, float32: pairs below 16 elements, blocks of 16 from there on (equal to 4.8e-7 there: PyTorch vectorizes its
/// logarithm and sine).
Tensor randn(Generator&, Shape);
/// torch.randperm: a permutation of 0..n-1, from the front, one draw per element.
std::vector<int64_t> permutation(Generator&, int64_t n);

}  // namespace octet
