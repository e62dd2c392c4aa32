// SPDX-License-Identifier: Apache-2.0
// What can go wrong: damaged images, wrong arenas, missing operators, hostile records. Every error has a name and writes nothing.
#include <algorithm>
#include <set>

#include "tests/catch.h"
#include "tests/io/temp_dir.h"
#include "tests/runtime/device.h"
#include "tests/runtime/networks.h"
#include "tests/runtime/rewrite.h"

using namespace octet;
using namespace octet::device;
using octet::testing::error_of;

namespace {

const Example& small() {
  static const Example e = quantized("every_op", every_op(), Rounding::fixed_double, true, 1);
  return e;
}
const FirmwarePlan& small_plan() {
  static const FirmwarePlan plan = plan_firmware(small().int8);
  return plan;
}

octet_status opened(std::span<const std::byte> image) { return Device(image).status(); }

}  // namespace

TEST_CASE("every truncated image is refused") {
  const Bytes good = image_bytes(small_plan());
  REQUIRE(opened(good) == OCTET_OK);
  size_t accepted = 0;
  std::set<octet_status> reasons;
  for (size_t n = 0; n < good.size(); ++n) {
    const octet_status s = opened(std::span(good).first(n));
    accepted += s == OCTET_OK;
    reasons.insert(s);
  }
  CHECK(accepted == 0);
  CHECK(reasons == std::set<octet_status>{OCTET_ERROR_SIZE});
  Bytes longer = good;
  longer.resize(good.size() + 16);
  CHECK(opened(longer) == OCTET_ERROR_SIZE);
}

TEST_CASE("every image with one bit flipped is refused") {
  const Bytes good = image_bytes(small_plan());
  size_t accepted = 0, tried = 0;
  Aligned image(good);
  octet_model model{};
  const auto ops = all_ops();
  for (size_t byte = 0; byte < good.size(); ++byte)
    for (int bit = 0; bit < 8; ++bit, ++tried) {
      image.data()[byte] ^= std::byte{1} << bit;
      accepted += octet_model_open(&model, image.data(), image.size(), ops.data(), ops.size()) == OCTET_OK;
      image.data()[byte] ^= std::byte{1} << bit;
    }
  CHECK(tried == good.size() * 8);
  CHECK(accepted == 0);
  CHECK(model.image == nullptr);  // a failed open leaves the model as it was
}

TEST_CASE("a bit flipped behind a repaired checksum never leads outside a buffer") {
  // What is still accepted differs in weights, tables, names or scales; it must run inside its memory, which the sanitizers watch.
  const Bytes good = image_bytes(small_plan());
  size_t accepted = 0, refused = 0;
  for (size_t byte = 0; byte < good.size(); ++byte) {
    Bytes bad = good;
    bad[byte] ^= std::byte{1} << (byte * 5 % 8);
    repair_checksum(bad);
    const Device device(bad);
    const Outcome o = device.run(small().samples);
    (o.status == OCTET_OK ? accepted : refused) += 1;
  }
  CHECK(accepted > 100);  // or nothing was repaired
  CHECK(refused > 100);
}

TEST_CASE("hostile constants of packed layers never leave defined arithmetic") {
  // Weights, tables and constants of the families' kernels are taken as they are; whatever they say must run, which UBSan watches.
  Generator random(11);
  for (const FirmwareTarget target : {FirmwareTarget::cortex_m4, FirmwareTarget::cortex_m55})
    for (const Rounding rounding : {Rounding::real, Rounding::fixed_double, Rounding::fixed_single}) {
      const Example e = quantized("every_op", every_op(), rounding, true, 1);
      const FirmwarePlan plan = plan_firmware(e.int8, {.target = target});
      REQUIRE((rounding == Rounding::real || std::ranges::any_of(plan.steps, [](const FirmwareStep& s) {
                 return std::holds_alternative<kernels::AddArgs>(s.args) && !s.packed.empty();
               })));
      const Bytes good = image_bytes(plan);
      const auto h = take<image::Header>(good, 0);
      int run = 0;
      for (int repeat = 0; repeat < 40; ++repeat) {
        Bytes bad = good;
        for (size_t at = h.header_bytes + h.records_bytes; at < bad.size(); ++at)
          if (const uint32_t dice = random.next32(); dice % 4 == 0)
            bad[at] = dice % 8 == 0 ? std::byte{0x7f} : static_cast<std::byte>(dice >> 16);
        repair_checksum(bad);
        run += Device(bad).run(e.samples).status == OCTET_OK ? 1 : 0;
      }
      CAPTURE(to_string(rounding), run);
      CHECK(run >= 0);
    }
}

TEST_CASE("a wrong arena is an error with a name and nothing is written") {
  const Bytes image = image_bytes(small_plan());
  const Device device(image);
  const size_t need = octet_arena_size(device.model());
  std::vector<std::byte> memory(need + 64, std::byte{0x5a});
  std::byte* arena = memory.data() + (16 - reinterpret_cast<uintptr_t>(memory.data()) % 16) % 16;
  CHECK(octet_run(device.model(), arena, need - 1, nullptr, nullptr) == OCTET_ERROR_ARENA);
  CHECK(octet_run(device.model(), arena, 0, nullptr, nullptr) == OCTET_ERROR_ARENA);
  CHECK(octet_run(device.model(), arena + 1, need + 16, nullptr, nullptr) == OCTET_ERROR_ALIGNMENT);
  CHECK(octet_run(device.model(), arena + 8, need + 16, nullptr, nullptr) == OCTET_ERROR_ALIGNMENT);
  CHECK(octet_run(device.model(), nullptr, need, nullptr, nullptr) == OCTET_ERROR_NULL);
  CHECK(octet_run(nullptr, arena, need, nullptr, nullptr) == OCTET_ERROR_NULL);
  const octet_model closed{};
  CHECK(octet_run(&closed, arena, need, nullptr, nullptr) == OCTET_ERROR_NULL);
  CHECK(octet_arena_size(&closed) == 0);
  CHECK(octet_input(&closed, arena, 0) == nullptr);
  CHECK(octet_input_count(nullptr) == 0);
  CHECK(std::ranges::all_of(memory, [](std::byte b) { return b == std::byte{0x5a}; }));
  CHECK(octet_run(device.model(), arena, need, nullptr, nullptr) == OCTET_OK);
}

TEST_CASE("opening names what is missing") {
  const Bytes bytes = image_bytes(small_plan());
  const Aligned image(bytes);
  const auto ops = all_ops();
  octet_model model{};
  CHECK(octet_model_open(nullptr, image.data(), image.size(), ops.data(), ops.size()) == OCTET_ERROR_NULL);
  CHECK(octet_model_open(&model, nullptr, image.size(), ops.data(), ops.size()) == OCTET_ERROR_NULL);
  CHECK(octet_model_open(&model, image.data(), image.size(), nullptr, 3) == OCTET_ERROR_NULL);
  const Aligned shifted(image.size() + 16);
  std::memcpy(shifted.data() + 4, image.data(), image.size());
  CHECK(octet_model_open(&model, shifted.data() + 4, image.size(), ops.data(), ops.size()) == OCTET_ERROR_ALIGNMENT);
  const auto open_without = [&](const octet_op* missing) {
    std::vector<const octet_op*> rest;
    for (const octet_op* op : ops)
      if (op != missing) rest.push_back(op);
    return octet_model_open(&model, image.data(), image.size(), rest.data(), rest.size());
  };
  CHECK(open_without(&octet_op_conv2d_fixed_double) == OCTET_ERROR_ROUNDING);
  CHECK(open_without(&octet_op_clamp) == OCTET_ERROR_OPERATOR);
  CHECK(open_without(&octet_op_conv2d_real) == OCTET_OK);
  const std::vector<const octet_op*> none{nullptr};
  CHECK(octet_model_open(&model, image.data(), image.size(), none.data(), 1) == OCTET_ERROR_NULL);
}

TEST_CASE("every error code has a name of its own") {
  std::set<std::string> names;
  for (int s = OCTET_OK; s <= OCTET_ERROR_INDEX; ++s) names.insert(octet_status_name(static_cast<octet_status>(s)));
  CHECK(names.size() == OCTET_ERROR_INDEX + 1);
  CHECK(names.contains("OCTET_ERROR_ARENA"));
  CHECK(std::string(octet_status_name(static_cast<octet_status>(77))) == "unknown octet_status");
}

TEST_CASE("hostile headers and records are refused by name behind a right checksum") {
  const Bytes good = image_bytes(small_plan());
  const auto status_of = [&](auto change) {
    Bytes bad = good;
    change(bad);
    repair_checksum(bad);
    return opened(bad);
  };
  const auto header = [&](auto change) {
    return status_of([&](Bytes& b) {
      auto h = take<image::Header>(b, 0);
      change(h);
      put(b, 0, h);
    });
  };
  CHECK(header([](auto&) {}) == OCTET_OK);
  CHECK(header([](auto& h) { h.magic[0] = 'X'; }) == OCTET_ERROR_MAGIC);
  CHECK(header([](auto& h) { h.version = image::kVersion + 1; }) == OCTET_ERROR_VERSION);
  CHECK(header([](auto& h) { h.reserved[3] = 1; }) == OCTET_ERROR_VERSION);
  CHECK(header([](auto& h) { h.rounding = static_cast<Rounding>(4); }) == OCTET_ERROR_RECORD);
  CHECK(header([](auto& h) { h.rounding = Rounding::int_bias; }) == OCTET_ERROR_ROUNDING);
  CHECK(header([](auto& h) { h.rounding = Rounding::fixed_single; }) == OCTET_ERROR_ARGUMENTS);
  CHECK(header([](auto& h) { h.records_bytes = 0xfffffff0; }) == OCTET_ERROR_RANGE);
  CHECK(header([](auto& h) { h.arena_bytes -= 16; }) == OCTET_ERROR_RANGE);
  CHECK(header([](auto& h) { h.steps -= 1; }) != OCTET_OK);
  CHECK(header([](auto& h) { h.values += 1; }) != OCTET_OK);
  CHECK(header([](auto& h) { h.outputs = 0; }) != OCTET_OK);

  const auto records = records_in(good);
  const auto move = [&](size_t value, uint32_t offset) {
    return status_of([&](Bytes& b) {
      auto v = take<image::Value>(b, records[0].payload + value * sizeof(image::Value));
      v.offset = offset;
      put(b, records[0].payload + value * sizeof v, v);
    });
  };
  const auto first = take<image::Value>(good, records[0].payload);
  CHECK(move(1, first.offset) == OCTET_ERROR_RANGE);      // the first layer would write over its own input
  CHECK(move(1, first.offset + 8) == OCTET_ERROR_RANGE);  // not aligned
  CHECK(move(1, 1u << 30) == OCTET_ERROR_RANGE);
  const auto step =
      std::ranges::find_if(records, [](const Record& r) { return r.kind == kernels::Info<kernels::Conv2dArgs>::device[0].kind; });
  REQUIRE(step != records.end());
  const auto change_step = [&](auto change) {
    return status_of([&](Bytes& b) {
      auto s = take<image::Step>(b, step->payload);
      change(s);
      put(b, step->payload, s);
    });
  };
  const auto change_operand = [&](size_t which, auto change) {
    return status_of([&](Bytes& b) {
      const size_t at = step->payload + sizeof(image::Step) + which * sizeof(image::Operand);
      auto o = take<image::Operand>(b, at);
      change(o);
      put(b, at, o);
    });
  };
  CHECK(change_operand(0, [](auto&) {}) == OCTET_OK);
  CHECK(change_operand(0, [](auto& o) { o.value = 5; }) == OCTET_ERROR_RANGE);       // not yet written
  CHECK(change_operand(1, [](auto& o) { o.value = 9; }) == OCTET_ERROR_RANGE);       // out of order
  CHECK(change_operand(1, [](auto& o) { o.offset = 1; }) == OCTET_ERROR_ARGUMENTS);  // too little room
  CHECK(change_operand(0, [](auto& o) { o.offset = 1; }) == OCTET_ERROR_ARGUMENTS);
  CHECK(change_operand(0, [](auto& o) { o.offset = UINT32_MAX; }) == OCTET_ERROR_RANGE);
  CHECK(change_operand(0, [](auto& o) { o.reserved = 1; }) == OCTET_ERROR_RANGE);
  CHECK(change_step([](auto& s) { s.inputs = 0; }) == OCTET_ERROR_RECORD);
  CHECK(change_step([](auto& s) { s.outputs = 5; }) == OCTET_ERROR_RECORD);
  CHECK(change_step([](auto& s) { s.tables = 3; }) == OCTET_ERROR_RECORD);
  CHECK(change_step([](auto& s) { s.scratch_bytes = 1 << 30; }) == OCTET_ERROR_RANGE);
  CHECK(change_step([](auto& s) { s.flags |= 128; }) == OCTET_ERROR_VERSION);
  CHECK(change_step([](auto& s) { s.args_bytes = 4; }) != OCTET_OK);

  const image::StepParts parts = image::parts_of(take<image::Step>(good, step->payload));
  const auto change_args = [&](auto change) {
    return status_of([&](Bytes& b) {
      auto a = take<kernels::Conv2dArgs>(b, step->payload + parts.args);
      change(a);
      put(b, step->payload + parts.args, a);
    });
  };
  CHECK(change_args([](auto&) {}) == OCTET_OK);
  CHECK(change_args([](auto& a) { a.in_h += 1; }) == OCTET_ERROR_ARGUMENTS);
  CHECK(change_args([](auto& a) { a.groups = 0; }) == OCTET_ERROR_ARGUMENTS);
  CHECK(change_args([](auto& a) { a.kernel_h = INT32_MAX; }) == OCTET_ERROR_ARGUMENTS);
  CHECK(change_args([](auto& a) { a.stride_w = 0; }) == OCTET_ERROR_ARGUMENTS);
  CHECK(change_args([](auto& a) { a.output.clamp_max = 400; }) == OCTET_ERROR_ARGUMENTS);
  CHECK(change_args([](auto& a) { a.residual_scale = 1; }) == OCTET_ERROR_ARGUMENTS);
  CHECK(change_args([](auto& a) { a.input_type = static_cast<kernels::CodeType>(2); }) == OCTET_ERROR_ARGUMENTS);
  CHECK(status_of([&](Bytes& b) {  // bias codes of 2^31 - 1: the sum can leave 32 bits
          const auto t = take<image::Tables>(b, step->payload + parts.tables);
          put(b, t.bias_codes, INT32_MAX);
        }) == OCTET_ERROR_BOUND);
}

TEST_CASE("a record too many, and a value that nobody writes, are refused") {
  // Without weights nothing lies behind the records, so that they can grow.
  Model m;
  m.add("x", Input{{1, 16}});
  m.add("relu", Unary{UnaryFn::relu});
  for (Module& module : m.modules) module.out_q = {QParams{{0.5F}, {3}, -1, 0, -128, 127}};
  const Bytes good = image_bytes(plan_firmware(m));
  const auto records = records_in(good);
  const auto header = take<image::Header>(good, 0);
  const size_t end = size_t{header.header_bytes} + header.records_bytes;
  REQUIRE(opened(good) == OCTET_OK);
  REQUIRE(image::padded(static_cast<uint32_t>(end), image::kAlignment) == good.size());
  // `bytes` put in at `at`, the header's sizes made right.
  const auto with = [&](size_t at, std::span<const std::byte> bytes, uint16_t values) {
    Bytes longer(good.begin(), good.begin() + static_cast<ptrdiff_t>(end));
    longer.insert(longer.begin() + static_cast<ptrdiff_t>(at), bytes.begin(), bytes.end());
    longer.resize(image::padded(static_cast<uint32_t>(longer.size()), image::kAlignment));
    auto h = header;
    h.records_bytes += static_cast<uint32_t>(bytes.size()), h.values = values;
    put(longer, 0, h);
    return longer;
  };
  const auto status = [](Bytes image) {
    repair_checksum(image);
    return opened(image);
  };
  CHECK(status(with(end, {}, header.values)) == OCTET_OK);
  const std::span<const std::byte> all = good;
  const Record& port = records[1];
  CHECK(status(with(end, all.subspan(port.payload - 8, port.bytes + 8), header.values)) == OCTET_ERROR_RECORD);
  const Record& step = records.back();  // once more what is complete
  CHECK(status(with(end, all.subspan(step.payload - 8, step.bytes + 8), header.values)) != OCTET_OK);
  Bytes spare = with(records[0].payload + records[0].bytes, all.subspan(records[0].payload, sizeof(image::Value)),
                     static_cast<uint16_t>(header.values + 1));
  auto values = take<image::RecordHeader>(spare, records[0].payload - 8);
  values.bytes += sizeof(image::Value);
  put(spare, records[0].payload - 8, values);
  CHECK(status(spare) == OCTET_ERROR_RANGE);
}

TEST_CASE("packed weights that are a little longer than their layer needs are refused") {
  for (const FirmwareTarget target : {FirmwareTarget::cortex_m4, FirmwareTarget::cortex_m55}) {
    Bytes longer = image_bytes(plan_firmware(small().int8, {.target = target}));
    REQUIRE(opened(longer) == OCTET_OK);
    const std::vector<Record> records = records_in(longer);
    const auto last = std::find_if(records.rbegin(), records.rend(),
                                   [](const Record& r) { return r.kind == static_cast<uint16_t>(image::Kind::packed); });
    REQUIRE(last != records.rend());
    auto packed = take<image::Packed>(longer, last->payload);
    const auto grown = image::padded(packed.offset + packed.bytes + 16, image::kAlignment);
    REQUIRE(image::padded(packed.offset + packed.bytes, image::kAlignment) == longer.size());  // it is the last blob
    packed.bytes += 16;
    longer.resize(grown);
    put(longer, last->payload, packed);
    repair_checksum(longer);
    CHECK(opened(longer) == OCTET_ERROR_ARGUMENTS);
  }
}

TEST_CASE("what a device cannot run is refused on the host, naming the module") {
  Model m = tiny_separable();
  Generator random(1);
  initialize(m, random);
  CHECK(error_of([&] { static_cast<void>(plan_firmware(m)); }).starts_with("image: a float input"));
  Example e = quantized("tiny", tiny_separable(), Rounding::int_bias, false, 1);
  CHECK(error_of([&] { static_cast<void>(plan_firmware(e.int8)); }).find("int_bias") != std::string::npos);
  Model nothing;
  nothing.add("own", Constant{{4}});
  nothing.modules[0].params["value"] = Tensor::full({4}, 1);
  nothing.modules[0].out_q = {QParams{{1}, {0}, -1, 0, 0, 255}};
  CHECK(error_of([&] { static_cast<void>(plan_firmware(nothing)); }).find("has no input") != std::string::npos);
  e = quantized("tiny", tiny_separable(), Rounding::real, false, 1);
  e.int8["head"].out_q = {std::nullopt};
  CHECK(error_of([&] { static_cast<void>(plan_firmware(e.int8)); }).starts_with("head: linear runs in float"));
  CHECK(error_of([&] { static_cast<void>(image_source(small_plan(), "9lives")); }).find("9lives") != std::string::npos);
}

TEST_CASE("budgets fail with the layer that breaks them") {
  const FirmwarePlan& plan = small_plan();
  CHECK_NOTHROW(check_budget(plan, plan.arena_bytes, static_cast<int64_t>(image_bytes(plan).size())));
  CHECK_NOTHROW(check_budget(plan, 0, 0));
  const auto largest = std::ranges::max_element(plan.steps, {}, &FirmwareStep::live_bytes);
  const std::string ram = error_of([&] { check_budget(plan, plan.arena_bytes - 1, 0); });
  CHECK(ram.starts_with(largest->path + ": "));
  // A budget that the layer with most just fits is broken by the arrangement, not by the layer.
  FirmwarePlan loose = plan;
  loose.arena_bytes = largest->live_bytes + 16;
  const std::string apart = error_of([&] { check_budget(loose, largest->live_bytes, 0); });
  CHECK(apart.find("every layer fits") != std::string::npos);
  CHECK(error_of([&] { check_budget(loose, largest->live_bytes - 1, 0); }).find("bytes are alive") != std::string::npos);
  const std::string flash = error_of([&] { check_budget(plan, 0, 3000); });
  CHECK(std::ranges::any_of(plan.steps, [&](const FirmwareStep& s) { return flash.starts_with(s.path + ": "); }));
  CHECK(flash.find("3000") != std::string::npos);
}
