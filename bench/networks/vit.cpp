// SPDX-License-Identifier: Apache-2.0
// Vision transformer: every patch looks at every other, then each by itself goes through two linear layers, again and again.
#include "bench/networks/vit.h"

#include <cmath>

namespace octet::bench {
namespace {

constexpr int64_t kSide = 14, kPatches = kSide * kSide, kFeatures = 192, kHeads = 3, kOfHead = kFeatures / kHeads;

/// N,patches,features as N,heads,patches,features of a head.
int by_head(Model& m, const std::string& path, Wire from) {
  const int split = m.add(path + ".heads", Reshape{{0, kPatches, kHeads, kOfHead}}, std::vector<Wire>{from});
  return m.add(path + ".turned", Transpose{{0, 2, 1, 3}}, {split});
}

int attention(Model& m, const std::string& path, int from) {
  const int norm = m.add(path + ".norm", LayerNorm{kFeatures}, {from});
  const int all = m.add(path + ".qkv", Linear{kFeatures, 3 * kFeatures}, {norm});
  const int parts = m.add(path + ".parts", Split{2, {kFeatures, kFeatures, kFeatures}}, {all});
  const int q = by_head(m, path + ".q", {parts, 0}), k = by_head(m, path + ".k", {parts, 1}),
            v = by_head(m, path + ".v", {parts, 2});
  const int scores = m.add(path + ".scores", MatMul{.transpose_b = true}, {q, k});
  const int shares = m.add(path + ".shares", Softmax{.beta = 1 / std::sqrt(static_cast<double>(kOfHead))}, {scores});
  m.add(path + ".mixed", MatMul{}, {shares, v});
  m.add(path + ".back", Transpose{{0, 2, 1, 3}});
  m.add(path + ".joined", Reshape{{0, kPatches, kFeatures}});
  const int out = m.add(path + ".out", Linear{kFeatures, kFeatures});
  return m.add(path + ".add", Binary{}, {from, out});
}

int perceptron(Model& m, const std::string& path, int from) {
  m.add(path + ".norm", LayerNorm{kFeatures}, {from});
  m.add(path + ".1", Linear{kFeatures, 4 * kFeatures});
  m.add(path + ".gelu", Unary{UnaryFn::gelu});
  const int out = m.add(path + ".2", Linear{4 * kFeatures, kFeatures});
  return m.add(path + ".add", Binary{}, {from, out});
}

}  // namespace

Model vit_tiny() {
  constexpr int kBlocks = 12;
  Model m;
  m.add("image", Input{{1, 16 * kSide, 16 * kSide, 3}});
  m.add("patches", Conv2d{.in = 3, .out = kFeatures, .kernel = {16, 16}, .stride = {16, 16}});
  const int rows = m.add("rows", Reshape{{0, kPatches, kFeatures}});
  const int place = m.add("place", Constant{{1, kPatches, kFeatures}});
  int x = m.add("placed", Binary{}, {rows, place});
  for (int i = 1; i <= kBlocks; ++i) {
    const std::string path = "block" + std::to_string(i);
    x = perceptron(m, path + ".mlp", attention(m, path + ".attention", x));
  }
  m.add("norm", LayerNorm{kFeatures}, {x});
  m.add("mean", Reduce{ReduceFn::mean, {1}});
  m.add("head", Linear{kFeatures, 1000});
  return m;
}

}  // namespace octet::bench
