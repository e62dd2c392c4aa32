// SPDX-License-Identifier: Apache-2.0
// One operator of a file while it becomes modules of a model: what an operator's row in io/tflite/operators.cpp works with.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/model.h"
#include "io/tflite/file.h"

namespace octet::tflite {

/// The model so far and what the file's tensors are in it.
struct Import {
  const File& file;
  Model model{};
  std::vector<std::string> notes{};
  std::map<int32_t, Wire> wires{};        ///< of tensors that modules compute
  std::map<int32_t, Tensor> constants{};  ///< of tensors that operators computed from constants
  std::set<int32_t> floats_of_codes{};    ///< ends of the graph that are floats in the file and codes in the model
};

/// The path, or with a number behind it where a module has it.
std::string unique_path(const Model&, const std::string& path);
/// "tensor 5 "conv1""
std::string describe(const File&, int32_t tensor);
/// What the codes of a tensor between operators mean; nothing for floats. Throws naming it if octet has no such codes.
std::optional<QParams> activation_qparams(const File&, int32_t tensor);

class Node {
 public:
  Node(Import& import, size_t index);

  // What it reads.
  size_t inputs() const { return op_->inputs.size(); }
  /// Whether there is an input at this place that was not left out.
  bool has(size_t input) const { return input < op_->inputs.size() && op_->inputs[input] >= 0; }
  const FileTensor& input(size_t i) const { return import_->file.tensors[static_cast<size_t>(number_of(i))]; }
  const FileTensor& output(size_t i = 0) const;
  size_t outputs() const { return op_->outputs.size(); }
  const Shape& shape(size_t input_index) const { return input(input_index).shape; }
  /// Of what codes it computes; nothing: floats.
  std::optional<QParams> input_qparams(size_t i) const { return activation_qparams(import_->file, number_of(i)); }
  std::optional<QParams> output_qparams(size_t i = 0) const;
  bool is_float() const { return output().type == Type::f32; }
  bool is_wide() const { return output().type == Type::i16; }
  bool is_constant(size_t i) const;
  /// A constant of floats, or codes with their parameters; throws if the input is none.
  Tensor constant(size_t i) const;
  /// A constant of int32 or int64.
  std::vector<int64_t> integers(size_t i) const;
  /// An attribute of the options, by its field; the format's default where there are no options.
  template <class T>
  T option(int field, T otherwise = {}) const {
    return op_->options ? op_->options->number<T>(field, otherwise) : otherwise;
  }
  std::vector<int32_t> option_integers(int field) const;
  /// Options are a union; they are read if they are of this kind.
  void expect_options(uint8_t kind) const;

  // What becomes of it.
  /// What computes an input; a constant becomes a module.
  Wire wire(size_t input_index);
  /// The module of its (only) output, checked to have the file's shape.
  void emit(Op, std::vector<Wire> inputs, Params = {});
  /// The same where it has several, a module with as many.
  void emit_all(Op, std::vector<Wire> inputs);
  /// A module between, whose codes mean this; its name begins with the output's.
  Wire step(std::string_view suffix, Op, std::vector<Wire> inputs, std::optional<QParams>);
  /// An output is this wire's value.
  void alias(Wire, size_t output_index = 0);
  /// Floats that come in and are rounded here and nowhere else become codes where they come in; false if they do not.
  bool rounds_graph_input();
  /// Floats that are made of codes here, go out and are read nowhere: the codes go out instead. False if it is not so.
  bool gives_graph_output();
  /// The output is a constant.
  void fold(Tensor);
  void note(std::string_view text) const;

  [[noreturn]] void refuse(std::string_view why) const;
  template <class... Parts>
  void demand(bool holds, const Parts&... parts) const {
    if (holds) return;
    Text text;
    text.precision(9);
    (text << ... << parts);
    refuse(text.str());
  }
  /// Refuses unless the output's codes mean what this input's mean, or both are floats.
  void demand_same_codes(size_t input_index = 0) const;
  /// Refuses unless it computes floats, for functions whose integers octet does not have.
  void demand_float() const;
  /// The same axis counted from the front.
  int64_t axis(int64_t axis, size_t rank) const;

 private:
  int32_t number_of(size_t input_index) const;
  std::string path_for(std::string_view suffix);
  int add(std::string_view suffix, Op, std::vector<Wire> inputs);

  Import* import_;
  const FileOperator* op_;
  size_t index_;
};

/// A fused activation by its number in the file.
Activation activation(const Node&, int8_t kind);
/// The module of the output, and a clamp behind it where the operator has none of its own.
void emit_clamped(Node&, Op, std::vector<Wire> inputs, Activation);

}  // namespace octet::tflite
