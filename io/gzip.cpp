// SPDX-License-Identifier: Apache-2.0
// gzip and deflate through zlib's inflate. The output grows with what really comes out, so neither header nor length field can make
// it allocate.
#include "io/gzip.h"

#include <zlib.h>

#include <algorithm>

#include "engine/check.h"

namespace octet {
namespace {

constexpr size_t kFirstBlock = size_t{1} << 16;
constexpr size_t kMaxStep = size_t{1} << 30;  // zlib counts in unsigned int

// 16: gzip wrapper only; negative: no wrapper.
enum class Wrapper : int { gzip = MAX_WBITS + 16, none = -MAX_WBITS };

class Inflater {
 public:
  Inflater(Wrapper wrapper, std::string_view name) {
    check(::inflateInit2(&stream_, static_cast<int>(wrapper)) == Z_OK, name, ": zlib cannot be initialised");
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  ~Inflater() { ::inflateEnd(&stream_); }
  z_stream& operator*() { return stream_; }

 private:
  z_stream stream_{};
};

/// Fills at most `limit` bytes; `ended` says whether the stream was complete, `left` how many input bytes follow it.
Bytes inflate(Wrapper wrapper, std::span<const std::byte> in, std::string_view name, uint64_t limit, bool& ended, size_t& left) {
  const std::string_view kind = wrapper == Wrapper::gzip ? "gzip" : "deflate";
  Inflater inflater(wrapper, name);
  z_stream& z = *inflater;
  Bytes out;
  size_t done = 0;
  left = in.size();
  ended = false;
  while (!ended) {
    if (done == out.size()) {
      if (done == limit) break;
      out.resize(static_cast<size_t>(std::min<uint64_t>(limit, std::max(kFirstBlock, 2 * done))));
    }
    const size_t feed = std::min(left, kMaxStep), room = std::min(out.size() - done, kMaxStep);
    z.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(in.data() + (in.size() - left)));
    z.avail_in = static_cast<uInt>(feed);
    z.next_out = reinterpret_cast<Bytef*>(out.data() + done);
    z.avail_out = static_cast<uInt>(room);
    const int status = ::inflate(&z, Z_NO_FLUSH);
    left -= feed - z.avail_in;
    done += room - z.avail_out;
    ended = status == Z_STREAM_END;
    if (ended) break;
    check(status != Z_BUF_ERROR && !(status == Z_OK && left == 0 && z.avail_out > 0), name, ": ", kind,
          " stream is truncated after ", done, " bytes of content");
    check(status == Z_OK, name, ": ", kind, " stream is damaged after ", done, " bytes of content (",
          z.msg != nullptr ? z.msg : "zlib error", ")");
  }
  out.resize(done);
  return out;
}

}  // namespace

bool is_gzip(std::span<const std::byte> bytes) {
  return bytes.size() >= 2 && bytes[0] == std::byte{0x1f} && bytes[1] == std::byte{0x8b};
}

Bytes gunzip(std::span<const std::byte> bytes, std::string_view name, uint64_t cap) {
  bool ended = false;
  size_t left = 0;
  // One byte beyond the cap tells "exactly cap bytes" from "more".
  Bytes out = inflate(Wrapper::gzip, bytes, name, cap + 1, ended, left);
  check(out.size() <= cap, name, ": gzip stream holds more than ", cap, " bytes");
  check(left == 0, name, ": ", left, " bytes follow the gzip stream");
  return out;
}

Bytes gunzip_head(std::span<const std::byte> bytes, std::string_view name, size_t count) {
  bool ended = false;
  size_t left = 0;
  return inflate(Wrapper::gzip, bytes, name, count, ended, left);
}

Bytes inflate_raw(std::span<const std::byte> bytes, std::string_view name, uint64_t size) {
  bool ended = false;
  size_t left = 0;
  Bytes out = inflate(Wrapper::none, bytes, name, size + 1, ended, left);
  check(out.size() == size, name, ": deflate stream holds ", out.size() > size ? "more than " : "",
        std::min<uint64_t>(out.size(), size), " bytes, expected ", size);
  check(left == 0, name, ": ", left, " bytes follow the deflate stream");
  return out;
}

Bytes inflate_raw_head(std::span<const std::byte> bytes, std::string_view name, size_t count) {
  bool ended = false;
  size_t left = 0;
  return inflate(Wrapper::none, bytes, name, count, ended, left);
}

}  // namespace octet
