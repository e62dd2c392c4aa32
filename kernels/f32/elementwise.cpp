// SPDX-License-Identifier: Apache-2.0
// Element-wise float kernels: plain loops that the compiler vectorizes, spread over threads.
#include "kernels/f32/simd.h"
#include "kernels/f32/unit.h"

namespace octet::f32::OCTET_ISA {
namespace {

void clamp(int64_t n, const float* x, float lo, float hi, float* y) {
  parallel(n, kStreamGrain, [&](int, int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const float v = x[i] < lo ? lo : x[i];
      y[i] = v > hi ? hi : v;
    }
  });
}

void clamp_grad(int64_t n, const float* x, const float* dy, float lo, float hi, float* dx) {
  parallel(n, kStreamGrain, [&](int, int64_t begin, int64_t end) {
    for_strips<1>(begin, end, [&]<int L, int>(int64_t i) {  // by hand: compilers will not read dy where it is not needed
      const Vec<L> v = load<L>(x + i);
      store<L>(dx + i, ((v > lo) & (v < hi)) ? load<L>(dy + i) : Vec<L>{});
    });
  });
}

void add(int64_t n, const float* a, const float* b, float* y) {
  parallel(n, kStreamGrain, [&](int, int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) y[i] = a[i] + b[i];
  });
}

void add_clamped(int64_t n, const float* a, const float* b, float lo, float hi, float* y) {
  parallel(n, kStreamGrain, [&](int, int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const float sum = a[i] + b[i], v = sum < lo ? lo : sum;
      y[i] = v > hi ? hi : v;
    }
  });
}

void axpby(int64_t n, float alpha, const float* x, float beta, float* y) {
  parallel(n, kStreamGrain, [&](int, int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) y[i] = alpha * x[i] + beta * y[i];
  });
}

void sgd(int64_t n, float rate, float momentum, float decay, bool nesterov, const float* g, float* v, float* w) {
  parallel(n, kStreamGrain, [&](int, int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const float gradient = g[i] + decay * w[i], velocity = momentum * v[i] + gradient;
      v[i] = velocity;
      w[i] -= rate * (nesterov ? gradient + momentum * velocity : velocity);
    }
  });
}

}  // namespace

void fill_elementwise(Table& t) {
  t.clamp = clamp;
  t.clamp_grad = clamp_grad;
  t.add = add;
  t.add_clamped = add_clamped;
  t.axpby = axpby;
  t.sgd = sgd;
}

}  // namespace octet::f32::OCTET_ISA
