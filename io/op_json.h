// SPDX-License-Identifier: Apache-2.0
// An operator's attributes as JSON, private to io/: driven by the operators' `fields` and the enums' names, so a new operator needs
// nothing here unless it brings a new attribute type.
#pragma once

#include <string_view>

#include "engine/ops.h"
#include "io/json.h"

namespace octet {

/// {"in": 3, "kernel": [3, 3], "act": "relu", …}. `where` is the file and module, for messages.
json::Value attributes_json(const Op&, std::string_view where);
/// Every attribute must be there and nothing else; throws naming the unknown operator, attribute or enum value. A custom operator
/// has a function that only knows its name and attributes.
Op op_from_json(std::string_view op_name, const json::Value& attributes, std::string_view where);

json::Value rounding_json(Rounding);
Rounding rounding_from_json(const json::Value&, std::string_view where);

}  // namespace octet
