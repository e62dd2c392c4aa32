// SPDX-License-Identifier: Apache-2.0
// JSON from files that may be damaged or hostile, private to io/: nesting bounded, duplicate keys refused, numbers checked for
// range, one Error for everything that is not as expected. `name` is the file and the place in it.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace octet::json {

using Value = nlohmann::json;

/// Throws Error naming `name` unless the text is one JSON value, nested at most `max_depth` deep, without duplicate keys.
Value parse(std::string_view text, std::string_view name, int max_depth);
/// UTF-8 text of a value; throws if a string is not UTF-8.
std::string dump(const Value&, std::string_view name);

/// The object's member; throws if it is missing.
const Value& at(const Value& object, const char* key, std::string_view name);
/// Throws unless the value is an object with no other keys than these.
void expect_object(const Value&, std::initializer_list<std::string_view> keys, std::string_view name);
const Value& array(const Value&, std::string_view name);
const Value& array(const Value&, size_t size, std::string_view name);
const std::string& string(const Value&, std::string_view name);
bool boolean(const Value&, std::string_view name);
int64_t integer(const Value&, int64_t lo, int64_t hi, std::string_view name);
double number(const Value&, std::string_view name);

}  // namespace octet::json
