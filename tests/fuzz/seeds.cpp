// SPDX-License-Identifier: Apache-2.0
// Writes the files that fuzzers begin with, a folder for each target: what octet writes, and what others write that it reads.
// Usage: fuzz_seeds FOLDER
#include <zlib.h>

#include <algorithm>
#include <filesystem>
#include <string_view>

#include "io/model_file.h"
#include "io/npy.h"
#include "io/safetensors.h"
#include "io/state_dict.h"
#include "quant/quantize.h"
#include "tests/fuzz/target.h"
#include "tests/io/torch_networks.h"
#ifdef OCTET_TFLITE
#include "tests/tflite/small_network.h"
#endif

namespace octet::fuzz {
namespace {

std::string folder;

Bytes bytes_of(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text.data(), text.size()));
  return {bytes.begin(), bytes.end()};
}

void write(const std::string& target, const std::string& name, const Bytes& bytes) {
  std::filesystem::create_directories(folder + "/" + target);
  write_file(folder + "/" + target + "/" + name, bytes);
}

/// Through zlib with the wrapper that `bits` stands for: gzip's 31, none -15.
Bytes packed(const Bytes& in, int bits) {
  z_stream z{};
  check(deflateInit2(&z, 9, Z_DEFLATED, bits, 8, Z_DEFAULT_STRATEGY) == Z_OK, "zlib");
  Bytes out(deflateBound(&z, in.size()));
  z.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(in.data())), z.avail_in = static_cast<uInt>(in.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data()), z.avail_out = static_cast<uInt>(out.size());
  check(deflate(&z, Z_FINISH) == Z_STREAM_END, "zlib");
  out.resize(z.total_out);
  deflateEnd(&z);
  return out;
}

void put(Bytes& to, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i, value >>= 8) to.push_back(static_cast<std::byte>(value & 255));
}
void put(Bytes& to, const Bytes& bytes) { to.insert(to.end(), bytes.begin(), bytes.end()); }

/// Two arrays as numpy.savez (with zip64 fields) and numpy.savez_compressed write them.
Bytes npz(bool compressed) {
  Bytes out, directory;
  const std::pair<const char*, Tensor> arrays[] = {{"a.npy", Tensor::full({2, 3}, 1.5)}, {"b.npy", Tensor::zeros({4}, DType::i8)}};
  for (const auto& [name, t] : arrays) {
    const Bytes content = npy_bytes(t), data = compressed ? packed(content, -15) : content;
    const size_t at = out.size();
    put(out, 0x04034b50, 4), put(out, 45, 2), put(out, 0, 2), put(out, compressed ? 8 : 0, 2), put(out, 0, 4);
    put(out, crc32(content), 4), put(out, 0xffffffff, 4), put(out, 0xffffffff, 4), put(out, 5, 2), put(out, 20, 2);
    put(out, bytes_of(name)), put(out, 1, 2), put(out, 16, 2), put(out, content.size(), 8), put(out, data.size(), 8),
        put(out, data);
    put(directory, 0x02014b50, 4), put(directory, 45, 2), put(directory, 45, 2), put(directory, 0, 2);
    put(directory, compressed ? 8 : 0, 2), put(directory, 0, 4), put(directory, crc32(content), 4), put(directory, data.size(), 4);
    put(directory, content.size(), 4), put(directory, 5, 2), put(directory, 0, 8), put(directory, 0, 4), put(directory, at, 4);
    put(directory, bytes_of(name));
  }
  const size_t at = out.size();
  put(out, directory), put(out, 0x06054b50, 4), put(out, 0, 4), put(out, 2, 2), put(out, 2, 2);
  put(out, directory.size(), 4), put(out, at, 4), put(out, 0, 2);
  return out;
}

/// As the safetensors target reads it: header without checksums, a zero byte, data.
Bytes without_checksums(const Bytes& file) {
  uint64_t length = 0;
  for (size_t i = 8; i-- > 0;) length = length << 8 | std::to_integer<uint64_t>(file[i]);
  std::string header(reinterpret_cast<const char*>(file.data()) + 8, length);
  for (const std::string key : {"\"octet.crc32.data\":\"", "\"octet.crc32.header\":\""}) {
    size_t at = header.find(key), end = at + key.size() + 9;
    if (header[end] == ',')
      ++end;
    else if (header[at - 1] == ',')
      --at;
    header.erase(at, end - at);
  }
  Bytes out = bytes_of(header);
  out.push_back(std::byte{0});
  out.insert(out.end(), file.begin() + 8 + static_cast<ptrdiff_t>(length), file.end());
  return out;
}

Model small() {
  Model m;
  m.add("x", Input{{1, 4, 4, 2}});
  m.add("conv", Conv2d{.in = 2, .out = 2, .bias = false});
  m.add("bn", BatchNorm{2});
  m.add("flatten", Reshape{{0, -1}});
  m.add("head", Linear{8, 2});
  Generator random(1);
  initialize(m, random);
  return m;
}

/// Pictures of few bytes: a BMP of two pixels, a PNG of six.
void write_pictures() {
  Bytes bmp;
  put(bmp, 0x4d42, 2), put(bmp, 54 + 8, 4), put(bmp, 0, 4), put(bmp, 54, 4), put(bmp, 40, 4), put(bmp, 1, 4), put(bmp, 2, 4);
  put(bmp, 1, 2), put(bmp, 24, 2);
  for (int i = 0; i < 6; ++i) put(bmp, 0, 4);
  for (int i = 0; i < 8; ++i) put(bmp, static_cast<uint64_t>(30 * i), 1);
  write("picture", "bmp", bmp);
  const auto big = [](Bytes& to, uint64_t value) {
    for (int shift = 24; shift >= 0; shift -= 8) put(to, value >> shift & 255, 1);
  };
  Bytes png = bytes_of("\x89PNG\r\n\x1a\n");
  const auto chunk = [&](std::string_view kind, const Bytes& data) {
    Bytes body = bytes_of(kind);
    put(body, data);
    big(png, data.size()), put(png, body), big(png, crc32(body));
  };
  Bytes header;
  big(header, 3), big(header, 2);
  for (const int byte : {8, 2, 0, 0, 0}) put(header, static_cast<uint64_t>(byte), 1);
  Bytes rows;
  for (int i = 0; i < 20; ++i) put(rows, i % 10 == 0 ? 1 : static_cast<uint64_t>(11 * i), 1);  // filter 1, then three pixels
  chunk("IHDR", header), chunk("IDAT", packed(rows, 15)), chunk("IEND", {});
  write("picture", "png", png);
}

void write_all() {
  write_pictures();
#ifdef OCTET_TFLITE
  write("tflite", "network", testing::write_tflite(testing::small_network()));
#endif
  const std::string begin = "{'descr': '", shape = "'shape': (2, 2), }";
  write("npy", "float", npy_bytes(Tensor::full({2, 2}, 1)));
  write("npy", "scalar", npy_bytes(Tensor::zeros({}, DType::u8)));
  int count = 0;
  for (const char* descr : {"<f2", ">f4", "<f8", ">u2", "<u4", "<u8", ">i8", "|b1", "<i2"}) {
    std::string header = begin + descr + "', 'fortran_order': " + (count % 2 ? "True" : "False") + ", " + shape + "\n";
    std::string text = std::string("\x93NUMPY\1\0", 8) + static_cast<char>(header.size()) + std::string(1, '\0') + header;
    text.resize(text.size() + 4 * static_cast<size_t>(descr[2] - '0'));
    write("npy", "type" + std::to_string(count++), bytes_of(text));
  }
  write("npz", "stored", npz(false));
  write("npz", "deflated", npz(true));
  const Bytes idx = bytes_of(std::string("\0\0\x08\2\0\0\0\2\0\0\0\3abcdef", 18));
  write("idx", "plain", idx);
  write("idx", "gzipped", packed(idx, 31));
  Model m = small();
  write("safetensors", "float", without_checksums(model_bytes(m, "m")));
  Model prepared = prepare(fuse(m, Aim::inference), {{"", octet_qconfig()}});
  const Tensor x = Tensor::full({2, 4, 4, 2}, 0.5);
  calibrate(prepared, {&x, 1});
  write("safetensors", "int8", without_checksums(model_bytes(convert(prepared), "m")));
  Model sequence = testing::torch_sequence();
  Generator random(2);
  initialize(sequence, random);
  write("safetensors", "state", without_checksums(state_dict_bytes(sequence, "m")));
  write("safetensors", "types",
        bytes_of(std::string(R"({"a":{"dtype":"F16","shape":[1],"data_offsets":[0,2]},)"
                             R"("b":{"dtype":"BOOL","shape":[2],"data_offsets":[2,4]},)"
                             R"("c":{"dtype":"I64","shape":[],"data_offsets":[4,12]},)"
                             R"("d":{"dtype":"BF16","shape":[1,1],"data_offsets":[12,14]}})") +
                 std::string(15, '\0')));
}

}  // namespace
}  // namespace octet::fuzz

int main(int argc, char** argv) try {
  octet::check(argc == 2, "usage: fuzz_seeds FOLDER");
  octet::fuzz::folder = argv[1];
  octet::fuzz::write_all();
  return 0;
} catch (const std::exception& e) {
  std::fprintf(stderr, "%s\n", e.what());
  return 1;
}
