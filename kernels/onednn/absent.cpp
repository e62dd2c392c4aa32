// SPDX-License-Identifier: Apache-2.0
// Stands for the oneDNN engine in a build without oneDNN: declines everything and says what is missing.
#include "kernels/onednn/onednn.h"

namespace octet::onednn {
namespace {

constexpr const char* kWhy = "onednn: not built in: no libdnnl >= 3 was found (./dev deps onednn gets one), or -Donednn=disabled";

}  // namespace

QEngineInfo info() { return {QEngine::onednn, false, "", "", kWhy}; }

Made make(const kernels::Conv2dArgs&, std::shared_ptr<const Blobs>) { return {nullptr, kWhy}; }
Made make(const kernels::LinearArgs&, std::shared_ptr<const Blobs>) { return {nullptr, kWhy}; }

}  // namespace octet::onednn
