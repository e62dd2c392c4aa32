// SPDX-License-Identifier: Apache-2.0
// What the processor has according to the kernel, to check by another way what octet found out by CPUID.
#pragma once

#include <algorithm>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <set>
#include <sstream>
#include <string>

#include "kernels/cpu_isa.h"

namespace octet::testing {

/// True if /proc/cpuinfo lists every one of these flags.
inline bool cpu_has(std::initializer_list<const char*> flags) {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("flags")) {
      std::istringstream words(line.substr(line.find(':') + 1));
      const std::set<std::string> all{std::istream_iterator<std::string>(words), {}};
      return std::all_of(flags.begin(), flags.end(), [&](const char* flag) { return all.contains(flag); });
    }
  return false;
}

/// The best instruction set of this machine, whatever OCTET_MAX_CPU_ISA says.
inline CpuIsa machine_isa() {
  if (!cpu_has({"avx2", "fma", "bmi1", "bmi2"})) return CpuIsa::baseline;
  if (!cpu_has({"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"})) return CpuIsa::avx2;
  return cpu_has({"avx512_vnni"}) ? CpuIsa::avx512_vnni : CpuIsa::avx512;
}

}  // namespace octet::testing
