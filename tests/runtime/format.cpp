// SPDX-License-Identifier: Apache-2.0
// The image format is for ever: every offset is pinned, and images of version 4 kept beside this file load and compute what they
// did; version 1, which nothing released ever wrote, is refused. A failing line means a new version, not a new number here.
#include <cstddef>
#include <cstdlib>
#include <set>
#include <type_traits>

#include "tests/catch.h"
#include "tests/runtime/device.h"
#include "tests/runtime/networks.h"
#include "tests/runtime/rewrite.h"

using namespace octet;
using namespace octet::device;

namespace {

template <class T>
constexpr bool plain_bytes = std::is_standard_layout_v<T>&& std::is_trivially_copyable_v<T>;

static_assert(plain_bytes<image::Header> && sizeof(image::Header) == 48);
static_assert(offsetof(image::Header, version) == 4 && offsetof(image::Header, header_bytes) == 6 &&
              offsetof(image::Header, bytes) == 8 && offsetof(image::Header, crc) == 12 &&
              offsetof(image::Header, records_bytes) == 16 && offsetof(image::Header, arena_bytes) == 20 &&
              offsetof(image::Header, values) == 24 && offsetof(image::Header, inputs) == 26 &&
              offsetof(image::Header, outputs) == 28 && offsetof(image::Header, steps) == 30 &&
              offsetof(image::Header, rounding) == 32 && offsetof(image::Header, reserved) == 33);
static_assert(plain_bytes<image::RecordHeader> && sizeof(image::RecordHeader) == 8 && offsetof(image::RecordHeader, bytes) == 4);
static_assert(plain_bytes<image::Value> && sizeof(image::Value) == 12 && offsetof(image::Value, bytes) == 4 &&
              offsetof(image::Value, of) == 8 && offsetof(image::Value, reserved) == 10);
static_assert(plain_bytes<image::Operand> && sizeof(image::Operand) == 8 && offsetof(image::Operand, reserved) == 2 &&
              offsetof(image::Operand, offset) == 4);
static_assert(plain_bytes<image::Port> && sizeof(image::Port) == 40 && offsetof(image::Port, output) == 2 &&
              offsetof(image::Port, type) == 3 && offsetof(image::Port, rank) == 4 && offsetof(image::Port, name_bytes) == 5 &&
              offsetof(image::Port, shape) == 8 && offsetof(image::Port, scale) == 32 && offsetof(image::Port, zero_point) == 36);
static_assert(plain_bytes<image::Step> && sizeof(image::Step) == 16 && offsetof(image::Step, outputs) == 1 &&
              offsetof(image::Step, tables) == 2 && offsetof(image::Step, flags) == 3 && offsetof(image::Step, args_bytes) == 4 &&
              offsetof(image::Step, name_bytes) == 6 && offsetof(image::Step, reserved) == 7 &&
              offsetof(image::Step, scratch_offset) == 8 && offsetof(image::Step, scratch_bytes) == 12);
static_assert(plain_bytes<image::Tables> && sizeof(image::Tables) == 36 && offsetof(image::Tables, channels) == 8 &&
              offsetof(image::Tables, weight_zero_point) == 12 && offsetof(image::Tables, scale) == 16 &&
              offsetof(image::Tables, bias) == 20 && offsetof(image::Tables, bias_codes) == 24 &&
              offsetof(image::Tables, multiplier) == 28 && offsetof(image::Tables, shift) == 32);
static_assert(plain_bytes<image::Packed> && sizeof(image::Packed) == 16 && offsetof(image::Packed, offset) == 4);
static_assert(int(image::Kind::values) == 1 && int(image::Kind::port) == 2 && int(image::Kind::packed) == 64);

/// Codes that no random generator stands behind.
Tensor ramp(const Device& device) {
  octet_tensor info{};
  REQUIRE(octet_input_info(device.model(), 0, &info) == OCTET_OK);
  Tensor x({static_cast<int64_t>(info.bytes)}, DType::u8);
  for (uint32_t i = 0; i < info.bytes; ++i) x.mutable_data<uint8_t>()[i] = static_cast<uint8_t>(i * 37 + i / 7);
  return x;
}

Bytes stored_image(const std::string& name) {
  const char* folder = std::getenv("OCTET_TEST_DATA");
  REQUIRE(folder != nullptr);
  return read_file(std::string(folder) + "/" + name, 1 << 20);
}

Outcome stored(const std::string& name) {
  const Device device(stored_image(name));
  REQUIRE(device.status() == OCTET_OK);
  const Tensor x = ramp(device);
  return device.run({&x, 1});
}

uint32_t checksum(const std::vector<std::byte>& bytes) { return crc32(bytes); }

}  // namespace

TEST_CASE("an image of version 3 is refused by its version") {
  CHECK(Device(stored_image("version3-tiny-real.octi")).status() == OCTET_ERROR_VERSION);
}

TEST_CASE("an image's length can be read from its first bytes, wherever they lie") {
  const Bytes image = stored_image("version4-tiny-real.octi");
  CHECK(octet_image_bytes(image.data()) == image.size());
  Bytes moved(1, std::byte{7});
  moved.insert(moved.end(), image.begin(), image.begin() + OCTET_HEADER_BYTES);
  CHECK(octet_image_bytes(moved.data() + 1) == image.size());
  CHECK(octet_image_bytes(moved.data()) == 0);
  CHECK(octet_image_bytes(stored_image("version3-tiny-real.octi").data()) == 0);
  CHECK(octet_image_bytes(nullptr) == 0);
}

TEST_CASE("images of version 4 load and compute what they always did") {
  const Outcome every = stored("version4-every-op.octi");
  REQUIRE(every.outputs.size() == 2);
  CHECK(checksum(every.outputs[0]) == 0x324e7d68);
  CHECK(checksum(every.outputs[1]) == 0x8f029a14);
  CHECK(every.layers.size() == 14);
  const Outcome tiny = stored("version4-tiny-real.octi");
  REQUIRE(tiny.outputs.size() == 1);
  CHECK(checksum(tiny.outputs[0]) == 0x9ed82c23);
}

TEST_CASE("every byte of an image is accounted for: sizes, zero padding, blobs in order") {
  const Bytes image = image_bytes(plan_firmware(quantized("tiny", tiny_separable(), Rounding::real, true, 1).int8));
  const auto header = take<image::Header>(image, 0);
  CHECK(header.bytes == image.size());
  CHECK(header.version == image::kVersion);
  const auto records = records_in(image);
  CHECK(records.size() == 3u + header.steps);
  CHECK(records.back().payload + records.back().bytes == size_t{header.header_bytes} + header.records_bytes);
  // A byte of padding that is not zero is refused.
  for (const Record& r : records) {
    if (r.kind < image::kFirstStep || r.kind > image::kLastStep) continue;
    const auto step = take<image::Step>(image, r.payload);
    if (step.name_bytes % 4 == 0) continue;
    Bytes bad = image;
    bad[r.payload + r.bytes - 1] = std::byte{'x'};
    repair_checksum(bad);
    CHECK(Device(bad).status() == OCTET_ERROR_RECORD);
  }
}

TEST_CASE("the same model gives the same image and C source, and the source lists the operators") {
  const FirmwarePlan plan = plan_firmware(quantized("tiny", tiny_separable(), Rounding::fixed_single, true, 1).int8);
  CHECK(image_bytes(plan) == image_bytes(plan_firmware(quantized("tiny", tiny_separable(), Rounding::fixed_single, true, 1).int8)));
  const ImageSource source = image_source(plan, "keyword");
  CHECK(source.h.find("#define KEYWORD_ARENA_BYTES " + std::to_string(plan.arena_bytes) + "u") != std::string::npos);
  CHECK(source.c.find("&octet_op_conv2d_fixed_single, &octet_op_linear_fixed_single") != std::string::npos);
  CHECK(operators(plan) == std::vector<std::string>{"average_pool2d_fixed_single", "conv2d_fixed_single", "linear_fixed_single"});
}

TEST_CASE("every record kind has its number and an operator of that name in the header's lists, and no other has") {
  std::string listed;
  kernels::Kernels::each([&](auto info) {
    for (const kernels::DeviceOp& op : decltype(info)::device)
      listed += std::to_string(op.kind) + ' ' + op.name + (op.rounds ? " by rounding\n" : "\n");
  });
  CHECK(listed ==
        "16 conv2d by rounding\n34 conv2d_16\n17 linear by rounding\n35 linear_16\n18 add by rounding\n36 add_16 by rounding\n"
        "19 requantize by rounding\n37 requantize_16 by rounding\n20 max_pool2d\n21 average_pool2d by rounding\n38 max_pool2d_16\n"
        "39 average_pool2d_16\n22 clamp\n40 clamp_16\n23 quantize by rounding\n41 quantize_16\n24 dequantize\n42 dequantize_16\n"
        "25 transpose\n26 lookup\n43 lookup_16\n27 binary by rounding\n44 binary_16 by rounding\n28 reduce by rounding\n"
        "45 reduce_16 by rounding\n29 gather\n30 softmax by rounding\n46 softmax_16 by rounding\n31 matmul by rounding\n"
        "47 matmul_16\n32 constant\n33 resize by rounding\n48 resize_16\n49 activation by rounding\n");
  std::set<std::string> by_rounding, any, known_by_rounding, known_any;
#define OCTET_NAME_ROUNDING(name) by_rounding.insert(#name);
#define OCTET_NAME_ANY(name) any.insert(#name);
  OCTET_OPS_BY_ROUNDING(OCTET_NAME_ROUNDING)
  OCTET_OPS_16(OCTET_NAME_ROUNDING)
  OCTET_OPS_OF_ANY_ROUNDING(OCTET_NAME_ANY)
#undef OCTET_NAME_ROUNDING
#undef OCTET_NAME_ANY
  kernels::Kernels::each([&](auto info) {
    for (const kernels::DeviceOp& op : decltype(info)::device) (op.rounds ? known_by_rounding : known_any).insert(op.name);
  });
  CHECK(by_rounding == known_by_rounding);
  CHECK(any == known_any);
  for (const octet_op* op : device::kAllOps) {
    CHECK(op->kind == kernels::device_op(op->kind).kind);
    CHECK((op->rounding == OCTET_ANY_ROUNDING) == !kernels::device_op(op->kind).rounds);
  }
}
