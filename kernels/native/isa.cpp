// SPDX-License-Identifier: Apache-2.0
// CPUID once, as the compiler's support library reads it: its answers include whether the operating system keeps the registers.
#include "kernels/native/isa.h"

#include <atomic>
#include <cstring>

#include "kernels/native/native.h"

namespace octet::native {
namespace {

Isa best() {
  const bool v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
                  __builtin_cpu_supports("bmi2");
  const bool v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (!v3) return Isa::none;
  if (!v4) return Isa::avx2;
  return __builtin_cpu_supports("avx512vnni") ? Isa::avx512_vnni : Isa::avx512;
}

std::atomic<Isa>& current() {
  static std::atomic<Isa> isa{best()};
  return isa;
}

constexpr Isa kAll[] = {Isa::none, Isa::avx2, Isa::avx512, Isa::avx512_vnni};

}  // namespace

Isa isa() { return current().load(std::memory_order_relaxed); }

const char* name_of(Isa isa) {
  switch (isa) {
    case Isa::none: return "none";
    case Isa::avx2: return "avx2";
    case Isa::avx512: return "avx512";
    case Isa::avx512_vnni: return "avx512-vnni";
  }
  return "?";
}

const Loops& loops_of(Isa isa) {
  static const Loops v3 = v3::loops();
  if (isa == Isa::avx2) return v3;
  static const Loops v4 = v4::loops();
  return v4;
}

bool set_isa(const char* name) {
  const Isa limit = best();
  for (const Isa isa : kAll)
    if (isa <= limit && std::strcmp(name, name_of(isa)) == 0) {
      current() = isa;
      return true;
    }
  return false;
}

QEngineInfo info() {
  if (isa() == Isa::none) return {QEngine::native, false, "", "", "native: this CPU (or its operating system) has no AVX2"};
  return {QEngine::native, true, "", name_of(isa()), ""};
}

}  // namespace octet::native
