// SPDX-License-Identifier: Apache-2.0
// What is compiled is not what is edited: bind() makes an immutable Program of kernels from a model, a Session runs it for fixed
// input shapes with buffers of its own.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/model.h"

namespace octet {

/// How one module runs, for reports.
struct Placement {
  std::string path, op;
  std::string implementation;     ///< "reference conv2d", "onednn", its own name and the op, or "float"
  std::optional<QEngine> engine;  ///< whose kernel it is; none: float
  std::string why;                ///< why it is not the engine asked for, or not automatic's first choice
  int64_t macs = 0;               ///< for the nominal input
};

/// Engines by path or start of a path ("layer1" is layer1 and all below it); the longest that matches wins.
using QEngineMap = std::map<std::string, QEngine, std::less<>>;

/// A model bound to an engine: a snapshot that later edits of the model cannot change. Shareable between threads.
class Program {
 public:
  const Model& model() const { return model_; }
  /// The engine asked for; a module's own may differ (placements).
  QEngine engine() const { return engine_; }
  QEngine engine(std::string_view path) const;
  /// One line per module, for the nominal input shapes and the number of threads at bind.
  std::vector<Placement> placements() const { return placements_; }

 private:
  friend std::shared_ptr<const Program> bind(const Model&, QEngine, const QEngineMap&);
  Program(Model model, QEngine engine, QEngineMap overrides)
      : model_(std::move(model)), engine_(engine), overrides_(std::move(overrides)) {}
  void place();

  Model model_;
  QEngine engine_;
  QEngineMap overrides_;
  std::vector<Placement> placements_;
};

/// Throws naming the module if a parameter is missing, misshapen or not finite, or a converted module has no exact kernel.
/// Converted modules run as integer kernels, all others in float. What the engine asked for declines runs on the reference engine,
/// and placements() says why; an engine that is not built in or can do nothing on this CPU is refused.
std::shared_ptr<const Program> bind(const Model&, QEngine = QEngine::automatic, const QEngineMap& overrides = {});

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
