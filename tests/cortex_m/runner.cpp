// SPDX-License-Identifier: Apache-2.0
// Runs the cases that lie in a board's external memory: compares every output byte with the expected one, checks the bands
// around output and scratch memory, prints one line a layer of a network (instructions of the kernel and of the reference kernel).
#include "kernels/cortex_m/cortex_m.h"
#include "kernels/ref/ref.h"
#include "tests/cortex_m/board.h"
#include "tests/cortex_m/case_file.h"

extern "C" const uint8_t octet_cases[];

namespace octet::testing {
namespace {

#if defined(__ARM_FEATURE_MVE)
namespace target = cortex_m::m55;
constexpr int64_t kTicksNumerator = 125, kTicksDenominator = 4;  // 31.25 instructions a tick
#else
namespace target = cortex_m::m4;
constexpr int64_t kTicksNumerator = 40, kTicksDenominator = 1;
#endif

constexpr int32_t kBand = 64;
constexpr uint8_t kGuard = 0xa5;
alignas(16) uint8_t output_memory[100 * 1024], scratch_memory[100 * 1024];

/// A buffer with a band on either side.
struct Guarded {
  uint8_t* memory;
  int32_t bytes;

  Guarded(uint8_t* m, int32_t n) : memory(m), bytes(n) { __builtin_memset(m, kGuard, static_cast<size_t>(n + 2 * kBand)); }
  uint8_t* data() const { return memory + kBand; }
  bool intact() const {
    for (int32_t i = 0; i < kBand; ++i)
      if (memory[i] != kGuard || memory[kBand + bytes + i] != kGuard) return false;
    return true;
  }
};

struct Sections {
  const uint8_t* at;
  const uint8_t* next(int32_t bytes) {
    const uint8_t* here = at;
    at += (bytes + 15) / 16 * 16;
    return here;
  }
};

struct Loaded {
  CaseHeader h;
  const uint8_t *args, *input, *second, *packed, *expected, *weight, *bias, *multiplier, *shift;
};

template <class Args>
Args args_of(const Loaded& c) {
  Args a;
  __builtin_memcpy(&a, c.args, sizeof a);
  return a;
}

template <Rounding R>
void run_device(const Loaded& c, uint8_t* output, uint8_t* scratch) {
  const cortex_m::PackedData d{c.input, c.packed, output, scratch, c.second};
  if (c.h.kind == Kind::conv2d) {
    const auto a = args_of<kernels::Conv2dArgs>(c);
    has_residual(a) ? target::conv2d_sums<R>(a, d, 0, kernels::units(a)) : target::conv2d<R>(a, d, 0, kernels::units(a));
  } else if (c.h.kind == Kind::depthwise) {
    target::depthwise3x3<R>(args_of<kernels::Conv2dArgs>(c), d);
  } else if (c.h.kind == Kind::linear) {
    const auto a = args_of<kernels::LinearArgs>(c);
    target::linear<R>(a, d, 0, kernels::units(a));
  } else if (c.h.kind == Kind::pool) {
    const auto a = args_of<kernels::Pool2dArgs>(c);
    target::average_pool2d(a, c.input, output, 0, kernels::units(a));
  } else if constexpr (R != Rounding::real) {
    const auto a = args_of<kernels::AddArgs>(c);
    target::add<R>(a, c.input, c.second, c.packed, output, 0, a.count);
  }
}

template <Rounding R>
void run_reference(const Loaded& c, uint8_t* output) {
  const auto* words = reinterpret_cast<const int32_t*>(c.multiplier);
  const kernels::Buffers d{c.input,
                           reinterpret_cast<const int8_t*>(c.weight),
                           c.second,
                           output,
                           {reinterpret_cast<const float*>(words), reinterpret_cast<const float*>(c.bias),
                            reinterpret_cast<const int32_t*>(c.bias), words, reinterpret_cast<const int32_t*>(c.shift), nullptr}};
  if (c.h.kind == Kind::conv2d || c.h.kind == Kind::depthwise) {
    const auto a = args_of<kernels::Conv2dArgs>(c);
    kernels::conv2d<R>(a, d, 0, kernels::units(a));
  } else if (c.h.kind == Kind::linear) {
    const auto a = args_of<kernels::LinearArgs>(c);
    kernels::linear<R>(a, d, 0, kernels::units(a));
  } else if (c.h.kind == Kind::pool) {
    const auto a = args_of<kernels::Pool2dArgs>(c);
    kernels::average_pool2d<R>(a, c.input, output, 0, kernels::units(a));
  } else if constexpr (R != Rounding::real) {
    const auto a = args_of<kernels::AddArgs>(c);
    kernels::add<R>(a, c.input, c.second, output, 0, a.count);
  }
}

template <class F>
int64_t count(F f) {
  start_ticks();
  f();
  return ticks() * kTicksNumerator / kTicksDenominator;
}

/// Wrong bytes, or -1 for a broken guard band.
template <Rounding R>
int32_t run(const Loaded& c) {
  const Guarded output(output_memory, c.h.expected), scratch(scratch_memory, c.h.scratch_bytes);
  const int64_t instructions = count([&] { run_device<R>(c, output.data(), scratch.data()); });
  int32_t wrong = 0;
  for (int32_t i = 0; i < c.h.expected; ++i) wrong += output.data()[i] != c.expected[i] ? 1 : 0;
  if (!output.intact() || !scratch.intact()) wrong = -1;
  if (c.h.reference != 0) {
    print(c.h.name);
    print(": ");
    print(instructions);
    print(" reference ");
    print(count([&] { run_reference<R>(c, output_memory); }));
    print("\n");
  }
  if (wrong != 0) {
    print("FAILED: ");
    print(c.h.name);
    print(": wrong bytes ");
    print(wrong);
    print(" of ");
    print(c.h.expected);
    print("\n");
  }
  return wrong;
}

int run_all() {
  Sections s{octet_cases};
  int32_t cases = 0, failed = 0;
  for (;; ++cases) {
    Loaded c;
    __builtin_memcpy(&c.h, s.next(sizeof c.h), sizeof c.h);
    if (c.h.magic != kCaseMagic) break;
    c.args = s.next(c.h.args), c.input = s.next(c.h.input), c.second = s.next(c.h.second), c.packed = s.next(c.h.packed);
    c.expected = s.next(c.h.expected), c.weight = s.next(c.h.weight), c.bias = s.next(c.h.bias);
    c.multiplier = s.next(c.h.multiplier), c.shift = s.next(c.h.shift);
    int32_t wrong = 1;
    switch (static_cast<Rounding>(c.h.rounding)) {
      case Rounding::fixed_double: wrong = run<Rounding::fixed_double>(c); break;
      case Rounding::fixed_single: wrong = run<Rounding::fixed_single>(c); break;
      case Rounding::real: wrong = run<Rounding::real>(c); break;
      case Rounding::int_bias: break;
    }
    failed += wrong != 0 ? 1 : 0;
  }
  print(cases);
  print(" cases, failed ");
  print(failed);
  print("\n");
  return cases == 0 || failed != 0 ? 1 : 0;
}

}  // namespace
}  // namespace octet::testing

int main() { return octet::testing::run_all(); }
