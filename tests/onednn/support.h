// SPDX-License-Identifier: Apache-2.0
// Cases for engines: arguments with tables and data by fill, run on an engine and on the reference, with guard bands, in place
// where that is allowed, with 1 to 3 threads, and counts of what was accepted and why not.
#pragma once

#include <cstdio>
#include <map>

#include "kernels/kernel.h"
#include "kernels/native/native.h"
#include "kernels/parallel.h"
#include "tests/kernels/case_line.h"
#include "tests/kernels/conv2d_cases.h"
#include "tests/kernels/weighted.h"

namespace octet::testing {

inline QEngineInfo onednn_info() {
  for (const QEngineInfo& info : qengines())
    if (info.engine == QEngine::onednn) return info;
  return {};
}

/// Takes the native engine away for its lifetime: what automatic then asks is oneDNN.
class WithoutNative {
 public:
  WithoutNative() : before_(native::info().isa) { native::set_isa("none"); }
  ~WithoutNative() { native::set_isa(before_.c_str()); }
  WithoutNative(const WithoutNative&) = delete;
  WithoutNative& operator=(const WithoutNative&) = delete;

 private:
  std::string before_;
};

struct Tally {
  size_t cases = 0, accepted = 0, outputs = 0, mismatches = 0, unpacks = 0;
  std::map<std::string, size_t> declined, implementations;

  void add(const Tally& other) {
    cases += other.cases, accepted += other.accepted, outputs += other.outputs, mismatches += other.mismatches;
    unpacks += other.unpacks;
    for (const auto& [why, n] : other.declined) declined[why] += n;
    for (const auto& [name, n] : other.implementations) implementations[name] += n;
  }
  void print(const char* what) const {
    std::printf("onednn %s, isa %s: %zu of %zu cases accepted, %zu outputs compared, %zu mismatches, %zu forms unpacked\n", what,
                onednn_info().isa.c_str(), accepted, cases, outputs, mismatches, unpacks);
    for (const auto& [name, n] : implementations) std::printf("  %zu by %s\n", n, name.c_str());
    for (const auto& [why, n] : declined) std::printf("  %zu declined: %s\n", n, why.c_str());
  }
};

/// A run with guard bands around the output and the scratch memory; `in_place`: the output lies on that input, else -1.
inline std::vector<uint8_t> guarded_run(const Kernel& kernel, std::span<const void* const> inputs, size_t outputs, int in_place,
                                        Kernel::State* state) {
  Guarded y(outputs), scratch(static_cast<size_t>(kernel.scratch_bytes()) + 64);
  std::vector<const void*> in(inputs.begin(), inputs.end());
  if (in_place >= 0) {
    const auto at = static_cast<size_t>(in_place);
    std::copy_n(static_cast<const uint8_t*>(in[at]), outputs, y.data());
    in[at] = y.data();
  }
  // Aligned as asked for and to nothing more; what is left around it belongs to the bands.
  const size_t shift = (64 - reinterpret_cast<uintptr_t>(scratch.data()) % 64) % 64;
  std::fill_n(scratch.data(), shift, uint8_t{0xa5});
  std::fill_n(scratch.data() + shift + kernel.scratch_bytes(), 64 - shift, uint8_t{0xa5});
  kernel.run(in, y.data(), state, reinterpret_cast<std::byte*>(scratch.data() + shift));
  REQUIRE(y.intact());
  REQUIRE(scratch.intact());
  for (size_t i = 0; i < shift; ++i) REQUIRE(scratch.data()[i] == 0xa5);
  for (size_t i = shift; i < 64; ++i) REQUIRE(scratch.data()[static_cast<size_t>(kernel.scratch_bytes()) + i] == 0xa5);
  return y.inner();
}

/// Runs one case on oneDNN, if it accepts it, for 1 to 3 threads; the reference kernel's bytes are what must come out. A failure
/// prints the line that makes the case again.
inline void compare_engines(CaseLine line, Tally& tally) {
  ++tally.cases;
  line.engine = QEngine::onednn;
  const CaseData data = case_data(line);
  const std::vector<const void*> inputs = data.pointers();
  const size_t n = static_cast<size_t>(output_bytes(line.args));
  std::vector<uint8_t> expected(n);
  bool accepted = false;
  for (line.threads = 1; line.threads <= 3; ++line.threads) {
    const ThreadsScope scope(line.threads);
    INFO("bench_kernels --case '" << to_string(line) << "'");
    const Made made = make(line.args, data.blobs, QEngine::onednn);
    if (made.kernel == nullptr) {
      REQUIRE(!made.why_not.empty());
      if (line.threads == 1) ++tally.declined[made.why_not];
      continue;
    }
    if (!accepted) make(line.args, data.blobs, QEngine::reference).kernel->run(inputs, expected.data());
    if (line.threads == 1) ++tally.implementations[std::string(made.kernel->implementation())];
    accepted = true;
    CHECK(made.kernel->engine() == QEngine::onednn);
    const auto state = made.kernel->make_state();
    // Not in place twice, the second time with everything set up; then in place of each input that may be overwritten.
    for (int run = line.threads == 1 ? -1 : -2; run < static_cast<int>(inputs.size()); ++run) {
      const int in_place = std::max(run, -1);
      if (in_place >= 0 && !made.kernel->may_overwrite(static_cast<size_t>(in_place))) continue;
      INFO(made.kernel->implementation() << ", run " << run << ", in place of input " << in_place);
      const std::vector<uint8_t> got = guarded_run(*made.kernel, inputs, n, in_place, state.get());
      size_t wrong = 0, at = 0;
      for (size_t i = n; i-- > 0;)
        if (got[i] != expected[i]) ++wrong, at = i;
      tally.outputs += n, tally.mismatches += wrong;
      INFO(wrong << " of " << n << " differ, first at " << at << ": " << int{got[at]} << " instead of " << int{expected[at]});
      CHECK(wrong == 0);
    }
  }
  tally.accepted += accepted;
  if (!accepted) return;
  // Plain weights that were let go come back from the packed ones, and others are never called forms that give them back.
  const std::vector<int8_t> plain(data.blobs->weight.begin(), data.blobs->weight.end());
  data.blobs->weight.each_form([&](const PackedForm& form) {
    tally.unpacks += form.unpacks();
    if (form.unpacks()) CHECK(form.unpacked() == plain);
  });
}

}  // namespace octet::testing
