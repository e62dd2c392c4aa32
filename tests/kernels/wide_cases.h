// SPDX-License-Identifier: Apache-2.0
// What tests of 16-bit kernels share: codes, and a run on every engine in as many pieces as threads make of it.
#pragma once

#include <cstring>
#include <memory>
#include <vector>

#include "kernels/kernel.h"
#include "kernels/parallel.h"
#include "tests/kernels/cases.h"

namespace octet::testing {

inline constexpr Rounding kFixedRoundings[] = {Rounding::fixed_double, Rounding::fixed_single};

/// n codes, of all values or of the two ends, one of them alone every other time.
inline std::vector<int16_t> wide_codes(Rng& rng, int32_t n, bool extreme) {
  std::vector<int16_t> codes;
  const bool one_end = uniform(rng, 0, 1) != 0;
  for (int32_t i = 0; i < n; ++i)
    codes.push_back(static_cast<int16_t>(!extreme                              ? uniform(rng, -32768, 32767)
                                         : !one_end && uniform(rng, 0, 1) != 0 ? 32767
                                                                               : -32768));
  return codes;
}

/// The kernel of each engine gives these elements, writes nothing beyond them and says so many bytes.
template <class Args, class Out>
void check_wide(const Args& args, const Blobs& blobs, std::vector<const void*> inputs, const std::vector<Out>& expected) {
  std::vector<uint8_t> bytes(expected.size() * sizeof(Out));
  if (!expected.empty()) std::memcpy(bytes.data(), expected.data(), bytes.size());
  REQUIRE(output_bytes(args) == static_cast<int64_t>(bytes.size()));
  REQUIRE(is_wide(KernelArgs(args)));
  for (const QEngine engine : {QEngine::reference, QEngine::native}) {
    const Made made = make(args, std::make_shared<const Blobs>(blobs), engine);
    if (engine == QEngine::native && made.kernel == nullptr) continue;  // not on this machine
    REQUIRE(made.kernel != nullptr);
    for (const int threads : {1, 3}) {
      const ThreadsScope scope(threads);
      Guarded output(bytes.size());
      made.kernel->run(inputs, output.data());
      INFO(name_of(KernelArgs(args)) << " on " << to_string(engine) << ", " << threads << " threads");
      REQUIRE(output.intact());
      const std::vector<uint8_t> got = output.inner();
      size_t wrong = 0;
      for (size_t i = 0; i < bytes.size(); i += sizeof(Out)) wrong += std::memcmp(&got[i], &bytes[i], sizeof(Out)) != 0 ? 1 : 0;
      INFO(wrong << " of " << expected.size() << " elements differ");
      REQUIRE(wrong == 0);
    }
  }
}

}  // namespace octet::testing
