// SPDX-License-Identifier: Apache-2.0
// Spearman's coefficient is Pearson's of the ranks, which holds with ties too as long as equal values have equal ranks.
#include "numeric_suite/correlation.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace octet {
namespace {

/// Equal values share the mean of the ranks they take up.
std::vector<double> ranks(const std::vector<double>& v) {
  std::vector<size_t> order(v.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::sort(order, [&](size_t a, size_t b) { return v[a] < v[b]; });
  std::vector<double> rank(v.size());
  for (size_t begin = 0; begin < order.size();) {
    size_t end = begin + 1;
    while (end < order.size() && v[order[end]] == v[order[begin]]) ++end;
    for (size_t i = begin; i < end; ++i) rank[order[i]] = static_cast<double>(begin + end - 1) / 2;
    begin = end;
  }
  return rank;
}

}  // namespace

double covariance(const std::vector<double>& a, const std::vector<double>& b) {
  const auto n = static_cast<double>(a.size());
  const double ma = std::accumulate(a.begin(), a.end(), 0.0) / n, mb = std::accumulate(b.begin(), b.end(), 0.0) / n;
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += (a[i] - ma) * (b[i] - mb);
  return sum / n;
}

double spearman(const std::vector<double>& a, const std::vector<double>& b) {
  if (a.size() < 3) return NAN;
  const auto ra = ranks(a), rb = ranks(b);
  return covariance(ra, rb) / std::sqrt(covariance(ra, ra) * covariance(rb, rb));
}

}  // namespace octet
