// SPDX-License-Identifier: Apache-2.0
// Streaming statistics of a reference tensor against a test tensor, batch after batch: no tensor is kept, memory does not depend on
// how many batches there are.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "engine/tensor.h"

namespace octet {

/// Counts of reference and test values by the code they have, or would have if the codes did not end.
struct CodeHistogram {
  static constexpr int kBins = 192, kLow = -256,
                       kStep = 4;  ///< codes -256..511 of the unsigned domain, four to a bin; ends are open
  std::array<int64_t, kBins> reference{}, test{};
};

/// What one comparison says. Values are real units unless a field says codes.
struct Metrics {
  int64_t elements = 0;
  double sqnr_db = 0;  ///< +inf: equal; -inf: the reference is all zero and the test is not
  double cosine = 1;   ///< 1 where both are zero, 0 where one is
  double max_abs_error = 0;
  double signal_power = 0, noise_power = 0;  ///< means of squares
  double effective_bits = 0;                 ///< (SQNR - 1.76) / 6.02
  double reference_min = 0, reference_max = 0;
  double deviation = 0;  ///< of the reference, over all elements
  // Codes; 0 where the test is float.
  double saturated_low = 0,
         saturated_high = 0;  ///< share of codes at an end where the reference lies more than half a code beyond it
  double at_limits = 0;       ///< share of codes at qmax, or at a qmin that is not the zero point
  double codes_used = 0;      ///< share of the codes that occur; 16-bit codes count by their upper 8 bits, in the histogram too
  double grid_min = 0, grid_max = 0;  ///< reals of the lowest and highest code (first channel)
  double step = 0;                    ///< of the grid (first channel); 0: float
  double clip_power = 0;              ///< mean square of the part of the reference beyond the grid
  int32_t qmin = 0, qmax = 0, zero_point = 0;
  std::vector<double> mean_error;               ///< by channel: mean of test - reference
  std::vector<float> channel_min, channel_max;  ///< of the reference
  std::vector<int> dead_channels;               ///< the reference varies, the test is one constant
  CodeHistogram histogram;
  std::string note;  ///< what is special: "equal", "the reference is constant", …
};

/// Channels are the last axis, or with `first_axis` the first (weights).
class Statistics {
 public:
  /// Without `histogram` clipping is not counted either, which saves a third of the time.
  explicit Statistics(bool first_axis = false, bool histogram = true) : first_axis_(first_axis), histogram_(histogram) {}
  /// Float tensors or codes with parameters. Throws naming `path` for different shapes or a value that is not finite.
  void add(const Tensor& reference, const Tensor& test, std::string_view path);
  /// Throws if nothing was added.
  Metrics metrics() const;

 private:
  struct Sums {
    double clip = 0;
    int64_t low = 0, high = 0, at_qmin = 0, at_qmax = 0;
    std::array<int64_t, 256> codes{};
    std::vector<double> error, sum, signal, noise, test, dot;  // by channel
    std::vector<float> max_abs, min, max, test_min, test_max;
    CodeHistogram histogram;
    explicit Sums(size_t channels);
    void merge(const Sums&);
  };
  template <size_t kLanes>
  static void add_lanes(Sums&, const float* reference, const float* test, size_t channels, int64_t rows, size_t first);
  void count_reference(Sums&, const float* reference, int64_t rows) const;
  void add_rows(Sums&, const float* reference, const float* test, const uint8_t* codes, int64_t begin, int64_t end) const;

  bool first_axis_, histogram_;
  int64_t elements_ = 0;
  std::vector<Sums> sums_;                   // none before the first tensor, then one
  std::vector<float> inverse_, low_, high_;  // by channel: 1/scale, reals of the ends
  std::vector<float> reals_;                 // by code, where all channels share them
  std::vector<int32_t> zero_point_;
  std::optional<QParams> qparams_;
  bool pretended_ = false;  // the grid is made up from the first batch: the test is float
  float coarse_ = 1;        // codes that are counted as one: 256 where they have 16 bits
};

/// "41.50", "inf", "-inf".
std::string decibels(double);
/// A share of 0 to 1 as "12.50 %".
std::string percent(double share);
/// At most so many significant digits: "0.123", "inf".
std::string brief(double, int digits = 3);

}  // namespace octet
