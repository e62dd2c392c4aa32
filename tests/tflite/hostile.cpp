// SPDX-License-Identifier: Apache-2.0
// Damaged files: cut at every byte, every bit of their first 4 kB flipped. Each is refused with one line that names the file, or
// read as a model that runs; quickly, and without much memory.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "io/tflite/tflite.h"
#include "tests/catch.h"
#include "tests/compile/allocations.h"
#include "tests/skip.h"
#include "tests/tflite/small_network.h"

using namespace octet;
using namespace octet::testing;
namespace fs = std::filesystem;

namespace {

struct Tally {
  int read = 0, refused = 0, ran = 0;
  double slowest = 0;
  int64_t most_heap = 0;  ///< bytes asked for while one file was read, given back or not
};

void attempt(std::span<const std::byte> bytes, Tally& tally) {
  const auto start = std::chrono::steady_clock::now();
  const int64_t before = allocations::bytes();
  const auto count_heap = [&] { tally.most_heap = std::max(tally.most_heap, allocations::bytes() - before); };
  try {
    const TfliteModel m = parse_tflite(bytes, "damaged");
    ++tally.read;
    count_heap();
    if (runs_quickly(m.model)) {
      std::vector<Tensor> inputs;
      for (const Module& module : m.model.modules)
        if (std::holds_alternative<Input>(module.op)) inputs.push_back(Tensor::zeros(module.nominal[0]));
      try {
        infer(m.model, inputs);
        ++tally.ran;
      } catch (const Error&) {  // sums that can exceed 32 bits
      }
    }
  } catch (const Error& e) {
    ++tally.refused;
    count_heap();
    const std::string what = e.what();
    if (!what.starts_with("damaged: ") || what.find('\n') != std::string::npos) FAIL_CHECK("words: " << what);
  }
  tally.slowest = std::max(tally.slowest, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
}

void damage(const std::string& name, const Bytes& bytes, size_t flipped_bytes) {
  Tally cut, flipped;
  for (size_t n = 0; n < bytes.size(); ++n) attempt(std::span(bytes).first(n), cut);
  Bytes copy = bytes;
  for (size_t bit = 0; bit < 8 * std::min(flipped_bytes, bytes.size()); ++bit) {
    const std::byte mask{static_cast<unsigned char>(1U << (bit % 8))};
    copy[bit / 8] ^= mask;
    attempt(copy, flipped);
    copy[bit / 8] ^= mask;
  }
  std::printf(
      "%s: cut at %zu bytes: %d refused, %d read; %d bits flipped: %d refused, %d read, %d of them ran; slowest %.3f s, "
      "most heap %.2f MB\n",
      name.c_str(), bytes.size(), cut.refused, cut.read, flipped.refused + flipped.read, flipped.refused, flipped.read, flipped.ran,
      std::max(cut.slowest, flipped.slowest), static_cast<double>(std::max(cut.most_heap, flipped.most_heap)) / 1e6);
  CHECK(cut.refused > 0);
  CHECK(flipped.refused > 0);
  CHECK(flipped.read > 0);
  CHECK(std::max(cut.most_heap, flipped.most_heap) > 1000);
  CHECK(std::max(cut.most_heap, flipped.most_heap) < 64'000'000);
}

}  // namespace

TEST_CASE("a .tflite file cut anywhere, or with any bit flipped, is refused in one line or read") {
  const Bytes whole = write_tflite(small_network());
  CHECK(parse_tflite(whole, "whole").model.modules.size() == 7);
  damage("small network", whole, 4096);
}

TEST_CASE("real .tflite files cut and flipped are refused in one line or read", "[slow]") {
  const char* models = std::getenv("OCTET_MODELS");
  const fs::path folder = fs::path(models == nullptr ? "." : models) / "tflite";
  if (!fs::exists(folder)) OCTET_SKIP_CASE("no " + folder.string());
  for (const std::string name : {"hello_world_int8", "conv20", "strided_slice0"})
    damage(name, read_file((folder / (name + ".tflite")).string(), 1 << 20), 4096);
}

TEST_CASE("fields outside their table and references outside the file are refused in words") {
  const Bytes whole = write_tflite(small_network());
  const auto at = [&](const Bytes& b, size_t place, auto value) {
    Bytes changed = b;
    std::memcpy(changed.data() + place, &value, sizeof value);
    return changed;
  };
  uint32_t root = 0;
  int32_t back = 0;
  std::memcpy(&root, whole.data(), sizeof root);
  std::memcpy(&back, whole.data() + root, sizeof back);
  const size_t vtable = root - static_cast<size_t>(static_cast<ptrdiff_t>(back));
  uint16_t table_bytes = 0, graphs = 0;
  std::memcpy(&table_bytes, whole.data() + vtable + 2, sizeof table_bytes);
  std::memcpy(&graphs, whole.data() + vtable + 4 + 2 * 2, sizeof graphs);
  REQUIRE(graphs >= 4);
  const auto words = [](const Bytes& b) {
    try {
      parse_tflite(b, "damaged");
    } catch (const Error& e) {
      return std::string(e.what());
    }
    return std::string("read");
  };
  REQUIRE(words(whole) == "read");
  using Catch::Matchers::Contains;
  CHECK_THAT(words(at(whole, vtable + 4 + 2 * 2, table_bytes)), Contains("a field outside its table"));
  CHECK_THAT(words(at(whole, vtable + 4 + 2 * 2, uint16_t{2})), Contains("a field outside its table"));
  CHECK_THAT(words(at(whole, root + graphs, uint32_t{0x7fffffff})), Contains("a reference to a place outside the file"));
  CHECK_THAT(words(at(whole, root + graphs, uint32_t{0})), Contains("a reference to a place outside the file"));
  CHECK_THAT(words(at(whole, root, int32_t{-0x7fffffff})), Contains("a table outside the file"));
  CHECK_THAT(words(at(whole, 0, uint32_t{0xfffffff0})), Contains("refers to nothing in the file"));
}

TEST_CASE("a file that says the same vector over and over is refused, not unfolded") {
  // 60,000 references to one table with a name of 60,000 letters.
  flatbuffers::FlatBufferBuilder b;
  const auto name = b.CreateString(std::string(60000, 'n'));
  const auto tensor = table(b, [&] { b.AddOffset(at(3), name); });
  const auto tensors = b.CreateVector(std::vector(60000, tensor));
  const auto graphs = b.CreateVector(std::vector{table(b, [&] { b.AddOffset(at(0), tensors); })});
  b.Finish(table(b,
                 [&] {
                   b.AddElement<uint32_t>(at(0), 3, 0);
                   b.AddOffset(at(2), graphs);
                 }),
           "TFL3");
  const auto* from = reinterpret_cast<const std::byte*>(b.GetBufferPointer());
  const Bytes bytes(from, from + b.GetSize());
  CHECK_THROWS_WITH(parse_tflite(bytes, "bomb"), Catch::Matchers::Contains("over and over"));
}
