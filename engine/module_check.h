// SPDX-License-Identifier: Apache-2.0
// What must hold for a module's tensors and quantization parameters, checked alike when a model is prepared, bound,
// written and read.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "engine/model.h"

namespace octet {

/// Names and shapes of the parameters an operator has: what its init() would make, without making it (a damaged file can claim
/// attributes whose weights would not fit in memory).
std::map<std::string, Shape, std::less<>> expected_params(const Op&);
/// Those it may have besides: "frozen" of a batch norm, put there by freeze_bn_stats().
std::map<std::string, Shape, std::less<>> optional_params(const Op&);

/// Scales positive, finite and normal, zero points among the codes, codes of u8 or i8, as many pairs as the axis is long.
void check_qparams(const QParams&, const Shape& shape, std::string_view where);

/// Throws Error unless the module's parameters are those its operator needs (none if it is tied), finite floats or codes in range,
/// and out_q fits its ports.
void check_module(const Module&, std::string_view where);

}  // namespace octet
