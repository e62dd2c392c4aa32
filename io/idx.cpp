// SPDX-License-Identifier: Apache-2.0
// The IDX reader. The header alone decides how much a gzipped file may inflate to.
#include "io/idx.h"

#include <cstdint>
#include <cstring>
#include <utility>

#include "io/file.h"
#include "io/gzip.h"

namespace octet {
namespace {

constexpr uint64_t kMaxBytes = uint64_t{1} << 32;

struct Header {
  Shape shape;
  size_t bytes = 0;  ///< of the header itself
  uint64_t elements = 1;
};

Header parse_header(std::span<const std::byte> b, std::string_view name) {
  check(b.size() >= 4, name, ": IDX header needs 4 bytes, got ", b.size());
  check(b[0] == std::byte{0} && b[1] == std::byte{0}, name, ": is not an IDX file (it must start with two zero bytes)");
  const int type = std::to_integer<int>(b[2]);
  check(type == 0x08, name, ": IDX element type ", type, " is not supported, only 8 (unsigned byte)");
  const size_t rank = std::to_integer<size_t>(b[3]);
  check(rank >= 1 && rank <= kMaxRank, name, ": IDX rank ", rank, ", expected 1..", kMaxRank);
  Header h;
  h.bytes = 4 + 4 * rank;
  check(b.size() >= h.bytes, name, ": IDX header of rank ", rank, " needs ", h.bytes, " bytes, got ", b.size());
  for (size_t i = 0; i < rank; ++i) {
    uint32_t dim = 0;
    for (size_t k = 0; k < 4; ++k) dim = dim << 8 | std::to_integer<uint32_t>(b[4 + 4 * i + k]);
    h.shape.push_back(dim);
    // An axis of 0 behind it would make a product of any size 0, but no tensor has such a shape.
    check(!__builtin_mul_overflow(h.elements, uint64_t{dim}, &h.elements) && h.elements <= INT64_MAX, name,
          ": IDX dimensions overflow at axis ", i);
  }
  return h;
}

}  // namespace

Tensor parse_idx(std::span<const std::byte> bytes, std::string_view name) {
  Bytes inflated;
  if (is_gzip(bytes)) {
    const Header h = parse_header(gunzip_head(bytes, name, 4 + 4 * kMaxRank), name);
    check(h.elements <= kMaxBytes, name, ": IDX shape ", to_string(h.shape), " is larger than ", kMaxBytes, " bytes");
    inflated = gunzip(bytes, name, h.bytes + h.elements);
    bytes = inflated;
  }
  Header h = parse_header(bytes, name);
  check(bytes.size() - h.bytes == h.elements, name, ": IDX shape ", to_string(h.shape), " needs ", h.elements,
        " bytes of data, the file has ", bytes.size() - h.bytes);
  Tensor t(std::move(h.shape), DType::u8);
  if (h.elements > 0) std::memcpy(t.mutable_raw(), bytes.data() + h.bytes, h.elements);
  return t;
}

Tensor load_idx(const std::string& path) { return parse_idx(read_file(path, kMaxBytes + 4 + 4 * kMaxRank), path); }

}  // namespace octet
