// SPDX-License-Identifier: Apache-2.0
// HistogramObserver: a histogram of everything seen, and the range of it that minimizes the squared quantization error.
#pragma once

#include "quant/observer.h"

namespace octet {

class HistogramObserver final : public Observer {
 public:
  static constexpr std::string_view kKind = "histogram";
  /// Per-tensor schemes only.
  explicit HistogramObserver(ObserverSpec spec = {}, int bins = 2048);

  void observe(const Tensor&, std::string_view path) override;
  bool calibrated() const override { return !histogram_.empty(); }
  QParams qparams() const override;
  std::optional<std::pair<float, float>> seen() const override {
    if (histogram_.empty()) return std::nullopt;
    return std::pair{min_, max_};
  }
  std::pair<int32_t, int32_t> codes() const override { return spec_.range(); }
  void reset() override;
  std::unique_ptr<Observer> clone() const override { return std::make_unique<HistogramObserver>(*this); }
  std::string_view kind() const override { return kKind; }
  StateDict state() const override;
  void load(const StateDict&) override;

  const ObserverSpec& spec() const { return spec_; }
  /// Counts per bin (fractions once the range has grown); empty before the first data.
  std::span<const double> histogram() const { return histogram_; }
  float min() const { return min_; }
  float max() const { return max_; }

 private:
  ObserverSpec spec_;
  int bins_;
  // Counts in double: float32 counts stop growing at 2^24.
  std::vector<double> histogram_;
  float min_ = 0, max_ = 0;
};

}  // namespace octet
