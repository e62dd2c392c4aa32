// SPDX-License-Identifier: Apache-2.0
// Names and preprocessing of a model's inputs and outputs: read, written, and checked alike.
#include "io/interface_json.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace octet {
namespace {

constexpr std::array<std::string_view, 3> kResizes{"stretch", "crop", "none"};
constexpr std::array<std::string_view, 2> kLayouts{"nhwc", "nchw"};

template <class E, size_t N>
E one_of(const std::array<std::string_view, N>& names, const json::Value& value, const std::string& where) {
  const std::string& name = json::string(value, where);
  const auto found = std::ranges::find(names, name);
  check(found != names.end(), where, ": unknown value '", name, "'");
  return static_cast<E>(found - names.begin());
}

std::vector<float> floats_from(const json::Value& value, const std::string& where) {
  std::vector<float> list;
  for (const json::Value& v : json::array(value, where)) {
    const double x = json::number(v, where);
    check(std::abs(x) <= double{std::numeric_limits<float>::max()}, where, ": ", x, " is no float");
    list.push_back(static_cast<float>(x));
  }
  return list;
}

json::Value preprocessing_json(const Preprocessing& p) {
  return {{"mean", p.mean},
          {"std", p.std},
          {"resize", kResizes.at(static_cast<size_t>(p.resize))},
          {"shorter", p.shorter},
          {"layout", kLayouts.at(static_cast<size_t>(p.layout))}};
}

Preprocessing preprocessing_from(const json::Value& value, const std::string& where) {
  json::expect_object(value, {"mean", "std", "resize", "shorter", "layout"}, where);
  return {.mean = floats_from(json::at(value, "mean", where), where + " mean"),
          .std = floats_from(json::at(value, "std", where), where + " std"),
          .resize = one_of<Resize>(kResizes, json::at(value, "resize", where), where + " resize"),
          .shorter = json::integer(json::at(value, "shorter", where), 0, kMostPixelsOfASide, where + " shorter"),
          .layout = one_of<Layout>(kLayouts, json::at(value, "layout", where), where + " layout")};
}

}  // namespace

json::Value interface_json(const Interface& face) {
  json::Value inputs = json::Value::array();
  for (const Interface::Port& port : face.inputs) {
    json::Value v{{"name", port.name}};
    if (port.preprocessing) v["preprocessing"] = preprocessing_json(*port.preprocessing);
    inputs.push_back(std::move(v));
  }
  return {{"inputs", std::move(inputs)}, {"outputs", face.outputs}};
}

Interface interface_from_json(const json::Value& value, std::string_view name) {
  const std::string where = std::string(name) + ": interface";
  json::expect_object(value, {"inputs", "outputs"}, where);
  Interface face;
  for (const json::Value& v : json::array(json::at(value, "inputs", where), where + " inputs")) {
    json::expect_object(v, {"name", "preprocessing"}, where + " input");
    Interface::Port& port = face.inputs.emplace_back();
    port.name = json::string(json::at(v, "name", where + " input"), where + " name");
    if (v.contains("preprocessing")) port.preprocessing = preprocessing_from(v["preprocessing"], where + " preprocessing");
  }
  for (const json::Value& v : json::array(json::at(value, "outputs", where), where + " outputs"))
    face.outputs.push_back(json::string(v, where + " output"));
  return face;
}

}  // namespace octet
