// SPDX-License-Identifier: Apache-2.0
// The native engine among the others: what it reports, what automatic asks it for, and what it says where it cannot run.
#include "tests/native/support.h"

namespace octet::testing {
namespace {

using namespace kernels;

TEST_CASE("native is listed with its instruction set, and names an instruction set that the CPU lacks") {
  const std::vector<QEngineInfo> all = qengines();
  REQUIRE(all.front().engine == QEngine::native);
  CHECK(all.front().available == all.front().why_not.empty());
  CHECK(to_string(QEngine::native) == "native");
  CHECK_FALSE(native::set_isa("avx1024"));
  for (const char* isa : kIsas) {
    const IsaScope scope(isa);
    if (scope.set()) CHECK(native::info().isa == isa);
  }
}

TEST_CASE("automatic takes native for what has no products and says in its report which build ran") {
  const ClampArgs clamp{100, 3, 200, CodeType::u8, {}};
  for (const char* isa : {"avx2", "avx512"}) {
    const IsaScope scope(isa);
    if (!scope.set()) continue;
    const Made made = make(clamp, nullptr, QEngine::automatic);
    REQUIRE(made.kernel != nullptr);
    CHECK(made.kernel->engine() == QEngine::native);
    CHECK(made.kernel->implementation() == std::string("native ") + isa);
    CHECK(made.why_not.empty());
  }
}

TEST_CASE("without AVX2 native declines with a reason and the reference computes") {
  const IsaScope scope("none");
  CHECK_FALSE(native::info().available);
  const ClampArgs clamp{100, 3, 200, CodeType::u8, {}};
  const Made declined = make(clamp, nullptr, QEngine::native);
  CHECK(declined.kernel == nullptr);
  CHECK(declined.why_not.find("native: ") == 0);
  const Made made = make(clamp, nullptr, QEngine::automatic);
  REQUIRE(made.kernel != nullptr);
  CHECK(made.kernel->engine() == QEngine::reference);
  CHECK(made.why_not.find("native: ") != std::string::npos);
}

}  // namespace
}  // namespace octet::testing
