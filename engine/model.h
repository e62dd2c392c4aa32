// SPDX-License-Identifier: Apache-2.0
// A model is an ordinary value: a flat list of named modules with explicit wires. The tree lives in the dotted names, the dataflow
// in the wires; copying a model copies everything, so every quantization step is a function from model to model.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/hook.h"
#include "engine/interface.h"
#include "engine/ops.h"
#include "engine/quantize.h"

namespace octet {

/// Output port of an earlier module.
struct Wire {
  int module = 0, port = 0;
  bool operator==(const Wire&) const = default;
};

struct Module {
  std::string path;  ///< "layer1.0.conv1"
  Op op;
  std::vector<Wire> inputs{};        ///< of earlier modules only
  Params params{};                   ///< quantized ones carry their QParams
  std::string tied_to{};             ///< path of the module that owns the params (a module called twice), else empty
  std::vector<std::string> fused{};  ///< paths folded into this one; the last is the one whose output this is
  std::map<std::string, HookBox, std::less<>> hooks{};  ///< by point: "weight", "output"
  std::vector<std::optional<QParams>> out_q{};          ///< per port, set by convert; empty = float
  std::vector<Shape> nominal{};                         ///< output shapes for the nominal input

  /// The operator if it is a T, else null.
  template <class T>
  const T* as() const {
    return std::get_if<T>(&op);
  }
};

struct Model {
  std::vector<Module> modules;
  std::vector<Wire> outputs;
  Rounding rounding = Rounding::real;
  Interface interface {};  ///< for users and files; computes nothing

  /// Appends a module and returns its index. The shapes are checked here, on the nominal input, so that a wrong network fails on
  /// the line that builds it. Without wires the module reads the last one (an Input reads nothing).
  int add(std::string path, Op op, std::vector<Wire> inputs = {});
  int add(std::string path, Op op, std::initializer_list<int> inputs);
  /// A second call of the module `owner`: same op, same parameters, its own place in the dataflow.
  int add_tied(std::string path, std::string owner, std::vector<Wire> inputs = {});

  /// Index by path, or nullopt.
  std::optional<int> find(std::string_view path) const;
  /// Index by path; throws listing near names.
  int index(std::string_view path) const;
  Module& operator[](std::string_view path) { return modules[index(path)]; }
  const Module& operator[](std::string_view path) const { return modules[index(path)]; }
  /// The module that holds this module's parameters: itself, or the one it is tied to.
  const Module& owner(const Module&) const;
  Module& owner(const Module&);
  /// Whether the module's codes mean what its first input's do: because they always do, or may and nothing else was said.
  bool keeps_qparams(const Module&) const;
  /// For messages: the module's path, or "model" if there is no such module.
  std::string_view path_at(int index) const;
  /// The wires a caller sees: `outputs`, or the last module if none are set.
  std::vector<Wire> output_wires() const;
};

/// Whether `path` is `prefix` or lies below it in the dotted tree; "" matches everything.
bool below(std::string_view path, std::string_view prefix);

/// Draws every parameter in PyTorch's order: modules in list order, or in the order of `paths` first.
void initialize(Model&, Generator&, std::span<const std::string> paths = {});
/// Bytes of all parameters that the model holds (a tied module's count once).
int64_t parameter_bytes(const Model&);
/// Float parameters converted to f32 or f64; for gradient checks in f64.
Model cast(const Model&, DType);

/// A layer's weight and bias; null if it has none.
const Tensor* weight_of(const Params&);
const Tensor* bias_of(const Params&);
Tensor* weight_of(Params&);
Tensor* bias_of(Params&);
/// The weight of a module that cannot do without. Throws naming `path` if it is missing.
const Tensor& needed_weight(const Params&, std::string_view path);
Tensor& needed_weight(Params&, std::string_view path);

/// Called after each module with its index and its outputs.
using Tap = std::function<void(int index, std::span<const Tensor> outputs)>;

struct ForwardOptions {
  Generator* random = nullptr;  ///< dropout draws from here
};

/// Runs the model; may move running statistics (train) and observers (calibrate, train). Records a graph only in train mode.
std::vector<Var> forward(Model&, std::span<const Tensor> inputs, Mode, const ForwardOptions& = {});
/// Runs the model and moves nothing; safe from several threads. Converted modules run their reference kernels, so outputs may be
/// codes with QParams.
std::vector<Tensor> infer(const Model&, std::span<const Tensor> inputs, const Tap& = {});
/// One module of a model on the given inputs.
std::vector<Var> run_module(Model&, int index, std::span<const Var> inputs, Mode, const ForwardOptions& = {});
std::vector<Tensor> infer_module(const Model&, int index, std::span<const Tensor> inputs);

/// Constant tables of a converted module, for all shapes; its weights are shared, not copied. Throws naming the module if it has no
/// exact int8 form.
ModuleTables lower_tables(const Model&, int index);
/// Kernel runs of a converted module for these input shapes, on tables made before, or now: the only place where QParams become
/// kernel arguments. Throws naming the module if it has no exact int8 form.
Lowered lower(const Model&, int index, std::span<const Shape> input_shapes, const ModuleTables&);
Lowered lower(const Model&, int index, std::span<const Shape> input_shapes);
/// Whether the module runs as integer kernels: all wires and parameters are codes.
bool runs_quantized(const Model&, int index);
/// Whether float kernels compute the module without its operator's forward(): no hooks, float32 parameters. Codes that it reads or
/// gives are converted, as infer_module does.
bool runs_in_float_kernels(const Model&, int index);
/// Constant tables of such a module, for all shapes; float32 weights are shared, not copied.
ModuleTables lower_float_tables(const Model&, int index);
/// Its kernel runs for these input shapes, which give infer_module's bytes; nullopt: too large for a kernel call.
std::optional<LoweredFloats> lower_floats(const Model&, int index, std::span<const Shape> input_shapes, const ModuleTables&);
/// Output shapes of every module for these input shapes.
std::vector<std::vector<Shape>> infer_shapes(const Model&, std::span<const Shape> inputs);

}  // namespace octet
