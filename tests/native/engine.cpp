// SPDX-License-Identifier: Apache-2.0
// The native engine among the others: what it reports, what automatic asks it for, and what it says where it cannot run.
#include <cstdlib>

#include "tests/cpu.h"
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

TEST_CASE("every instruction set that this CPU has is compared, unless OCTET_MAX_CPU_ISA says otherwise") {
  const char* cap = std::getenv("OCTET_MAX_CPU_ISA");
  const std::string capped = cap == nullptr ? "" : cap;
  CpuIsa expected = machine_isa();
  for (const CpuIsa isa : {CpuIsa::avx512, CpuIsa::avx2, CpuIsa::baseline})
    if (capped == name_of(isa)) expected = std::min(expected, isa);
  CHECK(name_of(cpu_isa()) == std::string(name_of(expected)));
  std::string compared;
  for (const CpuIsa isa : {CpuIsa::avx2, CpuIsa::avx512, CpuIsa::avx512_vnni}) {
    const IsaScope scope(name_of(isa));
    CHECK(scope.set() == (isa <= expected));
    if (scope.set()) compared += std::string(compared.empty() ? "" : ", ") + name_of(isa);
  }
  std::printf("compared: native on %s\n", compared.empty() ? "no instruction set" : compared.c_str());
}

TEST_CASE("automatic takes native for what has no products and says in its report which build ran") {
  const ClampArgs clamp{100, 3, 200, CodeType::u8, {}};
  for (const char* isa : {"avx2", "avx512"}) {
    const IsaScope scope(isa);
    if (!scope.set()) {
      skip_part(isa, kNotHere);
      continue;
    }
    const Made made = make(clamp, nullptr, QEngine::automatic);
    REQUIRE(made.kernel != nullptr);
    CHECK(made.kernel->engine() == QEngine::native);
    CHECK(made.kernel->implementation() == std::string("native ") + isa);
    CHECK(made.why_not.empty());
  }
}

TEST_CASE("automatic takes native for depthwise and small windows and oneDNN for large ones") {
  const IsaScope scope("avx512-vnni");
  if (!scope.set()) OCTET_SKIP_CASE(kNotHere);
  const bool onednn = qengines()[1].available;
  const auto engine = [](int32_t channels, int32_t kernel, int32_t groups, int32_t size = 8, int32_t stride = 1) {
    Conv2dArgs a{};
    a.batch = 1, a.in_h = a.in_w = size, a.out_h = a.out_w = size / stride, a.in_c = a.out_c = channels, a.groups = groups;
    a.kernel_h = a.kernel_w = kernel, a.stride_h = a.stride_w = stride, a.dilation_h = a.dilation_w = 1,
    a.pad_top = a.pad_left = kernel / 2;
    a.output = {0.01f, 0, 0, 255};
    auto blobs = std::make_shared<Blobs>();
    blobs->weight = std::vector<int8_t>(static_cast<size_t>(channels * kernel * kernel * channels / groups), 1);
    blobs->scale.assign(static_cast<size_t>(channels), 0.5f);
    return make(a, blobs, QEngine::automatic).kernel->engine();
  };
  CHECK(engine(64, 3, 64) == QEngine::native);
  CHECK(engine(64, 3, 64, 8, 2) == QEngine::native);
  CHECK(engine(96, 3, 96, 112, 2) == (onednn ? QEngine::onednn : QEngine::native));
  CHECK(engine(64, 3, 1) == QEngine::native);
  CHECK(engine(128, 3, 1) == (onednn ? QEngine::onednn : QEngine::native));
  CHECK(engine(1024, 1, 1) == QEngine::native);
  CHECK(engine(64, 3, 4) == (onednn ? QEngine::onednn : QEngine::native));
}

TEST_CASE("native keeps one copy of packed weights for all batch sizes") {
  const IsaScope scope("avx512-vnni");
  if (!scope.set()) OCTET_SKIP_CASE(kNotHere);
  auto blobs = std::make_shared<Blobs>();
  blobs->weight = std::vector<int8_t>(64 * 32, 1), blobs->scale.assign(64, 0.5f);
  LinearArgs a{};
  a.rows = 1, a.in = 32, a.out = 64, a.output = {0.01f, 0, 0, 255};
  const auto first = make(a, blobs, QEngine::native);
  const int64_t bytes = blobs->weight.packed_bytes();
  CHECK(bytes >= 64 * 32);
  a.rows = 7;
  const auto second = make(a, blobs, QEngine::native);
  CHECK(blobs->weight.packed_bytes() == bytes);
  a.input_zero_point = 3;  // other initial sums
  const auto third = make(a, blobs, QEngine::native);
  CHECK(blobs->weight.packed_bytes() > bytes);
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
