// SPDX-License-Identifier: Apache-2.0
// How a program runs: for every layer the engine, its implementation, why not another, and the time; and what memory it takes.
#pragma once

#include <string>
#include <vector>

#include "compile/program.h"

namespace octet {

struct Explanation {
  struct Layer {
    Placement placement;
    double micros = 0;  ///< median of the repeats
  };
  std::vector<Layer> layers;
  MemoryReport memory;
  std::vector<Shape> inputs;
  int threads = 1, repeats = 1;
};

/// Runs the program `repeats` times on seeded random inputs of its nominal shapes (or of `input_shapes`), on threads() threads.
Explanation explain(const std::shared_ptr<const Program>&, std::vector<Shape> input_shapes = {}, int repeats = 20);

/// A table of layers, slowest share marked, with totals, reasons and memory below it.
std::string to_string(const Explanation&);

}  // namespace octet
