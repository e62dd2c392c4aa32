// SPDX-License-Identifier: Apache-2.0
// A file's graph, operator by operator, becomes a model.
#include "io/tflite/tflite.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <set>

#include "engine/module_check.h"
#include "io/file.h"
#include "io/tflite/operators.h"
#include "kernels/float_scope.h"

namespace octet {
namespace {

using namespace tflite;  // NOLINT(google-build-using-namespace)

constexpr uint64_t kMostBytes = (uint64_t{1} << 31) - 1;  // a FlatBuffer has no more

/// A port's name as the path of its Input.
std::string path_of_input(std::string name) {
  for (char& c : name) c = static_cast<unsigned char>(c) < ' ' ? '_' : c;
  return name.empty() ? "input" : name;
}

std::string port_name(const File& file, std::span<const std::string> names, size_t i, int32_t tensor) {
  return names.empty() ? file.tensors[static_cast<size_t>(tensor)].name : names[i];
}

/// Tensors whose values operators read, not only as a shape that the file says, too.
std::set<int32_t> values_read(const File& file) {
  constexpr int kTransposeConv = 67;
  std::set<int32_t> read(file.outputs.begin(), file.outputs.end());
  for (const FileOperator& op : file.operators)
    for (size_t i = 0; i < op.inputs.size(); ++i)
      if (op.code != kTransposeConv || i > 0) read.insert(op.inputs[i]);
  return read;
}

void add_inputs(Import& import, std::vector<TflitePort>& ports) {
  const File& file = import.file;
  const std::set<int32_t> read = values_read(file);
  int count = 0;
  for (size_t i = 0; i < file.inputs.size(); ++i) {
    const int32_t number = file.inputs[i];
    const FileTensor& t = file.tensors[static_cast<size_t>(number)];
    TflitePort port{port_name(file, file.input_names, i, number), t.shape, -1};
    check(!t.constant, describe(file, number), ": an input of the graph that is a constant");
    check(!import.wires.contains(number), describe(file, number), ": an input of the graph twice");
    if (t.type == Type::i32 && !read.contains(number)) {
      import.notes.push_back("input " + std::to_string(i) + " (" + describe(file, number) +
                             ") only says a shape that the file says, too; the model has no such input");
      ports.push_back(std::move(port));
      continue;
    }
    const std::optional<QParams> q = activation_qparams(file, number);
    check(!t.shape.empty(), describe(file, number), ": an input of the graph without axes");
    const int module = import.model.add(unique_path(import.model, path_of_input(port.name)), Input{t.shape});
    if (q) import.model.modules[static_cast<size_t>(module)].out_q.emplace_back(q);
    import.wires.emplace(number, Wire{module, 0});
    port.place = count++;
    ports.push_back(std::move(port));
  }
}

void add_operators(Import& import) {
  for (size_t i = 0; i < import.file.operators.size(); ++i) {
    const FileOperator& op = import.file.operators[i];
    Node node(import, i);
    const Importer importer = importer_of(op.code);
    node.demand(importer != nullptr, "octet has no such operator (version ", op.version,
                "); it is to be replaced, or computed outside");
    node.demand(!op.outputs.empty(), "has no output");
    importer(node);
  }
}

void add_outputs(Import& import, std::vector<TflitePort>& ports) {
  const File& file = import.file;
  check(!file.outputs.empty(), "the graph has no output");
  for (size_t i = 0; i < file.outputs.size(); ++i) {
    const int32_t number = file.outputs[i];
    const auto wire = import.wires.find(number);
    check(wire != import.wires.end(), describe(file, number), ": an output of the graph that nothing computes");
    import.model.outputs.push_back(wire->second);
    ports.push_back(
        {port_name(file, file.output_names, i, number), file.tensors[static_cast<size_t>(number)].shape, static_cast<int>(i)});
  }
}

/// Whether codes go from operator to operator.
bool computes_codes(const File& file) {
  return std::ranges::any_of(file.tensors, [](const FileTensor& t) {
    return !t.constant && (t.type == Type::i8 || t.type == Type::u8 || t.type == Type::i16);
  });
}

/// What no kernel computes exactly is refused here, not when the model is bound: sums that can exceed their bits.
void check_lowering(const Model& model) {
  for (int i = 0; i < static_cast<int>(model.modules.size()); ++i) {
    if (!runs_quantized(model, i)) continue;
    std::vector<Shape> shapes;
    for (const Wire& w : model.modules[static_cast<size_t>(i)].inputs)
      shapes.push_back(model.modules[static_cast<size_t>(w.module)].nominal[static_cast<size_t>(w.port)]);
    lower(model, i, shapes);
  }
}

TfliteModel model_of(const File& file) {
  Import import{file};
  TfliteModel result;
  if (computes_codes(file)) import.model.rounding = Rounding::fixed_double;
  add_inputs(import, result.inputs);
  add_operators(import);
  add_outputs(import, result.outputs);
  for (size_t i = 0; i < file.inputs.size(); ++i)
    result.inputs[i].floats_of_codes = import.floats_of_codes.contains(file.inputs[i]);
  for (size_t i = 0; i < file.outputs.size(); ++i)
    result.outputs[i].floats_of_codes = import.floats_of_codes.contains(file.outputs[i]);
  for (const TflitePort& port : result.inputs)
    if (port.place >= 0) import.model.interface.inputs.push_back({.name = port.name});
  for (const TflitePort& port : result.outputs) import.model.interface.outputs.push_back(port.name);
  check_model(import.model);
  for (const Module& m : import.model.modules) check_module(m, m.path);
  check_lowering(import.model);
  result.model = std::move(import.model);
  result.notes = std::move(import.notes);
  return result;
}

}  // namespace

bool has_tflite() { return true; }

TfliteModel parse_tflite(std::span<const std::byte> bytes, std::string_view name) try {
  const FloatScope environment;
  check(is_tflite(bytes), name, ": is no .tflite file (it does not begin like one)");
  check(bytes.size() <= kMostBytes, name, ": has ", bytes.size(), " bytes, at most ", kMostBytes, " are read");
  Bytes aligned;
  if (reinterpret_cast<uintptr_t>(bytes.data()) % 16 != 0) {
    aligned.assign(bytes.begin(), bytes.end());
    bytes = aligned;
  }
  Flat flat(bytes, name);
  const File file = tflite::read(flat);
  try {
    return model_of(file);
  } catch (const OutOfMemory&) {
    throw;
  } catch (const Damaged&) {
    throw;
  } catch (const Error& e) {  // say which file
    fail(name, ": ", e.what());
  }
} catch (const std::bad_alloc&) {
  fail(name, ": out of memory");
}

TfliteModel load_tflite(const std::string& path) { return parse_tflite(read_file(path, kMostBytes), path); }

}  // namespace octet
