// SPDX-License-Identifier: Apache-2.0
// Chooses the build of the epilogue by CPUID.
#include "kernels/onednn/epilogue.h"

namespace octet::onednn {
namespace {

const Epilogue& best() {
#if defined(OCTET_EPILOGUE_LEVELS)
  const bool v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
                  __builtin_cpu_supports("bmi2");
  const bool v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  return v4 ? v4::kEpilogue : v3 ? v3::kEpilogue : v1::kEpilogue;
#else
  return v1::kEpilogue;
#endif
}

}  // namespace

const Epilogue& epilogue() {
  static const Epilogue& chosen = best();
  return chosen;
}

}  // namespace octet::onednn
