# SPDX-License-Identifier: Apache-2.0
# Draws files: of one operator, or chains of several with branches, further inputs and several outputs.
import json
import os

import numpy as np

from draw_elementwise import (binary, broadcast, div, hard_swish, island, leaky_relu, logistic, prelu, quantize, quantize_ends,
                              relu_like, softmax, tanh, unary_float)
from draw_layers import batch_matmul, conv_2d, depthwise_conv_2d, dilated, fully_connected, transpose_conv
from draw_moves import (batch_to_space_nd, broadcast_to, concatenation, depth_to_space, expand_dims, pad, reshape, reverse_v2,
                        space_to_batch_nd, space_to_depth, squeeze, tile, transpose)
from draw_parts import gather, pack_, slice_, split, split_v, strided_slice, unpack
from draw_windows import pool, reduction, resize
from files import File, LIMITS

SAMPLES = 4
OPERATORS = {
    'conv_2d': conv_2d, 'depthwise_conv_2d': depthwise_conv_2d, 'fully_connected': fully_connected,
    'transpose_conv': transpose_conv, 'dilated': dilated, 'add': binary('ADD', 'AddOptions', potScaleInt16=False),
    'sub': binary('SUB', 'SubOptions', potScaleInt16=False), 'mul': binary('MUL', 'MulOptions'),
    'maximum': binary('MAXIMUM', 'MaximumMinimumOptions', True, False),
    'minimum': binary('MINIMUM', 'MaximumMinimumOptions', True, False), 'relu': relu_like('RELU'),
    'relu6': relu_like('RELU6'), 'relu_n1_to_1': relu_like('RELU_N1_TO_1'), 'relu_0_to_1': relu_like('RELU_0_TO_1'),
    'prelu': prelu, 'leaky_relu': leaky_relu, 'logistic': logistic, 'tanh': tanh, 'hard_swish': hard_swish,
    'softmax': softmax, 'average_pool_2d': pool('AVERAGE_POOL_2D'), 'max_pool_2d': pool('MAX_POOL_2D'),
    'mean': reduction('MEAN', False), 'sum': reduction('SUM', False), 'reduce_max': reduction('REDUCE_MAX', True),
    'reduce_min': reduction('REDUCE_MIN', True), 'pad': pad('PAD'), 'padv2': pad('PADV2'),
    'mirror_pad': pad('MIRROR_PAD'), 'concatenation': concatenation, 'reshape': reshape, 'squeeze': squeeze,
    'expand_dims': expand_dims, 'transpose': transpose, 'strided_slice': strided_slice, 'slice': slice_, 'split': split,
    'split_v': split_v, 'pack': pack_, 'unpack': unpack, 'gather': gather, 'tile': tile, 'broadcast_to': broadcast_to,
    'reverse_v2': reverse_v2, 'depth_to_space': depth_to_space, 'space_to_depth': space_to_depth,
    'space_to_batch_nd': space_to_batch_nd, 'batch_to_space_nd': batch_to_space_nd,
    'resize_bilinear': resize('RESIZE_BILINEAR', 'ResizeBilinearOptions'),
    'resize_nearest_neighbor': resize('RESIZE_NEAREST_NEIGHBOR', 'ResizeNearestNeighborOptions'), 'quantize': quantize,
    'quantize_ends': quantize_ends, 'island': island,
}
# Those that TensorFlow Lite computes in floats only, or octet.
FLOAT_ONLY = {
    'div': div, 'batch_matmul': batch_matmul,
    'squared_difference': binary('SQUARED_DIFFERENCE', 'SquaredDifferenceOptions', True, False),
    'elu': unary_float('ELU'), 'gelu': unary_float('GELU', 'GeluOptions'), 'exp': unary_float('EXP', 'ExpOptions'),
    'log': unary_float('LOG', None, True), 'sqrt': unary_float('SQRT', None, True),
    'rsqrt': unary_float('RSQRT', None, True), 'square': unary_float('SQUARE', 'SquareOptions'),
    'abs': unary_float('ABS', 'AbsOptions'), 'neg': unary_float('NEG', 'NegOptions'), 'sin': unary_float('SIN'),
    'cos': unary_float('COS', 'CosOptions'), 'floor': unary_float('FLOOR'), 'ceil': unary_float('CEIL'),
    'round': unary_float('ROUND'), 'sign': unary_float('SIGN', 'SignOptions'),
    'log_softmax': unary_float('LOG_SOFTMAX', 'LogSoftmaxOptions'),
    'l2_normalization': unary_float('L2_NORMALIZATION', 'L2NormOptions'), 'reduce_prod': reduction('REDUCE_PROD', True),
}
OPERATORS |= FLOAT_ONLY
CODES_ONLY = {'quantize', 'quantize_ends', 'island'}
# In chains: of TensorFlow Lite Micro's arithmetic, and of LiteRT's where TFLM has no such operator or another formula.
NOT_TFLM = {'leaky_relu', 'relu6', 'relu_n1_to_1', 'relu_0_to_1', 'tile', 'dilated', 'space_to_batch_nd'}
NOT_TFLM_WIDE = {'gather', 'resize_bilinear', 'reduce_max', 'reduce_min', 'mirror_pad', 'depth_to_space', 'space_to_depth', 'prelu',
                 'relu', 'batch_to_space_nd'}
NOT_LITERT = {'fully_connected', 'mul', 'sum'}
NOT_LITERT_OF = {'i8': ('logistic', 'tanh'),
                 'i16': ('depth_to_space', 'space_to_depth', 'relu_n1_to_1', 'relu_0_to_1', 'prelu', 'softmax')}
IN_CHAINS_OF_FLOATS = {'elu', 'abs', 'neg', 'sin', 'cos', 'batch_matmul', 'gelu', 'l2_normalization', 'div'}


def finish(f, name, folder):
  """NAME.tflite, NAME.in<i>.npy of shape [samples, ...], and what it is in NAME.json."""
  with open(os.path.join(folder, name + '.tflite'), 'wb') as out:
    out.write(f.bytes())
  for i, v in enumerate(f.inputs):
    shape = (SAMPLES,) + v.shape
    a = f.floats(shape) if v.type == 'f32' else np.stack([f.codes(v.shape, v.type) for _ in range(SAMPLES)])
    np.save(os.path.join(folder, f'{name}.in{i}.npy'), a)
  with open(os.path.join(folder, name + '.json'), 'w', encoding='utf-8') as out:
    json.dump({'type': f.type, 'said': f.said, 'operators': [o[0] for o in f.operators]}, out, default=str)


def single(seed, name, type_, big=False):
  """A file of one operator, or None: there is none of that type."""
  for attempt in range(200):
    f = File(np.random.default_rng([seed, attempt, *name.encode()]), type_, big)
    outputs = OPERATORS[name](f)
    if outputs:
      f.outputs = list(outputs)
      return f
  return None


def chain(seed, type_, kind, most=12):
  """Three to so many operators, with branches, further inputs and several outputs."""
  f = File(np.random.default_rng([seed, 77]), type_)
  f.index_type = 'i32'
  names = [n for n in OPERATORS if n not in FLOAT_ONLY or (type_ == 'f32' and n in IN_CHAINS_OF_FLOATS)]
  left_out = {'tflm': NOT_TFLM, 'litert': NOT_LITERT, 'islands': NOT_TFLM | NOT_LITERT}[kind]
  names = [n for n in names if n != 'quantize_ends' and n not in left_out]
  if type_ == 'i16' and kind != 'litert':
    names = [n for n in names if n not in NOT_TFLM_WIDE]
  if kind == 'litert':
    names = [n for n in names if n not in NOT_LITERT_OF.get(type_, ())]
  if kind != 'islands':
    names = [n for n in names if n != 'island']
  heavy = ['conv_2d', 'depthwise_conv_2d', 'add', 'mul', 'concatenation', 'quantize', 'max_pool_2d']
  names += [n for n in heavy if n in names] * 2
  first = f.input(f.shape(f.pick([2, 3, 4, 4, 4])), 'f32' if type_ != 'f32' and f.chance(0.25) else None)
  if first.type != type_:
    [first] = f.op('QUANTIZE', [first], [f.activation(first.shape, type_)], 'QuantizeOptions')
  values = [first]
  want = f.int(3, most)
  done = 0
  for _ in range(200):
    if done >= want:
      break
    x = f.pick(values[-3:]) if f.chance(0.8) else f.pick(values)
    name = f.pick(names)
    if x.size > 3000 and name in ('tile', 'broadcast_to', 'pad', 'resize_bilinear'):
      continue
    mark = (len(f.tensors), len(f.inputs), len(f.operators), len(f.said))
    others = [v for v in values if v is not x and broadcast(v.shape, x.shape) is not None]
    if name in ('add', 'sub', 'mul') and others and f.chance(0.7):
      outputs = OPERATORS[name](f, x, f.pick(others))
    else:
      outputs = OPERATORS[name](f, x)
    if not outputs or len(f.inputs) > 5 or any(v.size == 0 or v.rank == 0 for v in outputs):
      del f.tensors[mark[0]:], f.inputs[mark[1]:], f.operators[mark[2]:], f.said[mark[3]:]
      continue
    values += outputs
    done += 1
  read = {i for o in f.operators for i in o[1]}
  ends = [v for v in values if v.index not in read]
  for v in values[1:]:
    if v.index in read and f.chance(0.08):
      ends.append(v)
  if f.chance(0.1):
    ends.append(f.pick(f.inputs))
  f.rng.shuffle(ends)
  f.outputs = []
  for v in ends:
    if v.type in LIMITS and f.chance(0.15):
      [v] = f.op('DEQUANTIZE', [v], [f.tensor(v.shape, 'f32')], 'DequantizeOptions')
    f.outputs.append(v)
  return f


def make(folder, seed, count, types, only, kinds, big):
  """So many files of each type, the operators in turn, and so many chains of these kinds."""
  os.makedirs(folder, exist_ok=True)
  for type_ in types:
    names = [n for n in only or OPERATORS if (n not in FLOAT_ONLY if type_ != 'f32' else n not in CODES_ONLY)]
    for i in range(count if names else 0):
      name, number = names[i % len(names)], seed * 100000 + i
      f = single(number, name, type_, big)
      if f:
        finish(f, f'{name}-{type_}-{number}', folder)
  for i in range(count if kinds else 0):
    type_, kind, number = types[i % len(types)], kinds[i // len(types) % len(kinds)], seed * 100000 + i
    finish(chain(number, type_, kind), f'chain_{kind}-{type_}-{number}', folder)
