// SPDX-License-Identifier: Apache-2.0
// What a plan costs, layer by layer, and whether it fits.
#include <algorithm>
#include <iomanip>
#include <set>

#include "engine/text.h"
#include "io/image.h"
#include "kernels/float_scope.h"
#include "kernels/kernel.h"
#include "runtime/image.h"

namespace octet {
namespace {

/// Header, values and ports: what the image holds besides its steps.
int64_t image_rest(const FirmwarePlan& plan, int64_t whole) {
  for (const FirmwareStep& s : plan.steps) whole -= s.flash_bytes;
  return whole;
}

}  // namespace

std::vector<std::string> operators(const FirmwarePlan& plan) {
  std::set<std::string> names;
  for (const FirmwareStep& s : plan.steps) {
    for (const PackedWeights& p : s.packed)
      if (!p.op.empty()) names.insert(p.op + "_" + std::string(to_string(plan.rounding)));
    if (std::ranges::any_of(s.packed, &PackedWeights::replaces_plain)) continue;
    const kernels::DeviceOp op = device_op(s.args);
    names.insert(op.rounds ? std::string(op.name) + "_" + std::string(to_string(plan.rounding)) : op.name);
  }
  return {names.begin(), names.end()};
}

void check_budget(const FirmwarePlan& plan, int64_t ram_bytes, int64_t flash_bytes) {
  if (ram_bytes > 0 && plan.arena_bytes > ram_bytes) {
    for (const FirmwareStep& s : plan.steps)
      check(s.live_bytes <= ram_bytes, s.path, ": ", s.live_bytes, " bytes are alive while it runs, the RAM budget is ", ram_bytes);
    const auto largest = std::ranges::max_element(plan.steps, {}, &FirmwareStep::live_bytes);
    fail(largest->path, ": every layer fits the RAM budget of ", ram_bytes, " bytes, but no arrangement was found below ",
         plan.arena_bytes, plan.optimal ? " (proved)" : "", "; this layer needs most, ", largest->live_bytes);
  }
  if (flash_bytes <= 0) return;
  const auto whole = static_cast<int64_t>(image_bytes(plan).size());
  if (whole <= flash_bytes) return;
  int64_t sum = image_rest(plan, whole);
  for (const FirmwareStep& s : plan.steps) {
    sum += s.flash_bytes;
    check(sum <= flash_bytes, s.path, ": with its ", s.flash_bytes, " bytes the image exceeds the flash budget of ", flash_bytes,
          "; the whole is ", whole);
  }
  fail("firmware: an image of ", whole, " bytes exceeds the flash budget of ", flash_bytes);
}

std::string to_table(const FirmwarePlan& plan) {
  const FloatScope environment;
  size_t width = 5;
  for (const FirmwareStep& s : plan.steps) width = std::max(width, s.path.size());
  const int column = static_cast<int>(width) + 2;
  Text out;
  out << std::left << std::setw(column) << "layer" << std::setw(14) << "kernel" << std::right << std::setw(9) << "output"
      << std::setw(9) << "alive" << std::setw(9) << "scratch" << std::setw(12) << "MACs" << std::setw(9) << "flash" << '\n';
  int64_t sum_macs = 0;
  for (const FirmwareStep& s : plan.steps) {
    sum_macs += macs(s.args);
    out << std::left << std::setw(column) << s.path << std::setw(14)
        << (s.packed.empty() ? std::string(name_of(s.args)) : s.packed[0].op) << std::right << std::setw(9)
        << plan.values[static_cast<size_t>(s.outputs[0].value)].bytes << std::setw(9) << s.live_bytes << std::setw(9)
        << s.scratch_bytes << std::setw(12) << macs(s.args) << std::setw(9) << s.flash_bytes << (s.in_place ? "  in place" : "");
    if (!s.why_not.empty()) out << "  reference: " << s.why_not;
    out << '\n';
  }
  const auto whole = static_cast<int64_t>(image_bytes(plan).size());
  out << "arena " << plan.arena_bytes << " bytes (lower bound " << plan.lower_bound
      << (plan.optimal ? ", proved least" : ", not proved least") << "), scratch " << plan.scratch_bytes << " within it\n"
      << "image " << whole << " bytes, " << image_rest(plan, whole) << " of them header and descriptions; " << sum_macs
      << " MACs, rounding " << to_string(plan.rounding) << '\n';
  return out.str();
}

}  // namespace octet
