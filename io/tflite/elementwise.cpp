// SPDX-License-Identifier: Apache-2.0
// Functions of one element and of two, and the crossings between floats and codes.
#include <cmath>

#include "engine/quantize.h"
#include "io/tflite/operators.h"

namespace octet::tflite {
namespace {

void binary(Node& node, BinaryFn fn, Activation act) { node.emit(Binary{fn, act}, {node.wire(0), node.wire(1)}); }

/// Both inputs and the output of one type; codes of int8 or int16.
void demand_one_type(const Node& node, size_t inputs) {
  for (size_t i = 0; i < inputs; ++i)
    node.demand(node.input(i).type == node.output().type, "of ", type_name(node.input(i).type), " to ",
                type_name(node.output().type));
  node.demand(node.is_float() || node.output().type == Type::i8 || node.is_wide(), "of ", type_name(node.output().type),
              "; int8, int16 and float32 are read");
}

/// Of any type that is read; the first field of its options is the activation.
void arithmetic(Node& node, uint8_t options, BinaryFn fn) {
  node.expect_options(options);
  demand_one_type(node, 2);
  binary(node, fn, activation(node, node.option<int8_t>(0)));
}

/// The codes' meaning that TensorFlow Lite's formula has: in int8 2^-bits and -128 or 0, in int16 2^-15 and 0.
void demand_fixed_range(const Node& node, float scale, int32_t zero) {
  if (node.is_float()) return;
  const QParams q = *node.output_qparams();
  if (node.is_wide()) scale = 1.0F / 32768, zero = 0;
  node.demand(q.scale[0] == scale && q.zero_point[0] == zero, "its output has ", to_string(q), ", the formula gives codes of ",
              scale, " around ", zero);
}

void unary_float(Node& node, UnaryFn fn) {
  node.demand_float();
  node.emit(Unary{fn}, {node.wire(0)});
}

/// A clamp as an operator rescales like leaky_relu, whose slopes are its own: 1 above and below.
void clamp(Node& node, Activation act, double below) {
  demand_one_type(node, 1);
  if (node.input_qparams(0) == node.output_qparams()) return node.emit(Unary::clamping(act), {node.wire(0)});
  const Activation above{-INFINITY, act.hi};
  const Unary rescaled{UnaryFn::leaky_relu, below};
  if (below == 0) return emit_clamped(node, rescaled, {node.wire(0)}, above);
  emit_clamped(node, rescaled, {node.wire(0)}, act);
}

}  // namespace

void add(Node& node) { arithmetic(node, 11, BinaryFn::add); }
void sub(Node& node) { arithmetic(node, 28, BinaryFn::sub); }
void mul(Node& node) { arithmetic(node, 21, BinaryFn::mul); }

void div(Node& node) {
  node.expect_options(29);
  node.demand_float();
  binary(node, BinaryFn::div, activation(node, node.option<int8_t>(0)));
}

void maximum(Node& node) {
  demand_one_type(node, 2);
  node.demand_same_codes(0), node.demand_same_codes(1);
  binary(node, BinaryFn::maximum, Activation::none);
}

void minimum(Node& node) {
  demand_one_type(node, 2);
  node.demand_same_codes(0), node.demand_same_codes(1);
  binary(node, BinaryFn::minimum, Activation::none);
}

void pow(Node& node) {
  node.demand_float();
  binary(node, BinaryFn::pow, Activation::none);
}

void squared_difference(Node& node) {
  node.demand_float();
  const Wire d = node.step(".difference", Binary{BinaryFn::sub}, {node.wire(0), node.wire(1)}, std::nullopt);
  node.emit(Binary{BinaryFn::mul}, {d, d});
}

void quantize(Node& node) {
  node.demand(!node.is_float(), "gives floats");
  if (node.rounds_graph_input()) return;
  node.emit(identity(), {node.wire(0)});
}

void dequantize(Node& node) {
  node.demand(node.is_float(), "gives ", type_name(node.output().type));
  if (node.is_constant(0)) return node.fold(octet::dequantize(node.constant(0)));
  if (node.gives_graph_output()) return;
  node.emit(identity(), {node.wire(0)});
}

void relu(Node& node) { clamp(node, Activation::relu, 0); }
void relu6(Node& node) { clamp(node, Activation::relu6, 0); }
void relu_n1_to_1(Node& node) { clamp(node, {-1, 1}, 1); }
void relu_0_to_1(Node& node) { clamp(node, {0, 1}, 0); }

void logistic(Node& node) {
  demand_one_type(node, 1);
  demand_fixed_range(node, 1.0F / 256, -128);
  node.emit(Unary{UnaryFn::sigmoid}, {node.wire(0)});
}

void tanh(Node& node) {
  demand_one_type(node, 1);
  demand_fixed_range(node, 1.0F / 128, 0);
  node.emit(Unary{UnaryFn::tanh}, {node.wire(0)});
}

void hard_swish(Node& node) {
  demand_one_type(node, 1);
  node.demand(!node.is_wide(), "of int16; TensorFlow Lite has no formula for it");
  node.emit(Unary{UnaryFn::hard_swish}, {node.wire(0)});
}

void leaky_relu(Node& node) {
  node.expect_options(75);
  demand_one_type(node, 1);
  const auto alpha = node.option<float>(0);
  node.demand(std::isfinite(alpha), "alpha is ", alpha);
  node.emit(Unary{UnaryFn::leaky_relu, static_cast<double>(alpha)}, {node.wire(0)});
}

void prelu(Node& node) {
  demand_one_type(node, 2);
  node.demand(!node.is_wide(), "of int16");
  node.demand(node.is_constant(1), "its slopes are no constant");
  Tensor slope = node.constant(1);
  node.demand(!slope.qparams() || slope.qparams()->axis < 0, "slopes with scales by channel");
  const int64_t channels = slope.numel();
  node.demand(channels == 1 || (!node.shape(0).empty() && node.shape(1).back() == channels && node.shape(0).back() == channels),
              "slopes of shape ", to_string(node.shape(1)), " for an input of shape ", to_string(node.shape(0)),
              "; one a channel or one for all are read");
  Params params;
  params.insert_or_assign("weight", slope.reshape({channels}));
  node.emit(PRelu{channels}, {node.wire(0)}, std::move(params));
}

void elu(Node& node) { unary_float(node, UnaryFn::elu); }
void gelu(Node& node) {
  node.expect_options(116);
  unary_float(node, node.option<uint8_t>(0) != 0 ? UnaryFn::gelu_tanh : UnaryFn::gelu);
}
void exp(Node& node) { unary_float(node, UnaryFn::exp); }
void log(Node& node) { unary_float(node, UnaryFn::log); }
void sqrt(Node& node) { unary_float(node, UnaryFn::sqrt); }
void rsqrt(Node& node) {
  node.demand_float();
  const Wire root = node.step(".sqrt", Unary{UnaryFn::sqrt}, {node.wire(0)}, std::nullopt);
  node.emit(Unary{UnaryFn::reciprocal}, {root});
}
void square(Node& node) {
  node.demand_float();
  node.emit(Binary{BinaryFn::mul}, {node.wire(0), node.wire(0)});
}
void abs(Node& node) { unary_float(node, UnaryFn::abs); }
void neg(Node& node) { unary_float(node, UnaryFn::neg); }
void sin(Node& node) { unary_float(node, UnaryFn::sin); }
void cos(Node& node) { unary_float(node, UnaryFn::cos); }
void floor(Node& node) { unary_float(node, UnaryFn::floor); }
void ceil(Node& node) { unary_float(node, UnaryFn::ceil); }
void round(Node& node) { unary_float(node, UnaryFn::round); }
void sign(Node& node) { unary_float(node, UnaryFn::sign); }

}  // namespace octet::tflite
