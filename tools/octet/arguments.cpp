// SPDX-License-Identifier: Apache-2.0
// Checking arguments with messages that say what was expected.
#include "tools/octet/arguments.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <numeric>

#include "io/model_file.h"
#include "quant/fake_quantize.h"
#include "runtime/image.h"

namespace octet::cli {
namespace {

template <class T>
bool parsed(const std::string& text, T& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

size_t edits(const std::string& a, const std::string& b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i + 1;
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t change = diagonal + (a[i] != b[j]);
      diagonal = row[j + 1];
      row[j + 1] = std::min({row[j] + 1, row[j + 1] + 1, change});
    }
  }
  return row.back();
}

}  // namespace

CLI::Validator whole_number(int64_t least, int64_t most) {
  std::string expected = "expected a whole number ";
  expected += most == std::numeric_limits<int64_t>::max() ? "of at least " : "from ";
  expected += std::to_string(least);
  if (most != std::numeric_limits<int64_t>::max()) expected.append(" to ").append(std::to_string(most));
  const auto check_text = [=](std::string& text) {
    int64_t v = 0;
    return parsed(text, v) && v >= least && v <= most ? std::string() : expected + ", got \"" + text + "\"";
  };
  return CLI::Validator(check_text, "N");
}

CLI::Validator finite_number(bool negative) {
  const auto check_text = [=](std::string& text) -> std::string {
    double v = 0;
    if (parsed(text, v) && std::isfinite(v) && (negative || v >= 0)) return "";
    return std::string("expected a ") + (negative ? "" : "not negative ") + "number, got \"" + text + "\"";
  };
  return CLI::Validator(check_text, "X");
}

double number_of(const std::string& text) {
  double v = 0;
  check(parsed(text, v) && std::isfinite(v), "expected a number, got \"", text, "\"");
  return v;
}

std::string did_you_mean(const std::string& name, std::span<const std::string> names) {
  const auto nearest = std::ranges::min_element(names, {}, [&](const std::string& n) { return edits(name, n); });
  if (nearest == names.end() || edits(name, *nearest) > std::max<size_t>(1, name.size() / 3)) return "";
  return ", did you mean \"" + *nearest + "\"?";
}

std::string kind_of_file(const std::string& path) {
  std::error_code unknown;
  if (!std::filesystem::is_regular_file(path, unknown)) return "";  // opening a pipe would wait for its writer
  std::array<char, 16> head{};
  std::ifstream file(path, std::ios::binary);
  file.read(head.data(), head.size());
  const std::string_view bytes(head.data(), static_cast<size_t>(std::max<std::streamsize>(0, file.gcount())));
  const std::string_view magic(reinterpret_cast<const char*>(image::kMagic), sizeof image::kMagic);
  if (file.is_open() && bytes.empty()) return "an empty file";
  if (bytes.starts_with(magic)) return "a firmware image (octet inspect prints it)";
  if (bytes.starts_with("\x93NUMPY")) return "a NumPy array (data of octet report)";
  if (bytes.size() > 8 && bytes[8] == '{') return "a model file (octet explain, report, plan and image read it)";
  if (bytes.starts_with("\x1f\x8b")) return "a gzip file";
  if (bytes.starts_with("PK")) return "a zip archive (unpack it first)";
  if (bytes.starts_with("<")) return "an HTML or XML page";
  if (bytes.starts_with("{")) return "a JSON text (octet compare-reports reads reports)";
  if (bytes.starts_with("\x7f"
                        "ELF"))
    return "a program";
  return "";
}

Model open_model(const std::string& path) {
  const std::string kind = kind_of_file(path);
  check(kind.empty() || kind.starts_with("a model file"), path, ": expected a model file as save_model writes it, this is ", kind);
  return load_model(path, make_hook).model;
}

std::vector<Shape> input_shapes(const Model& model, int64_t batch) {
  std::vector<Shape> shapes;
  for (const Module& module : model.modules) {
    if (!std::holds_alternative<Input>(module.op)) continue;
    shapes.push_back(module.nominal[0]);
    check(!shapes.back().empty(), module.path, ": a scalar input has no batch");
    shapes.back()[0] = batch;
  }
  return shapes;
}

}  // namespace octet::cli
