// SPDX-License-Identifier: Apache-2.0
// What is compiled is not what is edited: bind() makes an immutable Program of kernels from a model, a Session runs it for fixed
// input shapes with buffers of its own.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/model.h"

namespace octet {

/// How one module runs, for reports.
struct Placement {
  std::string path, op;
  std::string implementation;  ///< "reference conv2d", "float", …
  int64_t macs = 0;            ///< for the nominal input
};

/// A model bound to an engine: a snapshot that later edits of the model cannot change. Shareable between threads.
class Program {
 public:
  const Model& model() const { return model_; }
  QEngine engine() const { return engine_; }
  /// One line per module, for the nominal input shapes.
  std::vector<Placement> placements() const;

 private:
  friend std::shared_ptr<const Program> bind(const Model&, QEngine);
  Program(Model model, QEngine engine) : model_(std::move(model)), engine_(engine) {}

  Model model_;
  QEngine engine_;
};

/// Throws naming the module if a parameter is missing, misshapen or not finite, or a converted module has no exact kernel.
/// Converted modules run as integer kernels, all others in float.
std::shared_ptr<const Program> bind(const Model&, QEngine = QEngine::reference);

/// Runs a program for fixed input shapes; owns the buffers of integer modules, so that their kernels allocate nothing. One thread
/// at a time.
class Session {
 public:
  Session(std::shared_ptr<const Program>, std::vector<Shape> input_shapes);
  ~Session();
  Session(Session&&) noexcept;

  /// Outputs by output wire; codes carry their parameters. Valid until the next run.
  std::span<const Tensor> run(std::span<const Tensor> inputs);

 private:
  struct Step;
  void prepare_module(int index, std::span<const Shape> inputs, const std::vector<Shape>& outputs);

  std::shared_ptr<const Program> program_;
  std::vector<Shape> input_shapes_;
  std::vector<Step> steps_;
  std::vector<std::vector<Tensor>> values_;  // by module and port
  std::vector<Tensor> outputs_;
};

/// The first output, in float, of a model with one input for any number of rows, run in batches of at most `batch` rows.
Tensor run_batched(const std::shared_ptr<const Program>&, const Tensor& inputs, int64_t batch);

}  // namespace octet
