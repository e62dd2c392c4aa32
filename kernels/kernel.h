// SPDX-License-Identifier: Apache-2.0
// Host side of the quantized kernels: Args (any kernel's arguments), Blobs (its constant tables), Kernel (arguments bound to an
// engine) and make(), which asks one engine for a kernel and gets either it or the reason why not.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "kernels/args.h"

namespace octet {

using KernelArgs =
    std::variant<kernels::Conv2dArgs, kernels::LinearArgs, kernels::AddArgs, kernels::RequantizeArgs, kernels::Pool2dArgs,
                 kernels::ClampArgs, kernels::QuantizeArgs, kernels::DequantizeArgs, kernels::TransposeArgs>;

/// Constant tables of a weighted layer; empty for every other. See kernels::Channels for who reads which.
struct Blobs {
  std::vector<int8_t> weight;
  std::vector<float> scale, bias;
  std::vector<int32_t> bias_codes, multiplier, shift, weight_zero_point;
};

/// Who computes. Every engine gives the same bytes; they differ in speed and in what they accept.
enum class QEngine : uint8_t { reference };

std::string_view to_string(QEngine);
std::string_view to_string(Rounding);
/// "conv2d", "linear", …: the kernel family's name, as in kernels/ref.
std::string_view name_of(const KernelArgs&);
/// Multiply-accumulates of one run, padding taps included; 0 for kernels without products.
int64_t macs(const KernelArgs&);
int64_t output_bytes(const KernelArgs&);

/// Arguments bound to an engine: immutable, shareable between threads.
class Kernel {
 public:
  virtual ~Kernel() = default;
  /// `inputs` in wire order (a fused residual is the second); buffers have the sizes the arguments say.
  virtual void run(std::span<const void* const> inputs, void* output) const = 0;
  /// Which implementation this is, for reports.
  virtual std::string_view implementation() const = 0;
};

struct Made {
  std::unique_ptr<Kernel> kernel;  ///< null: declined
  std::string why_not;
};

/// A kernel of this engine for these arguments. The reference engine accepts everything.
Made make(const KernelArgs&, std::shared_ptr<const Blobs>, QEngine);

}  // namespace octet
