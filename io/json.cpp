// SPDX-License-Identifier: Apache-2.0
// Checks on top of nlohmann::json, whose own parser keeps the last of two equal keys, has no depth limit and takes a zero byte for
// the end of its input.
#include "io/json.h"

#include <algorithm>
#include <limits>
#include <set>
#include <utility>
#include <vector>

#include "engine/check.h"

namespace octet::json {

Value parse(std::string_view text, std::string_view name, int max_depth) {
  check(text.find('\0') == std::string_view::npos, name, ": JSON contains a zero byte");
  std::vector<std::set<std::string, std::less<>>> keys;  // of the objects that are open here
  const auto callback = [&](int depth, Value::parse_event_t event, Value& value) {
    using Event = Value::parse_event_t;
    if (event == Event::object_start || event == Event::array_start)
      check(depth < max_depth, name, ": JSON is nested deeper than ", max_depth);
    if (event == Event::object_start) keys.emplace_back();
    if (event == Event::object_end) keys.pop_back();
    if (event == Event::key) {
      const auto& key = value.get_ref<const std::string&>();
      check(keys.back().insert(key).second, name, ": JSON has the key '", key, "' twice");
    }
    return true;
  };
  try {
    return Value::parse(text.begin(), text.end(), callback);
  } catch (const Value::exception& e) {
    fail(name, ": is not valid JSON: ", e.what());
  }
}

std::string dump(const Value& value, std::string_view name) {
  try {
    return value.dump();
  } catch (const Value::exception& e) {
    fail(name, ": cannot be written as JSON: ", e.what());
  }
}

const Value& at(const Value& object, const char* key, std::string_view name) {
  check(object.is_object(), name, ": expected a JSON object, got ", object.type_name());
  const auto found = object.find(key);
  check(found != object.end(), name, ": lacks '", key, "'");
  return *found;
}

void expect_object(const Value& value, std::initializer_list<std::string_view> keys, std::string_view name) {
  check(value.is_object(), name, ": expected a JSON object, got ", value.type_name());
  for (const auto& item : value.items())
    check(std::ranges::find(keys, std::string_view(item.key())) != keys.end(), name, ": unknown key '", item.key(), "'");
}

const Value& array(const Value& value, std::string_view name) {
  check(value.is_array(), name, ": expected a JSON array, got ", value.type_name());
  return value;
}

const Value& array(const Value& value, size_t size, std::string_view name) {
  check(array(value, name).size() == size, name, ": expected ", size, " elements, got ", value.size());
  return value;
}

const std::string& string(const Value& value, std::string_view name) {
  check(value.is_string(), name, ": expected a string, got ", value.type_name());
  return value.get_ref<const std::string&>();
}

bool boolean(const Value& value, std::string_view name) {
  check(value.is_boolean(), name, ": expected true or false, got ", value.type_name());
  return value.get<bool>();
}

int64_t integer(const Value& value, int64_t lo, int64_t hi, std::string_view name) {
  check(value.is_number_integer(), name, ": expected an integer, got ", value.is_number() ? value.dump() : value.type_name());
  // Unsigned numbers of 2^63 and more would turn negative.
  const bool fits = !value.is_number_unsigned() || value.get<uint64_t>() <= uint64_t{std::numeric_limits<int64_t>::max()};
  const int64_t n = fits ? value.get<int64_t>() : 0;
  check(fits && n >= lo && n <= hi, name, ": ", value.dump(), " is outside ", lo, "..", hi);
  return n;
}

double number(const Value& value, std::string_view name) {
  check(value.is_number(), name, ": expected a number, got ", value.type_name());
  return value.get<double>();
}

}  // namespace octet::json
