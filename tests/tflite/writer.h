// SPDX-License-Identifier: Apache-2.0
// Small .tflite files for tests, written by FlatBuffers' own builder: numbers of fields are the format's.
#pragma once

#include <flatbuffers/flatbuffers.h>

#include <cstring>
#include <string>
#include <variant>
#include <vector>

#include "io/file.h"

namespace octet::testing {

// Types and codes of the format that tests name.
constexpr int8_t kF32 = 0, kF16 = 1, kI32 = 2, kU8 = 3, kI64 = 4, kI16 = 7, kI8 = 9, kI4 = 17;

struct FlatTensor {
  std::string name;
  std::vector<int32_t> shape;
  int8_t type = kI8;
  std::vector<float> scale{};
  std::vector<int64_t> zero{};
  Bytes data{};  ///< none: it names an empty buffer
  int32_t axis = 0;
  bool variable = false;
  std::vector<int32_t> signature{};
};

/// A number of an operator's options: bytes as wide as its type.
struct FlatOption {
  int field;
  std::variant<int8_t, int32_t, float> value;
};

struct FlatOperator {
  int code;
  std::vector<int32_t> inputs, outputs;
  uint8_t kind = 0;
  std::vector<FlatOption> options{};
  std::string custom{};
  bool old = false;  ///< written as old converters did: the code in the first field alone
};

struct FlatGraph {
  std::vector<FlatTensor> tensors;
  std::vector<FlatOperator> operators;
  std::vector<int32_t> inputs, outputs;
  uint32_t version = 3;
  int graphs = 1;
};

template <class T>
Bytes bytes_of(const std::vector<T>& values) {
  Bytes bytes(values.size() * sizeof(T));
  if (!bytes.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

/// A table of what `fill` adds.
template <class Fill>
flatbuffers::Offset<flatbuffers::Table> table(flatbuffers::FlatBufferBuilder& b, const Fill& fill) {
  const auto start = b.StartTable();
  fill();
  return {b.EndTable(start)};
}

constexpr flatbuffers::voffset_t at(int field) { return static_cast<flatbuffers::voffset_t>(4 + 2 * field); }

inline Bytes write_tflite(const FlatGraph& g) {
  using Tables = std::vector<flatbuffers::Offset<flatbuffers::Table>>;
  flatbuffers::FlatBufferBuilder b;
  b.ForceDefaults(true);
  Tables buffers{table(b, [] {})}, tensors, codes, operators;
  for (const FlatTensor& t : g.tensors) {
    const auto data = b.CreateVector(reinterpret_cast<const uint8_t*>(t.data.data()), t.data.size());
    const auto buffer = static_cast<uint32_t>(buffers.size());
    buffers.push_back(table(b, [&] { b.AddOffset(at(0), data); }));
    const auto shape = b.CreateVector(t.shape);
    const auto signature = b.CreateVector(t.signature);
    const auto name = b.CreateString(t.name);
    const auto scale = b.CreateVector(t.scale);
    const auto zero = b.CreateVector(t.zero);
    const auto q = table(b, [&] {
      if (!t.scale.empty()) b.AddOffset(at(2), scale), b.AddOffset(at(3), zero);
      b.AddElement<int32_t>(at(6), t.axis, 0);
    });
    tensors.push_back(table(b, [&] {
      b.AddOffset(at(0), shape);
      b.AddElement<int8_t>(at(1), t.type, 0);
      b.AddElement<uint32_t>(at(2), buffer, 0);
      if (!t.name.empty()) b.AddOffset(at(3), name);
      b.AddOffset(at(4), q);
      b.AddElement<uint8_t>(at(5), t.variable ? 1 : 0, 0);
      if (!t.signature.empty()) b.AddOffset(at(7), signature);
    }));
  }
  for (const FlatOperator& op : g.operators) {
    const auto custom = b.CreateString(op.custom);
    codes.push_back(table(b, [&] {
      b.AddElement<int8_t>(at(0), static_cast<int8_t>(op.code > 126 ? 127 : op.code), 0);
      if (!op.custom.empty()) b.AddOffset(at(1), custom);
      b.AddElement<int32_t>(at(2), 1, 0);
      if (!op.old) b.AddElement<int32_t>(at(3), op.code, 0);
    }));
    const auto inputs = b.CreateVector(op.inputs), outputs = b.CreateVector(op.outputs);
    const auto options = table(b, [&] {
      for (const FlatOption& o : op.options)
        std::visit([&](auto v) { b.AddElement<decltype(v)>(at(o.field), v, decltype(v){}); }, o.value);
    });
    operators.push_back(table(b, [&] {
      b.AddElement<uint32_t>(at(0), static_cast<uint32_t>(codes.size() - 1), 0);
      b.AddOffset(at(1), inputs), b.AddOffset(at(2), outputs);
      b.AddElement<uint8_t>(at(3), op.kind, 0);
      if (op.kind != 0) b.AddOffset(at(4), options);
    }));
  }
  const auto all_tensors = b.CreateVector(tensors), all_operators = b.CreateVector(operators);
  const auto inputs = b.CreateVector(g.inputs), outputs = b.CreateVector(g.outputs);
  Tables graphs;
  for (int i = 0; i < g.graphs; ++i)
    graphs.push_back(table(b, [&] {
      b.AddOffset(at(0), all_tensors);
      b.AddOffset(at(1), inputs), b.AddOffset(at(2), outputs);
      b.AddOffset(at(3), all_operators);
    }));
  const auto all_codes = b.CreateVector(codes), all_graphs = b.CreateVector(graphs), all_buffers = b.CreateVector(buffers);
  b.Finish(table(b,
                 [&] {
                   b.AddElement<uint32_t>(at(0), g.version, 0);
                   b.AddOffset(at(1), all_codes);
                   b.AddOffset(at(2), all_graphs);
                   b.AddOffset(at(4), all_buffers);
                 }),
           "TFL3");
  const auto* from = reinterpret_cast<const std::byte*>(b.GetBufferPointer());
  return {from, from + b.GetSize()};
}

}  // namespace octet::testing
