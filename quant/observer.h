// SPDX-License-Identifier: Apache-2.0
// Observers watch float tensors and propose quantization parameters. An interface with clone(): users add their own.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/hook.h"

namespace octet {

enum class QScheme : uint8_t { per_tensor_affine, per_tensor_symmetric, per_channel_affine, per_channel_symmetric };

/// What every uniform observer is configured with; the defaults are PyTorch's.
struct ObserverSpec {
  DType dtype = DType::u8;  ///< u8 (quint8), i8 (qint8) or i16, which has symmetric schemes only
  QScheme scheme = QScheme::per_tensor_affine;
  bool reduce_range = false;                                 ///< halve the code range, floor(q/2)
  std::optional<std::pair<int32_t, int32_t>> quant_range{};  ///< custom [quant_min, quant_max]
  float eps = 0x1p-23F;  ///< smallest scale; 0: none, a range of zero takes the tensor's largest scale (or 1), scales stay normal
  int axis = 0;          ///< of per-channel schemes

  bool symmetric() const { return scheme == QScheme::per_tensor_symmetric || scheme == QScheme::per_channel_symmetric; }
  bool per_channel() const { return scheme == QScheme::per_channel_affine || scheme == QScheme::per_channel_symmetric; }
  /// The code range after reduce_range. Throws for a range that does not hold zero or does not fit the dtype.
  std::pair<int32_t, int32_t> range() const;
  bool operator==(const ObserverSpec&) const = default;
};

/// Scale and zero point for observed ranges, one per channel, all in float32 (PyTorch's UniformQuantizationObserverBase).
QParams calculate_qparams(std::span<const float> min, std::span<const float> max, const ObserverSpec&);

class Observer {
 public:
  virtual ~Observer() = default;
  /// Watches a float tensor; an empty one changes nothing. Throws naming `path` and the element if a value is not finite.
  virtual void observe(const Tensor&, std::string_view path) = 0;
  /// Whether any data was seen.
  virtual bool calibrated() const = 0;
  /// Throws if nothing was observed.
  virtual QParams qparams() const = 0;
  /// One pair of parameters for each channel; what activations cannot have.
  virtual bool per_channel() const { return false; }
  /// Smallest and largest value of what was seen, for summaries; empty: nothing seen, per channel, or not known.
  virtual std::optional<std::pair<float, float>> seen() const { return std::nullopt; }
  /// The codes that its parameters are on: what operators of a fixed range (Codes::fixed) take from a configuration.
  virtual std::pair<int32_t, int32_t> codes() const { return {0, 255}; }
  virtual void reset() = 0;
  virtual std::unique_ptr<Observer> clone() const = 0;
  /// "min_max", "histogram", …
  virtual std::string_view kind() const = 0;
  /// Configuration and statistics; load() restores both.
  virtual StateDict state() const = 0;
  virtual void load(const StateDict&) = 0;
};

/// A fresh observer of a built-in kind; null for an unknown name.
std::unique_ptr<Observer> make_observer(std::string_view kind);

// Shared by the built-in observers.
/// A specification as the tensors "spec" and "eps" of an observer's state, and back.
void save_spec(const ObserverSpec&, StateDict&);
ObserverSpec load_spec(const StateDict&);
/// Smallest and largest element of a non-empty float tensor; throws naming `path` and the first value that is not finite.
std::pair<float, float> finite_min_max(const Tensor&, std::string_view path);
/// The tensor of this name; throws if the state lacks it or its dtype differs.
const Tensor& state_tensor(const StateDict&, std::string_view name, DType);

}  // namespace octet
