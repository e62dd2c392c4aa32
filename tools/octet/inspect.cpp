// SPDX-License-Identifier: Apache-2.0
// octet inspect: reads an image as a device would and prints what it holds.
#include <cstdio>
#include <cstring>
#include <memory>
#include <new>

#include "io/file.h"
#include "runtime/walk.h"
#include "tools/octet/arguments.h"
#include "tools/octet/commands.h"

namespace octet::cli {
namespace {

constexpr uint64_t kMaxImage = uint64_t{1} << 31;

/// An operator for every kind of step in every rounding: inspecting checks the format, a device checks what its kernels need.
std::vector<octet_op> any_ops(const image::Header& h) {
  std::vector<octet_op> ops;
  kernels::Kernels::each([&](auto info) {
    for (const kernels::DeviceOp& op : decltype(info)::device)
      ops.push_back({op.kind, static_cast<uint8_t>(h.rounding), op.overwrites, 0, 0, [](const octet_step*) { return OCTET_OK; },
                     [](const octet_step*) {}});
  });
  return ops;
}

void print_port(const octet_model& model, uint32_t i, bool output) {
  octet_tensor t{};
  output ? octet_output_info(&model, i, &t) : octet_input_info(&model, i, &t);
  std::printf("%s %u: %.*s %s [", output ? "output" : "input", i, static_cast<int>(t.name_bytes), t.name,
              t.type == OCTET_U8    ? "u8"
              : t.type == OCTET_I8  ? "i8"
              : t.type == OCTET_I16 ? "i16"
                                    : "f32");
  for (uint32_t d = 0; d < t.rank; ++d) std::printf("%s%d", d == 0 ? "" : ", ", t.shape[d]);
  std::printf("]");
  if (t.type != OCTET_F32) std::printf(", scale %.9g, zero point %d", static_cast<double>(t.scale), t.zero_point);
  std::printf("\n");
}

void inspect(const std::string& path) {
  const Bytes bytes = read_file(path, kMaxImage);
  constexpr std::align_val_t kAlign{OCTET_ALIGNMENT};
  const std::unique_ptr<uint8_t, void (*)(uint8_t*)> image(
      new (kAlign) uint8_t[bytes.size() + 1], [](uint8_t* p) { ::operator delete[](p, std::align_val_t{OCTET_ALIGNMENT}); });
  if (!bytes.empty()) std::memcpy(image.get(), bytes.data(), bytes.size());
  const std::string kind = kind_of_file(path);
  const bool starts_as_one =
      bytes.size() >= sizeof image::kMagic && std::memcmp(bytes.data(), image::kMagic, sizeof image::kMagic) == 0;
  check(starts_as_one, path, ": expected a firmware image, this is ", kind.empty() ? "something else" : kind);
  check(bytes.size() >= sizeof(image::Header), path, ": a firmware image that ends after ", bytes.size(),
        " bytes, within its header");
  const image::Header h = image::header_of(image.get());
  const std::vector<octet_op> ops = any_ops(h);
  std::vector<const octet_op*> list;
  for (const octet_op& op : ops) list.push_back(&op);
  octet_model model{};
  const octet_status status = octet_model_open(&model, image.get(), bytes.size(), list.data(), list.size());
  check(status == OCTET_OK, path, ": a damaged or foreign firmware image: ", octet_status_name(status));
  std::printf("version %u, %u bytes, rounding %s, arena %u bytes, CRC-32 %08x\n", h.version, h.bytes,
              std::string(to_string(h.rounding)).c_str(), h.arena_bytes, h.crc);
  for (uint32_t i = 0; i < h.inputs; ++i) print_port(model, i, false);
  for (uint32_t i = 0; i < h.outputs; ++i) print_port(model, i, true);
  const uint8_t* values = image::values_of(image.get(), h);
  for (image::Cursor w = image::records_of(image.get(), h); !w.done(); w.skip()) {
    const image::RecordHeader r = w.peek();
    if (r.kind == static_cast<uint16_t>(image::Kind::packed)) {
      const auto p = image::load<image::Packed>(w.payload());
      std::printf("    packed weights of family %u version %u: %u bytes at %u\n", p.family, p.version, p.bytes, p.offset);
    }
    if (r.kind < image::kFirstStep || r.kind > image::kLastStep) continue;
    const auto s = image::load<image::Step>(w.payload());
    std::printf("  %-15s %-24.*s", kernels::device_op(r.kind).name, static_cast<int>(s.name_bytes),
                reinterpret_cast<const char*>(w.payload() + image::parts_of(s).name));
    for (uint32_t i = 0; i < uint32_t{s.inputs} + s.outputs; ++i) {
      const image::Operand o = image::operand(w.payload(), i);
      const image::Value v = image::value(values, o.value);
      std::printf("%s value %u: %u bytes at %u",
                  i == s.inputs ? " ->"
                  : i == 0      ? ""
                                : ",",
                  o.value, v.bytes - o.offset, v.offset + o.offset);
    }
    if (s.scratch_bytes != 0) std::printf(", scratch %u at %u", s.scratch_bytes, s.scratch_offset);
    std::printf("\n");
  }
}

}  // namespace

void add_inspect(CLI::App& app) {
  CLI::App* command = app.add_subcommand("inspect", "check an image and print what it holds");
  auto path = std::make_shared<std::string>();
  command->add_option("image", *path, "image file")->required();
  command->callback([path] { inspect(*path); });
}

}  // namespace octet::cli
