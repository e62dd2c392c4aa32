// SPDX-License-Identifier: Apache-2.0
// Facts about kernel arguments, the choice of an engine, and the reference engine: ref.h's kernels behind the Kernel interface,
// spread over the thread pool.
#include "kernels/kernel.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <utility>

#include "kernels/float_scope.h"
#include "kernels/held_constants.h"
#include "kernels/native/native.h"
#include "kernels/onednn/onednn.h"
#include "kernels/parallel.h"
#include "kernels/ref/ref16.h"
#include "kernels/with_rounding.h"

namespace octet {
namespace {

using namespace kernels;

/// Families without a rounding compute the same in each.
template <class Args>
Rounding rounding_of(const Args& args) {
  if constexpr (requires { args.rounding; }) return args.rounding;
  return Info<Args>::wide(args) ? Rounding::fixed_double : Rounding::real;
}

class ReferenceKernel final : public Kernel {
 public:
  ReferenceKernel(const KernelArgs& args, std::shared_ptr<const Blobs> blobs)
      : args_(args), constants_(args, std::move(blobs)), inputs_(static_cast<size_t>(inputs_of(args))) {}

  using Kernel::run;

  bool may_overwrite(size_t input) const override { return input < inputs_ && (device_op(args_).overwrites >> input & 1) != 0; }

  void run(std::span<const void* const> inputs, std::span<void* const> outputs, State*, std::byte*) const override {
    assert(inputs.size() >= inputs_);
    const Buffers buffers{inputs_ > 0 ? inputs[0] : nullptr, constants_.weight(), inputs_ > 1 ? inputs[1] : nullptr, outputs[0],
                          constants_.channels()};
    std::visit(
        [&](const auto& args) {
          const int64_t n = units(args);
          if (n <= 0 || output_bytes(args_) <= 0) return;
          const int64_t per_unit = std::max<int64_t>(1, std::max(macs(args_), elements(args_)) / n);
          parallel(n, std::max<int64_t>(1, kWorthAThread / per_unit), [&](int, int64_t begin, int64_t end) {
            with_rounding(rounding_of(args), [&]<Rounding R>() {
              kernels::run_any<R>(args, buffers, static_cast<int32_t>(begin), static_cast<int32_t>(end));
            });
          });
        },
        args_);
  }

  std::string_view implementation() const override { return "reference"; }
  std::optional<QEngine> engine() const override { return QEngine::reference; }

 private:
  static constexpr int64_t kWorthAThread = 100'000;  // operations: some 10 µs, well above the cost of waking a thread

  KernelArgs args_;
  HeldConstants constants_;
  size_t inputs_;
};

/// Who is asked for a layer, fastest first.
std::array<QEngine, 3> order(const KernelArgs& args, const std::shared_ptr<const Blobs>& blobs) {
  static const Blobs kNone;  // a temporary here would make the whole expression a copy of the weights
  if (native::leads(args, blobs ? *blobs : kNone)) return {QEngine::native, QEngine::onednn, QEngine::reference};
  return {QEngine::onednn, QEngine::native, QEngine::reference};
}

}  // namespace

void Kernel::run(std::span<const void* const> inputs, std::span<void* const> outputs) const {
  const FloatScope environment;
  const std::unique_ptr<State> state = make_state();
  constexpr int64_t kAlignment = 64;
  std::vector<std::byte> memory(static_cast<size_t>(scratch_bytes() + kAlignment));
  void* scratch = memory.data();
  size_t room = memory.size();
  std::align(kAlignment, static_cast<size_t>(scratch_bytes()), scratch, room);
  run(inputs, outputs, state.get(), static_cast<std::byte*>(scratch));
}

std::string_view to_string(QEngine engine) {
  switch (engine) {
    case QEngine::automatic: return "automatic";
    case QEngine::reference: return "reference";
    case QEngine::onednn: return "onednn";
    case QEngine::native: return "native";
  }
  return "?";
}

std::string_view to_string(Rounding rounding) {
  switch (rounding) {
    case Rounding::real: return "real";
    case Rounding::int_bias: return "int_bias";
    case Rounding::fixed_double: return "fixed_double";
    case Rounding::fixed_single: return "fixed_single";
  }
  return "?";
}

namespace {

/// ask(Info<Args>, args) of the family at hand.
template <class Ask>
auto of_family(const KernelArgs& args, Ask ask) {
  return std::visit([&]<class Args>(const Args& a) { return ask(Info<Args>(), a); }, args);
}

}  // namespace

std::string_view name_of(const KernelArgs& args) {
  return of_family(args, [](auto info, const auto&) { return std::string_view(info.name); });
}
int64_t macs(const KernelArgs& args) {
  return of_family(args, [](auto info, const auto& a) { return info.macs(a); });
}
int64_t output_bytes(const KernelArgs& args) {
  return of_family(args, [](auto info, const auto& a) { return info.output_bytes(a); });
}
int64_t elements(const KernelArgs& args) {
  return of_family(args, [](auto info, const auto& a) { return int64_t{info.elements(a)}; });
}
int32_t channels_of(const KernelArgs& args) {
  return of_family(args, [](auto info, const auto& a) { return info.channels(a); });
}
bool is_wide(const KernelArgs& args) {
  return of_family(args, [](auto info, const auto& a) { return info.wide(a); });
}
kernels::Constants constants_of(const KernelArgs& args) {
  return of_family(args, [](auto info, const auto&) { return info.constants; });
}
int inputs_of(const KernelArgs& args) {
  return of_family(args, [](auto info, const auto& a) { return info.inputs(a); });
}
DeviceOp device_op(const KernelArgs& args) {
  return of_family(args, [](auto info, const auto& a) { return info.device[info.device_of(a)]; });
}

Made make(const KernelArgs& args, std::shared_ptr<const Blobs> blobs, QEngine engine) {
  const FloatScope environment;
  if (const Rounding rounding = std::visit([](const auto& a) { return rounding_of(a); }, args);
      is_wide(args) && !is_fixed(rounding))
    return {nullptr, std::string(name_of(args)) + " of 16-bit codes in rounding " + std::string(to_string(rounding)) +
                         ", which only fixed_double and fixed_single have"};
  switch (engine) {
    case QEngine::automatic: {
      std::string why_not;
      for (const QEngine asked : order(args, blobs)) {
        Made made = make(args, blobs, asked);
        if (made.kernel != nullptr) return {std::move(made.kernel), std::move(why_not)};
        why_not += (why_not.empty() ? "" : "; ") + made.why_not;
      }
      return {nullptr, std::move(why_not)};
    }
    case QEngine::reference: return {std::make_unique<ReferenceKernel>(args, std::move(blobs)), {}};
    case QEngine::onednn: return std::visit([&](const auto& a) { return onednn::make(a, blobs); }, args);
    case QEngine::native: return native::make(args, std::move(blobs));
  }
  return {nullptr, "unknown engine"};
}

std::vector<QEngineInfo> qengines() { return {native::info(), onednn::info(), {QEngine::reference, true, {}, {}, {}}}; }

}  // namespace octet
