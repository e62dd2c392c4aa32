// SPDX-License-Identifier: Apache-2.0
// What is compiled is not what is edited: Program::bind makes an immutable Program of kernels from a model, a Session runs it for
// fixed input shapes with memory of its own.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/model.h"

namespace octet {

struct Plan;

/// How one module runs, for reports.
struct Placement {
  std::string path, op;
  /// "reference conv2d", "onednn", its own name and the op, "x86-64-v4 add" of float kernels; "same memory"; "tensors": the
  /// operator's own forward (hooks, f64).
  std::string implementation;
  std::optional<QEngine> engine;  ///< whose kernel it is; none: it computes in float, or there is nothing to compute
  bool floats = false;            ///< it computes in float
  std::string why;                ///< why it is not the engine asked for, or not automatic's first choice
  int64_t macs = 0;               ///< multiply-accumulates of one run
};

/// Memory of a session, in bytes.
struct MemoryReport {
  int64_t arena = 0;        ///< planned memory of all values of kernels but the outputs
  int64_t lower_bound = 0;  ///< most bytes of the arena alive at once: no arena is smaller
  bool optimal = false;     ///< proved: no smaller arena exists
  int64_t scratch = 0;      ///< one block that all kernels use in turn
  int64_t values = 0;       ///< all values of kernels, each with memory of its own: what the arena saves against
  int64_t outputs = 0;      ///< values that lie in output tensors
  int64_t parameters = 0;   ///< the model's, as far as the program holds them
  int64_t packed = 0;       ///< weights in the layouts of kernels, and their constants
};

/// Engines by path or start of a path ("layer1" is layer1 and all below it); the longest that matches wins.
using QEngineMap = std::map<std::string, QEngine, std::less<>>;

/// A model bound to an engine: a snapshot that later edits of the model cannot change. Shareable between threads. Kernels and
/// memory are planned for input shapes and a number of threads; sessions that agree in both share one plan.
class Program {
 public:
  /// Throws naming the module if a parameter is missing, misshapen or not finite, or a converted module has no exact kernel.
  /// Converted modules run as integer kernels, all others as float kernels (their operator's forward if they have hooks or f64
  /// parameters). What the engine asked for declines runs on the reference
  /// engine, and placements() says why; an engine that is not built in or can do nothing on this CPU is refused.
  static std::shared_ptr<const Program> bind(const Model&, QEngine = QEngine::automatic, const QEngineMap& overrides = {});
  /// The same of a model that is given away: weights are held once, in the form that the kernels read. Another plan whose kernels
  /// want another form makes it from that. The program's model() has no elements in such weights.
  static std::shared_ptr<const Program> bind(Model&&, QEngine = QEngine::automatic, const QEngineMap& overrides = {});

  const Model& model() const { return model_; }
  /// The engine asked for; a module's own may differ (placements).
  QEngine engine() const { return engine_; }
  QEngine engine(std::string_view path) const;
  /// One line per module, for the nominal input shapes and the number of threads at bind.
  std::vector<Placement> placements() const;

  /// The plan for these input shapes, made if no session holds one. Throws naming the module that can not take its input; the
  /// program stays as it was.
  std::shared_ptr<const Plan> plan(std::span<const Shape> inputs, int threads) const;

 private:
  static std::shared_ptr<Program> make(const Model&, QEngine, const QEngineMap&);
  void release_weights();
  Program(Model model, QEngine engine, QEngineMap overrides)
      : model_(std::move(model)), engine_(engine), overrides_(std::move(overrides)) {}

  Model model_;
  QEngine engine_;
  QEngineMap overrides_;
  bool gave_weights_away_ = false;
  std::shared_ptr<const Plan> nominal_;
  mutable std::mutex mutex_;
  mutable std::map<std::pair<std::vector<Shape>, int>, std::weak_ptr<const Plan>> plans_;
};

/// Runs a program for fixed input shapes on a fixed number of threads. Owns the memory of all values, so that a run allocates
/// nothing, whether it computes in integers or floats (but for modules with hooks or f64 parameters). A run from a second thread
/// while one is going on is refused.
class Session {
 public:
  /// `thread_count` defaults to threads() of now; throws if it is less than 1 or the memory can not be had.
  Session(std::shared_ptr<const Program>, std::vector<Shape> input_shapes, std::optional<int> thread_count = {});
  ~Session();
  /// What was moved from may be assigned to or destroyed; anything else throws.
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;

  /// Outputs by output wire; codes carry their parameters. Valid until the next run; a Tensor copied from them stays.
  /// An input is a float tensor, or codes (those of the input's own parameters are taken as they are). Floats are read where they
  /// lie. f64 into a float input is computed by infer().
  std::span<const Tensor> run(std::span<const Tensor> inputs);
  /// Median microseconds of every module over `repeats` runs.
  std::vector<double> time(std::span<const Tensor> inputs, int repeats);

  const Plan& plan() const;
  MemoryReport memory() const;

 private:
  struct Impl;
  Impl& impl() const;
  std::unique_ptr<Impl> impl_;
};

/// The first output, in float, for any number of rows, run in batches of at most `batch` rows. One tensor per input of the model,
/// all with the same number of rows; throws naming the input that differs.
Tensor run_batched(const std::shared_ptr<const Program>&, std::span<const Tensor> inputs, int64_t batch);
/// The same for models with one input.
Tensor run_batched(const std::shared_ptr<const Program>&, const Tensor& inputs, int64_t batch);

}  // namespace octet
