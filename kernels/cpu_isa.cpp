// SPDX-License-Identifier: Apache-2.0
// CPUID as the compiler's support library reads it: its answers include whether the operating system keeps the registers.
#include "kernels/cpu_isa.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace octet {
namespace {

CpuIsa best() {
#if defined(__x86_64__)
  const bool v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
                  __builtin_cpu_supports("bmi2");
  const bool v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (v4) return __builtin_cpu_supports("avx512vnni") ? CpuIsa::avx512_vnni : CpuIsa::avx512;
  if (v3) return CpuIsa::avx2;
#endif
  return CpuIsa::baseline;
}

CpuIsa allowed() {
  const CpuIsa limit = best();
  const char* asked = std::getenv("OCTET_MAX_CPU_ISA");
  if (asked == nullptr || *asked == '\0') return limit;
  for (const CpuIsa isa : {CpuIsa::baseline, CpuIsa::avx2, CpuIsa::avx512, CpuIsa::avx512_vnni})
    if (std::strcmp(asked, name_of(isa)) == 0) return std::min(limit, isa);
  std::fprintf(stderr, "octet: OCTET_MAX_CPU_ISA is '%.40s', expected baseline, avx2, avx512 or avx512-vnni: not limited\n", asked);
  return limit;
}

}  // namespace

const char* name_of(CpuIsa isa) {
  switch (isa) {
    case CpuIsa::baseline: return "baseline";
    case CpuIsa::avx2: return "avx2";
    case CpuIsa::avx512: return "avx512";
    case CpuIsa::avx512_vnni: return "avx512-vnni";
  }
  return "?";
}

CpuIsa cpu_isa() {
  static const CpuIsa isa = allowed();
  return isa;
}

}  // namespace octet
