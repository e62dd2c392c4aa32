// SPDX-License-Identifier: Apache-2.0
// Chooses the build of the float kernels once by CPUID and forwards every function of f32.h to it.
#include <atomic>
#include <cstring>

#include "kernels/cpu_isa.h"
#include "kernels/f32/table.h"
#include "kernels/float_provider.h"

namespace octet::f32 {
namespace {

struct Build {
  const char* name;
  CpuIsa needs;
  Table (*table)();
};

constexpr Build kBuilds[] = {
// best first
#if defined(OCTET_F32_LEVELS)
    {"x86-64-v4", CpuIsa::avx512, v4::table},
    {"x86-64-v3", CpuIsa::avx2, v3::table},
#endif
#if defined(__x86_64__)
    {"x86-64", CpuIsa::baseline, v1::table},
#else
    {"baseline", CpuIsa::baseline, v1::table},
#endif
};
constexpr int kCount = static_cast<int>(sizeof kBuilds / sizeof kBuilds[0]);

/// Tables of all builds, and the one in use; filled at first use, which may be in a static initializer.
struct Choice {
  Table tables[kCount];
  std::atomic<int> current{kCount - 1};
  std::atomic<const FloatProvider*> provider{float_provider()};

  Choice() {
    for (int i = 0; i < kCount; ++i) tables[i] = kBuilds[i].table();
    for (int i = kCount - 1; i >= 0; --i)
      if (kBuilds[i].needs <= cpu_isa()) current = i;
  }
};

Choice& choice() {
  static Choice instance;
  return instance;
}

const FloatProvider* provider_in_use() { return choice().provider.load(std::memory_order_relaxed); }

const Table& table() {
  Choice& c = choice();
  return c.tables[c.current.load(std::memory_order_relaxed)];
}

}  // namespace

const Table& current_table() { return table(); }
const char* isa() { return kBuilds[choice().current].name; }

bool set_isa(const char* name) {
  for (int i = 0; i < kCount; ++i)
    if (std::strcmp(name, kBuilds[i].name) == 0 && kBuilds[i].needs <= cpu_isa()) {
      choice().current = i;
      return true;
    }
  return false;
}

const char* provider() {
  const FloatProvider* p = provider_in_use();
  return p == nullptr ? "" : p->name;
}

bool use_provider(bool on) {
  choice().provider = on ? float_provider() : nullptr;
  return !on || float_provider() != nullptr;
}

void matmul(const Matmul& g, const float* a, const float* b, const float* bias, float* c) { table().matmul(g, a, b, bias, c); }
void matmul_fused(const Matmul& g, const float* a, const LayerWeights& b, const Epilogue& e, float* c) {
  table().matmul_fused(g, a, b, e, c);
}
Panels matmul_panels(const Matmul& g) { return table().matmul_panels(g); }
Panels conv2d_panels(const ConvGeometry& g) { return table().conv2d_panels(g); }
int64_t panels_size(const Panels& p, int64_t n, int64_t k) { return table().panels_size(p, n, k); }
void pack_panels(const Panels& p, int64_t n, int64_t k, const float* b, float* panels) { table().pack_panels(p, n, k, b, panels); }
void unpack_panels(const Panels& p, int64_t n, int64_t k, const float* panels, float* b) {
  table().unpack_panels(p, n, k, panels, b);
}

/// So little to compute that a provider spends more on arranging the weights anew than it gains; measured at batch 1 on layers of
/// small networks.
static bool brief(const ConvGeometry& g) {
  const int64_t positions = g.batch * g.out_h * g.out_w;
  return positions < 1000 && positions * g.out_c * g.kernel_h * g.kernel_w * (g.in_c / g.groups) < 2'500'000;
}

const FloatProvider* provider_for(const ConvGeometry& g) { return brief(g) ? nullptr : provider_in_use(); }

void conv2d(const ConvGeometry& g, const float* x, const float* w, const float* bias, float act_min, float act_max, float* y) {
  const FloatProvider* p = provider_for(g);
  if (p == nullptr || !p->conv2d(g, x, w, bias, y)) return table().conv2d_fused(g, x, {w}, {bias, nullptr, act_min, act_max}, y);
  constexpr float kInfinity = __builtin_inff();
  if (act_min != -kInfinity || act_max != kInfinity) clamp(g.batch * g.out_h * g.out_w * g.out_c, y, act_min, act_max, y);
}
bool conv2d_reads_taps(const ConvGeometry& g) { return table().conv2d_reads_taps(g); }
void conv2d_fused(const ConvGeometry& g, const float* x, const LayerWeights& w, const Epilogue& e, float* y) {
  table().conv2d_fused(g, x, w, e, y);
}
void conv2d_grad_input(const ConvGeometry& g, const float* dy, const float* w, float* dx) {
  const FloatProvider* p = provider_in_use();
  if (p == nullptr || !p->conv2d_grad_input(g, dy, w, dx)) table().conv2d_grad_input(g, dy, w, dx);
}
void conv2d_grad_weight(const ConvGeometry& g, const float* x, const float* dy, float* dw) {
  const FloatProvider* p = provider_in_use();
  if (p == nullptr || !p->conv2d_grad_weight(g, x, dy, dw)) table().conv2d_grad_weight(g, x, dy, dw);
}

void column_sum(int64_t rows, int64_t channels, const float* x, float* sum) { table().column_sum(rows, channels, x, sum); }
void column_moments(int64_t rows, int64_t channels, const float* x, float* mean, float* variance) {
  table().column_moments(rows, channels, x, mean, variance);
}
void column_affine(int64_t rows, int64_t channels, const float* x, const float* scale, const float* shift, float act_min,
                   float act_max, float* y) {
  table().column_affine(rows, channels, x, scale, shift, act_min, act_max, y);
}
void batch_norm_sums(int64_t rows, int64_t channels, const float* x, const float* dy, const float* mean, const float* inv_std,
                     float* dgamma, float* dbeta) {
  table().batch_norm_sums(rows, channels, x, dy, mean, inv_std, dgamma, dbeta);
}
void batch_norm_grad_input(int64_t rows, int64_t channels, const float* x, const float* dy, const float* mean, const float* inv_std,
                           const float* gamma, const float* dgamma, const float* dbeta, float* dx) {
  table().batch_norm_grad_input(rows, channels, x, dy, mean, inv_std, gamma, dgamma, dbeta, dx);
}

void clamp(int64_t n, const float* x, float lo, float hi, float* y) { table().clamp(n, x, lo, hi, y); }
void clamp_grad(int64_t n, const float* x, const float* dy, float lo, float hi, float* dx) {
  table().clamp_grad(n, x, dy, lo, hi, dx);
}
void add(int64_t n, const float* a, const float* b, float* y) { table().add(n, a, b, y); }
void add_clamped(int64_t n, const float* a, const float* b, float lo, float hi, float* y) {
  table().add_clamped(n, a, b, lo, hi, y);
}
void axpby(int64_t n, float alpha, const float* x, float beta, float* y) { table().axpby(n, alpha, x, beta, y); }
void sgd(int64_t n, float rate, float momentum, float decay, bool nesterov, const float* g, float* v, float* w) {
  table().sgd(n, rate, momentum, decay, nesterov, g, v, w);
}

void min_max(int64_t n, const float* x, float* lo, float* hi) { table().min_max(n, x, lo, hi); }
void min_max_channels(int64_t outer, int64_t channels, int64_t inner, const float* x, float* lo, float* hi) {
  table().min_max_channels(outer, channels, inner, x, lo, hi);
}
void histogram(int64_t n, const float* x, float lo, float hi, int bins, int64_t* counts) {
  table().histogram(n, x, lo, hi, bins, counts);
}
void fake_quantize(int64_t n, const FakeQuant& q, const float* x, float* y) { table().fake_quantize(n, q, x, y); }
void fake_quantize_grad(int64_t n, const FakeQuant& q, const float* x, const float* dy, float* dx) {
  table().fake_quantize_grad(n, q, x, dy, dx);
}

void pool2d_max(const PoolGeometry& g, const float* x, float* y) { table().pool2d_max(g, x, y); }
void pool2d_max_grad(const PoolGeometry& g, const float* x, const float* dy, float* dx) { table().pool2d_max_grad(g, x, dy, dx); }
void pool2d_average(const PoolGeometry& g, const float* x, float* y) { table().pool2d_average(g, x, y); }
void pool2d_average_grad(const PoolGeometry& g, const float* dy, float* dx) { table().pool2d_average_grad(g, dy, dx); }

}  // namespace octet::f32
