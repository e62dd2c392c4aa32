// SPDX-License-Identifier: Apache-2.0
// Pictures through stb_image, which is compiled here, and nowhere else. Its companion for other sizes asserts what very long
// pictures do not keep, and takes minutes for them: sizes are changed here.
#include "tools/octet/picture.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <memory>

#include "io/file.h"

#if OCTET_STB
namespace {

// A damaged file may say that the next part of it is larger than all of it: no block is larger than the picture has use for.
thread_local size_t largest_block = 0;

void* block(size_t bytes) { return bytes > largest_block ? nullptr : std::malloc(bytes); }
void* larger_block(void* old, size_t bytes) { return bytes > largest_block ? nullptr : std::realloc(old, bytes); }

}  // namespace

// Half of their static functions are not needed here.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#pragma GCC diagnostic ignored "-Wsign-compare"
#pragma GCC diagnostic ignored "-Wimplicit-fallthrough"
#pragma GCC diagnostic ignored "-Wcast-qual"
#define STB_IMAGE_STATIC
#define STB_IMAGE_IMPLEMENTATION
#define STBI_MALLOC(bytes) block(bytes)
#define STBI_REALLOC(old, bytes) larger_block(old, bytes)
#define STBI_FREE(old) std::free(old)
#define STBI_NO_STDIO
// The formats that cameras and training sets have; its readers of others overrun damaged files.
#define STBI_ONLY_PNG
#define STBI_ONLY_JPEG
#define STBI_ONLY_BMP
#define STBI_NO_LINEAR
#define STBI_MAX_DIMENSIONS 16384
#include <stb_image.h>
#pragma GCC diagnostic pop
#endif

namespace octet::cli {
namespace {

struct Pixels {
  int height = 0, width = 0, channels = 0;
  std::vector<uint8_t> bytes;
};

constexpr uint64_t kMostBytes = uint64_t{1} << 28;  // of a file

#if OCTET_STB
constexpr int64_t kMostPixels = int64_t{64} << 20;  // of a picture: 8192 x 8192
constexpr int64_t kBlank = int64_t{4} << 20;        // pixels that a file of few bytes may claim

Pixels decode(std::span<const std::byte> file, const std::string& path, int channels) {
  check(!file.empty(), path, ": is an empty file, expected a picture");
  const auto* data = reinterpret_cast<const stbi_uc*>(file.data());
  const int size = static_cast<int>(file.size());
  Pixels p{.channels = channels, .bytes = {}};
  int stored = 0;
  largest_block = size_t{1} << 20;
  // The header is asked first: what it claims is not allocated before it is known to be reasonable.
  check(stbi_info_from_memory(data, size, &p.width, &p.height, &stored) != 0, path, ": is no picture that can be read (",
        stbi_failure_reason(), ")");
  // Nothing that is read packs many more pixels into a byte; what claims to would fill memory with nothing.
  // Of what is large a byte holds a hundred: a photograph two.
  const int64_t claimed = int64_t{p.width} * p.height, bytes = static_cast<int64_t>(file.size());
  check(claimed <= bytes * 4096 && (claimed <= kBlank || claimed <= bytes * 128), path, ": claims ", p.width, " x ", p.height,
        " pixels in ", bytes, " bytes");
  check(p.width > 0 && p.height > 0 && int64_t{p.width} * p.height <= kMostPixels, path, ": has ", p.width, " x ", p.height,
        " pixels, at most ", kMostPixels, " are read");
  largest_block += file.size() + 8 * static_cast<size_t>(claimed);  // progressive JPEG: six bytes a pixel
  const std::unique_ptr<stbi_uc, void (*)(void*)> decoded(stbi_load_from_memory(data, size, &p.width, &p.height, &stored, channels),
                                                          stbi_image_free);
  check(decoded != nullptr, path, ": a damaged picture (", stbi_failure_reason(), ")");
  p.bytes.assign(decoded.get(), decoded.get() + size_t{1} * static_cast<size_t>(p.width) * static_cast<size_t>(p.height) *
                                                    static_cast<size_t>(channels));
  return p;
}
#else
Pixels decode(std::span<const std::byte>, const std::string& path, int) {
  fail(path, ": this build of octet reads no pictures: stb was not found when it was configured (./dev deps base)");
}
#endif

/// What one pixel of a resized axis is made of: those from `first` on, by these weights.
struct Taps {
  int first = 0;
  std::vector<float> weights;
};

/// A triangle as wide as two pixels of the shorter axis, which averages what it makes smaller, as training pipelines do.
std::vector<Taps> triangle(int from, int to) {
  const double scale = static_cast<double>(from) / to, reach = std::max(scale, 1.0);
  std::vector<Taps> all;
  for (int i = 0; i < to; ++i) {
    const double centre = (i + 0.5) * scale;
    Taps taps{std::max(0, static_cast<int>(std::floor(centre - reach))), {}};
    const int last = std::min(from - 1, static_cast<int>(std::ceil(centre + reach)));
    double sum = 0;
    for (int k = taps.first; k <= last; ++k) {
      const double weight = std::max(0.0, 1 - std::abs(k + 0.5 - centre) / reach);
      taps.weights.push_back(static_cast<float>(weight)), sum += weight;
    }
    for (float& w : taps.weights) w = static_cast<float>(static_cast<double>(w) / sum);
    all.push_back(std::move(taps));
  }
  return all;
}

Pixels resized(const Pixels& from, int height, int width) {
  const auto channels = static_cast<size_t>(from.channels), wide = static_cast<size_t>(width) * channels;
  const std::vector<Taps> columns = triangle(from.width, width), rows = triangle(from.height, height);
  Pixels to{height, width, from.channels, {}};
  to.bytes.resize(static_cast<size_t>(height) * wide);
  std::vector<float> sum(wide);
  for (int y = 0; y < height; ++y) {
    const Taps& down = rows[static_cast<size_t>(y)];
    std::ranges::fill(sum, 0.0F);
    for (size_t k = 0; k < down.weights.size(); ++k) {
      const uint8_t* row = from.bytes.data() + (static_cast<size_t>(down.first) + k) * static_cast<size_t>(from.width) * channels;
      for (size_t x = 0; x < wide; ++x) {
        const Taps& across = columns[x / channels];
        float value = 0;
        for (size_t i = 0; i < across.weights.size(); ++i)
          value += across.weights[i] * row[(static_cast<size_t>(across.first) + i) * channels + x % channels];
        sum[x] += down.weights[k] * value;
      }
    }
    for (size_t x = 0; x < wide; ++x)
      to.bytes[static_cast<size_t>(y) * wide + x] = static_cast<uint8_t>(std::clamp(std::lround(sum[x]), 0L, 255L));
  }
  return to;
}

Pixels centre(const Pixels& from, int height, int width) {
  Pixels to{height, width, from.channels, {}};
  const size_t pixel = static_cast<size_t>(from.channels);
  const int top = (from.height - height) / 2, left = (from.width - width) / 2;
  for (int y = 0; y < height; ++y) {
    const auto row = from.bytes.begin() +
                     static_cast<ptrdiff_t>(
                         (static_cast<size_t>(top + y) * static_cast<size_t>(from.width) + static_cast<size_t>(left)) * pixel);
    to.bytes.insert(to.bytes.end(), row, row + static_cast<ptrdiff_t>(static_cast<size_t>(width) * pixel));
  }
  return to;
}

Pixels fitted(Pixels p, int height, int width, const Preprocessing& how, const std::string& path) {
  if (how.resize == Resize::crop) {
    // The shorter side gets its pixels, or more where the other would become shorter than what is cut out of it.
    double factor = std::max(static_cast<double>(height) / p.height, static_cast<double>(width) / p.width);
    if (how.shorter > 0) factor = std::max(factor, static_cast<double>(how.shorter) / std::min(p.height, p.width));
    const auto side = [&](int pixels, int least) { return std::max(static_cast<int>(std::lround(pixels * factor)), least); };
    const int h = side(p.height, height), w = side(p.width, width);
    check(int64_t{h} * w <= int64_t{1} << 24, path, ": has ", p.width, " x ", p.height,
          " pixels, too long and narrow to be cropped");
    if (h != p.height || w != p.width) p = resized(p, h, w);
    return centre(p, height, width);
  }
  if (p.height == height && p.width == width) return p;
  check(how.resize == Resize::stretch, path, ": has ", p.height, " x ", p.width, " pixels (height x width), the input takes ",
        height, " x ", width, "; --resize stretch or crop fits it");
  return resized(p, height, width);
}

float of_channel(const std::vector<float>& list, size_t channel, float otherwise) {
  return list.empty() ? otherwise : list.size() == 1 ? list[0] : list.at(channel);
}

}  // namespace

bool is_picture(const std::string& path) {
  std::string ending = std::filesystem::path(path).extension().string();
  for (char& c : ending) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  constexpr std::array kEndings{".png", ".jpg", ".jpeg", ".bmp"};
  return std::ranges::find(kEndings, ending) != kEndings.end();
}

Tensor read_picture(const std::string& path, const Shape& input, const Preprocessing& how) {
  return parse_picture(read_file(path, kMostBytes), path, input, how);
}

Tensor parse_picture(std::span<const std::byte> file, const std::string& path, const Shape& input, const Preprocessing& how) {
  check(input.size() == 4 && (input[3] == 1 || input[3] == 3 || input[3] == 4), path, ": is a picture, the input takes ",
        to_string(input), "; pictures need [n, height, width, 1, 3 or 4 channels]");
  check(input[1] <= 1 << 14 && input[2] <= 1 << 14, path, ": the input takes ", to_string(input), ", no picture is that large");
  const int height = static_cast<int>(input[1]), width = static_cast<int>(input[2]), channels = static_cast<int>(input[3]);
  const Pixels p = fitted(decode(file, path, channels), height, width, how, path);
  Tensor row(Shape{1, height, width, channels}, DType::f32);
  const std::span<float> to = row.mutable_data<float>();
  for (size_t i = 0; i < to.size(); ++i) {
    const size_t c = i % static_cast<size_t>(channels);
    to[i] = (static_cast<float>(p.bytes[i]) / 255.0F - of_channel(how.mean, c, 0)) / of_channel(how.std, c, 1);
  }
  return row;
}

std::string described(const Preprocessing& p, const Shape& input) {
  const auto list = [](const std::vector<float>& values, float otherwise) {
    return values.empty() ? fmt::format("{}", otherwise) : fmt::format("{}", fmt::join(values, ","));
  };
  std::string text = fmt::format("(pixel / 255 - mean {}) / std {}", list(p.mean, 0), list(p.std, 1));
  if (input.size() == 4) {
    const std::string size = fmt::format("{}x{}", input[1], input[2]);
    if (p.resize == Resize::stretch) text += ", stretched to " + size;
    if (p.resize == Resize::none) text += ", of " + size + " pixels";
    if (p.resize == Resize::crop)
      text += p.shorter > 0 ? fmt::format(", shorter side to {}, then its centre of {}", p.shorter, size)
                            : ", shorter side fitted, then its centre of " + size;
  }
  return text + (p.layout == Layout::nchw ? ", arrays in N,C,H,W" : "");
}

}  // namespace octet::cli
