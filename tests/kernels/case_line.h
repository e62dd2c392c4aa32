// SPDX-License-Identifier: Apache-2.0
// One kernel case as one line of text, complete enough to run it again: what a failing kernel test prints and what
// `bench_kernels --case` takes. "conv2d batch=1 in_h=14 … fill=ties seed=7 engine=onednn threads=2": the kernel's name, then
// key=value in any order; a key left out is zero (fill: random, engine: reference, threads: 1).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/kernel.h"
#include "tests/kernels/fills.h"

namespace octet::testing {

/// A kernel's arguments and everything its data and tables are made from.
struct CaseLine {
  KernelArgs args;
  Fill fill = Fill::random;
  uint32_t seed = 0;
  bool weight_zero_points = false;  ///< of weighted kernels: one per output channel, both ends included
  QEngine engine = QEngine::reference;
  int threads = 1;
};

/// Floats are printed so that they read back to the same bits; parse_case_line(to_string(line)) is the same case.
std::string to_string(const CaseLine&);

/// Throws std::invalid_argument that names the key, what was expected and what came: for unknown and repeated keys, values that do
/// not parse, and arguments no kernel may be given (sizes, groups, ranges, scales).
CaseLine parse_case_line(std::string_view);

/// Why no kernel may be given these arguments, or an empty string.
std::string invalid(const KernelArgs&);

/// The data of a case: the same bytes from the same line everywhere.
struct CaseData {
  std::vector<std::vector<uint8_t>> inputs{};  ///< in wire order; a fused residual is the second
  std::shared_ptr<const Blobs> blobs;
  std::vector<const void*> pointers() const;
};
CaseData case_data(const CaseLine&);

/// What running a case on its engine gave, beside the reference kernel on the same data.
struct CaseResult {
  bool accepted = false;
  std::string why_not{};         ///< if it declined
  std::string implementation{};  ///< if it did not
  int64_t outputs = 0;           ///< bytes compared
  int64_t mismatches = 0;
  std::string report{};  ///< empty, or what differs and the line to run it again
};
/// Runs it twice (the second time everything is reused) between guard bands, on `threads` threads.
CaseResult run_case(const CaseLine&);

}  // namespace octet::testing
