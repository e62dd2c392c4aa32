// SPDX-License-Identifier: Apache-2.0
// mt19937 and PyTorch's CPU distributions on top of it.
#include "engine/random.h"
#include "kernels/float_scope.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

namespace octet {
namespace {

constexpr double kTwoPi = 2 * std::numbers::pi;

double uniform53(Generator& g) { return static_cast<double>(g.next64() & ((uint64_t{1} << 53) - 1)) * 0x1p-53; }

}  // namespace

Generator::Generator(uint64_t seed) {
  state_[0] = static_cast<uint32_t>(seed);
  for (uint32_t i = 1; i < state_.size(); ++i) state_[i] = 1812433253U * (state_[i - 1] ^ (state_[i - 1] >> 30)) + i;
}

void Generator::twist() {
  constexpr size_t n = 624, m = 397;
  for (size_t i = 0; i < n; ++i) {
    const uint32_t y = (state_[i] & 0x80000000U) | (state_[(i + 1) % n] & 0x7fffffffU);
    state_[i] = state_[(i + m) % n] ^ (y >> 1) ^ ((y & 1) ? 0x9908b0dfU : 0U);
  }
  next_ = 0;
}

uint32_t Generator::next32() {
  if (next_ == 624) twist();
  uint32_t y = state_[next_++];
  y ^= y >> 11;
  y ^= (y << 7) & 0x9d2c5680U;
  y ^= (y << 15) & 0xefc60000U;
  return y ^ (y >> 18);
}

uint64_t Generator::next64() {
  const uint64_t high = next32();
  return high << 32 | next32();
}

float Generator::uniform() { return static_cast<float>(static_cast<double>(next32() & 0xFFFFFF) * 0x1p-24); }

int64_t Generator::integer(int64_t lo, int64_t hi) {
  check(hi > lo, "Generator::integer: empty range ", lo, "..", hi);
  const auto range = static_cast<uint64_t>(hi - lo);
  const uint64_t draw = range < (uint64_t{1} << 32) ? next32() : next64();
  return lo + static_cast<int64_t>(draw % range);
}

double Generator::normal() {
  const FloatScope environment;
  if (cached_normal_) {
    const double value = *cached_normal_;
    cached_normal_.reset();
    return value;
  }
  const double u1 = uniform53(*this), u2 = uniform53(*this);
  const double r = std::sqrt(-2 * std::log1p(-u2));
  cached_normal_ = r * std::sin(kTwoPi * u1);
  return r * std::cos(kTwoPi * u1);
}

void Generator::skip(int64_t draws) {
  for (int64_t i = 0; i < draws; ++i) next32();
}

StateDict Generator::state() const {
  StateDict state;
  std::vector<int32_t> words;
  for (const uint32_t w : state_) words.push_back(static_cast<int32_t>(w));
  const auto count = static_cast<int64_t>(words.size());
  state["words"] = Tensor::of<int32_t>({count}, words);
  state["next"] = Tensor::of<int32_t>({1}, std::vector<int32_t>{next_});
  const std::vector<double> normal(cached_normal_ ? 1 : 0, cached_normal_.value_or(0));
  state["normal"] = Tensor::of<double>({static_cast<int64_t>(normal.size())}, normal);
  return state;
}

void Generator::load(const StateDict& state) {
  constexpr std::string_view who = "Generator state";
  const auto words = state_tensor(state, "words", DType::i32, who).data<int32_t>(),
             next = state_tensor(state, "next", DType::i32, who).data<int32_t>();
  const auto normal = state_tensor(state, "normal", DType::f64, who).data<double>();
  check(words.size() == state_.size() && next.size() == 1 && normal.size() <= 1, who, ": ", words.size(), " words, ", next.size(),
        " places and ", normal.size(), " normals, expected ", state_.size(), ", 1 and at most 1");
  check(next[0] >= 0 && next[0] <= static_cast<int>(state_.size()), who, ": place ", next[0], " of ", state_.size(), " words");
  check(std::ranges::any_of(words, [](int32_t w) { return w != 0; }), who, ": all words are zero, it would draw nothing else");
  check(normal.empty() || std::isfinite(normal[0]), who, ": a normal of ", normal.empty() ? 0 : normal[0]);
  std::ranges::transform(words, state_.begin(), [](int32_t w) { return static_cast<uint32_t>(w); });
  next_ = next[0];
  cached_normal_ = normal.empty() ? std::nullopt : std::optional(normal[0]);
}

Tensor rand(Generator& g, Shape shape, DType dtype) {
  const FloatScope environment;
  check(dtype == DType::f32 || dtype == DType::f64, "rand: needs a float dtype, got ", to_string(dtype));
  Tensor t(std::move(shape), dtype);
  if (dtype == DType::f32)
    for (float& v : t.mutable_data<float>()) v = g.uniform();
  else
    for (double& v : t.mutable_data<double>()) v = uniform53(g);
  return t;
}

Tensor uniform(Generator& g, Shape shape, double a, double b) {
  const FloatScope environment;
  // The bounds and their difference are rounded to float32 first, the scaling is done in double and rounded once.
  const auto from = static_cast<float>(a);
  const double range = static_cast<float>(b) - from;
  Tensor t(std::move(shape), DType::f32);
  for (float& v : t.mutable_data<float>())
    v = static_cast<float>(static_cast<double>(g.next32() & 0xFFFFFF) * 0x1p-24 * range + static_cast<double>(from));
  return t;
}

Tensor randn(Generator& g, Shape shape) {
  const FloatScope environment;
  Tensor t(std::move(shape), DType::f32);
  const std::span<float> values = t.mutable_data<float>();
  if (values.size() < 16) {
    for (float& v : values) v = static_cast<float>(g.normal());
    return t;
  }
  for (float& v : values) v = g.uniform();
  const auto transform = [](std::span<float> block) {
    for (size_t j = 0; j < 8; ++j) {
      const float u1 = 1 - block[j], u2 = block[j + 8];
      const float r = std::sqrt(-2 * std::log(u1)), theta = static_cast<float>(kTwoPi) * u2;
      block[j] = r * std::cos(theta);
      block[j + 8] = r * std::sin(theta);
    }
  };
  for (size_t i = 0; i + 16 <= values.size(); i += 16) transform(values.subspan(i, 16));
  if (values.size() % 16 != 0) {  // the last sixteen are drawn anew
    const std::span<float> last = values.last(16);
    for (float& v : last) v = g.uniform();
    transform(last);
  }
  return t;
}

std::vector<int64_t> permutation(Generator& g, int64_t n) {
  std::vector<int64_t> order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), int64_t{0});
  for (int64_t i = 0; i < n - 1; ++i) std::swap(order[i], order[i + g.integer(0, n - i)]);
  return order;
}

}  // namespace octet
