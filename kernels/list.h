// SPDX-License-Identifier: Apache-2.0
// The list of kernels, and what follows from it. Freestanding C++17.
#pragma once

#include "kernels/info.h"

namespace octet::kernels {

template <class A, class B>
struct Same {
  static constexpr bool value = false;
};
template <class A>
struct Same<A, A> {
  static constexpr bool value = true;
};

/// A list of families; whatever follows from it is a fold over it.
template <class... Args>
struct List {
  static constexpr int size = sizeof...(Args);
  template <template <class...> class To>
  using as = To<Args...>;
  /// Calls f(Info<Args>()) for every family in order.
  template <class F>
  static constexpr void each(F&& f) {
    (f(Info<Args>()), ...);
  }
  /// A family's place in the list.
  template <class Wanted>
  static constexpr int index() {
    int at = 0, found = -1;
    ((found = Same<Args, Wanted>::value ? at : found, ++at), ...);
    return found;
  }
  static constexpr uint32_t largest() {
    uint32_t most = 0;
    ((most = sizeof(Args) > most ? sizeof(Args) : most), ...);
    return most;
  }
};

/// Every family. A new one goes to the end: its place is its index in KernelArgs.
using Kernels =
    List<Conv2dArgs, LinearArgs, AddArgs, RequantizeArgs, Pool2dArgs, ClampArgs, QuantizeArgs, DequantizeArgs, TransposeArgs,
         LookupArgs, BinaryArgs, ReduceArgs, GatherArgs, SoftmaxArgs, MatMulArgs, ConstantArgs, ResizeArgs, ActivationArgs>;

template <class Args>
constexpr int32_t units(const Args& a) {
  return Info<Args>::units(a);
}

/// The runtime's operator of this record kind; kind 0: there is none.
constexpr DeviceOp device_op(uint16_t kind) {
  DeviceOp found{0, "", false, 0, false};
  Kernels::each([&](auto info) {
    for (const DeviceOp& op : decltype(info)::device)
      if (op.kind == kind) found = op;
  });
  return found;
}
/// The largest record kind in use.
constexpr uint16_t last_kind() {
  uint16_t last = 0;
  Kernels::each([&](auto info) {
    for (const DeviceOp& op : decltype(info)::device) last = op.kind > last ? op.kind : last;
  });
  return last;
}
/// What opening an image has to know of every record kind, in a byte each: a whole DeviceOp would bring its name into firmware.
struct KindTable {
  uint8_t of[last_kind() + 1] = {};

  constexpr KindTable() {
    Kernels::each([&](auto info) {
      for (const DeviceOp& op : decltype(info)::device)
        of[op.kind] = static_cast<uint8_t>(op.alignment | (op.bias_words > 1 ? 8 : 0) | (op.packs ? 16 : 0));
    });
  }
  constexpr uint32_t alignment(uint16_t kind) const { return of[kind] & 7u; }
  constexpr uint32_t bias_words(uint16_t kind) const { return (of[kind] & 8) != 0 ? 2 : 1; }
  constexpr bool packs(uint16_t kind) const { return (of[kind] & 16) != 0; }
};

/// Whether any kind is given to two operators, which then could not be told apart.
constexpr bool kinds_differ() {
  int same = 0;
  Kernels::each([&](auto info) {
    for (const DeviceOp& op : decltype(info)::device)
      Kernels::each([&](auto other) {
        for (const DeviceOp& second : decltype(other)::device) same += second.kind == op.kind ? 1 : 0;
      });
    same -= static_cast<int>(sizeof(decltype(info)::device) / sizeof(DeviceOp));
  });
  return same == 0;
}
static_assert(kinds_differ());

}  // namespace octet::kernels
