// SPDX-License-Identifier: Apache-2.0
// Data for a model: .npy files, pictures, folders of either, in the shapes of its inputs.
#pragma once

#include <CLI/CLI.hpp>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/model.h"

namespace octet::cli {

/// The options that say what the data are and how pictures become values.
struct SampleOptions {
  std::vector<std::string> files;
  std::string mean, std, resize, layout;
  bool codes = false;

  /// `names` of the option that takes the files ("data,--data").
  CLI::Option* add(CLI::App&, const std::string& names, const std::string& what);
  /// How the model's input `index` is made of pictures: what the options say, else what the model says, else plain values.
  Preprocessing preprocessing(const Model&, size_t index) const;
};

/// Rows for every input of a model.
struct Samples {
  std::vector<Tensor> inputs;      ///< by input, all with the same number of rows
  std::vector<std::string> names;  ///< of rows that came one a file; else empty
  std::vector<int32_t> classes;    ///< by row, where the data came in a folder for each class; else empty
  std::vector<std::string> notes;  ///< how pictures were made values, one line an input
  int64_t rows() const { return inputs.at(0).size(0); }
};

/// Two steps, so that a file that is no data is refused before a model is loaded.
class SampleFiles {
 public:
  /// Reads arrays and lists folders. Throws naming the file that is neither, and the element that is not finite.
  explicit SampleFiles(const SampleOptions&);
  /// Throws naming the file whose values do not fit the input, and what would.
  Samples fit(const Model&, const std::string& model_file) const;

 private:
  struct File {
    std::string path;
    std::optional<Tensor> array;  ///< none: a picture
    int32_t group = -1;           ///< class, of a folder with folders
  };
  static std::vector<File> listed(const std::string& folder, bool codes, bool nested = false);
  static Tensor array_of(const std::string& path, bool codes);

  SampleOptions options_;
  std::vector<std::vector<File>> given_;  // by argument
};

/// Labels as int32, one a row.
Tensor read_labels(const std::string& path);

/// A list of finite numbers with commas between them.
CLI::Validator number_list(bool positive);

}  // namespace octet::cli
