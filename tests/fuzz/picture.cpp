// SPDX-License-Identifier: Apache-2.0
// Fuzz target of pictures as inputs, through stb_image: what is read has the input's shape and finite values.
#include "tools/octet/picture.h"

#include <cmath>

#include "tests/fuzz/target.h"

void octet::fuzz::run(Span bytes) {
  for (const int64_t channels : {1, 3, 4}) {
    Preprocessing how{.resize = channels == 3 ? Resize::crop : Resize::stretch};
    Tensor x;
    const Shape shape{1, 5, 4, channels};
    if (!accepted([&] { x = cli::parse_picture(bytes, "x", shape, how); })) continue;
    require(x.shape() == shape, "the input's shape");
    for (const float v : x.data<float>()) require(std::isfinite(v) && v >= 0 && v <= 1, "values between 0 and 1");
  }
}
