// SPDX-License-Identifier: Apache-2.0
// Opening an image with the runtime, and walking over its records.
#include "tools/octet/inspect_image.h"

#include <fmt/format.h>

#include <cstring>
#include <memory>
#include <new>

#include "io/file.h"
#include "runtime/walk.h"
#include "tools/octet/arguments.h"

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

struct Port {
  std::string text;
  Json json;
};

Port port_of(const octet_model& model, uint32_t i, bool output) {
  octet_tensor t{};
  output ? octet_output_info(&model, i, &t) : octet_input_info(&model, i, &t);
  const std::string name(t.name, t.name_bytes);
  const char* type = t.type == OCTET_U8 ? "u8" : t.type == OCTET_I8 ? "i8" : t.type == OCTET_I16 ? "i16" : "f32";
  const std::vector<int32_t> shape(t.shape, t.shape + t.rank);
  Port port{fmt::format("{} {}: {} {} [{}]", output ? "output" : "input", i, name, type, fmt::join(shape, ", ")),
            {{"name", name}, {"dtype", type}, {"shape", shape}}};
  if (t.type != OCTET_F32) {
    port.text += fmt::format(", scale {:.9g}, zero point {}", static_cast<double>(t.scale), t.zero_point);
    port.json["scale"] = t.scale, port.json["zero_point"] = t.zero_point;
  }
  port.text += "\n";
  return port;
}

}  // namespace

void inspect_image(const std::string& path, const Results& results) {
  const Bytes bytes = read_file(path, kMaxImage);
  constexpr std::align_val_t kAlign{OCTET_ALIGNMENT};
  const std::unique_ptr<uint8_t, void (*)(uint8_t*)> image(
      new (kAlign) uint8_t[bytes.size() + 1], [](uint8_t* p) { ::operator delete[](p, std::align_val_t{OCTET_ALIGNMENT}); });
  if (!bytes.empty()) std::memcpy(image.get(), bytes.data(), bytes.size());
  check(bytes.size() >= sizeof(image::Header), path, ": a firmware image that ends after ", bytes.size(),
        " bytes, within its header");
  const image::Header h = image::header_of(image.get());
  const std::vector<octet_op> ops = any_ops(h);
  std::vector<const octet_op*> list;
  for (const octet_op& op : ops) list.push_back(&op);
  octet_model model{};
  const octet_status status = octet_model_open(&model, image.get(), bytes.size(), list.data(), list.size());
  check(status == OCTET_OK, path, ": a damaged or foreign firmware image: ", octet_status_name(status));
  std::string text = fmt::format("version {}, {} bytes, rounding {}, arena {} bytes, CRC-32 {:08x}\n", h.version, h.bytes,
                                 to_string(h.rounding), h.arena_bytes, h.crc);
  Json json{{"file", path},
            {"kind", "image"},
            {"version", h.version},
            {"bytes", h.bytes},
            {"rounding", std::string(to_string(h.rounding))},
            {"arena_bytes", h.arena_bytes},
            {"crc32", fmt::format("{:08x}", h.crc)},
            {"inputs", Json::array()},
            {"outputs", Json::array()},
            {"steps", Json::array()}};
  const auto add_port = [&](uint32_t i, bool output) {
    Port port = port_of(model, i, output);
    text += port.text;
    json[output ? "outputs" : "inputs"].push_back(std::move(port.json));
  };
  for (uint32_t i = 0; i < h.inputs; ++i) add_port(i, false);
  for (uint32_t i = 0; i < h.outputs; ++i) add_port(i, true);
  const uint8_t* values = image::values_of(image.get(), h);
  for (image::Cursor w = image::records_of(image.get(), h); !w.done(); w.skip()) {
    const image::RecordHeader r = w.peek();
    if (r.kind == static_cast<uint16_t>(image::Kind::packed)) {
      const auto p = image::load<image::Packed>(w.payload());
      text += fmt::format("    packed weights of family {} version {}: {} bytes at {}\n", p.family, p.version, p.bytes, p.offset);
      json["steps"].back()["packed"] = {{"family", p.family}, {"version", p.version}, {"bytes", p.bytes}, {"offset", p.offset}};
    }
    if (r.kind < image::kFirstStep || r.kind > image::kLastStep) continue;
    const auto s = image::load<image::Step>(w.payload());
    const std::string name(reinterpret_cast<const char*>(w.payload() + image::parts_of(s).name), s.name_bytes);
    text += fmt::format("  {:<15} {:<24}", kernels::device_op(r.kind).name, name);
    Json step{{"operator", kernels::device_op(r.kind).name}, {"name", name}, {"inputs", Json::array()}, {"outputs", Json::array()}};
    for (uint32_t i = 0; i < uint32_t{s.inputs} + s.outputs; ++i) {
      const image::Operand o = image::operand(w.payload(), i);
      const image::Value v = image::value(values, o.value);
      text += fmt::format("{} value {}: {} bytes at {}",
                          i == s.inputs ? " ->"
                          : i == 0      ? ""
                                        : ",",
                          o.value, v.bytes - o.offset, v.offset + o.offset);
      step[i < s.inputs ? "inputs" : "outputs"].push_back(
          {{"value", o.value}, {"bytes", v.bytes - o.offset}, {"offset", v.offset + o.offset}});
    }
    if (s.scratch_bytes != 0) {
      text += fmt::format(", scratch {} at {}", s.scratch_bytes, s.scratch_offset);
      step["scratch_bytes"] = s.scratch_bytes;
    }
    text += "\n";
    json["steps"].push_back(std::move(step));
  }
  results.show(text, json);
}

}  // namespace octet::cli
