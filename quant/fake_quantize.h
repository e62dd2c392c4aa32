// SPDX-License-Identifier: Apache-2.0
// FakeQuantize: the one hook of quantization. Calibration is quantization-aware training with the rounding switched off.
#pragma once

#include <optional>

#include "quant/observer.h"
#include "quant/outlier_guard.h"

namespace octet {

/// Rounds to the grid of the parameters and back to float; the gradient passes where the unclipped code lies in [qmin, qmax]
/// (straight-through estimator). Per tensor or per channel.
Var fake_quantize(const Var&, const QParams&);

class FakeQuantize final : public Hook {
 public:
  FakeQuantize(std::unique_ptr<Observer> observer, bool observe, bool round)
      : observe(observe), round(round), observer_(std::move(observer)) {}
  FakeQuantize(const FakeQuantize& other)
      : observe(other.observe),
        round(other.round),
        guard(other.guard),
        observer_(other.observer_ ? other.observer_->clone() : nullptr),
        qparams_(other.qparams_) {}
  FakeQuantize(FakeQuantize&&) noexcept = default;
  FakeQuantize& operator=(FakeQuantize other) noexcept {
    observe = other.observe, round = other.round, guard = other.guard;
    observer_.swap(other.observer_);
    qparams_.swap(other.qparams_);
    return *this;
  }

  bool observe;                       ///< watch values in calibrate and train mode
  bool round;                         ///< fake-quantize what passes
  std::optional<OutlierGuard> guard;  ///< limits absurd values before they are observed and before they flow on

  const Observer& observer() const {
    check(observer_ != nullptr, "FakeQuantize: moved from, or made without an observer");
    return *observer_;
  }
  Observer& observer();
  /// The observer's parameters; throws naming `path` if it saw no data.
  QParams qparams(std::string_view path) const;
  /// Computes the parameters now, so that later peeks need not: a histogram's search costs more than a batch.
  void refresh();

  Var operator()(const Var&, Mode, std::string_view path) override;
  Var peek(const Var&, std::string_view path) const override;
  std::unique_ptr<Hook> clone() const override { return std::make_unique<FakeQuantize>(*this); }
  std::string kind() const override;
  StateDict state() const override;
  void load(const StateDict&) override;

 private:
  std::unique_ptr<Observer> observer_;
  std::optional<QParams> qparams_;  // of what was observed so far; written by non-const members only, so peeks may run in parallel
};

/// Bits of the codes that the hook's observer proposes: 8 or 16.
int code_bits(const FakeQuantize&);

/// Where prepare() marks a module that may keep its input's codes and was configured to stay float.
inline constexpr const char* kFloatPoint = "float";
class StaysFloat final : public Hook {
 public:
  Var operator()(const Var& v, Mode, std::string_view) override { return v; }
  Var peek(const Var& v, std::string_view) const override { return v; }
  std::unique_ptr<Hook> clone() const override { return std::make_unique<StaysFloat>(); }
  std::string kind() const override { return "stays_float"; }
  StateDict state() const override { return {}; }
  void load(const StateDict&) override {}
};

/// The hook of this kind ("fake_quantize:histogram"), ready for load(); what model files are read with. Throws for an unknown kind.
HookBox make_hook(std::string_view kind);

/// The module's hook as a FakeQuantize, or null if there is none at this point or it is of another class.
FakeQuantize* fake_quantize_at(HookBox&);
const FakeQuantize* fake_quantize_at(const HookBox&);

}  // namespace octet
