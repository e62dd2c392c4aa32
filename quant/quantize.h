// SPDX-License-Identifier: Apache-2.0
// The quantization workflow, every step on one screen: float -> fuse -> prepare -> (calibrate | train) -> convert. Steps are
// functions from model to model; the float model stays what it was.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/batches.h"
#include "quant/qconfig.h"

namespace octet {

/// What fusion is for: inference folds batch norm into weights, training keeps it as ConvBn2d or LinearBn.
enum class Aim : uint8_t { inference, training };

struct FuseOptions {
  bool residual = true;    ///< additions into the convolution before them, which round once then; for inference
  bool lone_norms = true;  ///< batch norms of pictures that no layer took become depthwise layers of one position: for inference
};

/// Finds and fuses conv-bn, conv-bn-relu, conv-relu (relu6 too), linear-bn, linear-relu, add-relu and, for inference,
/// conv-add(-relu). A tied module or an intermediate value that somebody else reads is left alone.
[[nodiscard]] Model fuse(const Model&, Aim, const FuseOptions& = {});
/// Fuses exactly these sequences of paths. Throws naming the paths that do not form one of the sequences above.
[[nodiscard]] Model fuse(const Model&, const std::vector<std::vector<std::string>>& sequences, Aim);

/// The sequences of paths that fuse(…, Aim::inference) would still join, residuals aside; of any model, converted ones too.
std::vector<std::vector<std::string>> fusable(const Model&);

/// Whether the calls of a tied module share one output observer, as PyTorch's do, or have their own.
enum class Ties : uint8_t { own, shared };

/// Puts the configured hooks on weights and outputs, and an observed identity "<producer>.quant" wherever a quantized module
/// reads a float wire. Operators that keep their input's parameters (pools, relu, reshape, …) follow their input. Throws for a
/// prefix that matches no module, and for a tied call that is configured float while its owner is quantized.
[[nodiscard]] Model prepare(const Model&, const QConfigMap&, Ties = Ties::own);

/// What a model consists of: how far the workflow has come, for tests and summaries.
struct QuantizationSummary {
  int weighted = 0;           ///< convolutions and linear layers
  int int8_weights = 0;       ///< of those, with int8 weights
  int int8_kernels = 0;       ///< of those, running as integer kernels
  int quantized_outputs = 0;  ///< modules whose output is codes
  int weight_hooks = 0, output_hooks = 0;
  int64_t parameter_bytes = 0;
  /// Of a prepared or converted model, one sentence each, naming the module: codes of which fewer than 32 are used, calibration
  /// data that was constant or absurd (as far as its observers tell), modules that fuse() would have joined.
  std::vector<std::string> notes{};
};
QuantizationSummary summarize(const Model&);

/// Quantizes weights (by the rule of Rounding::real), gives every observed output its parameters and removes the hooks. Throws
/// naming a module whose observer saw no data or proposes what codes cannot be (a scale of zero, a zero point outside the codes).
/// In integer roundings a channel whose bias would not fit 32 bits gets a larger weight scale. `summary` gets summarize() of the
/// result with the notes of both models. Modules with a weight hook only keep int8 weights and compute in float.
[[nodiscard]] Model convert(const Model& prepared, QuantizationSummary* summary = nullptr);

/// The float model that a prepared, perhaps trained one stands for: without hooks, batch norms folded into the layers that were
/// trained with them, weights as they are before they are rounded. What a model converted from it is compared with and corrected
/// by; of a float model, that model. Throws for a converted one.
[[nodiscard]] Model to_float(const Model& prepared);

/// Reports progress (done of total) and may stop the work by returning false.
using Progress = std::function<bool(int64_t done, int64_t total)>;
/// Runs the batches through a prepared model in calibrate mode. Throws for an empty set, a model without observers, or data that
/// is not finite; the observers then stay as they were. Returns the number of batches run.
int64_t calibrate(Model& prepared, const Batches&, const Progress& = {});

// Switches on every FakeQuantize below a path prefix ("" = all). Throw if the prefix matches no hook.
void enable_observer(Model&, std::string_view prefix = "");
void disable_observer(Model&, std::string_view prefix = "");
void enable_fake_quant(Model&, std::string_view prefix = "");
void disable_fake_quant(Model&, std::string_view prefix = "");
/// Batch norms, those of ConvBn2d and LinearBn modules and standing alone, use (and keep) their running statistics even in
/// training. Throw if the prefix matches none.
void freeze_bn_stats(Model&, std::string_view prefix = "");
void update_bn_stats(Model&, std::string_view prefix = "");

}  // namespace octet
