// SPDX-License-Identifier: Apache-2.0
// The grammar of case lines: one list of fields per argument struct, walked once to print and once to parse.
#include "tests/kernels/case_line.h"

#include <array>
#include <charconv>
#include <cmath>
#include <map>
#include <stdexcept>

namespace octet::testing {
namespace {

using namespace kernels;

/// Every field but padding, in the order of the struct.
template <class Args, class F>
void fields(Args& a, F&& f) {
  Info<Args>::fields(a, [&](std::string_view name, auto& field) {
    if (name != "reserved") f(name, field);
  });
}

/// The grammar's spelling of an enum, by value.
constexpr std::array<std::string_view, 3> kCodeTypes{"u8", "i8", "i16"};
constexpr std::array<std::string_view, 4> kRoundingNames{"real", "int_bias", "fixed_double", "fixed_single"};
constexpr std::array<std::string_view, 3> kPoolKinds{"max", "average", "adaptive_average"};
constexpr std::array<std::string_view, 5> kBinaryKinds{"add", "sub", "mul", "minimum", "maximum"};
constexpr std::array<std::string_view, 4> kReduceKinds{"mean", "sum", "max", "min"};
constexpr std::array<std::string_view, 3> kActivationKinds{"logistic", "tanh", "leaky_relu"};
constexpr std::array<std::string_view, 5> kFillNames{"random", "all_min", "all_max", "alternating", "ties"};
const auto& names(CodeType) { return kCodeTypes; }
const auto& names(Rounding) { return kRoundingNames; }
const auto& names(PoolKind) { return kPoolKinds; }
const auto& names(BinaryKind) { return kBinaryKinds; }
const auto& names(ReduceKind) { return kReduceKinds; }
const auto& names(ActivationKind) { return kActivationKinds; }
const auto& names(Fill) { return kFillNames; }

template <class T>
std::string number(T value) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof(text), value).ptr};
}

template <class T>
std::string text(const T& value) {
  if constexpr (std::is_enum_v<T>)
    return std::string(names(value)[static_cast<size_t>(value)]);
  else if constexpr (std::is_array_v<T>) {
    std::string list;
    for (const int32_t v : value) list.append(list.empty() ? "" : ",").append(number(v));
    return list;
  } else
    return number(value);
}

/// What is left out of a line.
template <class T>
bool is_zero(const T& value) {
  if constexpr (std::is_array_v<T>) {
    for (const auto v : value)
      if (v != 0) return false;
    return true;
  } else if constexpr (std::is_same_v<T, float>)
    return value == 0 && !std::signbit(value);
  else
    return value == T{};
}

template <class... Parts>
[[noreturn]] void fail(const Parts&... parts) {
  std::string what = "case line: ";
  (what.append(std::string_view(parts)), ...);
  throw std::invalid_argument(what);
}

/// The keys of a line; each is taken once, and what is left over at the end is an error.
class Keys {
 public:
  explicit Keys(std::string_view words) {
    while (true) {
      words.remove_prefix(std::min(words.find_first_not_of(" \t\r\n"), words.size()));
      if (words.empty()) return;
      const std::string_view word = words.substr(0, words.find_first_of(" \t\r\n"));
      words.remove_prefix(word.size());
      const size_t equals = word.find('=');
      if (equals == std::string_view::npos || equals == 0) fail("expected key=value, got \"", word, "\"");
      if (!values_.emplace(word.substr(0, equals), word.substr(equals + 1)).second) fail(word.substr(0, equals), " is given twice");
    }
  }

  template <class T>
  void take(std::string_view key, T& to) {
    const auto found = values_.find(key);
    if (found == values_.end()) return;
    if constexpr (std::is_array_v<T>)
      read_list(key, found->second, to);
    else if constexpr (std::is_same_v<T, std::string_view>)
      to = found->second;
    else
      read(key, found->second, to);
    values_.erase(found);
  }

  void finish(std::string_view kernel) const {
    if (!values_.empty()) fail(kernel, " has no key \"", values_.begin()->first, "\"");
  }

 private:
  template <class T>
  static void read(std::string_view key, std::string_view value, T& to) {
    if constexpr (std::is_enum_v<T>) {
      const auto& all = names(T{});
      std::string expected;
      for (size_t i = 0; i < all.size(); ++i) {
        if (all[i] == value) return void(to = static_cast<T>(i));
        expected.append(i == 0 ? "" : ", ").append(all[i]);
      }
      fail(key, ": expected one of ", expected, ", got \"", value, "\"");
    } else {
      const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), to);
      if (error != std::errc{} || end != value.data() + value.size())
        fail(key, ": expected a", std::is_floating_point_v<T> ? " number" : "n integer in range", ", got \"", value, "\"");
    }
  }
  template <class T, size_t N>
  static void read_list(std::string_view key, std::string_view value, T (&to)[N]) {
    for (size_t i = 0; i < N; ++i) {
      const std::string_view item = value.substr(0, value.find(','));
      read(key, item, to[i]);
      value.remove_prefix(std::min(item.size() + 1, value.size()));
      if (value.empty()) return;
    }
    fail(key, ": expected at most ", text(N), " integers");
  }

  std::map<std::string_view, std::string_view> values_;
};

QEngine engine_of(std::string_view name) {
  std::string expected(to_string(QEngine::automatic));
  if (name == expected) return QEngine::automatic;
  for (const QEngineInfo& info : qengines()) {
    if (name == to_string(info.engine)) return info.engine;
    expected.append(", ").append(to_string(info.engine));
  }
  fail("engine: expected one of ", expected, ", got \"", name, "\"");
}

/// The variant's alternative with this name, zeroed.
template <size_t I = 0>
KernelArgs zeroed(std::string_view name) {
  if constexpr (I == std::variant_size_v<KernelArgs>)
    fail("expected a kernel's name first, got \"", name, "\"");
  else {
    const KernelArgs args(std::in_place_index<I>);
    return name_of(args) == name ? args : zeroed<I + 1>(name);
  }
}

}  // namespace

std::string to_string(const CaseLine& line) {
  std::string result(name_of(line.args));
  const auto add = [&](std::string_view key, const auto& value) {
    if (!is_zero(value)) result.append(" ").append(key).append("=").append(text(value));
  };
  std::visit([&](auto args) { fields(args, add); }, line.args);
  add("weight_zero_points", static_cast<int>(line.weight_zero_points));
  result.append(" fill=").append(text(line.fill)).append(" seed=").append(text(line.seed));
  return result.append(" engine=").append(to_string(line.engine)).append(" threads=").append(text(line.threads));
}

CaseLine parse_case_line(std::string_view words) {
  words.remove_prefix(std::min(words.find_first_not_of(" \t\r\n"), words.size()));
  const std::string_view kernel = words.substr(0, words.find_first_of(" \t\r\n"));
  CaseLine line{.args = zeroed(kernel)};
  Keys keys(words.substr(kernel.size()));
  std::visit([&](auto& args) { fields(args, [&](std::string_view key, auto& value) { keys.take(key, value); }); }, line.args);
  if (kernel == "conv2d" || kernel == "linear") {
    int flag = 0;
    keys.take("weight_zero_points", flag);
    if (flag != 0 && flag != 1) fail("weight_zero_points: expected 0 or 1, got ", text(flag));
    line.weight_zero_points = flag == 1;
  }
  keys.take("fill", line.fill);
  keys.take("seed", line.seed);
  keys.take("threads", line.threads);
  if (line.threads < 1 || line.threads > 1024) fail("threads: expected 1 to 1024, got ", text(line.threads));
  std::string_view engine;
  keys.take("engine", engine);
  if (!engine.empty()) line.engine = engine_of(engine);
  keys.finish(kernel);
  if (const std::string why = invalid(line.args); !why.empty()) fail(why);
  return line;
}

}  // namespace octet::testing
