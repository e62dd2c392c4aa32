// SPDX-License-Identifier: Apache-2.0
// Chooses the build of the epilogue by CPUID.
#include "kernels/onednn/epilogue.h"

namespace octet::onednn {

#if defined(OCTET_EPILOGUE_LEVELS)
namespace {

/// The best build's place in a list of all, best first.
size_t best() {
  const bool v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
                  __builtin_cpu_supports("bmi2");
  const bool v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  return v4 ? 0 : v3 ? 1 : 2;
}

}  // namespace

std::span<const Epilogue* const> epilogues() {
  static constexpr const Epilogue* kAll[] = {&v4::kEpilogue, &v3::kEpilogue, &v1::kEpilogue};
  static const size_t first = best();
  return std::span(kAll).subspan(first);
}
#else
std::span<const Epilogue* const> epilogues() {
  static constexpr const Epilogue* kAll[] = {&v1::kEpilogue};
  return kAll;
}
#endif

}  // namespace octet::onednn
