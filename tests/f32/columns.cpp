// SPDX-License-Identifier: Apache-2.0
// Column sums, moments, affine maps and batch normalization's gradients against loops in double.
#include "tests/f32/support.h"

using namespace octet;
using namespace octet::f32_tests;

namespace {

/// Sums run in float over at most this many rows, then in double.
constexpr int64_t kBlockRows = 128;
constexpr int64_t kSizes[][2] = {{1, 1}, {1, 37}, {2, 64}, {127, 3}, {129, 20}, {300, 16}, {1000, 1}, {3000, 21}, {5000, 70}};

double block_error(int64_t rows) { return sum_error(static_cast<double>(std::min(rows, kBlockRows) + 4)); }

/// Magnitudes: a column's sum of |x|, repeated for nobody.
std::vector<double> absolute_sums(int64_t rows, int64_t channels, const std::vector<float>& x) {
  std::vector<double> sums(static_cast<size_t>(channels));
  naive::column_sum(rows, channels, absolute(x).data(), sums.data());
  return sums;
}

}  // namespace

TEST_CASE("column sums do not lose precision with the number of rows") {
  for (const auto& [rows, channels] : kSizes) {
    INFO(rows << " x " << channels);
    const auto x = random_floats(rows * channels, 1, 0, 1);
    std::vector<double> expected(static_cast<size_t>(channels));
    naive::column_sum(rows, channels, doubles(x).data(), expected.data());
    for_every_setting([&, rows = rows, channels = channels] {
      const auto sum = output_of(channels, [&](float* out) { f32::column_sum(rows, channels, x.data(), out); });
      check_close(sum, expected, block_error(rows), absolute_sums(rows, channels, x));
    });
  }
}

TEST_CASE("column moments survive a mean far larger than the deviation") {
  for (const auto& [rows, channels] : kSizes)
    for (const float offset : {0.0f, -3.0f, 1000.0f}) {
      INFO(rows << " x " << channels << ", mean " << offset);
      const auto x = random_floats(rows * channels, 2, offset - 1, offset + 1);
      std::vector<double> mean(static_cast<size_t>(channels)), variance(mean.size()), scale = absolute_sums(rows, channels, x);
      naive::column_moments(rows, channels, doubles(x).data(), mean.data(), variance.data());
      for (double& s : scale) s /= static_cast<double>(rows);
      for_every_setting([&, rows = rows, channels = channels] {
        std::vector<float> other(mean.size());
        const auto got_mean =
            output_of(channels, [&](float* out) { f32::column_moments(rows, channels, x.data(), out, other.data()); });
        const auto got_variance =
            output_of(channels, [&](float* out) { f32::column_moments(rows, channels, x.data(), other.data(), out); });
        check_close(got_mean, mean, 2 * kEpsilon,
                    scale);  // deviations from a block's mean are summed, so block length does not matter
        check_close(got_variance, variance, block_error(rows), variance);
      });
    }
}

TEST_CASE("a NaN in a column makes its moments NaN and no other's") {
  const int64_t rows = 700, channels = 19;
  auto x = random_floats(rows * channels, 3);
  x[static_cast<size_t>(555 * channels + 7)] = kNaN;
  for_every_setting([&] {
    std::vector<float> mean(19), variance(19);
    f32::column_moments(rows, channels, x.data(), mean.data(), variance.data());
    for (size_t c = 0; c < 19; ++c) {
      CHECK(std::isnan(mean[c]) == (c == 7));
      CHECK(std::isnan(variance[c]) == (c == 7));
    }
  });
}

TEST_CASE("an affine map of columns is limited to the activation's range") {
  for (const auto& [rows, channels] : kSizes) {
    INFO(rows << " x " << channels);
    const auto x = random_floats(rows * channels, 4), scale = random_floats(channels, 5), shift = random_floats(channels, 6);
    std::vector<double> expected(x.size()), magnitude(x.size());
    naive::column_affine(rows, channels, doubles(x).data(), doubles(scale).data(), doubles(shift).data(), -0.1f, 0.6f,
                         expected.data());
    naive::column_affine(rows, channels, absolute(x).data(), absolute(scale).data(), absolute(shift).data(), -kInfinity, kInfinity,
                         magnitude.data());
    for_every_setting([&, rows = rows, channels = channels] {
      const auto y = output_of(rows * channels, [&](float* out) {
        f32::column_affine(rows, channels, x.data(), scale.data(), shift.data(), -0.1f, 0.6f, out);
      });
      check_close(y, expected, sum_error(1), magnitude);
    });
  }
}

TEST_CASE("batch normalization's gradients equal the formula in double") {
  for (const auto& [rows, channels] : kSizes) {
    INFO(rows << " x " << channels);
    const auto x = random_floats(rows * channels, 7, 0, 3), dy = random_floats(rows * channels, 8);
    const auto mean = random_floats(channels, 9, 1, 2), inv_std = random_floats(channels, 10, 0.5f, 2),
               gamma = random_floats(channels, 11);
    std::vector<double> dgamma(mean.size()), dbeta(mean.size()), dx(x.size());
    std::vector<double> gamma_size(mean.size()), dx_size(x.size());
    naive::batch_norm_sums(rows, channels, doubles(x).data(), doubles(dy).data(), doubles(mean).data(), doubles(inv_std).data(),
                           dgamma.data(), dbeta.data());
    const std::vector<float> dgamma_f(dgamma.begin(), dgamma.end()), dbeta_f(dbeta.begin(), dbeta.end());
    naive::batch_norm_grad_input(rows, channels, doubles(x).data(), doubles(dy).data(), doubles(mean).data(),
                                 doubles(inv_std).data(), doubles(gamma).data(), doubles(dgamma_f).data(), doubles(dbeta_f).data(),
                                 dx.data());
    for (size_t i = 0; i < x.size(); ++i) {
      const size_t c = i % mean.size();
      const double n = static_cast<double>(rows), deviation = std::fabs(double{x[i]} - double{mean[c]}) * inv_std[c];
      gamma_size[c] += std::fabs(double{dy[i]}) * deviation;
      dx_size[i] = std::fabs(double{gamma[c]}) * inv_std[c] *
                   (std::fabs(double{dy[i]}) + std::fabs(double{dbeta_f[c]}) / n + deviation * std::fabs(double{dgamma_f[c]}) / n);
    }
    for_every_setting([&, rows = rows, channels = channels] {
      std::vector<float> other(mean.size());
      check_close(output_of(channels,
                            [&](float* out) {
                              f32::batch_norm_sums(rows, channels, x.data(), dy.data(), mean.data(), inv_std.data(), out,
                                                   other.data());
                            }),
                  dgamma, block_error(rows), gamma_size);
      check_close(output_of(channels,
                            [&](float* out) {
                              f32::batch_norm_sums(rows, channels, x.data(), dy.data(), mean.data(), inv_std.data(), other.data(),
                                                   out);
                            }),
                  dbeta, block_error(rows), absolute_sums(rows, channels, dy));
      check_close(output_of(rows * channels,
                            [&](float* out) {
                              f32::batch_norm_grad_input(rows, channels, x.data(), dy.data(), mean.data(), inv_std.data(),
                                                         gamma.data(), dgamma_f.data(), dbeta_f.data(), out);
                            }),
                  dx, sum_error(6), dx_size);  // eight roundings, two of them of the same factor
    });
  }
}
