// SPDX-License-Identifier: Apache-2.0
// Cases for the native engine: every instruction set that the CPU has, 1 to 3 threads, output guard bands, against the reference.
// A failing case prints itself as one line that `test_native` finds again with its name as the filter.
#pragma once

#include <functional>
#include <map>

#include "kernels/kernel.h"
#include "kernels/native/native.h"
#include "kernels/parallel.h"
#include "tests/kernels/cases.h"
#include "tests/kernels/guarded.h"
#include "tests/skip.h"

namespace octet::testing {

inline constexpr const char* kIsas[] = {"avx2", "avx512", "avx512-vnni"};
inline constexpr const char* kNotHere = "this CPU (or OCTET_MAX_CPU_ISA) has no such instructions";

/// Holds the engine to an instruction set for its lifetime.
class IsaScope {
 public:
  explicit IsaScope(const char* name)
      : before_(native::info().available ? native::info().isa : "none"), set_(native::set_isa(name)) {}
  ~IsaScope() { native::set_isa(before_.c_str()); }
  IsaScope(const IsaScope&) = delete;
  IsaScope& operator=(const IsaScope&) = delete;
  bool set() const { return set_; }

 private:
  std::string before_;
  bool set_;
};

struct Tally {
  size_t cases = 0, outputs = 0;
  std::map<std::string, size_t> implementations;

  void print(const char* what) const {
    std::printf("native %s: %zu cases, %zu output bytes compared\n", what, cases, outputs);
    for (const auto& [name, n] : implementations) std::printf("  %zu by %s\n", n, name.c_str());
  }
};

inline void check_equal(const std::vector<uint8_t>& got, const std::vector<uint8_t>& expected) {
  size_t wrong = 0, at = 0;
  for (size_t i = expected.size(); i-- > 0;)
    if (got[i] != expected[i]) ++wrong, at = i;
  if (wrong == 0) return;
  INFO(wrong << " of " << expected.size() << " bytes differ, first at " << at << ": " << int{got[at]} << " instead of "
             << int{expected[at]});
  CHECK(wrong == 0);
}

/// Plain weights that were let go come back from whatever form they were packed in. Of a copy, because the caller's are in use.
inline void check_unpacked(const Blobs& blobs) {
  const std::vector<int8_t> plain(blobs.weight.begin(), blobs.weight.end());
  blobs.weight.each_form([&](const PackedForm& form) {
    if (form.unpacks()) CHECK(form.unpacked() == plain);
  });
}

/// Runs one case on the native engine for every instruction set and 1 to 3 threads, and in place where the kernel allows it; the
/// reference kernel's bytes are what must come out. `sizes[i]` is the size of input i. Nothing may be read behind the inputs or the
/// scratch memory: there the next page begins.
inline void compare(const KernelArgs& args, const std::shared_ptr<const Blobs>& blobs, std::span<const void* const> inputs,
                    std::span<const size_t> sizes, Tally& tally) {
  ++tally.cases;
  const size_t n = static_cast<size_t>(output_bytes(args));
  std::vector<uint8_t> expected(n, 0x5a);
  make(args, blobs, QEngine::reference).kernel->run(inputs, expected.data());
  std::vector<PageEnd> ends;
  std::vector<const void*> exact;
  for (size_t i = 0; i < inputs.size(); ++i) exact.push_back(ends.emplace_back(inputs[i], sizes[i]).data());
  for (const char* isa : kIsas) {
    const IsaScope scope(isa);
    if (!scope.set()) {
      skip_part(isa, kNotHere);
      continue;
    }
    for (const int count : {1, 2, 3}) {
      const ThreadsScope threads(count);
      const Made made = make(args, blobs, QEngine::native);
      INFO(isa << ", " << count << " threads, " << made.why_not);
      REQUIRE(made.kernel != nullptr);
      INFO(made.kernel->implementation());
      if (blobs != nullptr && !blobs->weight.empty() && count == 3) check_unpacked(*blobs);
      if (count == 1) ++tally.implementations[std::string(made.kernel->implementation())];
      // A kernel of another level would give the same bytes here and an illegal instruction elsewhere.
      if (isa != std::string_view("avx512-vnni")) CHECK(made.kernel->implementation() == "native " + std::string(isa));
      PageEnd scratch(static_cast<size_t>(made.kernel->scratch_bytes() + 63) / 64 * 64);
      const std::unique_ptr<Kernel::State> state = made.kernel->make_state();
      CHECK(made.kernel->engine() == QEngine::native);
      for (int run = 0; run < (count == 1 ? 1 : 2); ++run) {
        Guarded y(n);
        made.kernel->run(exact, y.data(), state.get(), reinterpret_cast<std::byte*>(scratch.data()));
        REQUIRE(y.intact());
        check_equal(y.inner(), expected);
        tally.outputs += n;
      }
      for (size_t i = 0; i < inputs.size(); ++i) {
        if (!made.kernel->may_overwrite(i) || sizes[i] != n) continue;
        Guarded both(n);
        std::copy_n(static_cast<const uint8_t*>(inputs[i]), n, both.data());
        std::vector<const void*> in(inputs.begin(), inputs.end());
        in[i] = both.data();
        made.kernel->run(in, both.data());
        INFO("in place of input " << i);
        REQUIRE(both.intact());
        check_equal(both.inner(), expected);
      }
    }
  }
}

}  // namespace octet::testing
