// SPDX-License-Identifier: Apache-2.0
// One pass over the wires.
#include "engine/graph.h"

#include <algorithm>

#include "engine/check.h"

namespace octet {

Graph::Graph(const Model& model) : readers_(model.modules.size()), last_(model.modules.size()) {
  const auto read = [&](const Wire& w, int reader) {
    check(w.module >= 0 && w.module < reader && w.port >= 0, "model: a wire from port ", w.port, " of module ", w.module,
          " into module ", reader, "; expected one of an earlier module");
    readers_[static_cast<size_t>(w.module)].push_back(reader);
    auto& last = last_[static_cast<size_t>(w.module)];
    last.resize(std::max(last.size(), static_cast<size_t>(w.port) + 1), -1);
    last[static_cast<size_t>(w.port)] = reader;
  };
  for (size_t i = 0; i < model.modules.size(); ++i) {
    last_[i].resize(std::max<size_t>(1, model.modules[i].nominal.size()), -1);
    for (const Wire& w : model.modules[i].inputs) read(w, static_cast<int>(i));
  }
  for (const Wire& w : model.output_wires()) read(w, end());
}

}  // namespace octet
