// SPDX-License-Identifier: Apache-2.0
// Every operator alone, in codes: what all engines and targets are tried on.
#pragma once

#include "quant/quantize.h"
#include "tests/engine/operators.h"

namespace octet::testing {

/// One example of each, and of each function and mode.
std::vector<OperatorCase> operators_and_modes();
/// Of the operator's inputs; positive where it takes nothing else.
std::vector<Tensor> operator_values(const OperatorCase&, Generator&);
/// The operator in codes, or in floats between codes; a float model where nothing of it can be codes.
Model converted(const OperatorCase&, Rounding, const QConfig&, uint64_t seed);

}  // namespace octet::testing
