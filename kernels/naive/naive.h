// SPDX-License-Identifier: Apache-2.0
// The same float kernels as plain loops for any floating-point type: what f64 networks (gradient checks) run on, and the
// oracle the fast float32 kernels are tested against. The functions mirror kernels/f32/f32.h, sums are kept in T.
#pragma once

#include "kernels/naive/columns.h"
#include "kernels/naive/conv2d.h"
#include "kernels/naive/elementwise.h"
#include "kernels/naive/pool2d.h"
