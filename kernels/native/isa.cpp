// SPDX-License-Identifier: Apache-2.0
// The instruction set in use, and the loops built for it.
#include "kernels/native/isa.h"

#include <atomic>
#include <cstring>

#include "kernels/cpu_isa.h"
#include "kernels/native/native.h"

namespace octet::native {
namespace {

Isa best() {
  switch (cpu_isa()) {
    case CpuIsa::baseline: return Isa::none;
    case CpuIsa::avx2: return Isa::avx2;
    case CpuIsa::avx512: return Isa::avx512;
    case CpuIsa::avx512_vnni: return Isa::avx512_vnni;
  }
  return Isa::none;
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
  if (isa() == Isa::none)
    return {QEngine::native, false, "", "", "native: this CPU (or its operating system, or OCTET_MAX_CPU_ISA) has no AVX2"};
  return {QEngine::native, true, "", name_of(isa()), ""};
}

}  // namespace octet::native
