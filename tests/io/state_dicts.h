// SPDX-License-Identifier: Apache-2.0
// State dicts made by hand, for tests that load them.
#pragma once

#include <map>
#include <string>

#include "io/safetensors.h"
#include "io/state_dict.h"
#include "tests/io/temp_dir.h"

namespace octet::testing {

/// 0, 1, 2, …: each value says where it was.
inline Tensor numbered(Shape shape, DType dtype = DType::f32) {
  Tensor t(std::move(shape), DType::f64);
  double next = 0;
  for (double& v : t.mutable_data<double>()) v = next++;
  return t.to(dtype);
}

using Tensors = std::map<std::string, Tensor>;

inline Bytes file_of(const Tensors& tensors) {
  SafeTensors s;
  s.tensors = tensors;
  return safetensors_bytes(s, "x");
}

inline StateDictReport load(Model& m, const Tensors& tensors, const StateDictOptions& options = {}) {
  return parse_state_dict(m, file_of(tensors), "w.safetensors", options);
}
inline std::string load_error(Model m, const Tensors& tensors, const StateDictOptions& options = {}) {
  return error_of([&] { load(m, tensors, options); });
}

inline Model one(const Shape& input, const Op& op) {
  Model m;
  m.add("x", Input{input});
  m.add("layer", op);
  return m;
}

inline Model drawn(Model m, uint64_t seed) {
  Generator random(seed);
  initialize(m, random);
  return m;
}

}  // namespace octet::testing
