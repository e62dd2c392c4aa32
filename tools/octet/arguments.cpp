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
#include <optional>

#include "io/model_file.h"
#include "io/tflite/tflite.h"
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

namespace {

/// The first bytes of a regular file; of anything else (opening a pipe would wait for its writer) nothing.
std::optional<std::string> head_of(const std::string& path) {
  std::error_code unknown;
  if (!std::filesystem::is_regular_file(path, unknown)) return std::nullopt;
  std::array<char, 16> head{};
  std::ifstream file(path, std::ios::binary);
  if (!file.is_open()) return std::nullopt;
  file.read(head.data(), head.size());
  return std::string(head.data(), static_cast<size_t>(std::max<std::streamsize>(0, file.gcount())));
}

const std::string_view kImageMagic(reinterpret_cast<const char*>(image::kMagic), sizeof image::kMagic);

bool starts_as_tflite(const std::string& bytes) { return is_tflite(std::as_bytes(std::span(bytes))); }

}  // namespace

std::string kind_of_file(const std::string& path) {
  const std::optional<std::string> head = head_of(path);
  if (!head) return "";
  const std::string& bytes = *head;
  if (bytes.empty()) return "an empty file";
  if (bytes.starts_with(kImageMagic)) return "a firmware image (octet inspect prints it)";
  if (bytes.starts_with("\x93NUMPY")) return "a NumPy array (data of octet run, quantize, report, …)";
  if (starts_as_tflite(bytes)) return "a model file of TensorFlow Lite";
  if (bytes.size() > 8 && bytes[8] == '{') return "a model file (octet inspect, run, explain, firmware, … read it)";
  if (bytes.starts_with("\x1f\x8b")) return "a gzip file";
  if (bytes.starts_with("PK")) return "a zip archive (NumPy's end in .npz, and FILE.npz:NAME is one of their arrays)";
  if (bytes.starts_with("\x89PNG") || bytes.starts_with("\xff\xd8\xff"))
    return "a picture (data of octet run, quantize, report, …)";
  if (bytes.starts_with("<")) return "an HTML or XML page";
  if (bytes.starts_with("{")) return "a JSON text (octet compare-reports reads reports)";
  if (bytes.starts_with("\x7f"
                        "ELF"))
    return "a program";
  return "";
}

bool is_image(const std::string& path) {
  const std::optional<std::string> head = head_of(path);
  return head && head->starts_with(kImageMagic);
}

void add_model(CLI::App& verb, std::string& path, const std::string& what) {
  verb.add_option("model", path, what)->required()->type_name("MODEL");
}

OpenedModel open_file(const std::string& path) {
  const std::optional<std::string> head = head_of(path);
  if (head && starts_as_tflite(*head)) {
    TfliteModel loaded = load_tflite(path);
    OpenedModel opened{.model = std::move(loaded.model), .notes = std::move(loaded.notes), .places = {}};
    for (const TflitePort& port : loaded.inputs) opened.places.push_back(port.place);
    return opened;
  }
  const std::string kind = kind_of_file(path);
  check(kind.empty() || kind.starts_with("a model file"), path, ": expected a model file as save_model writes it, this is ", kind);
  LoadedModel loaded = load_model(path, make_hook);
  OpenedModel opened{.model = std::move(loaded.model), .notes = std::move(loaded.notes), .places = {}};
  for (const Module& m : opened.model.modules)
    if (std::holds_alternative<Input>(m.op)) opened.places.push_back(static_cast<int>(opened.places.size()));
  return opened;
}

Model open_model(const std::string& path) { return open_file(path).model; }

}  // namespace octet::cli
