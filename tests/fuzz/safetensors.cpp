// SPDX-License-Identifier: Apache-2.0
// Fuzz target of what safetensors files are read as: tensors, octet's models, PyTorch's state dicts. The input is the header's
// text, a zero byte, and the data; its length is put in front, or no mutation of the text would get past it. Seeds have no
// checksums.
#include "io/safetensors.h"

#include <algorithm>

#include "io/model_file.h"
#include "io/state_dict.h"
#include "tests/fuzz/target.h"
#include "tests/io/torch_networks.h"

namespace {

octet::Bytes file_of(octet::fuzz::Span input) {
  const auto zero = std::ranges::find(input, std::byte{0});
  const auto header = static_cast<size_t>(zero - input.begin());
  octet::Bytes file(8);
  for (size_t i = 0; i < 8; ++i) file[i] = static_cast<std::byte>(uint64_t{header} >> 8 * i & 255);
  file.insert(file.end(), input.begin(), zero);
  if (zero != input.end()) file.insert(file.end(), zero + 1, input.end());
  return file;
}

}  // namespace

void octet::fuzz::run(Span input) {
  accepted([&] { parse_safetensors(input, "x"); });
  const Bytes file = file_of(input);
  SafeTensors tensors;
  if (accepted([&] { tensors = parse_safetensors(file, "x"); })) {
    const Bytes again = safetensors_bytes(tensors, "y");
    require(safetensors_bytes(parse_safetensors(again, "y"), "y") == again, "safetensors round trip");
  }
  LoadedModel loaded;
  if (accepted([&] { loaded = parse_model(file, "x"); })) {
    const Bytes again = model_bytes(loaded.model, "y");
    require(model_bytes(parse_model(again, "y").model, "y") == again, "model round trip");
  }
  static const Model network = testing::torch_sequence();
  Model strict = network, lenient = network;
  const bool whole = accepted([&] { parse_state_dict(strict, file, "x"); });
  StateDictReport report;
  if (accepted([&] { report = parse_state_dict(lenient, file, "x", {.strict = false}); }))
    require(whole == (report.missing.empty() && report.unexpected.empty()), "strict refuses what the report lists");
}
