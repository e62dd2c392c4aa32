// SPDX-License-Identifier: Apache-2.0
// .npz files: archives as NumPy and other programs write them; truncated, damaged, lying about sizes, bombs, fifos.
#include "io/npz.h"

#include <sys/stat.h>
#include <zlib.h>

#include <chrono>
#include <cstring>

#include "io/npy.h"
#include "io/zip.h"
#include "tests/catch.h"
#include "tests/io/counting.h"
#include "tests/io/temp_dir.h"
#include "tests/same.h"

using namespace octet;
using namespace octet::testing;
using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;

namespace {

void put(Bytes& to, uint64_t value, size_t n) {
  for (size_t i = 0; i < n; ++i, value >>= 8) to.push_back(static_cast<std::byte>(value & 255));
}
void put(Bytes& to, const Bytes& bytes) { to.insert(to.end(), bytes.begin(), bytes.end()); }

Bytes deflated(const Bytes& in) {
  z_stream z{};
  REQUIRE(deflateInit2(&z, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  Bytes out(deflateBound(&z, in.size()));
  z.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(in.data())), z.avail_in = static_cast<uInt>(in.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data()), z.avail_out = static_cast<uInt>(out.size());
  REQUIRE(deflate(&z, Z_FINISH) == Z_STREAM_END);
  out.resize(z.total_out);
  deflateEnd(&z);
  return out;
}

struct Entry {
  std::string name;
  Bytes content;
  bool compressed = false;
  uint16_t flags = 0, method_offset = 0;
  uint64_t claimed = 0;  ///< size in both headers, where not 0
  bool zip64 = true;     ///< sizes of the local header in its extra field, as NumPy writes them
};

struct Archive {
  Bytes bytes;
  size_t directory = 0, end = 0;
};

Archive archive(const std::vector<Entry>& entries, const std::string& comment = "") {
  Archive a;
  Bytes central;
  for (const Entry& e : entries) {
    const size_t at = a.bytes.size();
    const Bytes data = e.compressed ? deflated(e.content) : e.content;
    const uint64_t size = e.claimed ? e.claimed : e.content.size();
    const auto method = static_cast<uint16_t>((e.compressed ? 8 : 0) + e.method_offset);
    put(a.bytes, 0x04034b50, 4);
    for (const uint16_t v : {uint16_t{45}, e.flags, method}) put(a.bytes, v, 2);
    put(a.bytes, 0, 4);
    put(a.bytes, crc32(e.content), 4);
    put(a.bytes, e.zip64 ? 0xffffffff : data.size(), 4);
    put(a.bytes, e.zip64 ? 0xffffffff : size, 4);
    put(a.bytes, e.name.size(), 2);
    put(a.bytes, e.zip64 ? 20 : 0, 2);
    put(a.bytes, bytes_of(e.name));
    if (e.zip64) put(a.bytes, 1, 2), put(a.bytes, 16, 2), put(a.bytes, size, 8), put(a.bytes, data.size(), 8);
    put(a.bytes, data);
    put(central, 0x02014b50, 4);
    for (const uint16_t v : {uint16_t{45}, uint16_t{45}, e.flags, method}) put(central, v, 2);
    put(central, 0, 4);
    put(central, crc32(e.content), 4);
    put(central, data.size(), 4);
    put(central, size, 4);
    put(central, e.name.size(), 2);
    put(central, 0, 12);  // extra, comment, disk, attributes
    put(central, at, 4);
    put(central, bytes_of(e.name));
  }
  a.directory = a.bytes.size();
  put(a.bytes, central);
  a.end = a.bytes.size();
  put(a.bytes, 0x06054b50, 4);
  put(a.bytes, 0, 4);
  put(a.bytes, entries.size(), 2);
  put(a.bytes, entries.size(), 2);
  put(a.bytes, central.size(), 4);
  put(a.bytes, a.directory, 4);
  put(a.bytes, comment.size(), 2);
  put(a.bytes, bytes_of(comment));
  return a;
}

Entry array(const std::string& name, const Tensor& t, bool compressed = false) {
  return {.name = name + ".npy", .content = npy_bytes(t), .compressed = compressed};
}

std::string npz_error(const Bytes& b) {
  return error_of([&] { parse_npz(b, "x.npz"); });
}
std::string npz_error(const std::vector<Entry>& entries) { return npz_error(archive(entries).bytes); }

void set(Bytes& b, size_t at, uint64_t value, size_t n) {
  for (size_t i = 0; i < n; ++i, value >>= 8) b[at + i] = static_cast<std::byte>(value & 255);
}

}  // namespace

TEST_CASE("arrays of an npz come back by name, stored and deflated, with either kind of local header", "[io]") {
  const Tensor a = counting({2, 3}, DType::f32), b = counting({70000}, DType::i8), empty(Shape{0, 2}, DType::i32);
  for (const bool compressed : {false, true})
    for (const bool zip64 : {false, true}) {
      std::vector<Entry> entries{array("a", a, compressed), array("folder/b", b, compressed), array("empty", empty, compressed)};
      for (Entry& e : entries) e.zip64 = zip64;
      const auto arrays = parse_npz(archive(entries, "a comment").bytes, "x.npz");
      REQUIRE(arrays.size() == 3);
      CHECK(same(arrays.at("a"), a));
      CHECK(same(arrays.at("folder/b"), b));
      CHECK(same(arrays.at("empty"), empty));
    }
  CHECK(parse_npz(archive({}).bytes, "none.npz").empty());
}

TEST_CASE("sizes that follow the data are those of the directory", "[io]") {
  Entry e = array("a", counting({3}, DType::i16));
  e.flags = 8;
  Archive a = archive({e});
  for (const size_t at : {14, 18, 22}) set(a.bytes, at, 0, 4);  // as a program that cannot seek writes them
  Bytes descriptor;
  put(descriptor, 0x08074b50, 4), put(descriptor, crc32(e.content), 4);
  put(descriptor, e.content.size(), 4), put(descriptor, e.content.size(), 4);
  a.bytes.insert(a.bytes.begin() + static_cast<ptrdiff_t>(a.directory), descriptor.begin(), descriptor.end());
  set(a.bytes, a.end + 16 + 16, a.directory + 16, 4);
  CHECK(same(parse_npz(a.bytes, "x.npz").at("a"), counting({3}, DType::i16)));
}

TEST_CASE("an npz truncated anywhere is refused, a flipped bit never gives another array", "[io]") {
  for (const bool compressed : {false, true}) {
    const Tensor x = counting({2, 3}, DType::f32);
    const Bytes good = archive({array("a", x, compressed), array("b", x, compressed)}).bytes;
    REQUIRE(parse_npz(good, "x").size() == 2);
    size_t harmless = 0;
    const auto accepted = accepted_damage(good, [&](std::span<const std::byte> b) {
      for (const auto& [name, t] : parse_npz(b, "x")) REQUIRE(same(t, x));  // times, versions and attributes say nothing
      ++harmless;
    });
    CHECK(accepted.size() == harmless);
    for (const std::string& what : accepted) CHECK_THAT(what, StartsWith("byte "));
  }
}

TEST_CASE("entries of an npz that cannot be read are refused by name", "[io]") {
  const Tensor x = counting({2}, DType::f32);
  CHECK_THAT(npz_error({array("a", x), array("a", x)}), StartsWith("x.npz: entry 'a.npy': is there twice"));
  Entry e = array("a", x);
  e.flags = 1;
  CHECK_THAT(npz_error({e}), StartsWith("x.npz: entry 'a.npy': is encrypted"));
  e.flags = 0, e.method_offset = 12;
  CHECK_THAT(npz_error({e}), Contains("compression method 12"));
  CHECK_THAT(npz_error({{.name = "readme.txt", .content = bytes_of("text")}}),
             StartsWith("x.npz: entry 'readme.txt': is no npy array"));
  CHECK_THAT(npz_error({{.name = "a.npy", .content = bytes_of("no array, I say")}}),
             StartsWith("x.npz: entry 'a.npy': is not an npy"));
  CHECK_THAT(npz_error({{.name = "a\n.npy", .content = npy_bytes(x)}}), Contains("control characters"));
  CHECK_THAT(npz_error(npy_bytes(x)), StartsWith("x.npz: is not an npz file"));
  Entry longer = array("a", x);
  longer.content.push_back(std::byte{0});
  CHECK_THAT(npz_error({longer}), Contains("npy shape [2] needs 8 bytes"));
}

TEST_CASE("a zip directory that lies is refused", "[io]") {
  const Tensor x = counting({2}, DType::f32);
  const Archive good = archive({array("a", x), array("b", x)});
  const auto changed = [&](size_t at, uint64_t value, size_t n) {
    Bytes b = good.bytes;
    set(b, at, value, n);
    return npz_error(b);
  };
  const size_t second = good.directory + 46 + 5;
  REQUIRE(npz_error(good.bytes).empty());
  CHECK_THAT(changed(second + 42, 0, 4), Contains("another name"));  // both entries at the first one's place
  CHECK_THAT(changed(second + 42, 1, 4), Contains("no local header"));
  CHECK_THAT(changed(second + 42, 0xffffff00, 4), Contains("no local header"));
  CHECK_THAT(changed(second + 42, 0xffffffff, 4), Contains("zip64 entry"));
  CHECK_THAT(changed(second + 20, 0x7fffffff, 4), Contains("is stored, but"));
  CHECK_THAT(changed(good.end + 10, 3, 2), Contains("several disks"));
  CHECK_THAT(changed(good.end + 16, good.directory + 1, 4), Contains("does not end where it should"));
  CHECK_THAT(changed(0, 0, 1), Contains("is not an npz"));
  CHECK_THAT(changed(good.directory, 0, 1), Contains("damaged at entry 0"));
  Bytes more = good.bytes;
  set(more, good.end + 8, 1, 2), set(more, good.end + 10, 1, 2);
  CHECK_THAT(npz_error(more), Contains("behind its last entry"));
  Bytes hole = good.bytes;  // thirty bytes in front of the directory that nobody owns
  hole.insert(hole.begin() + static_cast<ptrdiff_t>(good.directory), 30, std::byte{0});
  set(hole, good.end + 30 + 16, good.directory + 30, 4);
  CHECK_THAT(npz_error(hole), Contains("belong to no zip entry"));
}

TEST_CASE("two zip entries of the same bytes are refused", "[io]") {
  // The second's local header lies in the first's content: what bombs without recursion are made of.
  const Tensor x = counting({2}, DType::f32);
  const Bytes inner = archive({array("b", x)}).bytes;
  Entry outer = array("a", x);
  outer.content.insert(outer.content.end(), inner.begin(), inner.end());
  Archive a = archive({outer, array("b", x)});
  const size_t second = a.directory + 46 + 5;
  set(a.bytes, second + 42, 30 + 5 + 20 + npy_bytes(x).size(), 4);
  CHECK_THAT(npz_error(a.bytes), Contains("overlap") || Contains("belong to no zip entry"));
}

TEST_CASE("an npz that would grow a thousandfold is refused before it is inflated", "[io]") {
  const Tensor zeros = Tensor::zeros({16 << 20});  // 64 MiB
  const Bytes bomb = archive({array("zeros", zeros, true)}).bytes;
  REQUIRE(bomb.size() < (100 << 10));
  const auto begin = std::chrono::steady_clock::now();
  CHECK_THAT(npz_error(bomb), StartsWith("x.npz: entry 'zeros.npy': the archive of") && Contains("at most 16777216"));
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::milliseconds(100));
  // Small claims do not help: a stream is cut where its claim ends, and a claim has to be the array's.
  Entry e = array("zeros", zeros, true);
  e.claimed = 1000;
  CHECK_THAT(npz_error({e}), Contains("npy shape [16777216] needs 67108864 bytes of data, the archive gives 1000"));
  Entry lying{.name = "a.npy", .content = npy_bytes(counting({4}, DType::f32)), .compressed = true};
  lying.content.resize(1 << 20);
  lying.claimed = npy_bytes(counting({4}, DType::f32)).size();
  CHECK_THAT(npz_error({lying}), Contains("deflate stream holds more than 144 bytes"));
  CHECK(parse_npz(archive({array("few", Tensor::zeros({3 << 20}), true)}).bytes, "x").at("few").numel() == 3 << 20);
}

TEST_CASE("a fifo in place of an npz is refused at once", "[io]") {
  const TempDir dir;
  REQUIRE(mkfifo((dir / "x.npz").c_str(), 0600) == 0);
  CHECK_THAT(error_of([&] { load_npz(dir / "x.npz"); }), Contains("x.npz: is not a regular file"));
}
