// SPDX-License-Identifier: Apache-2.0
// The instruction sets that octet's own kernels are built for, and the one that this process may use.
#pragma once

#include <cstdint>

namespace octet {

/// In ascending order: each has all that those before it have.
enum class CpuIsa : uint8_t { baseline, avx2, avx512, avx512_vnni };

/// "baseline", "avx2", "avx512" or "avx512-vnni".
const char* name_of(CpuIsa);

/// The best that the CPU and its operating system have, and no better than the environment variable OCTET_MAX_CPU_ISA names, if it
/// is set (as ONEDNN_MAX_CPU_ISA does for oneDNN). Read once; a name that is none of the four is reported on standard error and
/// limits nothing.
CpuIsa cpu_isa();

}  // namespace octet
