// SPDX-License-Identifier: Apache-2.0
// Constants, wires and modules of one operator, and messages that name it.
#include "io/tflite/node.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "engine/module_check.h"
#include "engine/quantize.h"
#include "io/elements.h"

namespace octet::tflite {
namespace {

template <class T>
std::vector<T> elements(std::span<const std::byte> data) {
  std::vector<T> all(data.size() / sizeof(T));
  if (!all.empty()) std::memcpy(all.data(), data.data(), all.size() * sizeof(T));
  return all;
}

/// Two codes a byte, the lower half first.
std::vector<int8_t> halves_of_bytes(const FileTensor& t) {
  std::vector<int8_t> codes;
  const auto count = static_cast<size_t>(numel(t.shape));
  for (const int8_t pair : elements<int8_t>(t.data)) {
    const auto low = static_cast<int8_t>(static_cast<uint8_t>(pair) << 4);
    for (const int half : {low >> 4, pair >> 4})
      if (codes.size() < count) codes.push_back(static_cast<int8_t>(half));
  }
  return codes;
}

/// A tensor's name as a path: before the first of the names that were joined, folders as the levels of a tree.
std::string path_of(const std::string& name) {
  std::string path;
  for (const char c : name.substr(0, name.find(';'))) path += c == '/' ? '.' : static_cast<unsigned char>(c) < ' ' ? '_' : c;
  while (!path.empty() && path.back() == '.') path.pop_back();
  return path;
}

/// Weights of 4 bits are held as int8.
int32_t lowest(Type type) { return type == Type::u8 ? 0 : type == Type::i16 ? -32768 : -128; }
int32_t highest(Type type) { return type == Type::u8 ? 255 : type == Type::i16 ? 32767 : 127; }

/// Codes of one scale, or one by channel of an axis.
QParams qparams_of(const FileTensor& t, std::string_view where) {
  const Quantization& q = t.quantization;
  check(!q.unusual, where, ": a form of quantization that octet does not have");
  QParams p{q.scale, {}, -1, 0, lowest(t.type), highest(t.type)};
  check(!p.scale.empty(), where, ": ", type_name(t.type), " without a scale");
  if (p.scale.size() > 1) {
    p.axis = q.axis;
    check(p.axis >= 0 && p.axis < static_cast<int>(t.shape.size()) &&
              t.shape[static_cast<size_t>(p.axis)] == static_cast<int64_t>(p.scale.size()),
          where, ": ", p.scale.size(), " scales along axis ", p.axis, " of shape ", to_string(t.shape));
  }
  check(q.zero_point.empty() || q.zero_point.size() == 1 || q.zero_point.size() == p.scale.size(), where, ": ", p.scale.size(),
        " scales and ", q.zero_point.size(), " zero points");
  for (size_t i = 0; i < p.scale.size(); ++i) {
    const int64_t zero = q.zero_point.empty() ? 0 : q.zero_point[q.zero_point.size() == 1 ? 0 : i];
    check(zero >= p.qmin && zero <= p.qmax, where, ": zero point ", zero, " of ", type_name(t.type));
    p.zero_point.push_back(static_cast<int32_t>(zero));
  }
  check_qparams(p, t.shape, where);
  return p;
}

}  // namespace

std::string unique_path(const Model& model, const std::string& path) {
  std::string one = path;
  for (int i = 2; model.find(one); ++i) one = path + "_" + std::to_string(i);
  return one;
}

std::string describe(const File& file, int32_t tensor) {
  const std::string& name = file.tensors[static_cast<size_t>(tensor)].name;
  return "tensor " + std::to_string(tensor) + (name.empty() ? "" : " \"" + name + "\"");
}

std::optional<QParams> activation_qparams(const File& file, int32_t tensor) {
  const FileTensor& t = file.tensors[static_cast<size_t>(tensor)];
  const std::string where = describe(file, tensor);
  check(!t.variable, where, ": a variable, which keeps state from run to run");
  check(!t.free_size, where, ": the size of an axis behind the first is known at run time only; give the file a fixed one");
  check(!t.sparse, where, ": is sparse");
  if (t.type == Type::f32) return std::nullopt;
  check(t.type == Type::i8 || t.type == Type::u8 || t.type == Type::i16, where, ": values of ", type_name(t.type),
        "; float32, int8, uint8 and int16 are read");
  QParams q = qparams_of(t, where);
  check(q.axis < 0, where, ": codes by channel between operators");
  return q;
}

Node::Node(Import& import, size_t index) : import_(&import), op_(&import.file.operators[index]), index_(index) {}

void Node::refuse(std::string_view why) const {
  std::string name;
  if (!op_->outputs.empty()) name = " \"" + import_->file.tensors[static_cast<size_t>(op_->outputs[0])].name + "\"";
  fail("operator ", index_, " ", operator_name(*op_), name, ": ", why);
}

void Node::note(std::string_view text) const {
  import_->notes.push_back(describe(import_->file, op_->outputs.at(0)) + ": " + std::string(text));
}

int32_t Node::number_of(size_t i) const {
  demand(has(i), "input ", i, " is missing");
  return op_->inputs[i];
}

const FileTensor& Node::output(size_t i) const {
  demand(i < op_->outputs.size(), "output ", i, " is missing");
  return import_->file.tensors[static_cast<size_t>(op_->outputs[i])];
}

std::optional<QParams> Node::output_qparams(size_t i) const {
  output(i);
  return activation_qparams(import_->file, op_->outputs[i]);
}

bool Node::is_constant(size_t i) const { return has(i) && (input(i).constant || import_->constants.contains(op_->inputs[i])); }

Tensor Node::constant(size_t i) const {
  const int32_t number = number_of(i);
  if (const auto found = import_->constants.find(number); found != import_->constants.end()) return found->second;
  const FileTensor& t = input(i);
  const std::string where = describe(import_->file, number);
  demand(t.constant, "input ", i, " (", where, ") is no constant");
  demand(!t.sparse, where, " is sparse");
  switch (t.type) {
    case Type::f32: return Tensor::of<float>(t.shape, elements<float>(t.data));
    case Type::f16: {
      std::vector<float> values;
      for (const uint16_t h : elements<uint16_t>(t.data)) values.push_back(from_f16(h));
      return Tensor::of<float>(t.shape, values);
    }
    case Type::i4: return Tensor::of<int8_t>(t.shape, halves_of_bytes(t)).with(qparams_of(t, where));
    case Type::i8: return Tensor::of<int8_t>(t.shape, elements<int8_t>(t.data)).with(qparams_of(t, where));
    case Type::u8: return Tensor::of<uint8_t>(t.shape, elements<uint8_t>(t.data)).with(qparams_of(t, where));
    case Type::i16: return Tensor::of<int16_t>(t.shape, elements<int16_t>(t.data)).with(qparams_of(t, where));
    default: break;
  }
  refuse(where + ": a constant of " + type_name(t.type) + ", where floats or codes are read");
}

std::vector<int64_t> Node::integers(size_t i) const {
  const FileTensor& t = input(i);
  const std::string where = describe(import_->file, number_of(i));
  demand(t.constant || numel(t.shape) == 0, "input ", i, " (", where, ") is no constant: octet needs to know it before");
  if (t.type == Type::i64) return elements<int64_t>(t.data);
  demand(t.type == Type::i32, where, ": a constant of ", type_name(t.type), ", expected int32 or int64");
  const auto values = elements<int32_t>(t.data);
  return {values.begin(), values.end()};
}

std::vector<int32_t> Node::option_integers(int field) const {
  return op_->options ? op_->options->numbers<int32_t>(field, 64) : std::vector<int32_t>{};
}

void Node::expect_options(uint8_t kind) const {
  demand(op_->options_kind == kind || op_->options_kind == 0, "options of kind ", int{op_->options_kind}, ", expected ", int{kind});
}

std::string Node::path_for(std::string_view suffix) {
  std::string path = path_of(output().name);
  if (path.empty()) {
    path = "op" + std::to_string(index_) + "_" + operator_name(*op_);
    std::ranges::transform(path, path.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  }
  return unique_path(import_->model, path + std::string(suffix));
}

int Node::add(std::string_view suffix, Op op, std::vector<Wire> inputs) {
  try {
    return import_->model.add(path_for(suffix), std::move(op), std::move(inputs));
  } catch (const OutOfMemory&) {
    throw;
  } catch (const Error& e) {
    refuse(e.what());
  }
}

Wire Node::wire(size_t i) {
  const int32_t number = number_of(i);
  if (const auto found = import_->wires.find(number); found != import_->wires.end()) return found->second;
  demand(is_constant(i), "reads ", describe(import_->file, number), ", which nothing before it computes");
  const std::optional<QParams> q = input(i).type == Type::f16 ? std::nullopt : activation_qparams(import_->file, number);
  Tensor value = constant(i);
  const Shape shape = value.shape();
  std::string path = path_of(input(i).name);
  if (path.empty()) path = "constant" + std::to_string(number);
  const int module = import_->model.add(unique_path(import_->model, path), Constant{shape});
  Module& m = import_->model.modules[static_cast<size_t>(module)];
  m.params.insert_or_assign("value", std::move(value));
  if (q) m.out_q.emplace_back(q);
  const Wire wire{module, 0};
  import_->wires.emplace(number, wire);
  return wire;
}

void Node::emit(Op op, std::vector<Wire> inputs, Params params) {
  const std::optional<QParams> q = output_qparams();
  const int module = add("", std::move(op), std::move(inputs));
  Module& m = import_->model.modules[static_cast<size_t>(module)];
  m.params = std::move(params);
  if (q) m.out_q.assign(m.nominal.size(), q);
  alias({module, 0});
}

void Node::emit_all(Op op, std::vector<Wire> inputs) {
  const int module = add("", std::move(op), std::move(inputs));
  Module& m = import_->model.modules[static_cast<size_t>(module)];
  demand(m.nominal.size() == outputs(), "has ", outputs(), " outputs, expected ", m.nominal.size());
  for (size_t i = 0; i < outputs(); ++i)
    if (const auto q = output_qparams(i)) m.out_q.emplace_back(q);
  for (size_t i = 0; i < outputs(); ++i) alias({module, static_cast<int>(i)}, i);
}

Wire Node::step(std::string_view suffix, Op op, std::vector<Wire> inputs, std::optional<QParams> q) {
  const int module = add(suffix, std::move(op), std::move(inputs));
  Module& m = import_->model.modules[static_cast<size_t>(module)];
  if (q) m.out_q.assign(m.nominal.size(), q);
  return {module, 0};
}

void Node::alias(Wire wire, size_t i) {
  const FileTensor& t = output(i);
  const Shape& shape = import_->model.modules[static_cast<size_t>(wire.module)].nominal[static_cast<size_t>(wire.port)];
  demand(shape == t.shape, "gives shape ", to_string(shape), ", the file says ", to_string(t.shape));
  const bool first = import_->wires.emplace(op_->outputs[i], wire).second;
  demand(first && !t.constant, "computes ", describe(import_->file, op_->outputs[i]), ", which is known already");
}

namespace {

/// How often operators read a tensor, and the graph gives it away.
int64_t readers(const File& file, int32_t tensor) {
  int64_t count = std::ranges::count(file.outputs, tensor);
  for (const FileOperator& op : file.operators) count += std::ranges::count(op.inputs, tensor);
  return count;
}

}  // namespace

bool Node::rounds_graph_input() {
  const int32_t number = number_of(0);
  const auto wire = import_->wires.find(number);
  if (wire == import_->wires.end() || input(0).type != Type::f32 || readers(import_->file, number) != 1) return false;
  Module& m = import_->model.modules[static_cast<size_t>(wire->second.module)];
  if (!std::holds_alternative<Input>(m.op)) return false;
  m.out_q.emplace_back(output_qparams());
  import_->floats_of_codes.insert(number);
  alias(wire->second);
  return true;
}

bool Node::gives_graph_output() {
  const int32_t number = op_->outputs.at(0);
  if (!input_qparams(0) || std::ranges::count(import_->file.outputs, number) != 1 || readers(import_->file, number) != 1)
    return false;
  import_->floats_of_codes.insert(number);
  alias(this->wire(0));
  return true;
}

void Node::fold(Tensor value) {
  demand(value.shape() == output().shape, "gives shape ", to_string(value.shape()), ", the file says ", to_string(output().shape));
  import_->constants.insert_or_assign(op_->outputs[0], std::move(value));
}

void Node::demand_same_codes(size_t i) const {
  const auto x = input_qparams(i);
  for (size_t k = 0; k < outputs(); ++k) {
    const auto y = output_qparams(k);
    demand(x == y, "input ", i, " has ", x ? to_string(*x) : "floats", ", the output ", y ? to_string(*y) : "floats",
           ": codes are not rescaled here");
  }
}

void Node::demand_float() const {
  demand(is_float() && input(0).type == Type::f32, "of ", type_name(input(0).type), " to ", type_name(output().type),
         ": octet has it for float32 only");
}

int64_t Node::axis(int64_t axis, size_t rank) const {
  const auto n = static_cast<int64_t>(rank);
  demand(axis >= -n && axis < n, "axis ", axis, " of ", n);
  return axis < 0 ? axis + n : axis;
}

Activation activation(const Node& node, int8_t kind) {
  switch (kind) {
    case 0: return Activation::none;
    case 1: return Activation::relu;
    case 2: return {-1, 1};
    case 3: return Activation::relu6;
    default: break;
  }
  node.demand(false, "activation ", int{kind}, " (tanh, sign or a newer one) in an operator");
  return {};
}

void emit_clamped(Node& node, Op op, std::vector<Wire> inputs, Activation act) {
  if (act == Activation::none) return node.emit(std::move(op), std::move(inputs));
  const Wire inner = node.step(".unclamped", std::move(op), std::move(inputs), node.output_qparams());
  node.emit(Unary::clamping(act), {inner});
}

}  // namespace octet::tflite
