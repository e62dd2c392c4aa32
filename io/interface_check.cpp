// SPDX-License-Identifier: Apache-2.0
// What must hold of an interface, for models that are written and models that are read alike.
#include <algorithm>
#include <cmath>

#include "io/interface_json.h"

namespace octet {
namespace {

void check_preprocessing(const Preprocessing& p, const Shape& shape, const std::string& where) {
  const size_t channels = shape.size() > 1 ? static_cast<size_t>(shape.back()) : 1;
  for (const auto& [what, list] : {std::pair{"mean", &p.mean}, {"std", &p.std}}) {
    check(list->size() <= 1 || list->size() == channels, where, ": ", what, " has ", list->size(), " values, the input has ",
          channels, channels == 1 ? " channel" : " channels");
    check(std::ranges::all_of(*list, [](float v) { return std::isfinite(v); }), where, ": ", what, " is not finite");
  }
  check(std::ranges::all_of(p.std, [](float v) { return v > 0; }), where, ": std has a value that is not positive");
  check(p.shorter >= 0 && p.shorter <= kMostPixelsOfASide, where, ": the shorter side has ", p.shorter, " pixels, at most ",
        kMostPixelsOfASide);
  check(p.resize <= Resize::none && p.layout <= Layout::nchw, where, ": has no such resize or layout");
}

}  // namespace

void check_interface(const Model& model, std::string_view where) {
  const Interface& face = model.interface;
  std::vector<const Module*> inputs;
  for (const Module& m : model.modules)
    if (std::holds_alternative<Input>(m.op)) inputs.push_back(&m);
  check(face.inputs.empty() || face.inputs.size() == inputs.size(), where, ": the interface names ", face.inputs.size(),
        " inputs, the model has ", inputs.size());
  const size_t outputs = model.output_wires().size();
  check(face.outputs.empty() || face.outputs.size() == outputs, where, ": the interface names ", face.outputs.size(),
        " outputs, the model has ", outputs);
  for (size_t i = 0; i < face.inputs.size(); ++i)
    if (face.inputs[i].preprocessing)
      check_preprocessing(*face.inputs[i].preprocessing, inputs[i]->nominal.at(0),
                          std::string(where) + ": preprocessing of " + inputs[i]->path);
}

}  // namespace octet
