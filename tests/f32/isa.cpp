// SPDX-License-Identifier: Apache-2.0
// The builds for different instruction sets are really different code, and choosing one takes effect.
#include <cstdlib>
#include <set>

#include "kernels/f32/table.h"
#include "tests/cpu.h"
#include "tests/f32/support.h"

using namespace octet;
using namespace octet::f32_tests;

namespace {

std::vector<std::string> available() {
  const std::string before = f32::isa();
  std::vector<std::string> names;
  for (const char* name : {"x86-64", "x86-64-v3", "x86-64-v4", "baseline"})
    if (f32::set_isa(name)) names.push_back(name);
  f32::set_isa(before.c_str());
  return names;
}

/// A product that is not exact without fused multiply-add and is with it.
float fused_or_not() {
  const float a = 1 + std::ldexp(1.0f, -12);
  float y = -(a * a);  // the exact square needs 25 bits
  const float scale = a, x = a;
  std::vector<float> out(1);
  f32::column_affine(1, 1, &x, &scale, &y, -kInfinity, kInfinity, out.data());
  return out[0];
}

}  // namespace

TEST_CASE("the best instruction set is the default and an unknown one is refused") {
  CHECK(available().back() == f32::isa());
  const std::string before = f32::isa();
  CHECK_FALSE(f32::set_isa("x86-64-v9"));
  CHECK(f32::isa() == before);
}

TEST_CASE("every level that this CPU has is compared, unless OCTET_MAX_CPU_ISA says otherwise") {
  std::vector<std::string> expected = {"baseline"};
#if defined(__x86_64__)
  expected = {"x86-64"};
  const CpuIsa limit = std::min(testing::machine_isa(), cpu_isa());
  if (limit >= CpuIsa::avx2) expected.push_back("x86-64-v3");
  if (limit >= CpuIsa::avx512) expected.push_back("x86-64-v4");
  if (std::getenv("OCTET_MAX_CPU_ISA") == nullptr) CHECK(cpu_isa() == testing::machine_isa());
#endif
  CHECK(available() == expected);
  std::string compared;
  for (const std::string& level : available()) compared += (compared.empty() ? "" : ", ") + level;
  CHECK(f32::use_provider(false));  // its own kernels are always there
  CHECK(std::string_view(f32::provider()).empty());
  const bool provider = f32::use_provider(true);
  std::printf("compared: f32 on %s%s\n", compared.c_str(), provider ? (std::string(" and ") + f32::provider()).c_str() : "");
}

TEST_CASE("every instruction set has functions of its own") {
  const std::string before = f32::isa();
  const auto names = available();
  std::set<const void*> functions;
  for (const std::string& name : names) {
    REQUIRE(f32::set_isa(name.c_str()));
    CHECK(f32::isa() == name);
    const f32::Table& table = f32::current_table();
    for (const void* function :
         {reinterpret_cast<const void*>(table.matmul), reinterpret_cast<const void*>(table.conv2d_fused),
          reinterpret_cast<const void*>(table.histogram), reinterpret_cast<const void*>(table.fake_quantize)})
      CHECK(functions.insert(function).second);
  }
  f32::set_isa(before.c_str());
}

TEST_CASE("levels with fused multiply-add use it in float kernels, the baseline cannot") {
  const std::string before = f32::isa();
  for (const std::string& name : available()) {
    if (name == "baseline") continue;
    f32::set_isa(name.c_str());
    INFO(name);
    CHECK((fused_or_not() != 0.0f) == (name != "x86-64"));
  }
  f32::set_isa(before.c_str());
}
