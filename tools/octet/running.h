// SPDX-License-Identifier: Apache-2.0
// A model run on rows of data: the options that say how, all outputs of any number of rows, right answers, and times.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "compile/program.h"

namespace octet::cli {

/// The options --engine, --threads and --batch.
struct Running {
  std::string engine = "automatic";
  int threads = 0;
  int64_t batch = 0;

  /// `batch_default` is what --batch says of itself where it is not given; empty: the verb has no --batch.
  void add(CLI::App&, const std::string& batch_default);
  /// Sets the number of threads, if one was given.
  void apply() const;
  QEngine qengine() const;
};

/// The input shapes of a model with so many rows.
std::vector<Shape> input_shapes(const Model&, int64_t batch);
/// So many rows at once, or the rows that the model was built for where it takes no other number.
int64_t usable_batch(const Model&, int64_t wanted);

/// A bound model that takes any number of rows.
class RowRunner {
 public:
  /// Throws naming `name`, the model's file.
  RowRunner(const Model&, const Running&, const std::string& name);
  /// Every output for all rows; codes stay codes. `progress` is told the rows done.
  std::vector<Tensor> run(std::span<const Tensor> inputs, const std::function<void(int64_t)>& progress = {}) const;
  int64_t batch() const { return batch_; }
  const std::shared_ptr<const Program>& program() const { return program_; }

 private:
  std::string name_;
  std::shared_ptr<const Program> program_;
  int64_t batch_ = 1;
};

/// Rows whose label is among the `top` largest values of [n, classes]. Equal values count by their place, as arg-max does.
int64_t right_answers(const Tensor& logits, const Tensor& labels, int64_t top);
/// Throws naming the file unless there is a label for each row and each is a class of the model's first output.
void check_labels(const Tensor& labels, const std::string& file, const Model&, const std::string& model_file, int64_t rows);

/// Sorted times of runs, in microseconds.
struct Times {
  std::vector<double> micros;
  double at(double share) const;
};
/// Adds `runs` timed runs.
void time_runs(Session&, std::span<const Tensor> inputs, int runs, Times&);
/// Seeded values that fit the inputs for so many rows.
std::vector<Tensor> random_inputs(const Model&, int64_t rows, uint64_t seed);

}  // namespace octet::cli
