// SPDX-License-Identifier: Apache-2.0
// Every field of every record of images, one at a time, set to what it must not be behind a repaired checksum. What is still
// accepted is written down below, field by field: a check that is forgotten lets more through, one that is too strict less.
#include <algorithm>
#include <cstdlib>
#include <map>
#include <set>

#include "quant/quantize.h"
#include "tests/catch.h"
#include "tests/kernels/guarded.h"
#include "tests/runtime/device.h"
#include "tests/runtime/networks.h"
#include "tests/runtime/rewrite.h"

using namespace octet;
using namespace octet::device;

namespace {

struct Field {
  const char* name;
  size_t offset, bytes;
  size_t unit = 0;  // of an array: what one element has
};
#define OCTET_FIELD(S, m) \
  Field { #m, offsetof(S, m), sizeof(S::m) }
#define OCTET_ARRAY(S, m) \
  Field { #m, offsetof(S, m), sizeof(S::m), sizeof(S::m[0]) }

using Fields = std::vector<Field>;

Fields header_fields() {
  using H = image::Header;
  return {OCTET_ARRAY(H, magic),       OCTET_FIELD(H, version),  OCTET_FIELD(H, header_bytes), OCTET_FIELD(H, records_bytes),
          OCTET_FIELD(H, arena_bytes), OCTET_FIELD(H, values),   OCTET_FIELD(H, inputs),       OCTET_FIELD(H, outputs),
          OCTET_FIELD(H, steps),       OCTET_FIELD(H, rounding), OCTET_ARRAY(H, reserved)};
}
Fields record_fields() {
  using R = image::RecordHeader;
  return {OCTET_FIELD(R, kind), OCTET_FIELD(R, version), OCTET_FIELD(R, bytes)};
}
Fields value_fields() {
  return {OCTET_FIELD(image::Value, offset), OCTET_FIELD(image::Value, bytes), OCTET_FIELD(image::Value, of),
          OCTET_FIELD(image::Value, reserved)};
}
Fields port_fields() {
  using P = image::Port;
  return {OCTET_FIELD(P, value), OCTET_FIELD(P, output),     OCTET_FIELD(P, type),
          OCTET_FIELD(P, rank),  OCTET_FIELD(P, name_bytes), OCTET_FIELD(P, reserved),
          OCTET_ARRAY(P, shape), OCTET_FIELD(P, scale),      OCTET_FIELD(P, zero_point)};
}
Fields step_fields() {
  using S = image::Step;
  return {OCTET_FIELD(S, inputs),   OCTET_FIELD(S, outputs),        OCTET_FIELD(S, tables),
          OCTET_FIELD(S, flags),    OCTET_FIELD(S, args_bytes),     OCTET_FIELD(S, name_bytes),
          OCTET_FIELD(S, reserved), OCTET_FIELD(S, scratch_offset), OCTET_FIELD(S, scratch_bytes)};
}
Fields operand_fields() {
  using O = image::Operand;
  return {OCTET_FIELD(O, value), OCTET_FIELD(O, reserved), OCTET_FIELD(O, offset)};
}
Fields tables_fields() {
  using T = image::Tables;
  return {OCTET_FIELD(T, weight), OCTET_FIELD(T, weight_bytes), OCTET_FIELD(T, channels),   OCTET_FIELD(T, weight_zero_point),
          OCTET_FIELD(T, scale),  OCTET_FIELD(T, bias),         OCTET_FIELD(T, bias_codes), OCTET_FIELD(T, multiplier),
          OCTET_FIELD(T, shift)};
}
Fields packed_fields() {
  using P = image::Packed;
  return {OCTET_FIELD(P, family), OCTET_FIELD(P, version), OCTET_FIELD(P, offset), OCTET_FIELD(P, bytes), OCTET_FIELD(P, reserved)};
}

/// Where a field of the arguments lies, from two of its addresses.
template <class Args>
Fields fields_of() {
  static Args a{};
  Fields fields;
  kernels::Info<Args>::fields(a, [&]<class T>(const char* name, T& field) {
    const auto at = static_cast<size_t>(reinterpret_cast<char*>(&field) - reinterpret_cast<char*>(&a));
    fields.push_back({name, at, sizeof field, sizeof(std::remove_all_extents_t<T>)});
  });
  return fields;
}
Fields argument_fields(uint16_t kind) {
  Fields found;
  kernels::Kernels::each([&](auto info) {
    for (const kernels::DeviceOp& op : decltype(info)::device)
      if (op.kind == kind) found = fields_of<typename decltype(info)::Args>();
  });
  return found;
}

/// "real conv2d.pad_left" -> names of the values that were accepted there.
using Accepted = std::map<std::string, std::set<std::string>>;

class Prober {
 public:
  /// Image and arena end with their page.
  Prober(const Bytes& image, Accepted& accepted) : bytes_(image), image_(image.data(), image.size()), accepted_(accepted) {
    REQUIRE(open() == OCTET_OK);
  }
  int probed = 0;
  std::set<uint16_t> kinds{};  // of steps

  void run() {
    probe("header", 0, header_fields());
    for (const Record& r : records_in(bytes_)) {
      const auto kind = static_cast<image::Kind>(r.kind);
      probe("record", r.payload - sizeof(image::RecordHeader), record_fields());
      where_ = take<image::Header>(bytes_, 0).rounding == Rounding::real ? "real " : "fixed ";
      if (kind == image::Kind::values)
        for (size_t at = 0; at < r.bytes; at += sizeof(image::Value)) probe("value", r.payload + at, value_fields());
      if (kind == image::Kind::port) probe("port", r.payload, port_fields());
      if (kind == image::Kind::packed) probe("packed", r.payload, packed_fields());
      if (r.kind < image::kFirstStep || r.kind > image::kLastStep) continue;
      kinds.insert(r.kind);
      const auto step = take<image::Step>(bytes_, r.payload);
      probe("step", r.payload, step_fields());
      const image::StepParts parts = image::parts_of(step);
      for (size_t at = parts.operands; at < parts.args; at += sizeof(image::Operand))
        probe("operand", r.payload + at, operand_fields());
      probe(name_of(r.kind, r.payload + parts.args), r.payload + parts.args, argument_fields(r.kind));
      if (step.tables == 0) continue;
      const size_t tables = r.payload + parts.tables;
      probe("tables", tables, tables_fields());
      for (const Field& f : tables_fields()) {
        const bool counts = f.offset == offsetof(image::Tables, weight_bytes) || f.offset == offsetof(image::Tables, channels);
        const auto blob = take<uint32_t>(bytes_, tables + f.offset);
        if (!counts && blob != 0 && f.offset != offsetof(image::Tables, weight)) probe_one(std::string(f.name) + "[0]", blob, 4);
      }
    }
  }

 private:
  /// Windows that are not adaptive and convolutions with a residual have fields of their own to be checked.
  std::string name_of(uint16_t kind, size_t args) const {
    const std::string name = kernels::device_op(kind).name;
    if (name == "conv2d" && has_residual(take<kernels::Conv2dArgs>(bytes_, args))) return "conv2d and residual";
    const bool adaptive = (name == "average_pool2d" || name == "average_pool2d_16") &&
                          take<kernels::PoolKind>(bytes_, args + offsetof(kernels::Pool2dArgs, kind)) != kernels::PoolKind::average;
    return adaptive ? "adaptive_" + name : name;
  }
  void probe(const std::string& what, size_t at, const Fields& fields) {
    for (const Field& f : fields) {
      const size_t unit = f.unit == 0 ? f.bytes : f.unit;
      for (size_t element = 0; element < f.bytes; element += unit) probe_one(what + "." + f.name, at + f.offset + element, unit);
    }
  }
  void probe_one(const std::string& name, size_t at, size_t unit) {
    uint32_t now = 0;
    std::memcpy(&now, bytes_.data() + at, unit);
    const uint32_t all = unit == 4 ? 0xffffffff : (1u << (8 * unit)) - 1, top = (all >> 1) + 1;
    const std::pair<const char*, uint32_t> values[] = {
        {"0", 0},          {"1", 1},           {"+1", now + 1},     {"-1", now - 1},
        {"+16", now + 16}, {"-16", now - 16},  {"+256", now + 256}, {"-256", now - 256},
        {"x2", now * 2},   {"/2", now / 2},    {"neg", 0 - now},    {"all", all},
        {"top", top},      {"max", top - 1},   {"16", 16},          {"16", 16},
        {"40000", 40000},  {"inf", 0x7f800000}};
    for (const auto& [label, value] : values) {
      const uint32_t v = value & all;
      if (v == now || (unit < 4 && (value & all) != value && std::string_view(label) == "40000")) continue;
      if (std::string_view(label) == "inf" && unit < 4) continue;
      ++probed;
      Bytes bad = bytes_;
      std::memcpy(bad.data() + at, &v, unit);
      repair_checksum(bad);
      std::ranges::copy(bad, reinterpret_cast<std::byte*>(image_.data()));
      if (open() != OCTET_OK) continue;
      accepted_[where_ + name].insert(label);
      run_inside();
    }
  }
  octet_status open() { return octet_model_open(&model_, image_.data(), bytes_.size(), ops_.data(), ops_.size()); }
  /// What is accepted touches nothing behind its arena.
  void run_inside() {
    const size_t size = octet_arena_size(&model_);
    if (size > kArena) return;  // nobody has so much
    uint8_t* arena = arena_.data() + (kArena - size) / 16 * 16;
    std::fill_n(arena, size, uint8_t{0x5a});
    if (octet_run(&model_, arena, size, nullptr, nullptr) != OCTET_OK) CHECK(false);
  }

  static constexpr size_t kArena = size_t{1} << 20;
  const Bytes bytes_;
  testing::PageEnd image_, arena_{kArena};
  const std::vector<const octet_op*> ops_ = all_ops();
  octet_model model_{};
  std::string where_;
  Accepted& accepted_;
};

std::string text(const std::set<std::string>& values) {
  std::string all;
  for (const std::string& v : values) all += (all.empty() ? "" : " ") + v;
  return all;
}

/// The network in codes without a float computed anywhere, so that every machine has the same image.
Model in_codes(const Model& net, Rounding rounding, bool weight_zero_points, bool wide = false) {
  Model m = net;
  const int32_t reach = wide ? 32768 : 128;
  m.rounding = rounding;
  Generator g(1);
  initialize(m, g);
  m = wide ? fuse(m, Aim::inference, {.residual = false}) : fuse(m, Aim::inference);
  for (size_t i = 0; i < m.modules.size(); ++i) {
    Module& module = m.modules[i];
    const auto at = static_cast<int32_t>(i);
    if (const auto value = module.params.find("value"); value != module.params.end())
      for (float& v : value->second.mutable_data<float>()) v = static_cast<float>(g.integer(-8, 9)) / 8;
    const auto* unary = module.as<Unary>();
    if (wide && (module.as<Softmax>() || (unary != nullptr && traits_of(*unary).codes == Codes::fixed)))
      module.out_q = {QParams{{0x1p-15F}, {0}, -1, 0, -reach, reach - 1}};
    else if (module.as<Softmax>())
      module.out_q = {QParams{{0.00390625F}, {-128}, -1, 0, -128, 127}};
    else if (keeps_qparams(module.op) || module.as<Pool2d>())
      module.out_q = m.modules[static_cast<size_t>(module.inputs[0].module)].out_q;
    else
      module.out_q = {QParams{{(0.03125F + 0.0078125F * static_cast<float>(at % 5)) / (wide ? 256 : 1)},
                              {wide ? 0 : at * 29 % 120 - 60},
                              -1,
                              0,
                              -reach,
                              reach - 1}};
    const auto weight = module.params.find("weight");
    if (weight == module.params.end()) continue;
    QParams q{std::vector<float>(static_cast<size_t>(weight->second.size(0)), 0.01F), {}, 0, 0, -128, 127};
    for (int32_t c = 0; c < weight->second.size(0); ++c) q.zero_point.push_back(weight_zero_points ? c * 40 - 60 : 0);
    Tensor codes(weight->second.shape(), DType::i8);
    for (int8_t& w : codes.mutable_data<int8_t>()) w = static_cast<int8_t>(g.integer(-127, 128));
    weight->second = codes.with(q);
    for (float& b : module.params.at("bias").mutable_data<float>()) b = static_cast<float>(g.integer(-8, 9)) / 8;
  }
  return m;
}

/// Two convolutions and their sum, and a linear layer whose weights have zero points.
Model residual() {
  Model m;
  m.add("x", Input{{1, 5, 5, 4}});
  const int a = m.add("a", Conv2d{.in = 4, .out = 4, .padding = pad_all(1)});
  const int b = m.add("b", Conv2d{.in = 4, .out = 4, .padding = pad_all(1)});
  m.add("sum", Binary{}, {b, a});
  m.add("flat", Reshape{{0, -1}});
  m.add("head", Linear{100, 3});
  return m;
}

}  // namespace

TEST_CASE("every field of an image refuses what it must not be, and what it may be stays in bounds") {
  Accepted accepted;
  int probed = 0;
  std::set<uint16_t> kinds;
  const auto probe = [&](const Model& int8, const FirmwareOptions& options) {
    Prober p(image_bytes(plan_firmware(int8, options)), accepted);
    p.run();
    probed += p.probed;
    kinds.insert(p.kinds.begin(), p.kinds.end());
  };
  for (const Rounding rounding : {Rounding::real, Rounding::fixed_double, Rounding::fixed_single}) {
    const Model every = in_codes(every_op(), rounding, false);
    for (const FirmwareTarget target : {FirmwareTarget::portable, FirmwareTarget::cortex_m4, FirmwareTarget::cortex_m55})
      probe(every, {.target = target});
    probe(every, {.float_inputs = true, .float_outputs = true});
    probe(in_codes(functions(), rounding, false), {});
    probe(in_codes(arrangements(), rounding, false), {});
    probe(in_codes(residual(), rounding, false), {});
    probe(in_codes(residual(), rounding, true), {});
    if (rounding == Rounding::real) continue;
    const auto wide = [&](const Model& net, bool floats) {
      probe(in_codes(net, rounding, false, true), {.float_inputs = floats, .float_outputs = floats});
    };
    wide(every_op(), false), wide(every_op(), true), wide(functions(), false), wide(arrangements(), false);
  }
  // Every operator of the list has been tried, or its check is not.
  kernels::Kernels::each([&](auto info) {
    for (const kernels::DeviceOp& op : decltype(info)::device) {
      INFO(op.name);
      CHECK(kinds.contains(op.kind));
    }
  });
  std::string now;
  for (const auto& [field, values] : accepted) now += field + ": " + text(values) + "\n";
  CHECK(probed > 30'000);
  // The list is as it was read and agreed to; OCTET_WRITE_FIELDS=FILE writes the one of now.
  if (const char* file = std::getenv("OCTET_WRITE_FIELDS")) write_file(file, std::as_bytes(std::span(now)));
  const Bytes stored = read_file(std::string(std::getenv("OCTET_TEST_DATA")) + "/accepted_fields.txt", 1 << 20);
  const std::string before(reinterpret_cast<const char*>(stored.data()), stored.size());
  const auto lines = [](const std::string& list) {
    std::set<std::string> all;
    for (size_t at = 0, end; (end = list.find('\n', at)) != std::string::npos; at = end + 1) all.insert(list.substr(at, end - at));
    return all;
  };
  for (const std::string& line : lines(now)) {
    INFO("accepts now: " << line);
    CHECK(lines(before).contains(line));
  }
  for (const std::string& line : lines(before)) {
    INFO("accepted before: " << line);
    CHECK(lines(now).contains(line));
  }
}
