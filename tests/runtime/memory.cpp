// SPDX-License-Identifier: Apache-2.0
// The arena: what is touched is what was planned, not a byte more or less; values that die make room.
#include <algorithm>

#include "tests/catch.h"
#include "tests/runtime/device.h"
#include "tests/runtime/networks.h"

using namespace octet;
using namespace octet::device;

namespace {

/// Runs in an arena of one fill between guards; which bytes hold something else afterwards.
std::vector<bool> changed(const Device& device, const Tensor& input, std::byte fill) {
  constexpr size_t kGuard = 64;
  const size_t need = octet_arena_size(device.model());
  const Aligned memory(need + 2 * kGuard);
  std::memset(memory.data(), static_cast<int>(fill), memory.size());
  std::byte* arena = memory.data() + kGuard;
  std::memcpy(octet_input(device.model(), arena, 0), input.raw(), input.bytes());
  REQUIRE(octet_run(device.model(), arena, need, nullptr, nullptr) == OCTET_OK);
  std::vector<bool> touched(need);
  for (size_t i = 0; i < memory.size(); ++i) {
    const bool other = memory.data()[i] != fill;
    if (i < kGuard || i >= kGuard + need)
      CHECK_FALSE(other);
    else
      touched[i - kGuard] = other;
  }
  return touched;
}

}  // namespace

TEST_CASE("the bytes of the arena that a run touches are the planned ones") {
  for (const auto& [name, net] : {std::pair{"every_op", every_op()}, {"demo", demo()}, {"tiny", tiny_separable()}})
    for (const Rounding rounding : {Rounding::real, Rounding::fixed_single}) {
      CAPTURE(name, to_string(rounding));
      const Example e = quantized(name, net, rounding, true, 1);
      const FirmwarePlan plan = plan_firmware(e.int8);
      const Device device(image_bytes(plan));
      std::vector<bool> planned(static_cast<size_t>(plan.arena_bytes));
      for (const FirmwareValue& v : plan.values)
        for (int64_t i = 0; i < v.bytes; ++i) planned[static_cast<size_t>(v.offset + i)] = true;
      // A byte may be written with the fill itself, but not with two different ones.
      std::vector<bool> touched = changed(device, e.samples[0], std::byte{0x00});
      const std::vector<bool> again = changed(device, e.samples[0], std::byte{0xff});
      for (size_t i = 0; i < touched.size(); ++i) touched[i] = touched[i] || again[i];
      CHECK(touched == planned);
      CHECK(std::ranges::count(planned, true) > plan.arena_bytes * 9 / 10);
    }
}

TEST_CASE("additions and clamps take the place of an input that dies, and no other") {
  const FirmwarePlan plan = plan_firmware(quantized("every_op", every_op(), Rounding::fixed_double, true, 1).int8);
  const auto step = [&](const std::string& path) { return *std::ranges::find(plan.steps, path, &FirmwareStep::path); };
  CHECK(step("joined").in_place);
  CHECK(step("clamped").in_place);
  CHECK_FALSE(step("again").in_place);  // "turned" is read again later
  CHECK_FALSE(step("pointwise").in_place);
  const auto in = plan.values[static_cast<size_t>(step("clamped").inputs[0].value)],
             out = plan.values[static_cast<size_t>(step("clamped").outputs[0].value)];
  CHECK(in.offset == out.offset);
}

TEST_CASE("an arena is as small as its lower bound where the planner can prove it") {
  for (const auto& [name, net] : {std::pair{"resnet8", resnet8()}, {"demo", demo()}, {"every_op", every_op()}}) {
    const FirmwarePlan plan = plan_firmware(quantized(name, net, Rounding::real, true, 1).int8);
    CAPTURE(name);
    CHECK(plan.optimal);
    CHECK(plan.arena_bytes == plan.lower_bound);
  }
}
