// SPDX-License-Identifier: Apache-2.0
// What a target's kernels want of a layer: packed weights and scratch memory, or nothing where the reference kernel runs it.
#include "io/firmware_plan.h"
#include "kernels/cortex_m/cortex_m.h"
#include "kernels/cortex_m/pack.h"
#include "kernels/held_constants.h"
#include "runtime/image.h"

namespace octet {
namespace {

/// Scratch memory of both families' kernels is a function of the arguments.
template <class Args>
int64_t scratch_of(const Args& a, bool m55) {
  return m55 ? cortex_m::m55::scratch_bytes(a) : cortex_m::m4::scratch_bytes(a);
}

KernelNeeds needs_of(const cortex_m::Packed& p, image::Family family, std::string op, int64_t scratch_bytes) {
  if (p.bytes.empty()) return {{}, 0, p.refusal};
  PackedWeights w;
  w.family = static_cast<uint16_t>(family);
  w.version = image::kFamilyVersion;
  const auto* bytes = reinterpret_cast<const std::byte*>(p.bytes.data());
  w.bytes.assign(bytes, bytes + p.bytes.size());
  w.replaces_plain = true;
  w.op = std::move(op);
  return {{std::move(w)}, scratch_bytes, {}};
}

KernelNeeds packed(const kernels::AddArgs& a, bool m55) {
  return needs_of(pack(a, m55 ? cortex_m::Target::m55 : cortex_m::Target::m4), m55 ? image::Family::m55 : image::Family::m4,
                  m55 ? "m55_add" : "m4_add", 0);
}

/// A form of the packed kernels: its family on both targets, its operators' kind.
struct Form {
  image::Family m4, m55;
  const char* kind;
};
constexpr Form kConv2d{image::Family::m4, image::Family::m55, "conv2d"};
constexpr Form kSums{image::Family::m4_sums, image::Family::m55_sums, "conv2d_sums"};
constexpr Form kDepthwise{image::Family::m4_depthwise, image::Family::m55_depthwise, "depthwise"};
constexpr Form kLinear{image::Family::m4, image::Family::m55, "linear"};

const Form& form_of(const kernels::Conv2dArgs& a) {
  return cortex_m::is_depthwise(a) ? kDepthwise : has_residual(a) ? kSums : kConv2d;
}
const Form& form_of(const kernels::LinearArgs&) { return kLinear; }

template <class Args>
KernelNeeds packed(const Args& a, const Blobs& b, bool m55) {
  if (!image::packable(a)) return {{}, 0, "the Cortex-M kernels count sides of up to 32768 and 2^26 weights"};
  const HeldConstants constants(a, {std::shared_ptr<const Blobs>(), &b});
  const kernels::Buffers data{nullptr, constants.weight(), nullptr, nullptr, constants.channels()};
  const cortex_m::Packed p = pack(a, data, m55 ? cortex_m::Target::m55 : cortex_m::Target::m4);
  const Form& form = form_of(a);
  return needs_of(p, m55 ? form.m55 : form.m4, std::string(m55 ? "m55_" : "m4_") + form.kind,
                  p.bytes.empty() ? 0 : scratch_of(a, m55));
}

}  // namespace

KernelNeeds kernel_needs(FirmwareTarget target, const KernelArgs& args, const Blobs& blobs) {
  if (target == FirmwareTarget::portable) return {};
  const bool m55 = target == FirmwareTarget::cortex_m55;
  if (const auto* a = std::get_if<kernels::Conv2dArgs>(&args)) return packed(*a, blobs, m55);
  if (const auto* a = std::get_if<kernels::LinearArgs>(&args)) return packed(*a, blobs, m55);
  if (const auto* a = std::get_if<kernels::AddArgs>(&args)) return packed(*a, m55);
  return {};
}

}  // namespace octet
