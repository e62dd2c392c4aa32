// SPDX-License-Identifier: Apache-2.0
// Float against quantized: how much signal is left of the noise that int8 adds, for whole outputs and module by module.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "engine/model.h"

namespace octet {

/// 20*log10(||reference|| / ||reference - test||) in dB over all elements, norms in double; +inf for equal tensors. Codes are
/// dequantized first. Throws for different shapes or a value that is not finite.
double sqnr(const Tensor& reference, const Tensor& test);

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

/// Runs both models (of one input) on the same batches and compares the first output of every module; errors are end to end, each
/// module sees what the quantized model really feeds it. Modules without a counterpart are left out. Throws if `batches` is empty
/// or nothing matches.
std::vector<OutputComparison> compare_outputs(const Model& reference, const Model& quantized, std::span<const Tensor> batches);

/// The comparison as a text table, one module a line.
std::string to_table(std::span<const OutputComparison>);

}  // namespace octet
