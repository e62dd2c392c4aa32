// SPDX-License-Identifier: Apache-2.0
// What the tests of the float kernels share: every instruction set of this processor, and oneDNN, times 1, 2 and 3 threads, outputs
// checked for being written completely, within their bounds and twice the same, and comparison with a double result under an error
// bound per element.
#pragma once

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "kernels/f32/f32.h"
#include "kernels/naive/naive.h"
#include "kernels/parallel.h"
#include "tests/catch.h"
#include "tests/skip.h"

namespace octet::f32_tests {

#if defined(__x86_64__)
constexpr const char* kOtherLevel = "baseline";  // the only level of all other processors
#else
constexpr const char* kOtherLevel = "x86-64";
#endif
constexpr const char* kNoProvider = "built without oneDNN";

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
/// Distance from 1 to the next float: twice the rounding error of one operation, which leaves room for second-order terms.
constexpr double kEpsilon = std::numeric_limits<float>::epsilon();

/// A sum of k products, in any order and with or without fused multiply-add, errs by at most this times the sum of absolute
/// products.
inline double sum_error(double k) { return (k + 2) * kEpsilon; }

/// Calls f() with 1, 2 and 3 threads under every instruction set with octet's own kernels, and then with the library's convolutions
/// where this build has them.
template <class F>
void for_every_setting(const F& f) {
  const std::string before = f32::isa();
  f32::use_provider(false);
  for (const char* isa : {"x86-64", "x86-64-v3", "x86-64-v4", "baseline"}) {
    if (!f32::set_isa(isa)) {
      if (std::string_view(isa) != kOtherLevel) testing::skip_part(isa, "this CPU (or OCTET_MAX_CPU_ISA) has it not");
      continue;
    }
    for (int threads : {1, 2, 3}) {
      const ThreadsScope scope(threads);
      INFO(isa << ", " << threads << " threads");
      f();
    }
  }
  f32::set_isa(before.c_str());
  if (!f32::use_provider(true)) return testing::skip_part("float provider", kNoProvider);
  for (int threads : {1, 2, 3}) {
    const ThreadsScope scope(threads);
    INFO(f32::provider() << ", " << threads << " threads");
    f();
  }
}

inline std::vector<float> random_floats(int64_t n, uint32_t seed, float lo = -1, float hi = 1) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<float> uniform(lo, hi);
  std::vector<float> x(static_cast<size_t>(n));
  for (float& v : x) v = uniform(generator);
  return x;
}

inline std::vector<double> doubles(const std::vector<float>& x) { return {x.begin(), x.end()}; }
inline std::vector<double> absolute(const std::vector<float>& x) {
  std::vector<double> y;
  for (float v : x) y.push_back(std::fabs(static_cast<double>(v)));
  return y;
}

/// Weights [n, k] in panels, which give them back.
class Packed {
 public:
  Packed(const f32::Panels& how, int64_t n, int64_t k, const std::vector<float>& b) {
    constexpr size_t kAlignment = 64, kBeside = 32;
    const auto floats = static_cast<size_t>(f32::panels_size(how, n, k));
    memory_.assign(floats + kAlignment + kBeside, kNaN);
    size_t room = (floats + kAlignment) * sizeof(float);
    void* at = memory_.data();
    data_ = static_cast<float*>(std::align(kAlignment, floats * sizeof(float), at, room));
    f32::pack_panels(how, n, k, b.data(), data_);
    bool intact = true;
    for (const float* p = data_ + floats; p < memory_.data() + memory_.size(); ++p) intact = intact && *p != *p;
    CHECK(intact);
    std::vector<float> back(b.size(), kNaN);
    f32::unpack_panels(how, n, k, data_, back.data());
    CHECK(back == b);
  }
  const float* data() const { return data_; }

 private:
  std::vector<float> memory_;
  float* data_;
};

/// The n floats that f writes: all of them, nothing beside them, and the same bits when called again.
template <class F>
std::vector<float> output_of(int64_t n, const F& f, float fill = kNaN) {
  constexpr size_t kGuard = 32;
  constexpr float kSentinel = 12345.0f;
  const auto size = static_cast<size_t>(n);
  std::vector<float> runs[2];
  for (auto& run : runs) {
    run.assign(size + 2 * kGuard, kSentinel);
    std::fill_n(run.begin() + kGuard, size, fill);
    f(run.data() + kGuard);
    bool intact = true;
    for (size_t i = 0; i < kGuard; ++i) intact = intact && run[i] == kSentinel && run[kGuard + size + i] == kSentinel;
    CHECK(intact);
  }
  CHECK(std::memcmp(runs[0].data(), runs[1].data(), runs[0].size() * sizeof(float)) == 0);
  return {runs[0].begin() + kGuard, runs[0].end() - kGuard};
}

/// |actual - expected| <= factor * magnitude, element by element; names the worst.
inline void check_close(const std::vector<float>& actual, const std::vector<double>& expected, double factor,
                        const std::vector<double>& magnitude) {
  REQUIRE(actual.size() == expected.size());
  REQUIRE(actual.size() == magnitude.size());
  size_t worst = 0;
  double excess = -1;
  for (size_t i = 0; i < actual.size(); ++i) {
    const double error = std::fabs(static_cast<double>(actual[i]) - expected[i]);
    const double over = error == error ? error - factor * magnitude[i] : std::numeric_limits<double>::infinity();
    if (over > excess) excess = over, worst = i;
  }
  if (actual.empty()) return;
  INFO("element " << worst << ": " << actual[worst] << ", expected " << expected[worst] << ", allowed error "
                  << factor * magnitude[worst]);
  CHECK(excess <= 0);
}

/// Equal bits; any NaN equals any NaN.
inline void check_same(const std::vector<float>& actual, const std::vector<float>& expected) {
  REQUIRE(actual.size() == expected.size());
  size_t different = 0, first = 0;
  for (size_t i = actual.size(); i-- > 0;) {
    const bool both_nan = actual[i] != actual[i] && expected[i] != expected[i];
    if (!both_nan && std::bit_cast<uint32_t>(actual[i]) != std::bit_cast<uint32_t>(expected[i])) ++different, first = i;
  }
  if (different > 0) {
    INFO("element " << first << ": " << actual[first] << ", expected " << expected[first]);
    CHECK(different == 0);
  }
}

}  // namespace octet::f32_tests
