// SPDX-License-Identifier: Apache-2.0
// The observer of what is known before: parameters that no data changes.
#pragma once

#include "engine/op_traits.h"
#include "quant/observer.h"

namespace octet {

/// PyTorch's FixedQParamsObserver.
class FixedQParamsObserver final : public Observer {
 public:
  static constexpr std::string_view kKind = "fixed_qparams";
  /// Real values from range.lo up to range.hi spread evenly over these codes: scale (hi - lo) / their number, lo has the first.
  /// 16-bit codes lie around zero, and the farther end just has none (TensorFlow Lite's 2^-15 of sigmoid, tanh and softmax). Throws
  /// unless lo <= 0 < hi gives zero a code of its own.
  explicit FixedQParamsObserver(FixedRange range = {0, 1}, std::pair<int32_t, int32_t> codes = {0, 255});

  void observe(const Tensor&, std::string_view path) override;
  bool calibrated() const override { return true; }
  QParams qparams() const override { return qparams_; }
  std::pair<int32_t, int32_t> codes() const override { return {qparams_.qmin, qparams_.qmax}; }
  void reset() override {}
  std::unique_ptr<Observer> clone() const override { return std::make_unique<FixedQParamsObserver>(*this); }
  std::string_view kind() const override { return kKind; }
  StateDict state() const override;
  void load(const StateDict&) override;

 private:
  QParams qparams_;
};

}  // namespace octet
