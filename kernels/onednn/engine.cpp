// SPDX-License-Identifier: Apache-2.0
// The library as a whole: its CPU engine, what the CPU can do exactly, and how it is kept to the calling thread.
#include <dlfcn.h>

#include "kernels/onednn/onednn.h"
#include "kernels/onednn/primitive.h"

namespace octet::onednn {
namespace {

/// The OpenMP runtime that oneDNN brought along, asked for by name: linking one here could bring in a second one. Null in builds of
/// oneDNN with another runtime; what they do with threads then stays as they do it.
template <class Function>
Function* openmp(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_DEFAULT, name));
}

struct Isa {
  const char* name;
  bool vnni;
};

Isa isa() {
  switch (dnnl::get_effective_cpu_isa()) {
    case dnnl::cpu_isa::isa_default: return {"unlimited", false};
    case dnnl::cpu_isa::sse41: return {"sse41", false};
    case dnnl::cpu_isa::avx: return {"avx", false};
    case dnnl::cpu_isa::avx2: return {"avx2", false};
    case dnnl::cpu_isa::avx2_vnni: return {"avx2_vnni", true};
    case dnnl::cpu_isa::avx2_vnni_2: return {"avx2_vnni_2", true};
    case dnnl::cpu_isa::avx512_core: return {"avx512_core", false};
    case dnnl::cpu_isa::avx512_core_vnni: return {"avx512_core_vnni", true};
    case dnnl::cpu_isa::avx512_core_bf16: return {"avx512_core_bf16", true};
    case dnnl::cpu_isa::avx512_core_fp16: return {"avx512_core_fp16", true};
    case dnnl::cpu_isa::avx512_core_amx: return {"avx512_core_amx", true};
    case dnnl::cpu_isa::avx512_core_amx_fp16: return {"avx512_core_amx_fp16", true};
  }
  return {"unknown", false};
}

constexpr const char* kInexact =
    "onednn: this CPU (or ONEDNN_MAX_CPU_ISA) has no VNNI, and without it 8-bit products saturate in pairs";

}  // namespace

const dnnl::engine& cpu() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

OneThread::OneThread() : before_(0) {
  static auto* const get = openmp<int()>("omp_get_max_threads");
  static auto* const set = openmp<void(int)>("omp_set_num_threads");
  if (get == nullptr || set == nullptr) return;
  before_ = get();
  if (before_ != 1) set(1);
}

OneThread::~OneThread() {
  static auto* const set = openmp<void(int)>("omp_set_num_threads");
  if (before_ > 1) set(before_);
}

const char* inexact_cpu() { return isa().vnni ? nullptr : kInexact; }

QEngineInfo info() {
  const auto* version = dnnl::version();
  const std::string number =
      std::to_string(version->major) + "." + std::to_string(version->minor) + "." + std::to_string(version->patch);
  return {QEngine::onednn, isa().vnni, number, isa().name, isa().vnni ? "" : kInexact};
}

}  // namespace octet::onednn
