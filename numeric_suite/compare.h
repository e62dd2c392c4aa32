// SPDX-License-Identifier: Apache-2.0
// Float against quantized, layer by layer: weights, outputs end to end, and shadows (the float layer on the quantized layer's own
// input), in one pass over any number of batches. Memory does not depend on their number.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/model.h"
#include "numeric_suite/statistics.h"
#include "quant/quantize.h"

namespace octet {

/// 20*log10(||reference|| / ||reference - test||) in dB over all elements, norms in double; +inf for equal tensors. Codes are
/// dequantized first. Throws for different shapes or a value that is not finite.
double sqnr(const Tensor& reference, const Tensor& test);

/// One module of the quantized model against its float counterpart.
struct LayerComparison {
  int index = 0;           ///< in the quantized model
  std::string path;        ///< in the quantized model
  std::string float_path;  ///< in the float model: for a fused module, the last one folded into it
  std::string op;
  std::string dtype;              ///< of the quantized model's output: "u8", "i8" or "f32"
  std::optional<Metrics> output;  ///< end to end: what reached this place through the quantized network
  std::optional<Metrics> shadow;  ///< own error: the float module fed the quantized module's input, against the quantized output
  std::optional<Metrics> weight;  ///< channels are output channels
};

/// The network's first output in float against quantized.
struct OutputFigures {
  double sqnr_db = 0;
  std::optional<double> float_accuracy, quantized_accuracy;  ///< shares of right answers, if labels were given
  int64_t samples = 0;                                       ///< rows these figures are made from
};

struct CompareOptions {
  bool outputs = true, shadows = true, weights = true;
  QEngine engine = QEngine::automatic;  ///< runs the quantized model's integer modules; every engine gives the same bytes
  std::span<const Tensor> labels{};     ///< i32, one tensor a batch; empty: no accuracies. Needs `outputs`
  Progress progress{};                  ///< batches done of all; false stops and gives what was seen
};
struct ModelComparison {
  std::vector<LayerComparison> layers;  ///< in the quantized model's order, those with a counterpart
  std::vector<std::string> unmatched;   ///< modules of the quantized model without one
  OutputFigures output;                 ///< no samples: outputs were not compared
  int64_t samples = 0;                  ///< rows seen
  bool stopped = false;                 ///< by `progress`, before all batches were seen
};

/// Compares a float model (fused or not) with the quantized, or prepared, model made from it; a model that was trained before it
/// was converted with to_float() of the prepared one. Throws for models that do not correspond (pair_up), for no batches, for
/// labels that do not fit and for a value that is not finite.
ModelComparison compare(const Model& reference, const Model& quantized, const Batches&, const CompareOptions& = {});

/// One module's output against its float counterpart's, over all batches.
struct OutputComparison {
  std::string path;        ///< in the quantized model
  std::string float_path;  ///< in the float model: for a fused module, the last one folded into it
  std::string op;
  std::string dtype;  ///< of the quantized model's output: "u8", "i8" or "f32"
  double sqnr_db = 0;
  double max_abs_error = 0;
  double saturated = 0;  ///< share of codes at qmax, or at a qmin that is not the zero point (0 for a float output)
  int64_t elements = 0;
};

/// The outputs alone, end to end. Throws if `batches` is empty or nothing matches.
std::vector<OutputComparison> compare_outputs(const Model& reference, const Model& quantized, const Batches&);

/// The comparison as a text table, one module a line.
std::string to_table(std::span<const OutputComparison>);
std::string to_table(const ModelComparison&);
/// "output SQNR 34.20 dB, accuracy 91.20 % float, 91.10 % quantized (10000 samples)".
std::string to_string(const OutputFigures&);

}  // namespace octet
