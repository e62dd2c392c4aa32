// SPDX-License-Identifier: Apache-2.0
// Where octet was built without the library that reads FlatBuffers.
#include "engine/check.h"
#include "io/tflite/tflite.h"

namespace octet {

bool has_tflite() { return false; }

TfliteModel parse_tflite(std::span<const std::byte>, std::string_view name) {
  fail(name, ": this octet was built without FlatBuffers, which reads .tflite files (Debian: libflatbuffers-dev)");
}

TfliteModel load_tflite(const std::string& path) { return parse_tflite({}, path); }

}  // namespace octet
