# SPDX-License-Identifier: Apache-2.0
# Draws operators with weights: convolutions, dilated ones as older converters write them, dense layers, products of matrices.
import math

import numpy as np

from draw_moves import batch_to_space_nd, space_to_batch_nd
from files import ACTIVATIONS, TYPES, f32

# Each draw takes the file and, in a chain, what it reads; it returns its outputs, or None if it cannot read that.


def same_padding(n, k, stride, dilation, padding):
  reach = (k - 1) * dilation + 1
  return -(-n // stride) if padding == 0 else (n - reach) // stride + 1


def halves_of_bytes(codes):
  """Two codes of 4 bits a byte, the first below."""
  flat = codes.reshape(-1).astype(np.uint8) & 15
  flat = np.concatenate([flat, np.zeros(flat.size % 2, np.uint8)])
  return flat[0::2] | flat[1::2] << 4


def weights(f, shape, x, fan, channel_axis, out, kind):
  """Weights, bias, the outputs' typical size."""
  if x.type == 'f32':
    w = f.tensor(shape, 'f32', data=(f.floats(shape) / math.sqrt(fan)).astype(f32))
    bias = f.tensor((out,), 'f32', data=f.floats((out,))) if f.chance(0.7) else None
    return w, bias, None
  half = x.type == 'i8' and kind != 'transpose_conv' and f.chance(0.25)
  per_channel = f.chance(0.2 if half and kind == 'fully_connected' else 0.6)  # TFLM has no such layers
  base = f.spread(1e-3, 0.05)
  scale = f32(base)
  if per_channel:
    scale = np.array([base * f.spread(0.3, 3) for _ in range(out)], f32)
    if f.chance(0.2):
      scale[f.int(0, out - 1)] = f32(f.spread(1e-11, 1e-8))
    if out == 1:
      scale = scale[:1]
  codes = f.codes(shape, 'i8', narrow=True)
  if half:
    codes = np.clip(codes >> f.int(0, 4), -7, 7)
  w = f.tensor(shape, 'i4' if half else 'i8', scale, 0, halves_of_bytes(codes) if half else codes, channel_axis)
  typical = 70.0 if x.type != 'i16' else 9000.0
  acc = math.sqrt(fan) * typical * max(2.0 if half else 30.0, float(np.std(codes.astype(float))))
  bias = None
  if f.chance(0.75):
    size = f.pick([acc, acc, acc * 30, 1e8 if x.type == 'i8' else 1e9, 3])
    b = np.clip(np.rint(f.rng.normal(0, 1, (out,)) * size), -2**30, 2**30)
    if f.chance(0.1) and x.type == 'i8':
      b[f.int(0, out - 1)] = f.pick([2**31 - 1, -2**31, 2**30]) if f.chance(0.3) else 2**29
    units = (x.scale * np.atleast_1d(scale)).astype(f32)
    bt = 'i32' if x.type == 'i8' else 'i64'
    bias = f.tensor((out,), bt, units, 0, b.astype(TYPES[bt][1]))
  f.say(op=kind, per_channel=per_channel, bias=bias is not None, int4=half)
  return w, bias, acc * float(x.scale) * base


def out_value(f, shape, x, about):
  """An activation whose codes reach about as far as its values."""
  if x.type == 'f32':
    return f.tensor(shape, 'f32')
  about = about / (60 if x.type != 'i16' else 8000)
  return f.activation(shape, x.type, about=about)


def conv_2d(f, x=None, kernel=None):
  """With a kernel given, of windows inside the picture at every place."""
  x = x or f.input(f.shape())
  if x.rank != 4 or x.type == 'u8':
    return None
  n, h, w, c = x.shape
  groups = f.pick([g for g in (1, 1, 1, 2, 3, 4, c) if c % g == 0])
  out = groups * f.int(1, max(1, (64 if f.big else 12) // groups))
  kh, kw = f.int(1, 5), f.int(1, 5)
  sh, sw = f.pick([1, 1, 2, 3]), f.pick([1, 1, 2, 3])
  dh, dw = (f.pick([1, 2, 3]), f.pick([1, 2, 3])) if f.chance(0.3) else (1, 1)
  padding = f.int(0, 1)
  if kernel:
    (kh, kw), sh, sw, dh, dw, padding = kernel, 1, 1, 1, 1, 1
  oh, ow = same_padding(h, kh, sh, dh, padding), same_padding(w, kw, sw, dw, padding)
  if oh < 1 or ow < 1:
    return None
  act = f.act()
  wt, bias, about = weights(f, (out, kh, kw, c // groups), x, kh * kw * c // groups, 0, out, 'conv_2d')
  y = out_value(f, (n, oh, ow, out), x, about)
  f.say(groups=groups, k=(kh, kw), s=(sh, sw), d=(dh, dw), same=padding == 0, act=act)
  return f.op('CONV_2D', [x, wt] + ([bias] if bias is not None or f.chance(0.3) else []), [y], 'Conv2DOptions', padding=padding,
              strideW=sw, strideH=sh, dilationWFactor=dw, dilationHFactor=dh, fusedActivationFunction=ACTIVATIONS[act])


def depthwise_conv_2d(f, x=None, kernel=None):
  x = x or f.input(f.shape())
  if x.rank != 4 or x.type == 'u8':
    return None
  n, h, w, c = x.shape
  m = f.pick([1, 1, 1, 2, 3, 4])
  kh, kw = f.int(1, 5), f.int(1, 5)
  sh = f.pick([1, 1, 2, 3])
  sw = sh if f.chance(0.7) else f.pick([1, 2, 3])
  dh, dw = (f.pick([1, 2, 3]), f.pick([1, 2, 3])) if f.chance(0.3) else (1, 1)
  padding = f.int(0, 1)
  if kernel:
    (kh, kw), sh, sw, dh, dw, padding = kernel, 1, 1, 1, 1, 1
  oh, ow = same_padding(h, kh, sh, dh, padding), same_padding(w, kw, sw, dw, padding)
  if oh < 1 or ow < 1:
    return None
  act = f.act()
  wt, bias, about = weights(f, (1, kh, kw, c * m), x, kh * kw, 3, c * m, 'depthwise_conv_2d')
  y = out_value(f, (n, oh, ow, c * m), x, about)
  f.say(m=m, k=(kh, kw), s=(sh, sw), d=(dh, dw), same=padding == 0, act=act)
  return f.op('DEPTHWISE_CONV_2D', [x, wt] + ([bias] if bias is not None else []), [y], 'DepthwiseConv2DOptions', padding=padding,
              strideW=sw, strideH=sh, depthMultiplier=m, dilationWFactor=dw, dilationHFactor=dh,
              fusedActivationFunction=ACTIVATIONS[act])


def dilated(f, x=None):
  """A dilated convolution as older converters write it: without dilation, and the phases of the picture as a batch."""
  x = x or f.input(f.shape())
  if x.rank != 4 or x.type == 'u8':
    return None
  block = f.pick([(2, 2), (2, 2), (3, 3), (4, 4), (1, 2), (3, 2)])
  kernel = f.pick([(3, 3), (3, 3), (1, 3), (2, 2), (5, 4)])
  same = f.chance(0.6)
  edges, cuts = [], []
  for size, k, b in zip(x.shape[1:3], kernel, block):
    reach = (k - 1) * b if same else 0
    more = -(size + reach) % b
    if (size + reach + more) // b < k:
      return None
    edges.append([reach // 2, reach - reach // 2 + more])
    cuts.append([0, more])
  phases = space_to_batch_nd(f, x, block, edges)
  made = phases and f.pick([conv_2d, depthwise_conv_2d])(f, phases[0], kernel)
  if not made or any(c[1] >= d * b for c, d, b in zip(cuts, made[0].shape[1:3], block)):
    return None
  return batch_to_space_nd(f, made[0], block, cuts)


def fully_connected(f, x=None):
  x = x or f.input(f.shape(f.pick([2, 2, 3, 4]), 600))
  if x.rank < 1 or x.type == 'u8':
    return None
  keep = f.chance(0.5) and x.rank > 1
  features = x.shape[-1] if keep or x.rank == 2 or f.chance(0.4) else x.size // x.shape[0]
  if x.rank == 1:
    features = x.size
  if features > 2000:
    return None
  out = f.int(1, 128 if f.big else 24)
  act = f.act()
  wt, bias, about = weights(f, (out, features), x, features, 0, out, 'fully_connected')
  y = out_value(f, x.shape[:-1] + (out,) if keep else (x.size // features, out), x, about)
  f.say(keep=keep, rank=x.rank, flat=features != x.shape[-1], act=act)
  return f.op('FULLY_CONNECTED', [x, wt] + ([bias] if bias is not None or f.chance(0.3) else []), [y], 'FullyConnectedOptions',
              keepNumDims=keep, fusedActivationFunction=ACTIVATIONS[act])


def transpose_conv(f, x=None):
  x = x or f.input(f.shape(most=800))
  if x.rank != 4 or x.type == 'u8' or x.size > (40000 if f.big else 2000):
    return None
  n, h, w, c = x.shape
  kh, kw, sh, sw, padding = f.int(1, 5), f.int(1, 5), f.int(1, 3), f.int(1, 3), f.int(0, 1)

  def size(n_in, k, s):
    if padding == 0:
      return (n_in - 1) * s + 1 + f.int(0, s - 1)
    return (n_in - 1) * s + k + (f.int(0, s - 1) if f.chance(0.5) else 0)
  oh, ow, out = size(h, kh, sh), size(w, kw, sw), f.int(1, 40 if f.big else 8)
  if oh < 1 or ow < 1 or oh * ow * out > (40000 if f.big else 4000):
    return None
  act = f.act() if f.chance(0.5) else 'none'
  wt, bias, about = weights(f, (out, kh, kw, c), x, max(1, kh * kw * c // (sh * sw)), 0, out, 'transpose_conv')
  y = out_value(f, (n, oh, ow, out), x, about)
  f.say(k=(kh, kw), s=(sh, sw), same=padding == 0, out=(oh, ow), act=act)
  return f.op('TRANSPOSE_CONV', [f.integers([n, oh, ow, out]), wt, x] + ([bias] if bias is not None else []), [y],
              'TransposeConvOptions', padding=padding, strideW=sw, strideH=sh, fusedActivationFunction=ACTIVATIONS[act])


def batch_matmul(f, x=None):
  if f.type != 'f32':
    return None
  x = x or f.input(f.shape(f.pick([2, 3, 4])))
  if x.rank < 2 or x.rank > 4:
    return None
  ta, tb = f.chance(0.3), f.chance(0.3)
  rows, depth = (x.shape[-1], x.shape[-2]) if ta else (x.shape[-2], x.shape[-1])
  cols = f.int(1, 9)
  other = f.value(x.shape[:-2] + ((cols, depth) if tb else (depth, cols)), 'f32')
  f.say(op='batch_matmul', ta=ta, tb=tb, shape=list(x.shape))
  return f.op('BATCH_MATMUL', [x, other], [f.tensor(x.shape[:-2] + (rows, cols), 'f32')], 'BatchMatMulOptions', adjX=ta, adjY=tb)
