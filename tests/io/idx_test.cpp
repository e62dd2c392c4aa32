// SPDX-License-Identifier: Apache-2.0
// gzip streams, IDX files and the Fashion-MNIST folder: whole, truncated, damaged and lying about their size.
#include "io/idx.h"

#include <zlib.h>

#include "io/fashion_mnist.h"
#include "io/gzip.h"
#include "tests/catch.h"
#include "tests/io/temp_dir.h"
#include "tests/skip.h"

using namespace octet;
using namespace octet::testing;
using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;

namespace {

Bytes gzip(std::span<const std::byte> in) {
  z_stream z{};
  REQUIRE(::deflateInit2(&z, 9, Z_DEFLATED, MAX_WBITS + 16, 9, Z_DEFAULT_STRATEGY) == Z_OK);
  Bytes out(::deflateBound(&z, in.size()));
  z.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(in.data()));
  z.avail_in = static_cast<uInt>(in.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  REQUIRE(::deflate(&z, Z_FINISH) == Z_STREAM_END);
  out.resize(z.total_out);
  ::deflateEnd(&z);
  return out;
}

Bytes idx(const std::vector<uint32_t>& dims, size_t data_bytes, uint8_t type = 0x08) {
  Bytes b{std::byte{0}, std::byte{0}, std::byte{type}, static_cast<std::byte>(dims.size())};
  for (const uint32_t d : dims)
    for (int shift = 24; shift >= 0; shift -= 8) b.push_back(static_cast<std::byte>(d >> shift));
  for (size_t i = 0; i < data_bytes; ++i) b.push_back(static_cast<std::byte>(i * 7));
  return b;
}

std::string idx_error(const Bytes& bytes) {
  return error_of([&] { parse_idx(bytes, "x.idx"); });
}

void write_set(const TempDir& dir, const Bytes& images, const Bytes& labels) {
  for (const char* part : {"train", "t10k"}) {
    write_file(dir / (std::string(part) + "-images-idx3-ubyte.gz"), gzip(images));
    write_file(dir / (std::string(part) + "-labels-idx1-ubyte.gz"), gzip(labels));
  }
}

/// Three all-zero labels but for the last.
Bytes labels(uint8_t last) {
  Bytes b = idx({3}, 3);
  b[8] = b[9] = std::byte{0};
  b[10] = std::byte{last};
  return b;
}

}  // namespace

TEST_CASE("IDX files load with their dimensions, plain and gzipped", "[io]") {
  const TempDir dir;
  const Bytes plain = idx({3, 4, 2}, 24);
  write_file(dir / "a", plain);
  write_file(dir / "b.gz", gzip(plain));
  for (const char* file : {"a", "b.gz"}) {
    const Tensor t = load_idx(dir / file);
    CHECK(t.shape() == Shape{3, 4, 2});
    REQUIRE(t.dtype() == DType::u8);
    CHECK(t.data<uint8_t>()[1] == 7);
    CHECK(t.data<uint8_t>()[23] == 161);
  }
  CHECK(parse_idx(idx({0, 28}, 0), "x").shape() == Shape{0, 28});
}

TEST_CASE("an IDX file truncated anywhere is refused", "[io]") {
  const Bytes good = idx({3, 4}, 12);
  for (size_t length = 0; length < good.size(); ++length) {
    const Bytes cut(good.begin(), good.begin() + static_cast<ptrdiff_t>(length));
    CHECK_THAT(idx_error(cut), StartsWith("x.idx: "));
    CHECK_THAT(idx_error(gzip(cut)), StartsWith("x.idx: "));
  }
}

TEST_CASE("IDX files that lie about their size or are of another kind are refused by name", "[io]") {
  CHECK_THAT(idx_error(idx({3, 4}, 13)), Contains("needs 12 bytes") && Contains("has 13"));
  CHECK_THAT(idx_error(idx({0xffffffff, 0xffffffff, 0xffffffff}, 4)), Contains("overflow at axis 1"));
  CHECK_THAT(idx_error(idx({0x10000, 0x10000}, 4)), Contains("needs 4294967296 bytes"));
  CHECK_THAT(idx_error(gzip(idx({0x10000, 0x10001}, 4))), Contains("larger than"));
  CHECK_THAT(idx_error(idx({0xffffffff, 0xffffffff, 0}, 0)), Contains("x.idx: IDX dimensions overflow at axis 1"));
  CHECK_THAT(idx_error(gzip(idx({0xffff, 0xffff}, 4))), Contains("needs 4294836225 bytes"));  // nothing near 4 GiB is allocated
  CHECK_THAT(idx_error(idx({4}, 4, 0x0d)), Contains("element type 13"));
  CHECK_THAT(idx_error(idx({}, 1)), Contains("rank 0"));
  CHECK_THAT(idx_error(idx({1, 1, 1, 1, 1, 1, 1, 1, 1}, 1)), Contains("rank 9"));
  CHECK_THAT(idx_error(bytes_of("\x89PNG....")), Contains("not an IDX file"));
}

TEST_CASE("a damaged gzip stream is refused or gives the same content", "[io]") {
  const Bytes content = idx({40, 5}, 200);
  const Bytes good = gzip(content);
  REQUIRE(gunzip(good, "x", content.size()) == content);
  const auto parse = [&](std::span<const std::byte> b) {
    const bool same = gunzip(b, "x.gz", content.size()) == content;
    REQUIRE(same);
  };
  // Nothing covers the header's text flag (byte 3, bit 0), modification time, extra flags and operating system (bytes 4..9), nor
  // the bits that fill up one byte of compressed data (which one is the deflater's choice).
  std::vector<std::string> accepted = accepted_damage(good, parse), uncovered{"byte 3 bit 0"};
  for (int byte = 4; byte < 10; ++byte)
    for (int bit = 0; bit < 8; ++bit) uncovered.push_back("byte " + std::to_string(byte) + " bit " + std::to_string(bit));
  REQUIRE(accepted.size() >= uncovered.size());
  const std::vector<std::string> rest(accepted.begin() + static_cast<ptrdiff_t>(uncovered.size()), accepted.end());
  accepted.resize(uncovered.size());
  CHECK(accepted == uncovered);
  CHECK(rest.size() < 8);
  for (const std::string& r : rest) CHECK(r.substr(0, r.find(" bit")) == rest[0].substr(0, rest[0].find(" bit")));
}

TEST_CASE("a gzip stream holding more than the cap is refused without inflating it", "[io]") {
  const Bytes bomb = gzip(Bytes(size_t{64} << 20));
  REQUIRE(bomb.size() < 100'000);
  CHECK_THAT(error_of([&] { gunzip(bomb, "bomb.gz", 1000); }), StartsWith("bomb.gz") && Contains("more than 1000 bytes"));
  CHECK(gunzip(bomb, "bomb.gz", size_t{64} << 20).size() == size_t{64} << 20);
  CHECK_THAT(error_of([&] { gunzip(bomb, "bomb.gz", (size_t{64} << 20) - 1); }), Contains("more than"));
  Bytes honest_header = idx({10}, 10);
  honest_header.resize(size_t{16} << 20);
  CHECK_THAT(idx_error(gzip(honest_header)), Contains("more than 18 bytes"));
}

TEST_CASE("bytes after a gzip stream are refused", "[io]") {
  Bytes b = gzip(bytes_of("content"));
  b.push_back(std::byte{0});
  CHECK_THAT(error_of([&] { gunzip(b, "x.gz", 100); }), Contains("1 bytes follow"));
}

TEST_CASE("a missing data set names the package that brings it", "[io]") {
  const TempDir dir;
  CHECK_THAT(error_of([&] { load_fashion_mnist(dir.path().string()); }),
             StartsWith(dir / "train-images-idx3-ubyte.gz") && Contains("dataset-fashion-mnist") && Contains("./dev deps"));
}

TEST_CASE("a small data set loads; wrong labels and sizes are refused with file, index and value", "[io]") {
  const TempDir dir;
  write_set(dir, idx({3, 28, 28}, 3 * 784), labels(9));
  const FashionMnist d = load_fashion_mnist(dir.path().string());
  CHECK(d.train_images.shape() == Shape{3, 28, 28, 1});
  REQUIRE(d.test_labels.dtype() == DType::i32);
  CHECK(d.test_labels.data<int32_t>()[2] == 9);

  write_file(dir / "t10k-labels-idx1-ubyte.gz", gzip(labels(10)));
  CHECK_THAT(error_of([&] { load_fashion_mnist(dir.path().string()); }),
             StartsWith(dir / "t10k-labels-idx1-ubyte.gz") && Contains("label 2 is 10"));
  write_file(dir / "t10k-labels-idx1-ubyte.gz", gzip(idx({2}, 2)));
  CHECK_THAT(error_of([&] { load_fashion_mnist(dir.path().string()); }), Contains("2 labels for 3 images"));
  write_file(dir / "train-images-idx3-ubyte.gz", gzip(idx({3, 28, 27}, 3 * 28 * 27)));
  CHECK_THAT(error_of([&] { load_fashion_mnist(dir.path().string()); }), Contains("[3, 28, 27]"));
}

TEST_CASE("the installed Fashion-MNIST has 60,000 and 10,000 images of ten classes", "[io]") {
  if (!std::filesystem::exists("/usr/share/datasets/fashion-mnist"))
    OCTET_SKIP_CASE("the package dataset-fashion-mnist is not installed");
  const FashionMnist d = load_fashion_mnist();
  CHECK(d.train_images.shape() == Shape{60000, 28, 28, 1});
  CHECK(d.test_images.shape() == Shape{10000, 28, 28, 1});
  for (const auto& [labels, each] : {std::pair{d.train_labels, 6000}, std::pair{d.test_labels, 1000}}) {
    std::vector<int> count(10);
    for (const int32_t v : labels.data<int32_t>()) ++count.at(static_cast<size_t>(v));
    CHECK(count == std::vector<int>(10, each));
  }
  CHECK(crc32({static_cast<const std::byte*>(d.test_images.raw()), d.test_images.bytes()}) ==
        0x12728439);  // as Python's zlib.crc32 gives
}
