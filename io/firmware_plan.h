// SPDX-License-Identifier: Apache-2.0
// A converted model as what a device does: kernel runs in order, the tensors between them and their places in one arena. Made once
// for fixed input shapes; io/image.h writes it as an image, reports read its numbers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/model.h"

namespace octet {

/// A weighted layer's parameters in the layout of one kernel family (docs/firmware.md), stored beside the plain ones or in their
/// place.
struct PackedWeights {
  uint16_t family = 0, version = 0;
  std::vector<std::byte> bytes;
  bool replaces_plain = false;  ///< neither plain weights nor tables are stored then, and no other kernel can run the layer
  std::string op;               ///< "m4_conv2d": the operator that reads it, without octet_op_ and the rounding
};

/// What a kernel family for a device wants of a layer; empty members: nothing.
struct KernelNeeds {
  std::vector<PackedWeights> packed;
  int64_t scratch_bytes = 0;
  std::string why_not;  ///< why the target's own kernels do not take the layer
};

/// portable: reference kernels, for every board. The others store weights packed for one family of kernels, and run on it only.
enum class FirmwareTarget : uint8_t { portable, cortex_m4, cortex_m55 };  ///< cortex_m4 is also right for Cortex-M7

/// Empty for what the target leaves to the reference kernels.
KernelNeeds kernel_needs(FirmwareTarget, const KernelArgs&, const Blobs&);

struct FirmwareOptions {
  std::vector<Shape> input_shapes{};  ///< by Input module in order; empty: the nominal ones
  bool float_inputs = false;          ///< the device quantizes: inputs are float32
  bool float_outputs = false;         ///< the device dequantizes
  bool layer_names = true;            ///< in the image, for per-layer callbacks
  int64_t search_nodes = 200'000;     ///< of plan_arena
  FirmwareTarget target = FirmwareTarget::portable;
  /// Kernels of one's own, asked before the target's; may be null.
  std::function<KernelNeeds(const KernelArgs&, const Blobs&)> kernels{};
};

/// Memory that one or more values share.
struct FirmwareBlock {
  int64_t bytes = 0;
  int64_t offset = 0;       ///< in the arena
  int first = 0, last = 0;  ///< steps between which it is needed; -1: before the first
};

/// A tensor in the arena.
struct FirmwareValue {
  std::string path;  ///< of the module that computes it
  DType dtype = DType::u8;
  int64_t bytes = 0;
  int of = -1;  ///< the value that it is a piece of, or that is a part of it; -1: an input, or a step writes it
  int block = 0;
  int64_t block_offset = 0;  ///< in its block
  int64_t offset = 0;        ///< in the arena
};

/// Part of a value.
struct FirmwareOperand {
  int value = 0;
  int64_t offset = 0;  ///< bytes
};

/// One kernel run.
struct FirmwareStep {
  std::string path;
  KernelArgs args;
  std::shared_ptr<const Blobs> blobs;  ///< null: none
  std::vector<FirmwareOperand> inputs, outputs;
  bool completes = true;   ///< no later step writes its outputs
  bool temporary = false;  ///< its outputs are no layer's, but read by the layer's next step
  bool in_place = false;   ///< the output lies on an input
  std::vector<PackedWeights> packed;
  int64_t scratch_bytes = 0, scratch_offset = 0;
  int64_t live_bytes = 0;   ///< in the arena while it runs, scratch included
  std::string why_not;      ///< why it runs on a reference kernel though the target has its own
  int64_t flash_bytes = 0;  ///< its record and its blobs in the image
};

/// An input or output as a caller sees it.
struct FirmwarePort {
  std::string path;
  int value = 0;
  Shape shape;
  DType dtype = DType::u8;
  float scale = 1;
  int32_t zero_point = 0;
};

struct FirmwarePlan {
  Rounding rounding = Rounding::real;
  bool layer_names = true;
  std::vector<FirmwareBlock> blocks;
  std::vector<FirmwareValue> values;  ///< inputs first, then in the order in which they are there
  std::vector<FirmwareStep> steps;
  std::vector<FirmwarePort> inputs, outputs;
  int64_t arena_bytes = 0;
  int64_t lower_bound = 0;    ///< no arena of this order of steps is smaller
  int64_t scratch_bytes = 0;  ///< most that one step needs
  bool optimal = false;       ///< arena_bytes is proved the least
};

/// Throws naming the module if one runs in float, has no exact kernel, or needs something a device does not compute:
/// Rounding::int_bias, a step with more than four inputs or outputs, more than 65,000 tensors.
FirmwarePlan plan_firmware(const Model&, const FirmwareOptions& = {});

/// Throws naming the first layer that needs more; a budget of 0 is none. RAM is the arena, flash the image.
void check_budget(const FirmwarePlan&, int64_t ram_bytes, int64_t flash_bytes);

/// One line per layer (output, bytes alive, scratch, MACs, flash) and the sums.
std::string to_table(const FirmwarePlan&);

/// "conv2d_fixed_double", "clamp", …: the operators the plan needs, sorted, as runtime/octet.h names them after octet_op_.
std::vector<std::string> operators(const FirmwarePlan&);

}  // namespace octet
