// SPDX-License-Identifier: Apache-2.0
// Observers of the smallest and largest value: running or exponentially averaged, per tensor or per channel.
#pragma once

#include "quant/observer.h"

namespace octet {

/// What the four classes share: one min and max per tensor or channel, replaced by m + c*(batch - m) when averaging (c = 1: by the
/// batch's, exactly).
class RangeObserver : public Observer {
 public:
  void observe(const Tensor&, std::string_view path) override;
  bool calibrated() const override { return !min_.empty(); }
  QParams qparams() const override;
  bool per_channel() const override { return per_channel_; }
  std::optional<std::pair<float, float>> seen() const override;
  std::pair<int32_t, int32_t> codes() const override { return spec_.range(); }
  void reset() override;
  StateDict state() const override;
  void load(const StateDict&) override;

  const ObserverSpec& spec() const { return spec_; }
  std::optional<float> averaging_constant() const { return averaging_constant_; }  ///< nothing: extremes of all that was seen
  std::span<const float> min() const { return min_; }
  std::span<const float> max() const { return max_; }

 protected:
  /// Without an averaging constant: running extremes. Throws for a specification PyTorch refuses (reduced symmetric u8).
  RangeObserver(ObserverSpec, std::optional<float> averaging_constant, bool per_channel);

 private:
  static void check_spec(const ObserverSpec&, std::optional<float> constant, bool per_channel);

  ObserverSpec spec_;
  std::optional<float> averaging_constant_;
  bool per_channel_;
  std::vector<float> min_, max_;
};

class MinMaxObserver final : public RangeObserver {
 public:
  static constexpr std::string_view kKind = "min_max";
  explicit MinMaxObserver(ObserverSpec spec = {}) : RangeObserver(spec, std::nullopt, false) {}
  std::unique_ptr<Observer> clone() const override { return std::make_unique<MinMaxObserver>(*this); }
  std::string_view kind() const override { return kKind; }
};

/// averaging_constant 1 forgets everything but the last batch.
class MovingAverageMinMaxObserver final : public RangeObserver {
 public:
  static constexpr std::string_view kKind = "moving_average_min_max";
  explicit MovingAverageMinMaxObserver(ObserverSpec spec = {}, float averaging_constant = 0.01F)
      : RangeObserver(spec, averaging_constant, false) {}
  std::unique_ptr<Observer> clone() const override { return std::make_unique<MovingAverageMinMaxObserver>(*this); }
  std::string_view kind() const override { return kKind; }
};

class PerChannelMinMaxObserver final : public RangeObserver {
 public:
  static constexpr std::string_view kKind = "per_channel_min_max";
  explicit PerChannelMinMaxObserver(ObserverSpec spec = {.scheme = QScheme::per_channel_affine})
      : RangeObserver(spec, std::nullopt, true) {}
  std::unique_ptr<Observer> clone() const override { return std::make_unique<PerChannelMinMaxObserver>(*this); }
  std::string_view kind() const override { return kKind; }
};

class MovingAveragePerChannelMinMaxObserver final : public RangeObserver {
 public:
  static constexpr std::string_view kKind = "moving_average_per_channel_min_max";
  explicit MovingAveragePerChannelMinMaxObserver(ObserverSpec spec = {.scheme = QScheme::per_channel_affine},
                                                 float averaging_constant = 0.01F)
      : RangeObserver(spec, averaging_constant, true) {}
  std::unique_ptr<Observer> clone() const override { return std::make_unique<MovingAveragePerChannelMinMaxObserver>(*this); }
  std::string_view kind() const override { return kKind; }
};

}  // namespace octet
