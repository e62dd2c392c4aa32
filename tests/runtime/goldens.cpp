// SPDX-License-Identifier: Apache-2.0
// Two trained models against the logits that TensorFlow Lite Micro and the boards of MLPerf Tiny computed from the same bytes.
#include "tests/catch.h"
#include "tests/runtime/device.h"
#include "tests/runtime/networks.h"
#include "tests/skip.h"

using namespace octet;
using namespace octet::device;

namespace {

constexpr FirmwareTarget kTargets[] = {FirmwareTarget::portable, FirmwareTarget::cortex_m4, FirmwareTarget::cortex_m55};

/// Compares every `stride`-th sample; false where the files are not there.
bool compare(const std::string& folder, Rounding rounding, FirmwareTarget target, int expected_samples, size_t stride = 1) {
  Tensor golden;
  const auto e = mlperf_tiny(folder, rounding, 1 << 20, &golden);
  if (!e) return false;
  REQUIRE(static_cast<int>(e->samples.size()) == expected_samples);
  const FirmwarePlan plan = plan_firmware(e->int8, {.target = target});
  const Device device(image_bytes(plan));
  REQUIRE(device.status() == OCTET_OK);
  const size_t row = golden.bytes() / e->samples.size();
  size_t equal = 0, compared = 0;
  for (size_t i = 0; i < e->samples.size(); i += stride, ++compared) {
    const Outcome got = device.run({&e->samples[i], 1});
    REQUIRE(got.status == OCTET_OK);
    REQUIRE(got.outputs[0].size() == row);
    equal += std::memcmp(got.outputs[0].data(), static_cast<const std::byte*>(golden.raw()) + i * row, row) == 0;
  }
  CHECK(equal == compared);
  return true;
}

void compare_keywords(size_t stride) {
  for (const Rounding rounding : {Rounding::fixed_double, Rounding::fixed_single}) {
    CAPTURE(to_string(rounding));
    for (const FirmwareTarget target : kTargets)
      if (!compare("mlperf-tiny-kws-dscnn", rounding, target, 1000, stride))
        OCTET_SKIP_CASE("no ../shared/models/mlperf-tiny-kws-dscnn");
  }
}

}  // namespace

TEST_CASE("the keyword network gives the golden logits on every 25th sample, double and single rounding") { compare_keywords(25); }

TEST_CASE("the keyword network gives the golden logits on all 1000 samples, double and single rounding", "[slow]") {
  compare_keywords(1);
}

TEST_CASE("the autoencoder gives the golden outputs on all 64 samples, double and single rounding") {
  for (const Rounding rounding : {Rounding::fixed_double, Rounding::fixed_single}) {
    CAPTURE(to_string(rounding));
    for (const FirmwareTarget target : kTargets)
      if (!compare("mlperf-tiny-ad-autoencoder", rounding, target, 64))
        OCTET_SKIP_CASE("no ../shared/models/mlperf-tiny-ad-autoencoder");
  }
}
