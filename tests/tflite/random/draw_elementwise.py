# SPDX-License-Identifier: Apache-2.0
# Draws operators that compute each element by itself: sums, products, activations, requantizations, functions of floats.
import math

import numpy as np

from draw_layers import out_value
from files import ACTIVATIONS, f32


def broadcast(a, b):
  try:
    return np.broadcast_shapes(a, b)
  except ValueError:
    return None


def partner_shape(f, shape):
  """A shape that broadcasts with it."""
  how = f.int(0, 5)
  if how <= 1:
    return shape
  if how == 2:
    return shape[-1:]
  if how == 3:
    return tuple(1 for _ in shape)
  return tuple(1 if f.chance(0.5) else d for d in shape)[f.int(0, len(shape) - 1) if f.chance(0.3) else 0:]


def binary(code, options, like=False, activated=True, **fields):
  def make(f, x=None, other=None):
    x = x or f.input(f.any_shape())
    if other is None:
      other = x if f.chance(0.08) else f.value(partner_shape(f, x.shape), x.type, x if like else None)
    shape = broadcast(x.shape, other.shape)
    if shape is None or math.prod(shape) > (40000 if f.big else 6000):
      return None
    act = f.act() if activated else 'none'
    if x.type == 'f32':
      y = f.tensor(shape, 'f32')
    elif like:
      y = f.activation(shape, x.type, x)
    elif code == 'MUL':
      y = out_value(f, shape, x, (60 if x.type != 'i16' else 8000)**2 * float(x.scale) * float(other.scale))
    else:
      y = f.activation(shape, x.type, about=max(float(x.scale), float(other.scale)))
    inputs = [x, other]
    if f.chance(0.3):
      inputs.reverse()
    f.say(op=code.lower(), shapes=[list(v.shape) for v in inputs], constant=[v.constant for v in inputs], act=act)
    extra = dict(fields)
    if activated:
      extra['fusedActivationFunction'] = ACTIVATIONS[act]
    return f.op(code, inputs, [y], options, **extra)
  return make


def relu_like(code):
  def make(f, x=None):
    x = x or f.input(f.any_shape())
    equal = f.chance(0.4)
    y = f.activation(x.shape, x.type, x if equal else None, float(x.scale or 1))
    f.say(op=code.lower(), equal=equal)
    return f.op(code, [x], [y])
  return make


def prelu(f, x=None):
  x = x or f.input(f.shape(f.pick([2, 3, 4, 4])))
  if x.rank < 2:
    return None
  shape = f.pick([(1,) * (x.rank - 2) + x.shape[-1:], x.shape[-1:], (1, 1, x.shape[-1])[-x.rank + 1:]])
  if x.type == 'f32':
    alpha = f.tensor(shape, 'f32', data=f.floats(shape))
  else:
    t = x.type
    alpha = f.tensor(shape, t, f.scale(), f.zero(t), f.codes(shape, t))
  y = f.activation(x.shape, x.type, about=float(x.scale or 1))
  f.say(op='prelu', alpha=list(shape))
  return f.op('PRELU', [x, alpha], [y])


def leaky_relu(f, x=None):
  x = x or f.input(f.any_shape())
  alpha = f.pick([0.1, 0.01, 0.3, 1.7, -0.4, -1.3, 0.0, 1.0, float(f.rng.normal())])
  equal = f.chance(0.3)
  y = f.activation(x.shape, x.type, x if equal else None, float(x.scale or 1))
  f.say(op='leaky_relu', alpha=alpha, equal=equal)
  return f.op('LEAKY_RELU', [x], [y], 'LeakyReluOptions', alpha=alpha)


def fixed_output(f, shape, type_, bits, zero):
  """Codes of the meaning that a formula gives."""
  if type_ == 'f32':
    return f.tensor(shape, 'f32')
  if type_ == 'i16':
    return f.tensor(shape, 'i16', f32(2.0**-15), 0)
  return f.tensor(shape, type_, f32(2.0**-bits), zero + (128 if type_ == 'u8' else 0))


def overflows(x):
  """The product of TensorFlow Lite's 16-bit LOGISTIC and TANH leaves int32."""
  return x.type == 'i16' and x.scale > 5.3


def logistic(f, x=None):
  x = x or f.input(f.any_shape())
  if overflows(x):
    return None
  f.say(op='logistic')
  return f.op('LOGISTIC', [x], [fixed_output(f, x.shape, x.type, 8, -128)])


def tanh(f, x=None):
  x = x or f.input(f.any_shape())
  if overflows(x):
    return None
  f.say(op='tanh')
  return f.op('TANH', [x], [fixed_output(f, x.shape, x.type, 7, 0)])


def hard_swish(f, x=None):
  x = x or f.input(f.any_shape())
  if x.type == 'i16':
    return None
  y = f.activation(x.shape, x.type, about=float(x.scale or 1))
  f.say(op='hard_swish')
  return f.op('HARD_SWISH', [x], [y], 'HardSwishOptions')


def softmax(f, x=None):
  x = x or f.input(f.any_shape())
  beta = f.pick([1.0, 1.0, 0.5, 2.0, 0.1, float(f.spread(0.05, 20))])
  f.say(op='softmax', beta=beta)
  return f.op('SOFTMAX', [x], [fixed_output(f, x.shape, x.type, 8, -128)], 'SoftmaxOptions', beta=beta)


def quantize(f, x=None):
  """Codes to codes of another meaning (and in files of one operator, of another type)."""
  x = x or f.input(f.any_shape())
  if x.type == 'f32':
    return None
  y = f.activation(x.shape, x.type, about=float(x.scale))
  f.say(op='quantize')
  return f.op('QUANTIZE', [x], [y], 'QuantizeOptions')


def quantize_ends(f, x=None):
  """Floats to codes at the beginning, codes to floats at the end, or one of them."""
  if x is not None:
    return None
  t = f.type
  how = f.pick(['in', 'out', 'both', 'width', 'chain'])
  f.say(op='quantize_ends', how=how)
  shape = f.any_shape()
  if how == 'in':
    return f.op('QUANTIZE', [f.input(shape, 'f32')], [f.activation(shape, t)], 'QuantizeOptions')
  if how == 'out':
    return f.op('DEQUANTIZE', [f.input(shape, t)], [f.tensor(shape, 'f32')], 'DequantizeOptions')
  if how == 'both':
    [q] = f.op('QUANTIZE', [f.input(shape, 'f32')], [f.activation(shape, t)], 'QuantizeOptions')
    return f.op('DEQUANTIZE', [q], [f.tensor(shape, 'f32')], 'DequantizeOptions')
  if how == 'width':
    other = {'i8': 'i16', 'i16': 'i8', 'u8': 'i8'}[t]
    x = f.input(shape, t)
    about = float(x.scale) * {'i8': 1 / 256, 'i16': 256, 'u8': 1}[t]
    return f.op('QUANTIZE', [x], [f.activation(shape, other, about=about)], 'QuantizeOptions')
  x = f.input(shape, t)
  [r] = f.op('DEQUANTIZE', [x], [f.tensor(shape, 'f32')], 'DequantizeOptions')
  return f.op('QUANTIZE', [r], [f.activation(shape, t, about=float(x.scale))], 'QuantizeOptions')


def island(f, x=None):
  """Floats between codes."""
  x = x or f.input(f.any_shape())
  if x.type == 'f32':
    return None
  f.say(op='island')
  if x.rank < 1:
    return None
  [r] = f.op('DEQUANTIZE', [x], [f.tensor(x.shape, 'f32')], 'DequantizeOptions')
  made = f.pick([relu_like('RELU'), binary('ADD', 'AddOptions'), tanh, logistic])(f, r)
  if made is None:
    return None
  [r] = made
  return f.op('QUANTIZE', [r], [f.activation(r.shape, x.type, about=float(x.scale))], 'QuantizeOptions')


def unary_float(code, options=None, positive=False):
  def make(f, x=None):
    if f.type != 'f32':
      return None
    x = x or f.input(f.any_shape())
    if positive:
      [s] = f.op('LOGISTIC', [x], [f.tensor(x.shape, 'f32')])
      x = s
    f.say(op=code.lower())
    return f.op(code, [x], [f.tensor(x.shape, 'f32')], options)
  return make


def div(f, x=None):
  if f.type != 'f32':
    return None
  x = x or f.input(f.any_shape())
  shape = partner_shape(f, x.shape)
  d = f.tensor(shape, 'f32', data=(np.sign(f.floats(shape)) * (0.5 + np.abs(f.floats(shape)))).astype(f32))
  f.say(op='div')
  return f.op('DIV', [x, d], [f.tensor(broadcast(x.shape, d.shape), 'f32')], 'DivOptions', fusedActivationFunction=0)
