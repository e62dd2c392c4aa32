// SPDX-License-Identifier: Apache-2.0
// U-Net: down by max pools, up by transposed convolutions, each level joined with the one it came down from.
#include "bench/networks/unet.h"

#include "bench/networks/blocks.h"

namespace octet::bench {
namespace {

int twice(Model& m, const std::string& path, int input, int64_t in, int64_t out) {
  const int x = conv_bn(m, path + ".1", input, {.in = in, .out = out});
  return conv_bn(m, path + ".2", x, {.in = out, .out = out});
}

}  // namespace

Model unet() {
  constexpr int64_t kWidest = 128;
  Model m;
  int x = m.add("image", Input{{1, 128, 128, 3}});
  int64_t in = 3;
  std::vector<int> levels;
  for (int64_t out = 16; out < kWidest; in = out, out *= 2) {
    const std::string path = "down" + std::to_string(levels.size() + 1);
    levels.push_back(twice(m, path, x, in, out));
    x = m.add(path + ".pool", Pool2d{});
  }
  x = twice(m, "middle", x, in, kWidest);
  for (int64_t out = kWidest / 2; !levels.empty(); out /= 2) {
    const std::string path = "up" + std::to_string(levels.size());
    x = m.add(path + ".larger", ConvTranspose2d{.in = 2 * out, .out = out, .kernel = {2, 2}, .stride = {2, 2}}, {x});
    x = m.add(path + ".join", Concat{3}, {levels.back(), x});
    x = twice(m, path, x, 2 * out, out);
    levels.pop_back();
  }
  m.add("head", Conv2d{.in = 16, .out = 2, .kernel = {1, 1}}, {x});
  return m;
}

}  // namespace octet::bench
