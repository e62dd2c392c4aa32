// SPDX-License-Identifier: Apache-2.0
// Which layer, why, and what to change: every layer's error split by origin, the layers ranked by how much the network's output
// improves when one alone is kept float, a cause in words and the call that mends it.
#pragma once

#include <cmath>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "numeric_suite/compare.h"

namespace octet {

/// Mean squares at a layer's output, in its real units squared.
struct ErrorSplit {
  double inherited = 0;  ///< the float layer on the quantized input, against the float layer on the float input
  double weight = 0;     ///< rounding of the weights, without its mean by channel
  double bias = 0;       ///< the mean by channel of what weights and bias do: what bias correction takes away
  double rounding = 0;   ///< of the output to its codes
  double clipping = 0;   ///< of the output at the ends of its codes
  double own() const { return weight + bias + rounding + clipping; }
};

enum class Cause : uint8_t {
  none,
  range_too_narrow,
  range_too_wide,
  zero_point,
  bias,
  channel_span,
  weight_rounding,
  activation_rounding
};
std::string_view to_string(Cause);

struct LayerDiagnosis {
  int index = 0;  ///< in the quantized model
  std::string path, op;
  ErrorSplit split{};
  double gain_db = 0;    ///< by how much the output's SQNR grows with this layer alone in float (measured; may be negative)
  double share = 0;      ///< of the output's noise that then disappears (measured)
  double estimated = 0;  ///< the same to first order, from one backward pass
  std::optional<double> accuracy{};  ///< with this layer alone in float, if labels were given
  Cause cause = Cause::none;
  std::string words{};  ///< the cause with its numbers
  std::string mend{};   ///< the configuration entry or call that mends it
};

/// Two consecutive layers whose channels are scaled against each other: what one shrinks the other has to grow.
struct PairImbalance {
  std::string first, second;
  double decades = 0;       ///< root of the negative covariance of log10 ranges over the channels
  double worst_span = 1;    ///< largest range of the first layer's channels by its smallest
  bool unbalanced = false;  ///< decades above kUnbalancedDecades: equalize
};
inline constexpr double kUnbalancedDecades = 0.25;

struct DiagnoseOptions {
  QEngine engine = QEngine::automatic;
  std::span<const Tensor> labels{};  ///< i32, one tensor a batch; empty: no accuracies
  /// Whether what runs the model can keep layers in float. A firmware image cannot: then that is not advised, and configurations
  /// are those for devices. Models in a fixed-point rounding are for devices whatever this says.
  bool float_layers = true;
  bool measure = true;         ///< leave-one-float, a part of a network's run for every layer
  int64_t estimate_rows = 32;  ///< of the first batch; the estimate keeps a graph
  /// Batches done of all, asked after every layer of every batch; false stops and gives what whole batches said.
  Progress progress{};
};
struct Diagnosis {
  std::vector<LayerDiagnosis> layers;  ///< worst first: by `share`, or by `estimated` if nothing was measured
  std::vector<PairImbalance> pairs;
  OutputFigures output;           ///< its samples are those of all figures here
  int64_t estimated_samples = 0;  ///< but of `estimated`
  double rank_correlation = NAN;  ///< Spearman's, between estimated and measured; NaN where not defined
  bool stopped = false;           ///< by `progress`; without a whole batch there are no layers
};

/// Throws as compare() does. Activations before a layer are computed once for all layers.
Diagnosis diagnose(const Model& reference, const Model& quantized, const Batches&, const DiagnoseOptions& = {});

/// The pairs of a fused float model that can be equalized, with how unbalanced they are.
std::vector<PairImbalance> pair_imbalances(const Model& fused);

/// Layers worst first with their cause and remedy, as text.
std::string to_table(const Diagnosis&, size_t most = 10);

}  // namespace octet
