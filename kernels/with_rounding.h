// SPDX-License-Identifier: Apache-2.0
// From a rounding mode known at run time to one known at compile time: with_rounding(r, []<Rounding R>() { conv2d<R>(…); }).
#pragma once

#include "kernels/args.h"

namespace octet {

template <class F>
void with_rounding(Rounding rounding, F f) {
  switch (rounding) {
    case Rounding::real: return f.template operator()<Rounding::real>();
    case Rounding::int_bias: return f.template operator()<Rounding::int_bias>();
    case Rounding::fixed_double: return f.template operator()<Rounding::fixed_double>();
    case Rounding::fixed_single: return f.template operator()<Rounding::fixed_single>();
  }
}

}  // namespace octet
