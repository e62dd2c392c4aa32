// SPDX-License-Identifier: Apache-2.0
// Stands for the native engine on processors other than x86-64: declines everything and says why.
#include "kernels/native/native.h"

namespace octet::native {
namespace {

constexpr const char* kWhy = "native: octet's own kernels are for x86-64";

}  // namespace

QEngineInfo info() { return {QEngine::native, false, "", "", kWhy}; }
Made make(const KernelArgs&, std::shared_ptr<const Blobs>) { return {nullptr, kWhy}; }
bool leads(const KernelArgs&, const Blobs&) { return false; }
bool set_isa(const char*) { return false; }

}  // namespace octet::native
