// SPDX-License-Identifier: Apache-2.0
// Operators that map each code to a code: their tables and kernel runs. Tables follow from both wires' parameters and the model's
// rounding whenever a module is lowered and are stored nowhere, so that an edited range leaves nothing stale.
#pragma once

#include <functional>

#include "engine/op_call.h"

namespace octet {

/// A table for each of `channels`: the code of f32(f(channel, x)), by the model's rule for quantization, for the real value x of
/// every input code.
ModuleTables lookup_tables(const LowerCall&, int64_t channels, const std::function<double(int64_t, double)>& f);
/// The same from codes: code(u), u the input's code minus its zero point, before clamping and in terms of i8 codes.
ModuleTables lookup_tables(const LowerCall&, const std::function<int32_t(int32_t)>& code);
/// A table for each channel, of what code(channel) says of its codes.
ModuleTables channel_tables(const LowerCall&, int64_t channels,
                            const std::function<std::function<int32_t(int32_t)>(int64_t)>& code);
/// A run of the lookup kernel over the whole input.
Lowered looked_up(const LowerCall&, int64_t channels);

}  // namespace octet
