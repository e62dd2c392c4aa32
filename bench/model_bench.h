// SPDX-License-Identifier: Apache-2.0
// What is measured on one network. Every function is meant to run in a process of its own and answers in JSON.
#pragma once

#include <string>

#include "bench/race.h"

namespace octet::bench {

/// A network's two forms in files, so that a measuring process has not built and quantized it.
struct ModelFiles {
  std::string float_path, int8_path;
};
ModelFiles files_of(const std::string& folder, const std::string& name);
/// Builds, settles, quantizes and saves. {"float_bytes", "int8_bytes"} of parameters.
std::string write_model(const std::string& folder, const std::string& name);

struct SpeedCase {
  std::string name;
  ModelFiles files;
  int64_t batch = 1;
  int threads = 1;
  bool reference = false;  ///< measure the reference engine, too
  RaceOptions race;
};
/// {"ms": {variant: {"best", "median", "p99", "calls"}}, "allocations": {"octet", "onednn"} per run, "bare_missing"}: f32, int8 by
/// engine and, with one thread, the bare oneDNN primitives take turns.
std::string measure_speed(const SpeedCase&);
/// {"peak", "after_load", "start", "weights", "arena", …} in bytes: of a process that loads a model and runs it.
std::string measure_memory(const std::string& path, int64_t batch, int threads);
/// [{"path", "kernel", "implementation", "us", "engines": {engine: us}, "bare_us", "bare", "macs"}] by kernel, each in a loop of
/// its own; "us" is the automatic choice.
std::string profile(const SpeedCase&);

}  // namespace octet::bench
