// SPDX-License-Identifier: Apache-2.0
// Networks that nobody wrote by hand, on every target, in any placement of memory: every layer as on the host.
#include <cstdio>
#include <cstdlib>

#include "tests/catch.h"
#include "tests/runtime/random_networks.h"

using namespace octet;
using namespace octet::device;

namespace {

constexpr std::pair<const char*, FirmwareTarget> kNamedTargets[] = {
    {"portable", FirmwareTarget::portable}, {"cortex_m4", FirmwareTarget::cortex_m4}, {"cortex_m55", FirmwareTarget::cortex_m55}};

void check_networks(int count, uint64_t first_seed, int placements, bool print) {
  for (const auto& [name, target] : kNamedTargets) {
    const Tally t = run_random_networks(target, first_seed, count, placements);
    if (print)
      std::printf("%s: %d networks in %d placements each, %d with packed layers, %d more refused by name, %d wrong%s%s\n", name,
                  t.networks, placements + 1, t.packed, t.refused, t.wrong, t.wrong == 0 ? "" : "; first: ", t.first.c_str());
    INFO(name << ": " << t.wrong << " of " << t.networks << " networks wrong; first: " << t.first);
    CHECK(t.networks == count);
    CHECK(t.wrong == 0);
    CHECK(t.refused < count / 10);
    if (target != FirmwareTarget::portable) CHECK(t.packed > count / 3);
  }
}

uint64_t number(const char* variable, uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

}  // namespace

TEST_CASE("random networks in random placements give the host's bytes layer by layer on every target") {
  check_networks(300, 1, 2, false);
}

// ./dev sweep networks
TEST_CASE("many random networks on every target", "[.][sweep]") {
  check_networks(static_cast<int>(number("OCTET_SWEEP_COUNT", 10'000)), number("OCTET_SWEEP_SEED", 100'000), 3, true);
}
