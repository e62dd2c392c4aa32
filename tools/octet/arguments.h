// SPDX-License-Identifier: Apache-2.0
// What the commands read from their arguments: numbers, names that were nearly right, and files that are what they should be.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "engine/model.h"

namespace octet::cli {

/// A whole number in these bounds, decimal digits only.
CLI::Validator whole_number(int64_t least = 1, int64_t most = std::numeric_limits<int64_t>::max());
/// A finite number, not negative if so asked; independent of the locale.
CLI::Validator finite_number(bool negative);
double number_of(const std::string& text);

/// ", did you mean "plan"?" for a name a few letters away, or nothing.
std::string did_you_mean(const std::string& name, std::span<const std::string> names);

/// Adds the argument for a model's file.
void add_model(CLI::App&, std::string& path, const std::string& what = "model: an octet model file or a TensorFlow Lite file");
/// A model file's content.
struct OpenedModel {
  Model model;
  std::vector<std::string> notes;  ///< what was unusual but no error
  /// By input of the file's graph: which input of the model it is, or -1 for one that only says a shape.
  std::vector<int> places;
};
/// Loads a model, whichever kind of file it is in. Throws naming the file, and for a file of another kind what it is and which verb
/// takes it.
OpenedModel open_file(const std::string& path);
Model open_model(const std::string& path);
/// Whether the file starts like a firmware image.
bool is_image(const std::string& path);
/// "a firmware image (octet inspect prints it)", "a NumPy array", …; empty: not known.
std::string kind_of_file(const std::string& path);

}  // namespace octet::cli
