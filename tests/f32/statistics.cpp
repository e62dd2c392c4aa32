// SPDX-License-Identifier: Apache-2.0
// Extremes and histograms: the same bits as plain loops on every instruction set.
#include "tests/f32/support.h"

using namespace octet;
using namespace octet::f32_tests;

namespace {

constexpr int64_t kCounts[] = {1, 2, 15, 64, 257, 1001, 100003};

std::vector<int64_t> fast_histogram(const std::vector<float>& x, float lo, float hi, int bins) {
  std::vector<int64_t> counts(static_cast<size_t>(bins), 5);  // 5: counts are added to
  f32::histogram(static_cast<int64_t>(x.size()), x.data(), lo, hi, bins, counts.data());
  return counts;
}
std::vector<int64_t> plain_histogram(const std::vector<float>& x, float lo, float hi, int bins) {
  std::vector<int64_t> counts(static_cast<size_t>(bins), 5);
  naive::histogram(static_cast<int64_t>(x.size()), x.data(), lo, hi, bins, counts.data());
  return counts;
}

}  // namespace

TEST_CASE("the extremes of a tensor are exact wherever they are") {
  for (const int64_t n : kCounts) {
    INFO(n << " elements");
    const auto x = random_floats(n, 1);
    for (const int64_t at : {int64_t{0}, n / 2, n - 1})
      for (const float value : {-9.0f, 9.0f, kInfinity, -kInfinity, kNaN}) {
        auto changed = x;
        changed[static_cast<size_t>(at)] = value;
        float lo, hi;
        naive::min_max(n, changed.data(), &lo, &hi);
        for_every_setting([&] {
          std::vector<float> got(2);
          f32::min_max(n, changed.data(), &got[0], &got[1]);
          check_same(got, {lo, hi});
        });
      }
  }
}

TEST_CASE("the extremes of zeros are +0 in any order of signs") {
  for (const auto& x : {std::vector<float>{-0.0f}, {0.0f, -0.0f}, {-0.0f, 0.0f}, std::vector<float>(100, -0.0f)})
    for_every_setting([&] {
      std::vector<float> got(2, 1.0f);
      f32::min_max(static_cast<int64_t>(x.size()), x.data(), &got[0], &got[1]);
      check_same(got, {0.0f, 0.0f});
    });
}

TEST_CASE("extremes per channel are those of each block") {
  const int64_t shapes[][3] = {{1, 1, 1}, {1, 5, 9}, {3, 7, 1}, {500, 70, 1}, {2, 16, 300}, {700, 3, 50}, {1, 64, 288}};
  for (const auto& [outer, channels, inner] : shapes) {
    INFO(outer << " x " << channels << " x " << inner);
    auto x = random_floats(outer * channels * inner, 2);
    x[x.size() / 2] = kNaN;
    x[x.size() - 1] = -0.0f;
    std::vector<float> lo(static_cast<size_t>(channels)), hi(lo.size());
    naive::min_max_channels(outer, channels, inner, x.data(), lo.data(), hi.data());
    for_every_setting([&, outer = outer, channels = channels, inner = inner] {
      std::vector<float> other(lo.size());
      check_same(
          output_of(channels, [&](float* out) { f32::min_max_channels(outer, channels, inner, x.data(), out, other.data()); }), lo);
      check_same(
          output_of(channels, [&](float* out) { f32::min_max_channels(outer, channels, inner, x.data(), other.data(), out); }), hi);
    });
  }
}

TEST_CASE("a histogram counts as the plain loop does, to the last element") {
  for (const int64_t n : kCounts)
    for (const int bins : {1, 3, 256, 2048}) {
      INFO(n << " elements, " << bins << " bins");
      auto x = random_floats(n, 3, -2, 2);
      for (size_t i = 0; i < x.size(); i += 3) x[i] = 0;  // what relu leaves
      for (size_t i = 1; i < x.size(); i += 50) x[i] = i % 100 == 1 ? kNaN : kInfinity;
      for (const auto& [lo, hi] : {std::pair{-1.5f, 1.25f}, {0.0f, 0.7f}, {-2.0f, 2.0f}, {-3e38f, 3e38f}, {0.0f, 1e-38f}}) {
        const auto expected = plain_histogram(x, lo, hi, bins);
        for_every_setting([&, lo = lo, hi = hi] { CHECK(fast_histogram(x, lo, hi, bins) == expected); });
      }
    }
}

TEST_CASE("an element on a bin's edge falls where the float32 division puts it") {
  // Edges and their neighbours: a reciprocal instead of the division, or a fused multiply-add, moves some of them.
  for (const auto& [lo, hi] : {std::pair{-0.7f, 1.3f}, {0.0f, 3.0f}, {-1.1f, 0.3f}}) {
    std::vector<float> x;
    for (int i = 0; i <= 2048; ++i) {
      const float edge = lo + (hi - lo) * static_cast<float>(i) / 2048;
      for (const float v : {std::nextafter(edge, -9.0f), edge, std::nextafter(edge, 9.0f)}) x.push_back(v);
    }
    x.push_back(hi);
    const auto expected = plain_histogram(x, lo, hi, 2048);
    for_every_setting([&, lo = lo, hi = hi] { CHECK(fast_histogram(x, lo, hi, 2048) == expected); });
  }
}

TEST_CASE("the last bin takes the upper limit and elements outside are skipped") {
  const std::vector<float> x{0, 0.49f, 0.5f, 1, 1.01f, -0.01f, kNaN, kInfinity, -kInfinity, -0.0f};
  for_every_setting([&] { CHECK(fast_histogram(x, 0, 1, 2) == std::vector<int64_t>{5 + 3, 5 + 2}); });
}

TEST_CASE("a histogram of more equal elements than a 16-bit counter holds is right") {
  const std::vector<float> x(1 << 20, 0.25f);
  for_every_setting([&] { CHECK(fast_histogram(x, 0, 1, 4) == std::vector<int64_t>{5, 5 + (1 << 20), 5, 5}); });
}
