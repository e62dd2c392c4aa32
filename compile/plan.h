// SPDX-License-Identifier: Apache-2.0
// What a program becomes for fixed input shapes and a fixed number of threads: kernels for every layer, of codes or of floats, and
// a place in memory for every value. Immutable; sessions of equal shapes share one.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "compile/program.h"

namespace octet {

struct Plan {
  static constexpr size_t kMostOperands = 8;  ///< inputs of one kernel, and outputs

  /// Part of a value.
  struct Place {
    int value = 0;
    int64_t offset = 0;  ///< bytes
  };

  /// One kernel of a module.
  struct Run {
    std::shared_ptr<const Kernel> kernel;
    std::string_view name;  ///< of the kernel family
    std::vector<Place> inputs, outputs;
    int64_t output_bytes = 0, macs = 0;
    bool floats = false;  ///< a float kernel
    std::string why;      ///< why it is not the engine's first choice
  };

  enum class How : uint8_t {
    input,    ///< takes the next input: quantizes it if it has a run, else its value is the input's memory
    kernels,  ///< runs its kernels on planned memory
    alias,    ///< its value is its inputs' memory: nothing to do
    floats,   ///< the operator's own evaluation, on tensors: hooks, f64, sizes beyond a kernel call
  };

  struct Step {
    How how = How::floats;
    std::vector<Run> runs;
    int first_value = 0;       ///< of the module's output ports
    std::vector<int> forgets;  ///< tensors that nobody reads any more
  };

  /// One output port of a module, or a temporary of its kernels. What kernels compute is planned, and so are inputs; what
  /// How::floats gives is a tensor that comes and goes.
  struct Value {
    Shape shape;
    DType dtype = DType::f32;
    std::optional<QParams> qparams;
    int64_t bytes = 0;
    int last = -1;       ///< last step that reads it; the number of steps: an output
    int block = -1;      ///< -1: a tensor
    int64_t offset = 0;  ///< in the block
  };

  /// Memory that one or more values share: a place in the arena, an output tensor, or what the caller gives.
  struct Block {
    int64_t bytes = 0;
    int first = 0, last = 0;  ///< steps
    int output = -1;          ///< output whose tensor it is, or -1
    int input = -1;           ///< input whose tensor it is, or -1: only read
    int64_t offset = 0;       ///< in the arena
  };

  std::vector<Step> steps;  // by module
  std::vector<Value> values;
  std::vector<Block> blocks;
  std::vector<int> outputs;          // values, by output wire
  std::vector<ModuleTables> tables;  // by module; all plans of a program share them, and what engines pack of them
  int threads = 1;
  MemoryReport memory;
};

/// `tables` of an earlier plan of the program, or empty. Throws naming the module that can not take its input.
std::shared_ptr<const Plan> make_plan(const Program&, std::span<const Shape> inputs, int threads,
                                      const std::vector<ModuleTables>& tables);

/// Weights and constants that a program and this plan hold now: `parameters` and `packed` of a memory report.
void count_weights(const Model&, const Plan&, MemoryReport&);

std::vector<Placement> placements(const Model&, const Plan&);

}  // namespace octet
