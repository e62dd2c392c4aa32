// SPDX-License-Identifier: Apache-2.0
// docs/operators.md says what every operator can do; this finds it out and compares. OCTET_WRITE_OPERATORS=FILE writes the page.
#include <cstdlib>
#include <map>
#include <set>

#include "compile/program.h"
#include "io/file.h"
#include "io/firmware_plan.h"
#include "tests/kernels/fills.h"
#include "tests/runtime/operator_networks.h"
#include "tests/skip.h"

using namespace octet;
using namespace octet::testing;

namespace octet::operators_page_tests {
namespace {

struct Line {
  std::string attributes, meaning;
  std::set<std::string> floats, codes, wide, m4, m55;
};

std::string joined(const std::set<std::string>& words) {
  std::string text;
  for (const std::string& w : words) text += (text.empty() ? "" : ", ") + w;
  return text.empty() ? "–" : text;
}

/// "unary hard_swish", "conv2d".
std::string title(const Op& op) {
  std::string text(name_of(op));
  const auto add = [&](const auto& names, auto value) { text += " " + std::string(names[static_cast<size_t>(value)]); };
  if (const auto* u = std::get_if<Unary>(&op)) add(kEnumNames<UnaryFn>, u->fn);
  if (const auto* b = std::get_if<Binary>(&op)) add(kEnumNames<BinaryFn>, b->fn);
  if (const auto* r = std::get_if<Reduce>(&op)) add(kEnumNames<ReduceFn>, r->fn);
  if (const auto* p = std::get_if<Pool2d>(&op)) add(kEnumNames<Pool>, p->kind);
  if (const auto* s = std::get_if<Softmax>(&op)) text += s->log ? " log" : "";
  return text;
}

std::string attributes_of(const Op& op) {
  std::string text;
  std::visit(
      [&](const auto& o) {
        std::apply([&](const auto&... field) { ((text += (text.empty() ? "" : ", ") + std::string(field.name)), ...); },
                   std::remove_cvref_t<decltype(o)>::fields);
      },
      op);
  return text.empty() ? "–" : text;
}

std::string meaning_of(const Op& op) {
  switch (traits_of(op).codes) {
    case Codes::keep: return "its input's";
    case Codes::own: return "its own range";
    case Codes::either: return "either, as configured";
    case Codes::fixed: return "a range known before";
    case Codes::none: break;
  }
  return "–";
}

/// Where sessions compute its floats.
std::string float_implementation(const OperatorCase& o) {
  for (const Placement& p : Program::bind(network_of(o))->placements())
    if (p.path == "op") return p.implementation == "tensors" ? "tensors" : "kernels";
  return "kernels";
}

bool computes_codes(const Model& m) { return runs_quantized(m, m.index("op")); }

/// The kernel of a target that runs it.
std::string kernel_on(const Model& int8, FirmwareTarget target) {
  for (const FirmwareStep& step : plan_firmware(int8, {.search_nodes = 200, .target = target}).steps)
    if (step.path == "op")
      for (const PackedWeights& p : step.packed) return "`" + p.op + "`";
  return "portable";
}

std::map<std::string, Line> lines() {
  std::map<std::string, Line> all;
  for (const OperatorCase& o : operators_and_modes()) {
    Line& line = all[title(o.op)];
    line.attributes = attributes_of(o.op);
    line.meaning = meaning_of(o.op);
    if (std::holds_alternative<Input>(o.op)) {
      line.floats.insert("kernels"), line.codes.insert("all"), line.wide.insert("yes");
      line.m4.insert("portable"), line.m55.insert("portable");
      continue;
    }
    line.floats.insert(float_implementation(o));
    bool every = true, some = false;
    for (const Rounding rounding : kRoundings) {
      const Model int8 = converted(o, rounding, octet_device_qconfig(), 0);
      const bool here = computes_codes(int8);
      every = every && here, some = some || here;
      if (!here || rounding == Rounding::int_bias) continue;
      line.m4.insert(kernel_on(int8, FirmwareTarget::cortex_m4));
      line.m55.insert(kernel_on(int8, FirmwareTarget::cortex_m55));
    }
    if (some) line.codes.insert(every ? "all" : "some");
    try {
      const Model wide = converted(o, Rounding::fixed_double, octet_16x8_qconfig(), 0);
      if (computes_codes(wide)) {
        Program::bind(wide);
        line.wide.insert("yes");
      }
    } catch (const Error&) {  // refused by name: too steep for a table, no such kernel
      line.wide.insert("some");
    }
  }
  return all;
}

std::string page() {
  std::string text =
      "# Operators\n\n"
      "Written by a test that tries them (`tests/runtime/operators_page.cpp`), and compared with the program by it.\n\n"
      "Every operator computes floats and their derivatives. *Sessions*: whether a session computes its floats in kernels of "
      "planned "
      "memory, or as training does, on tensors. *int8*: the roundings in which it computes codes; – means that it computes in "
      "float "
      "between codes. Reference and native engine have every int8 form, oneDNN the weighted ones, sums and pools in `real`. "
      "*Codes*: what its output's codes mean. *16 bits*: int16 activations in the fixed roundings; *some*: not every attribute. On "
      "devices what has no kernel of a target's own runs the portable one, the reference kernel compiled for it.\n\n"
      "| operator | attributes | sessions | int8 | codes | 16 bits | Cortex-M4, M7 | Cortex-M55 "
      "|\n|---|---|---|---|---|---|---|---|\n";
  for (const auto& [name, line] : lines()) {
    std::set<std::string> wide = line.wide;
    if (wide.size() > 1) wide = {"some"};
    text += "| " + name + " | " + line.attributes + " | " + joined(line.floats) + " | " + joined(line.codes) + " | " +
            line.meaning + " | " + joined(wide) + " | " + joined(line.m4) + " | " + joined(line.m55) + " |\n";
  }
  return text;
}

}  // namespace

TEST_CASE("the page of operators says what they can do") {
  const char* file = std::getenv("OCTET_OPERATORS_PAGE");
  if (file == nullptr) OCTET_SKIP_CASE("OCTET_OPERATORS_PAGE names no page");
  const std::string now = page();
  CHECK(std::ranges::count(now, '\n') > 80);
  if (const char* to = std::getenv("OCTET_WRITE_OPERATORS")) write_file(to, std::as_bytes(std::span(now)));
  const Bytes bytes = read_file(file, 1 << 20);
  const std::string_view written(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  CHECK(written == now);  // OCTET_WRITE_OPERATORS=docs/operators.md writes it anew
}

}  // namespace octet::operators_page_tests
