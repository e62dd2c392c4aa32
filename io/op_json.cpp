// SPDX-License-Identifier: Apache-2.0
// One pair of functions per attribute type; structures of attributes (ConvBn2d::conv) recurse through their own `fields`.
#include "io/op_json.h"
#include "io/file.h"

#include <cmath>
#include <memory>
#include <string>
#include <utility>

namespace octet {
namespace {

template <class T>
concept HasFields = requires {
  T::fields;
};
template <class T>
concept Enum = std::is_enum_v<T>;

/// Small enough that the shape rules may add and double attributes without a thought for overflow.
int64_t int64(const json::Value& v, std::string_view where) {
  constexpr int64_t kLimit = int64_t{1} << 40;
  return json::integer(v, -kLimit, kLimit, where);
}

json::Value write(bool v, std::string_view) { return v; }
json::Value write(int64_t v, std::string_view) { return v; }
json::Value write(double v, std::string_view where) {
  check(std::isfinite(v), where, ": ", v, " cannot be saved");
  return v;
}
json::Value write(const Shape& v, std::string_view) { return v; }
json::Value write(const Indices& v, std::string_view) { return static_cast<const std::vector<int64_t>&>(v); }
json::Value write(const Pair& v, std::string_view) { return {v.h, v.w}; }
json::Value write(const Pads& v, std::string_view) { return {v.top, v.left, v.bottom, v.right}; }
template <Enum E>
json::Value write(E v, std::string_view where) {
  const auto index = static_cast<size_t>(v);
  check(index < kEnumNames<E>.size(), where, ": enum value ", index, " has no name");
  return kEnumNames<E>[index];
}
/// By name, or [lo, hi] with null where there is no limit.
constexpr std::pair<const char*, Activation> kActivations[] = {
    {"none", Activation::none}, {"relu", Activation::relu}, {"relu6", Activation::relu6}};
json::Value write(const Activation& v, std::string_view) {
  for (const auto& [name, act] : kActivations)
    if (v == act) return name;
  const auto limit = [](float x) { return std::isfinite(x) ? json::Value(x) : json::Value(); };
  return {limit(v.lo), limit(v.hi)};
}
json::Value write(const std::shared_ptr<const CustomFunction>& v, std::string_view where) {
  check(v != nullptr, where, ": a custom operator without a function cannot be saved");
  return {{"kind", v->kind()}, {"attributes", v->attributes()}};
}
template <HasFields T>
json::Value write(const T& v, std::string_view where) {
  json::Value object = json::Value::object();
  const auto add = [&](const auto& field) {
    if constexpr (requires { (v.*field.member).has_value(); }) {  // an attribute without a value is not written
      if (const auto& own = v.*field.member)
        object[std::string(field.name)] = write(*own, std::string(where) + "." + std::string(field.name));
      return;
    } else
      object[std::string(field.name)] = write(v.*field.member, std::string(where) + "." + std::string(field.name));
  };
  std::apply([&](const auto&... field) { (add(field), ...); }, T::fields);
  return object;
}

void read(bool& to, const json::Value& v, std::string_view where) { to = json::boolean(v, where); }
void read(int64_t& to, const json::Value& v, std::string_view where) { to = int64(v, where); }
void read(double& to, const json::Value& v, std::string_view where) { to = json::number(v, where); }
void read(Shape& to, const json::Value& v, std::string_view where) {
  check(json::array(v, where).size() <= kMaxRank, where, ": has ", v.size(), " elements, at most ", kMaxRank, " are read");
  for (const json::Value& d : v) to.push_back(int64(d, where));
}
void read(Indices& to, const json::Value& v, std::string_view where) {
  for (const json::Value& d : json::array(v, where)) to.push_back(int64(d, where));
}
void read(Pair& to, const json::Value& v, std::string_view where) {
  json::array(v, 2, where);
  to = {int64(v[0], where), int64(v[1], where)};
}
void read(Pads& to, const json::Value& v, std::string_view where) {
  json::array(v, 4, where);
  to = {int64(v[0], where), int64(v[1], where), int64(v[2], where), int64(v[3], where)};
}
template <Enum E>
void read(E& to, const json::Value& v, std::string_view where) {
  const std::string& name = json::string(v, where);
  for (size_t i = 0; i < kEnumNames<E>.size(); ++i)
    if (kEnumNames<E>[i] == name) {
      to = static_cast<E>(i);
      return;
    }
  fail(where, ": unknown value '", name, "'");
}
void read(Activation& to, const json::Value& v, std::string_view where) {
  if (v.is_string()) {
    for (const auto& [name, act] : kActivations)
      if (v == name) {
        to = act;
        return;
      }
    fail(where, ": unknown value '", json::string(v, where), "'");
  }
  json::array(v, 2, where);
  const auto limit = [&](const json::Value& x, float none) {
    return x.is_null() ? none : static_cast<float>(json::number(x, where));
  };
  to = {limit(v[0], -INFINITY), limit(v[1], INFINITY)};
}
/// A function as a file names it, until the program that reads the file says what it is.
class NamedFunction final : public CustomFunction {
 public:
  NamedFunction(std::string kind, std::string attributes) : kind_(std::move(kind)), attributes_(std::move(attributes)) {}
  std::string_view kind() const override { return kind_; }
  std::string attributes() const override { return attributes_; }
  std::vector<Shape> shapes(std::span<const Shape>) const override { fail("is known by its name alone"); }
  std::vector<Var> forward(std::span<const Var>) const override { fail("is known by its name alone"); }

 private:
  std::string kind_, attributes_;
};
void read(std::shared_ptr<const CustomFunction>& to, const json::Value& v, std::string_view where) {
  json::expect_object(v, {"kind", "attributes"}, where);
  const auto text = [&](const char* key) { return json::string(json::at(v, key, where), std::string(where) + "." + key); };
  to = std::make_shared<const NamedFunction>(text("kind"), text("attributes"));
}
template <HasFields T>
void read(T& to, const json::Value& v, std::string_view where) {
  std::apply([&](const auto&... field) { json::expect_object(v, {field.name...}, where); }, T::fields);
  const auto get = [&](const auto& field) {
    const std::string name(field.name);
    if constexpr (requires { (to.*field.member).has_value(); }) {
      if (v.contains(name)) read((to.*field.member).emplace(), v[name], std::string(where) + "." + name);
      return;
    } else
      read(to.*field.member, json::at(v, name.c_str(), where), std::string(where) + "." + name);
  };
  std::apply([&](const auto&... field) { (get(field), ...); }, T::fields);
}

}  // namespace

json::Value attributes_json(const Op& op, std::string_view where) {
  return std::visit([&](const auto& o) { return write(o, where); }, op);
}

Op op_from_json(std::string_view op_name, const json::Value& attributes, std::string_view where) {
  Op result;
  const auto matches = [&]<class T>(T op) {
    if (T::name != op_name) return false;
    read(op, attributes, where);
    result = std::move(op);
    return true;
  };
  const bool found = [&]<size_t... i>(std::index_sequence<i...>) {
    return (matches(std::variant_alternative_t<i, OpVariant>{}) || ...);
  }
  (std::make_index_sequence<std::variant_size_v<OpVariant>>());
  check(found, where, ": unknown operator '", op_name, "'");
  return result;
}

json::Value rounding_json(Rounding rounding) { return write(rounding, "rounding"); }

Rounding rounding_from_json(const json::Value& value, std::string_view where) {
  Rounding rounding{};
  read(rounding, value, where);
  return rounding;
}

}  // namespace octet
