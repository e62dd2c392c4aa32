// SPDX-License-Identifier: Apache-2.0
// What a .tflite file says, as plain structs: tensors, operators in order, the graph's ends. Nothing of what operators mean.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/tensor.h"
#include "io/tflite/flat.h"

namespace octet::tflite {

/// As the file numbers them.
enum class Type : int8_t { f32 = 0, f16 = 1, i32 = 2, u8 = 3, i64 = 4, boolean = 6, i16 = 7, i8 = 9, f64 = 10, i4 = 17, bf16 = 18 };
std::string type_name(Type);

struct Quantization {
  std::vector<float> scale;  ///< empty: not quantized
  std::vector<int64_t> zero_point;
  int32_t axis = 0;
  bool unusual = false;  ///< has a form of its own (blocks, several axes)
};

struct FileTensor {
  std::string name;
  Shape shape;
  Type type = Type::f32;
  bool constant = false;
  std::span<const std::byte> data{};  ///< of a constant, of as many bytes as shape and type say
  bool variable = false, sparse = false;
  bool free_size = false;  ///< an axis behind the first has a length that is known at run time only
  Quantization quantization{};
};

struct FileOperator {
  int code = 0, version = 1;
  std::string custom;                    ///< of a custom operator, its name
  std::vector<int32_t> inputs, outputs;  ///< tensors; -1: left out
  uint8_t options_kind = 0;
  std::optional<Table> options{};
};

struct File {
  std::string name;
  std::vector<FileTensor> tensors;
  std::vector<FileOperator> operators;
  std::vector<int32_t> inputs, outputs;
  std::vector<std::string> input_names, output_names;  ///< of the signature, by input; empty: it says none
};

/// "CONV_2D"; "operator code 999" if it is not known.
std::string operator_name(const FileOperator&);
/// Checks every index, size and reference. Data is borrowed from the file's bytes.
File read(Flat&);

}  // namespace octet::tflite
