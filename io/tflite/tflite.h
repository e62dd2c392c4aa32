// SPDX-License-Identifier: Apache-2.0
// TensorFlow Lite's .tflite files as octet models: float ones, int8 ones and those of 16-bit activations with int8 weights. Of an
// integer file the model has the very codes, scales and zero points, in Rounding::fixed_double, and computes the bytes that
// TensorFlow Lite Micro computes, on hosts and devices.
#pragma once

#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/model.h"

namespace octet {

/// An input or output of a file's graph.
struct TflitePort {
  std::string name;  ///< of its signature, or of its tensor
  Shape shape;       ///< as the file has it, batch included
  /// Which Input of the model it is, or which output; -1: it only says a shape that the file says, too, and is no input.
  int place = -1;
  /// The file has floats here and rounds them at once, or makes them of codes at last. The model's Input takes both, its output is
  /// the codes (dequantize() gives the file's floats); a device has floats if it is asked to (FirmwareOptions).
  bool floats_of_codes = false;
};

struct TfliteModel {
  Model model;
  std::vector<std::string> notes;  ///< what was unusual but no error: weights of a float layer that are codes
  std::vector<TflitePort> inputs, outputs;
};

/// Throws Error naming the file, and the tensor or operator of it at fault: a damaged file, an operator or a form of one that
/// octet does not compute as TensorFlow Lite does, sizes that are known at run time only, more than one graph. Throws if octet was
/// built without FlatBuffers (has_tflite).
TfliteModel load_tflite(const std::string& path);
/// The same from memory; `name` stands for the file in messages.
TfliteModel parse_tflite(std::span<const std::byte> bytes, std::string_view name);
/// Whether this octet was built with what reads such files.
bool has_tflite();
/// Whether these bytes begin like such a file.
inline bool is_tflite(std::span<const std::byte> bytes) {
  return bytes.size() >= 8 && std::memcmp(bytes.data() + 4, "TFL3", 4) == 0;
}

}  // namespace octet
