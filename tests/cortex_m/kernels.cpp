// SPDX-License-Identifier: Apache-2.0
// The Cortex-M kernels with emulated instructions against the reference kernels, on every case that the boards run too; and what
// packing refuses.
#include <cstring>

#include "tests/cortex_m/cases.h"

namespace octet::testing {
namespace {

template <class Args>
Args args_in(const DeviceCase& c) {
  Args a;
  std::memcpy(&a, c.args.data(), sizeof a);
  return a;
}

template <Rounding R>
void run_m4(const DeviceCase& c, const cortex_m::PackedData& d) {
  if (c.kind == Kind::conv2d) {
    const auto a = args_in<kernels::Conv2dArgs>(c);
    has_residual(a) ? cortex_m::m4::conv2d_sums<R>(a, d, 0, kernels::units(a))
                    : cortex_m::m4::conv2d<R>(a, d, 0, kernels::units(a));
  } else if (c.kind == Kind::depthwise) {
    cortex_m::m4::depthwise3x3<R>(args_in<kernels::Conv2dArgs>(c), d);
  } else if (c.kind == Kind::linear) {
    const auto a = args_in<kernels::LinearArgs>(c);
    cortex_m::m4::linear<R>(a, d, 0, kernels::units(a));
  } else if (c.kind == Kind::pool) {
    const auto a = args_in<kernels::Pool2dArgs>(c);
    cortex_m::m4::average_pool2d(a, d.input, d.output, 0, kernels::units(a));
  } else if constexpr (R != Rounding::real) {
    const auto a = args_in<kernels::AddArgs>(c);
    cortex_m::m4::add<R>(a, d.input, c.second.data(), c.packed.data(), d.output, 0, a.count);
  }
}

template <Rounding R>
void run_m55(const DeviceCase& c, const cortex_m::PackedData& d) {
  if (c.kind == Kind::conv2d) {
    const auto a = args_in<kernels::Conv2dArgs>(c);
    has_residual(a) ? cortex_m::m55::conv2d_sums<R>(a, d, 0, kernels::units(a))
                    : cortex_m::m55::conv2d<R>(a, d, 0, kernels::units(a));
  } else if (c.kind == Kind::depthwise) {
    cortex_m::m55::depthwise3x3<R>(args_in<kernels::Conv2dArgs>(c), d);
  } else if (c.kind == Kind::linear) {
    const auto a = args_in<kernels::LinearArgs>(c);
    cortex_m::m55::linear<R>(a, d, 0, kernels::units(a));
  } else if (c.kind == Kind::pool) {
    const auto a = args_in<kernels::Pool2dArgs>(c);
    cortex_m::m55::average_pool2d(a, d.input, d.output, 0, kernels::units(a));
  } else if constexpr (R != Rounding::real) {
    const auto a = args_in<kernels::AddArgs>(c);
    cortex_m::m55::add<R>(a, d.input, c.second.data(), c.packed.data(), d.output, 0, a.count);
  }
}

template <class Run>
void with_device_rounding(Rounding r, Run run) {
  if (r == Rounding::fixed_double) return run.template operator()<Rounding::fixed_double>();
  if (r == Rounding::fixed_single) return run.template operator()<Rounding::fixed_single>();
  if (r == Rounding::real) return run.template operator()<Rounding::real>();
}

/// The three buffers of a layer in one piece of memory, each directly beside the next, as a plan may place them.
struct Neighbours {
  std::vector<uint8_t> memory;
  uint8_t *input, *output, *scratch;

  /// `scratch_first`: scratch memory, input, output; else output, input, scratch memory.
  Neighbours(const DeviceCase& c, bool scratch_first) : memory(c.input.size() + c.expected.size() + c.scratch_bytes + 16, 0xa5) {
    const auto room = static_cast<size_t>(c.scratch_bytes);
    auto* at = reinterpret_cast<uint8_t*>((reinterpret_cast<uintptr_t>(memory.data()) + 7) / 8 * 8);
    if (!scratch_first) at += (8 - (c.input.size() + c.expected.size()) % 8) % 8;
    scratch = scratch_first ? at : at + c.expected.size() + c.input.size();
    input = scratch_first ? at + room : at + c.expected.size();
    output = scratch_first ? input + c.input.size() : at;
    std::memcpy(input, c.input.data(), c.input.size());
  }
};

/// Every case of a target through run(case, data, rounding as a template argument); how many there were.
template <class Run>
int check_all(Target target, Run run) {
  int cases = 0, codes_seen = 0;
  for_each_case(target, [&](const DeviceCase& c) {
    INFO(c.name << ", " << name(c.rounding) << ", case " << cases << ": " << c.refusal);
    REQUIRE_FALSE(c.packed.empty());
    Guarded output(c.expected.size()), scratch(static_cast<size_t>(c.scratch_bytes));
    const cortex_m::PackedData d{c.input.data(), c.packed.data(), output.data(), scratch.data(), c.second.data()};
    with_device_rounding(c.rounding, [&]<Rounding R>() { run.template operator()<R>(c, d); });
    REQUIRE(output.intact());
    REQUIRE(scratch.intact());
    REQUIRE(output.inner() == c.expected);
    for (const bool scratch_first : {true, false}) {
      const Neighbours n(c, scratch_first);
      const cortex_m::PackedData beside{n.input, c.packed.data(), n.output, n.scratch, c.second.data()};
      with_device_rounding(c.rounding, [&]<Rounding R>() { run.template operator()<R>(c, beside); });
      REQUIRE(std::memcmp(n.output, c.expected.data(), c.expected.size()) == 0);
      REQUIRE(std::memcmp(n.input, c.input.data(), c.input.size()) == 0);
    }
    if (c.kind == Kind::conv2d && !c.second.empty()) {  // a residual where the output goes
      std::vector<uint8_t> both = c.second;
      const cortex_m::PackedData in_place{c.input.data(), c.packed.data(), both.data(), scratch.data(), both.data()};
      with_device_rounding(c.rounding, [&]<Rounding R>() { run.template operator()<R>(c, in_place); });
      REQUIRE(both == c.expected);
    }
    codes_seen += std::count_if(c.expected.begin(), c.expected.end(), [](uint8_t q) { return q != 0x80 && q != 0x7f; }) > 0 ? 1 : 0;
    ++cases;
  });
  CHECK(codes_seen > cases / 2);  // not everything saturates
  return cases;
}

TEST_CASE("M4 kernels give the reference kernels' bytes") {
  CHECK(check_all(Target::m4, []<Rounding R>(const DeviceCase& c, const cortex_m::PackedData& d) { run_m4<R>(c, d); }) > 800);
}

TEST_CASE("M55 kernels give the reference kernels' bytes") {
  CHECK(check_all(Target::m55, []<Rounding R>(const DeviceCase& c, const cortex_m::PackedData& d) { run_m55<R>(c, d); }) > 800);
}

/// A 1x1 layer of two output channels and one weight each.
struct Small {
  kernels::Conv2dArgs a = args_of({"1x1", 1, 1, 1, 1, 2, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1});
  std::vector<int8_t> weight{5, 7};
  std::vector<int32_t> bias{0, 0}, multiplier{1 << 30, 1 << 30}, shift{-3, -3}, zero{0, 0};

  Small() {
    a.rounding = Rounding::fixed_double, a.input_type = a.output_type = a.residual_type = CodeType::i8;
    a.output = {1, 0, -128, 127};
  }
  std::string refusal() const {
    const cortex_m::Packed p = cortex_m::pack(
        a,
        {nullptr, weight.data(), nullptr, nullptr, {nullptr, nullptr, bias.data(), multiplier.data(), shift.data(), zero.data()}},
        Target::m4);
    CHECK(p.bytes.empty() == !p.refusal.empty());
    return p.refusal;
  }
};

TEST_CASE("packing refuses what the M4 kernels cannot compute exactly, and says why") {
  CHECK(Small().refusal().empty());
  const auto refused = [](const char* text, auto change) {
    Small s;
    change(s);
    INFO(text);
    CHECK_THAT(s.refusal(), Catch::Matchers::Contains(text));
  };
  refused("output channel 1: shift 0, double rounding needs", [](Small& s) { s.shift[1] = 0; });
  refused("output channel 0: shift -1, single rounding needs",
          [](Small& s) { s.shift[0] = -1, s.a.rounding = Rounding::fixed_single; });
  // The code must vary, or the channel is a constant: at an accumulator of 2^23 from 100 to 101.
  refused("output channel 0: accumulator may reach 2^23", [](Small& s) {
    s.bias[0] = 1 << 23, s.weight[0] = 127, s.multiplier[0] = 1686110208, s.shift[0] = -16, s.a.output.zero_point = 0;
  });
  refused("output channel 0: a weight of -128 cannot be paired", [](Small& s) { s.weight = {-128, -1}; });
  refused("output channel 1: weights have a zero point", [](Small& s) { s.zero[1] = 1; });
  refused("output channel 1: accumulator exceeds 32 bits", [](Small& s) { s.bias[1] = INT32_MAX; });
  refused("output channel 1: rounding constant 135828340736 exceeds 32 bits at shift -30",
          [](Small& s) { s.shift[1] = -30, s.bias[1] = 1 << 30, s.a.output.zero_point = 126; });
  refused("int8 codes", [](Small& s) { s.a.input_type = CodeType::u8; });
  refused("int8 codes", [](Small& s) { s.a.rounding = Rounding::int_bias; });
  refused("no dilation", [](Small& s) { s.a.dilation_w = 2; });
}

TEST_CASE("a channel that gives one code for every input is packed whatever its constants are") {
  for (const Rounding rounding : {Rounding::fixed_double, Rounding::fixed_single}) {
    Small s;
    s.a.rounding = rounding;
    for (const int32_t channel : {0, 1}) {
      s.bias[channel] = 1 << 23;  // saturates
      CHECK(s.refusal().empty());
      s.bias[channel] = -(1 << 23);
      CHECK(s.refusal().empty());
      s.bias[channel] = 0, s.shift[channel] = -27, s.a.output.zero_point = 127;  // rounds to nothing
      CHECK(s.refusal().empty());
    }
  }
}

TEST_CASE("packing takes additions whose larger operand has the multiplier 1/2, in either place, and refuses others") {
  constexpr int32_t kHalf = 1 << 30;
  kernels::AddArgs a{};
  a.count = 4, a.a_type = a.b_type = a.output_type = CodeType::i8, a.rounding = Rounding::fixed_double;
  a.a_multiplier = kHalf, a.b_multiplier = kHalf / 2 * 3, a.b_shift = -1;
  a.output_multiplier = kHalf, a.output_shift = -18, a.output = {1, 0, -128, 127};
  for (const Target target : {Target::m4, Target::m55}) {
    const auto refusal = [&](auto change) {
      kernels::AddArgs changed = a;
      change(changed);
      const cortex_m::Packed p = pack(changed, target);
      CHECK(p.bytes.empty() == !p.refusal.empty());
      return p.refusal;
    };
    using Catch::Matchers::Contains;
    const auto swap = [](kernels::AddArgs& s) { std::swap(s.a_multiplier, s.b_multiplier), std::swap(s.a_shift, s.b_shift); };
    CHECK(refusal([](auto&) {}).empty());
    CHECK(refusal(swap).empty());
    CHECK(refusal([](auto& s) { s.b_multiplier = kHalf, s.b_shift = 0; }).empty());
    CHECK_THAT(refusal([](auto& s) { s.a_multiplier = kHalf + 1; }), Contains("neither operand has the multiplier 1/2"));
    CHECK_THAT(refusal([](auto& s) { s.a_shift = -1; }), Contains("neither operand has the multiplier 1/2"));
    CHECK_THAT(refusal([](auto& s) { s.b_shift = 0; }), Contains("above 1/2"));
    CHECK_THAT(refusal([&](auto& s) { s.b_shift = 1, swap(s); }), Contains("above 1/2"));
    CHECK_THAT(refusal([](auto& s) { s.a_type = CodeType::u8; }), Contains("int8 codes"));
    CHECK_THAT(refusal([](auto& s) { s.rounding = Rounding::real; }), Contains("fixed roundings"));
  }
}

TEST_CASE("the low channel of a pair may exceed 2^23 and a weight of -128 may stand there") {
  Small s;
  s.bias[1] = 1 << 24;
  s.weight = {-127, -128};
  CHECK(s.refusal().empty());
}

}  // namespace
}  // namespace octet::testing
