// SPDX-License-Identifier: Apache-2.0
// What every kernel test shares: fills, guarded output buffers and a runner that checks that the result does not depend on how the
// units are cut.
#pragma once

#include <string>
#include <vector>

#include "kernels/with_rounding.h"
#include "tests/catch.h"
#include "tests/kernels/fills.h"
#include "tests/kernels/guarded.h"

namespace octet::testing {

/// Runs run(output, begin, end) in one go and in three pieces, last first; both must give `expected` and leave the guards alone.
template <class Run>
void check_kernel(int32_t units, const std::vector<uint8_t>& expected, Run run) {
  Guarded whole(expected.size()), pieces(expected.size());
  run(whole.data(), 0, units);
  const int32_t first = units / 3, second = units - units / 4;
  run(pieces.data(), second, units);
  run(pieces.data(), 0, first);
  run(pieces.data(), first, second);
  REQUIRE(whole.intact());
  REQUIRE(pieces.intact());
  const std::vector<uint8_t> got = whole.inner();
  size_t wrong = 0, at = 0;
  for (size_t i = expected.size(); i-- > 0;)
    if (got[i] != expected[i]) ++wrong, at = i;
  INFO(wrong << " of " << expected.size() << " bytes differ, first at " << at << ": " << int{got.empty() ? uint8_t{0} : got[at]}
             << " instead of " << int{expected.empty() ? uint8_t{0} : expected[at]});
  REQUIRE(wrong == 0);
  REQUIRE(pieces.inner() == expected);
}

}  // namespace octet::testing
