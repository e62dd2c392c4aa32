// SPDX-License-Identifier: Apache-2.0
// This level's table: the reference kernels as compiled for it, and octet's own loops where those are faster.
#include "kernels/native/unit.h"
#include "kernels/ref/ref16.h"

namespace octet::native::OCTET_ISA {
namespace {

using namespace kernels;  // this level's (meson.build)

static_assert(Kernels::size <= kMostFamilies);

template <Rounding R, class Args>
void loop(const LoopData& d, int32_t begin, int32_t end) {
  const Buffers buffers{
      d.input, d.weight, d.second, d.output, {d.scale, d.bias, d.bias_codes, d.multiplier, d.shift, d.weight_zero_point}};
  kernels::run_any<R>(args_of<Args>(d), buffers, begin, end);
}

// octet's own, where compilers do poorly.
template <Rounding R>
void own_loops(Loops& t) {
  constexpr int r = static_cast<int>(R);
  if (R == Rounding::real) {
    t.of[Kernels::index<AddArgs>()][r] = add_real;
    t.of[Kernels::index<BinaryArgs>()][r] = binary_real;
  }
  t.of[Kernels::index<LookupArgs>()][r] = [](const LoopData& d, int32_t begin, int32_t end) {
    const LookupArgs a = args_of<LookupArgs>(d);
    if (a.channels == 1 && !Info<LookupArgs>::wide(a)) return OCTET_ISA::lookup(d, begin, end);
    loop<R, LookupArgs>(d, begin, end);
  };
  t.of[Kernels::index<Pool2dArgs>()][r] = [](const LoopData& d, int32_t begin, int32_t end) {
    const Pool2dArgs a = args_of<Pool2dArgs>(d);
    if (Info<Pool2dArgs>::wide(a)) return loop<R, Pool2dArgs>(d, begin, end);
    if (a.kind == PoolKind::max) return max_pool2d(d, begin, end);
    if (R == Rounding::real) return average_pool2d_real(d, begin, end);
    loop<R, Pool2dArgs>(d, begin, end);
  };
  t.of[Kernels::index<ClampArgs>()][r] = [](const LoopData& d, int32_t begin, int32_t end) {
    if (!Info<ClampArgs>::wide(args_of<ClampArgs>(d))) return OCTET_ISA::clamp(d, begin, end);
    loop<R, ClampArgs>(d, begin, end);
  };
}

template <Rounding R>
void fill(Loops& t) {
  Kernels::each([&, at = 0](auto info) mutable {
    using Args = typename decltype(info)::Args;
    t.of[at++][static_cast<int>(R)] = loop<R, Args>;
  });
  own_loops<R>(t);
}

}  // namespace

Loops loops() {
  Loops t;
  fill<Rounding::real>(t);
  fill<Rounding::int_bias>(t);
  fill<Rounding::fixed_double>(t);
  fill<Rounding::fixed_single>(t);
  return t;
}

}  // namespace octet::native::OCTET_ISA
