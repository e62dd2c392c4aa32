// SPDX-License-Identifier: Apache-2.0
// Numbers of fields and enums are the format's. Nothing is trusted: every index is compared with what it indexes.
#include "io/tflite/file.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "io/file.h"

namespace octet::tflite {
namespace {

// Fields by table.
namespace model_field {
constexpr int version = 0, operator_codes = 1, subgraphs = 2, buffers = 4, signatures = 7;
}
namespace graph_field {
constexpr int tensors = 0, inputs = 1, outputs = 2, operators = 3;
}
namespace tensor_field {
constexpr int shape = 0, type = 1, buffer = 2, name = 3, quantization = 4, is_variable = 5, sparsity = 6, shape_signature = 7,
              external_buffer = 10;
}
namespace quantization_field {
constexpr int scale = 2, zero_point = 3, details = 4, axis = 6;
}
namespace buffer_field {
constexpr int data = 0, offset = 1, size = 2;
}
namespace code_field {
constexpr int old_code = 0, custom = 1, version = 2, code = 3;
}
namespace operator_field {
constexpr int code = 0, inputs = 1, outputs = 2, options_kind = 3, options = 4;
}
namespace signature_field {
constexpr int inputs = 0, outputs = 1, graph = 4;
}

constexpr int kCustom = 32;
constexpr size_t kMostTensors = 1 << 16, kMostWires = 1 << 12, kMostScales = 1 << 20;
constexpr int64_t kLongestAxis = int64_t{1} << 22, kMostElements = int64_t{1} << 31;

/// In the order of their codes, each between two spaces.
constexpr std::string_view kOperators =
    " ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE EMBEDDING_LOOKUP FLOOR"
    " FULLY_CONNECTED HASHTABLE_LOOKUP L2_NORMALIZATION L2_POOL_2D LOCAL_RESPONSE_NORMALIZATION LOGISTIC LSH_PROJECTION LSTM"
    " MAX_POOL_2D MUL RELU RELU_N1_TO_1 RELU6 RESHAPE RESIZE_BILINEAR RNN SOFTMAX SPACE_TO_DEPTH SVDF TANH CONCAT_EMBEDDINGS"
    " SKIP_GRAM CALL CUSTOM EMBEDDING_LOOKUP_SPARSE PAD UNIDIRECTIONAL_SEQUENCE_RNN GATHER BATCH_TO_SPACE_ND"
    " SPACE_TO_BATCH_ND TRANSPOSE MEAN SUB DIV SQUEEZE UNIDIRECTIONAL_SEQUENCE_LSTM STRIDED_SLICE BIDIRECTIONAL_SEQUENCE_RNN"
    " EXP TOPK_V2 SPLIT LOG_SOFTMAX DELEGATE BIDIRECTIONAL_SEQUENCE_LSTM CAST PRELU MAXIMUM ARG_MAX MINIMUM LESS NEG PADV2"
    " GREATER GREATER_EQUAL LESS_EQUAL SELECT SLICE SIN TRANSPOSE_CONV SPARSE_TO_DENSE TILE EXPAND_DIMS EQUAL NOT_EQUAL LOG"
    " SUM SQRT RSQRT SHAPE POW ARG_MIN FAKE_QUANT REDUCE_PROD REDUCE_MAX PACK LOGICAL_OR ONE_HOT LOGICAL_AND LOGICAL_NOT"
    " UNPACK REDUCE_MIN FLOOR_DIV REDUCE_ANY SQUARE ZEROS_LIKE FILL FLOOR_MOD RANGE RESIZE_NEAREST_NEIGHBOR LEAKY_RELU"
    " SQUARED_DIFFERENCE MIRROR_PAD ABS SPLIT_V UNIQUE CEIL REVERSE_V2 ADD_N GATHER_ND COS WHERE RANK ELU REVERSE_SEQUENCE"
    " MATRIX_DIAG QUANTIZE MATRIX_SET_DIAG ROUND HARD_SWISH IF WHILE NON_MAX_SUPPRESSION_V4 NON_MAX_SUPPRESSION_V5"
    " SCATTER_ND SELECT_V2 DENSIFY SEGMENT_SUM BATCH_MATMUL PLACEHOLDER_FOR_GREATER_OP_CODES CUMSUM CALL_ONCE BROADCAST_TO"
    " RFFT2D CONV_3D IMAG REAL COMPLEX_ABS HASHTABLE HASHTABLE_FIND HASHTABLE_IMPORT HASHTABLE_SIZE REDUCE_ALL"
    " CONV_3D_TRANSPOSE VAR_HANDLE READ_VARIABLE ASSIGN_VARIABLE BROADCAST_ARGS RANDOM_STANDARD_NORMAL BUCKETIZE"
    " RANDOM_UNIFORM MULTINOMIAL GELU DYNAMIC_UPDATE_SLICE RELU_0_TO_1 UNSORTED_SEGMENT_PROD UNSORTED_SEGMENT_MAX"
    " UNSORTED_SEGMENT_SUM ATAN2 UNSORTED_SEGMENT_MIN SIGN BITCAST BITWISE_XOR RIGHT_SHIFT"
    " ";

constexpr std::array<const char*, 23> kTypes{"float32",  "float16",  "int32",     "uint8",       "int64",      "string",
                                             "bool",     "int16",    "complex64", "int8",        "float64",    "complex128",
                                             "uint64",   "resource", "variant",   "uint32",      "uint16",     "int4",
                                             "bfloat16", "int2",     "uint4",     "float8_e4m3", "float8_e5m2"};

/// Bits of an element; 0: of no type that is read.
int64_t bits_of(Type type) {
  switch (type) {
    case Type::i4: return 4;
    case Type::u8:
    case Type::i8:
    case Type::boolean: return 8;
    case Type::f16:
    case Type::bf16:
    case Type::i16: return 16;
    case Type::f32:
    case Type::i32: return 32;
    case Type::i64:
    case Type::f64: return 64;
  }
  return 0;
}

/// Buffers that tensors refer to. Those of large files lie behind the FlatBuffer.
class Buffers {
 public:
  Buffers(Flat& file, const Table& model) : file_(&file), model_(&model) {}

  std::span<const std::byte> operator[](uint32_t index) const {
    const Table buffer = model_->element(model_field::buffers, index, "buffer");
    const auto offset = buffer.number<uint64_t>(buffer_field::offset), size = buffer.number<uint64_t>(buffer_field::size);
    if (offset <= 1) return buffer.bytes(buffer_field::data);
    const size_t all = file_->bytes().size();
    if (offset > all || size > all - offset) file_->damaged(buffer.where(), "data outside the file");
    return file_->bytes().subspan(offset, size);
  }

 private:
  Flat* file_;
  const Table* model_;
};

Quantization read_quantization(const Table& tensor) {
  Quantization q;
  const auto table = tensor.table(tensor_field::quantization, "quantization");
  if (!table) return q;
  q.scale = table->numbers<float>(quantization_field::scale, kMostScales);
  q.zero_point = table->numbers<int64_t>(quantization_field::zero_point, kMostScales);
  q.axis = table->number<int32_t>(quantization_field::axis);
  q.unusual = table->number<uint8_t>(quantization_field::details) != 0;
  return q;
}

FileTensor read_tensor(Flat& file, const Table& table, const Buffers& buffers) {
  FileTensor t;
  t.name = table.text(tensor_field::name);
  const std::string where = t.name.empty() ? table.where() : table.where() + " \"" + t.name + "\"";
  for (const int32_t d : table.numbers<int32_t>(tensor_field::shape, kMaxRank)) {
    if (d < 0 || d > kLongestAxis) file.damaged(where, "a dimension of " + std::to_string(d));
    t.shape.push_back(d);
  }
  int64_t count = 1;
  for (const int64_t d : t.shape)
    if ((count *= d) > kMostElements) file.damaged(where, "shape " + to_string(t.shape) + " is too large");
  const auto signature = table.numbers<int32_t>(tensor_field::shape_signature, kMaxRank);
  t.free_size = signature.size() > 1 && std::ranges::find(signature.begin() + 1, signature.end(), -1) != signature.end();
  t.type = static_cast<Type>(table.number<int8_t>(tensor_field::type));
  t.variable = table.number<uint8_t>(tensor_field::is_variable) != 0;
  t.sparse = table.table(tensor_field::sparsity, "sparsity").has_value();
  t.quantization = read_quantization(table);
  if (table.number<uint32_t>(tensor_field::external_buffer) != 0) file.damaged(where, "its data lies in another file");
  const auto buffer = table.number<uint32_t>(tensor_field::buffer);
  if (buffer == 0) return t;
  t.data = buffers[buffer];
  t.constant = !t.data.empty();
  if (!t.constant) return t;
  file.account(t.data.size(), where);
  const int64_t bits = bits_of(t.type), bytes = (count * bits + 7) / 8;
  if (bits != 0 && !t.sparse && bytes != static_cast<int64_t>(t.data.size()))
    file.damaged(where, "shape " + to_string(t.shape) + " of " + type_name(t.type) + " needs " + std::to_string(bytes) +
                            " bytes, its buffer has " + std::to_string(t.data.size()));
  return t;
}

void check_indices(Flat& file, std::string_view where, std::span<const int32_t> indices, size_t tensors, int32_t least) {
  for (const int32_t i : indices)
    if (i < least || i >= static_cast<int64_t>(tensors))
      file.damaged(where, "names tensor " + std::to_string(i) + " of " + std::to_string(tensors));
}

FileOperator read_operator(Flat& file, const Table& model, const Table& table, size_t tensors) {
  FileOperator op;
  const Table code = model.element(model_field::operator_codes, table.number<uint32_t>(operator_field::code), "operator code");
  op.code = std::max<int>(code.number<int8_t>(code_field::old_code), code.number<int32_t>(code_field::code));
  op.version = code.number<int32_t>(code_field::version, 1);
  if (op.code == kCustom) op.custom = code.text(code_field::custom);
  op.inputs = table.numbers<int32_t>(operator_field::inputs, kMostWires);
  op.outputs = table.numbers<int32_t>(operator_field::outputs, kMostWires);
  check_indices(file, table.where(), op.inputs, tensors, -1);
  check_indices(file, table.where(), op.outputs, tensors, 0);
  op.options_kind = table.number<uint8_t>(operator_field::options_kind);
  if (op.options_kind != 0) op.options = table.table(operator_field::options, "options");
  return op;
}

/// The names that a signature gives to tensors, in the graph's order; nothing if it does not name each of them.
std::vector<std::string> names_of(const Table& signature, int field, std::span<const int32_t> tensors) {
  std::vector<std::string> names(tensors.size());
  for (size_t i = 0; i < std::min(signature.count(field), kMostWires); ++i) {
    const Table entry = signature.element(field, i, "tensor map");
    const auto at = std::ranges::find(tensors, static_cast<int64_t>(entry.number<uint32_t>(1)));
    if (at != tensors.end()) names[static_cast<size_t>(at - tensors.begin())] = entry.text(0);
  }
  if (std::ranges::find(names, std::string()) != names.end()) names.clear();
  return names;
}

}  // namespace

std::string type_name(Type type) {
  const auto i = static_cast<size_t>(type);
  return i < kTypes.size() ? kTypes[i] : "tensor type " + std::to_string(static_cast<int>(type));
}

std::string operator_name(const FileOperator& op) {
  if (op.code == kCustom) return "CUSTOM \"" + op.custom + "\"";
  size_t begin = 0;
  for (int code = 0; begin + 1 < kOperators.size(); ++code) {
    const size_t end = kOperators.find(' ', begin + 1);
    if (code == op.code) return std::string(kOperators.substr(begin + 1, end - begin - 1));
    begin = end;
  }
  return "operator code " + std::to_string(op.code);
}

File read(Flat& flat) {
  const Table model = Table::root(flat);
  const auto version = model.number<uint32_t>(model_field::version);
  if (version != 3) flat.damaged("model", "version " + std::to_string(version) + " of the format, 3 is read");
  const size_t graphs = model.count(model_field::subgraphs);
  if (graphs != 1) flat.damaged("model", "has " + std::to_string(graphs) + " graphs, files of one are read");
  const Table graph = model.element(model_field::subgraphs, 0, "graph");

  File file;
  file.name = flat.name();
  const size_t tensors = graph.count(graph_field::tensors), operators = graph.count(graph_field::operators);
  if (tensors > kMostTensors || operators > kMostTensors)
    flat.damaged("graph", "has " + std::to_string(tensors) + " tensors and " + std::to_string(operators) + " operators, at most " +
                              std::to_string(kMostTensors) + " are read");
  const Buffers buffers(flat, model);
  for (size_t i = 0; i < tensors; ++i)
    file.tensors.push_back(read_tensor(flat, graph.element(graph_field::tensors, i, "tensor"), buffers));
  for (size_t i = 0; i < operators; ++i)
    file.operators.push_back(read_operator(flat, model, graph.element(graph_field::operators, i, "operator"), tensors));
  file.inputs = graph.numbers<int32_t>(graph_field::inputs, kMostWires);
  file.outputs = graph.numbers<int32_t>(graph_field::outputs, kMostWires);
  check_indices(flat, "graph inputs", file.inputs, tensors, 0);
  check_indices(flat, "graph outputs", file.outputs, tensors, 0);
  for (size_t i = 0; i < std::min<size_t>(model.count(model_field::signatures), 16); ++i) {
    const Table signature = model.element(model_field::signatures, i, "signature");
    if (signature.number<uint32_t>(signature_field::graph) != 0) continue;
    file.input_names = names_of(signature, signature_field::inputs, file.inputs);
    file.output_names = names_of(signature, signature_field::outputs, file.outputs);
    break;
  }
  return file;
}

}  // namespace octet::tflite
