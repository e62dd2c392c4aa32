// SPDX-License-Identifier: Apache-2.0
// Absurd values found by counting exponents, and only in tensors that hold a large number at all.
#include "quant/outlier_guard.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "kernels/float_scope.h"
#include "quant/observer.h"

namespace octet {
namespace {

constexpr int kGap = 24;           // powers of two between absurd and credible
constexpr float kLarge = 0x1p24F;  // nothing smaller is absurd
constexpr int64_t kOneIn = 100;    // what comes more often is data
constexpr int kLowest = -150, kExponents = 280;

}  // namespace

float OutlierGuard::limit(const Tensor& x, std::string_view path) {
  const FloatScope environment;
  constexpr float kNone = std::numeric_limits<float>::infinity();
  if (x.numel() == 0) return kNone;
  const auto [lo, hi] = finite_min_max(x, path);
  const float top = std::max(-lo, hi);
  if (top < kLarge || top <= largest_) {
    seen_ += x.numel();
    largest_ = std::max(largest_, top);
    return kNone;
  }
  std::array<int64_t, kExponents> count{};
  int64_t nonzero = 0;
  for (const float v : x.data<float>())
    if (v != 0) ++count[static_cast<size_t>(std::ilogb(v) - kLowest)], ++nonzero;
  const int known = largest_ > 0 ? std::ilogb(largest_) - kLowest : -1;
  int64_t above = 0;
  int last = kExponents;  // lowest exponent above the gap
  bool apart = false;
  for (int e = kExponents - 1; e > known && !apart; --e) {
    if (count[static_cast<size_t>(e)] == 0) continue;
    apart = last < kExponents && last - e >= kGap;
    if (!apart) above += count[static_cast<size_t>(e)], last = e;
  }
  apart |= known >= 0 && last - known >= kGap;
  seen_ += nonzero;
  if (!apart || last + kLowest < kGap || (above + clipped_) * kOneIn > seen_) {
    largest_ = std::max(largest_, top);
    return kNone;
  }
  for (const float v : x.data<float>())
    if (v != 0 && std::ilogb(v) - kLowest < last) largest_ = std::max(largest_, std::abs(v));
  clipped_ += above;
  worst_ = std::max(worst_, top);
  return largest_;
}

Tensor OutlierGuard::state() const {
  return Tensor::of<double>({4}, std::vector<double>{largest_, worst_, static_cast<double>(seen_), static_cast<double>(clipped_)});
}

void OutlierGuard::load(const Tensor& t) {
  check(t.dtype() == DType::f64 && t.shape() == Shape{4}, "observer state: \"guard\" is ", to_string(t.dtype()), " ",
        to_string(t.shape()), ", expected f64 [4]");
  const auto v = t.data<double>();
  const auto size = [](double s) { return s >= 0 && s <= static_cast<double>(std::numeric_limits<float>::max()); };
  const auto counted = [](double n) { return n >= 0 && n <= 0x1p53 && n == std::floor(n); };
  check(size(v[0]) && size(v[1]) && counted(v[2]) && counted(v[3]), "observer state: \"guard\" holds ", v[0], ", ", v[1], ", ",
        v[2], ", ", v[3]);
  largest_ = static_cast<float>(v[0]), worst_ = static_cast<float>(v[1]);
  seen_ = static_cast<int64_t>(v[2]), clipped_ = static_cast<int64_t>(v[3]);
}

}  // namespace octet
