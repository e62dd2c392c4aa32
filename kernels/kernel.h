// SPDX-License-Identifier: Apache-2.0
// Host side of the quantized kernels: Args (any kernel's arguments), Blobs (its constant tables), Kernel (arguments bound to an
// engine) and make(), which asks one engine for a kernel and gets either it or the reason why not.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "kernels/list.h"
#include "kernels/weights.h"

namespace octet {

using KernelArgs = kernels::Kernels::as<std::variant>;

/// Constant tables of a layer (kernels::Constants says of which), in `weight` tables of other kinds too; empty for every other. See
/// kernels::Channels and kernels/float_kernel.h for who reads which. Once a kernel was made of them they must not change.
struct Blobs {
  Weights weight;
  FloatWeights floats;  ///< of a layer that computes in float, instead
  std::vector<float> scale, bias;
  std::vector<int32_t> bias_codes, multiplier, shift, weight_zero_point;
  /// Largest |sum| that any input can produce, bias included where it is an integer; 0: not computed.
  int64_t accumulator_bound = 0;
};

/// Who computes. Every engine gives the same bytes; they differ in speed and in what they accept. automatic is the first engine,
/// fastest first, that accepts the layer at hand.
enum class QEngine : uint8_t { automatic, reference, onednn, native };

/// One engine of this build on this machine.
struct QEngineInfo {
  QEngine engine;
  bool available;
  std::string version;  ///< of the library behind it; empty: none
  std::string isa;      ///< instruction set it may use; empty: not its own choice
  std::string why_not;  ///< what is missing
};
/// All engines but automatic, in the order in which it asks them.
std::vector<QEngineInfo> qengines();

std::string_view to_string(QEngine);
std::string_view to_string(Rounding);
// What kernels/info.h says of a family, of arguments at hand.
std::string_view name_of(const KernelArgs&);  ///< "conv2d", "linear", …, as in kernels/ref
int64_t macs(const KernelArgs&);
int64_t output_bytes(const KernelArgs&);
int64_t elements(const KernelArgs&);
int32_t channels_of(const KernelArgs&);
bool is_wide(const KernelArgs&);
kernels::Constants constants_of(const KernelArgs&);
int inputs_of(const KernelArgs&);
kernels::DeviceOp device_op(const KernelArgs&);

/// Arguments bound to an engine: immutable, shareable between threads and sessions. What a run changes lives in a State (objects of
/// a library that hold pointers, say) and in scratch memory, both of which the caller owns; two runs at once need two of each.
class Kernel {
 public:
  class State {
   public:
    virtual ~State() = default;
  };

  virtual ~Kernel() = default;
  /// Null: this kernel needs none.
  virtual std::unique_ptr<State> make_state() const { return nullptr; }
  /// Memory a run needs besides its buffers, aligned to 64 bytes; its contents need not survive the run.
  virtual int64_t scratch_bytes() const { return 0; }
  /// Whether the output may lie exactly on this input.
  virtual bool may_overwrite(size_t input) const {
    static_cast<void>(input);
    return false;
  }
  /// `inputs` in wire order (a fused residual is the second); buffers have the sizes the arguments say. Allocates nothing.
  virtual void run(std::span<const void* const> inputs, std::span<void* const> outputs, State*, std::byte* scratch) const = 0;
  /// The same of a kernel with one output.
  void run(std::span<const void* const> inputs, void* output, State* state, std::byte* scratch) const {
    run(inputs, std::span<void* const>(&output, 1), state, scratch);
  }
  /// The same with a state and scratch memory made for this run.
  void run(std::span<const void* const> inputs, std::span<void* const> outputs) const;
  void run(std::span<const void* const> inputs, void* output) const { run(inputs, std::span<void* const>(&output, 1)); }
  // An array of outputs would be taken for the output itself.
  void run(std::span<const void* const> inputs, void** outputs, State*, std::byte* scratch) const = delete;
  void run(std::span<const void* const> inputs, void** outputs) const = delete;
  /// Which implementation this is, for reports.
  virtual std::string_view implementation() const = 0;
  /// None: it computes in float.
  virtual std::optional<QEngine> engine() const = 0;
};

struct Made {
  std::unique_ptr<Kernel> kernel;  ///< null: declined
  std::string why_not;             ///< with a kernel: why automatic's first choices declined
};

/// A kernel of this engine for these arguments, for the threads() of now. The reference engine accepts everything but 16-bit codes
/// in a rounding that has none, so automatic does too.
Made make(const KernelArgs&, std::shared_ptr<const Blobs>, QEngine);

}  // namespace octet
