// SPDX-License-Identifier: Apache-2.0
// What must hold for a module's tensors and quantization parameters, checked alike when a model is prepared, bound,
// written and read.
#pragma once

#include <string>
#include <string_view>

#include "engine/model.h"

namespace octet {

/// Scales positive, finite and normal, zero points among the codes, as many pairs as the axis is long; codes of u8 or i8, those of
/// a bias all of i32 around zero.
void check_qparams(const QParams&, const Shape& shape, std::string_view where, Role = Role::weight);

/// Throws Error unless the module's parameters are those its operator needs (none if it is tied), finite floats or codes in range,
/// and out_q fits its ports.
void check_module(const Module&, std::string_view where);

/// What holds between the modules of a model that add() built, for models that were edited since: paths that are there and unique,
/// wires from ports of earlier modules, ties to an earlier module of the same operator, one nominal shape a port, quantization
/// parameters that codes can have, hooks that are there, outputs and rounding that exist. Throws naming the module, what was
/// expected and what came.
void check_wiring(const Model&);
/// The part of it that one module needs.
void check_wiring(const Model&, int index);
/// f(), whose Error begins with the path of the module at work: what it calls may not know it (a shape too large for any tensor).
template <class F>
auto naming(std::string_view path, const F& f) {
  try {
    return f();
  } catch (const OutOfMemory& e) {
    throw OutOfMemory(std::string(path) + ": " + e.what());
  } catch (const Error& e) {
    const std::string_view what = e.what();
    if (what.starts_with(path) && what.size() > path.size() && (what[path.size()] == ':' || what[path.size()] == '.')) throw;
    throw Error(std::string(path) + ": " + e.what());
  }
}

/// The parameters that the module's operator needs, in their shapes, floats or codes with their scales; check_module looks at the
/// values, too.
void check_params(const Module&);
/// The wiring, the parameters of every module, and floats of one type. Every function that computes with a model begins with it.
void check_model(const Model&);

/// Throws unless so many inputs were given as the module has wires; an Input is given its tensor.
void check_count(const Module&, size_t given);
/// Whether every output of a module is codes.
bool has_output_codes(const Module&);

}  // namespace octet
