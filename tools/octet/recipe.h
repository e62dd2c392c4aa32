// SPDX-License-Identifier: Apache-2.0
// How a float model is to be quantized, as options, as JSON and as a model that was made so.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

#include "quant/quantize.h"
#include "tools/octet/verb.h"

namespace octet::cli {

struct Recipe {
  std::string preset = "octet";         ///< of quant/qconfig.h
  std::string observer;                 ///< of activations; empty: the preset's
  std::string rounding = "real";        ///< as to_string(Rounding)
  bool per_tensor = false;              ///< one scale for all weights of a layer
  bool equalize = false;                ///< cross-layer equalization before, where channels are out of balance
  bool bias_correct = false;            ///< empirical bias correction behind
  std::vector<std::string> keep_float;  ///< paths or starts of paths
  int64_t samples = 0;                  ///< rows to calibrate with, drawn by `seed`; 0: all
  int64_t seed = 0;
};

/// The options of a recipe; those that were given win over what a recipe file says.
class RecipeOptions {
 public:
  void add(CLI::App&);
  /// Throws naming the file and what in it is no recipe.
  Recipe recipe() const;
  const std::string& file() const { return file_; }

 private:
  Recipe given_;
  std::string file_;
  CLI::App* verb_ = nullptr;
};

Json to_json(const Recipe&);
Recipe read_recipe(const std::string& path);

/// What the recipe makes of a float model and data; and the float model, fused and equalized, that it corresponds to.
struct Made {
  Model reference, quantized;
  QuantizationSummary summary;
};
/// Throws for a recipe that the model cannot take.
Made make(const Recipe&, const Model&, const Batches&, const Progress&);

}  // namespace octet::cli
