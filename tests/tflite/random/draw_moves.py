# SPDX-License-Identifier: Apache-2.0
# Draws operators that move all values: other shapes, orders, edges and copies.
import math



def pad(code):
  def make(f, x=None):
    x = x or f.input(f.any_shape())
    if x.rank < 1:
      return None
    mirror = code == 'MIRROR_PAD'
    pads = []
    for i, d in enumerate(x.shape):
      most = min(3, d - 1) if mirror else 3
      pads.append([f.int(0, most), f.int(0, most)] if f.chance(0.6) and (i > 0 or x.rank < 4 or f.chance(0.2)) else [0, 0])
    shape = tuple(d + a + b for d, (a, b) in zip(x.shape, pads))
    if math.prod(shape) > 8000:
      return None
    inputs = [x, f.integers(pads, type_=f.pick(['i32', 'i32', f.index_type]))]
    if code == 'PADV2':
      if x.type == 'f32':
        inputs.append(f.tensor(f.pick([(), (1,)]), 'f32', data=f.floats((1,))))
      else:
        inputs.append(f.tensor(f.pick([(), (1,)]), x.type, x.scale, x.zero, f.codes((1,), x.type)))
    f.say(op=code.lower(), pads=pads)
    y = f.activation(shape, x.type, x)
    if mirror:
      return f.op(code, inputs, [y], 'MirrorPadOptions', mode=0 if f.index_type == 'i32' or f.chance(0.7) else 1)
    return f.op(code, inputs, [y], 'PadOptions' if code == 'PAD' else 'PadV2Options')
  return make


def concatenation(f, x=None):
  x = x or f.input(f.any_shape())
  if x.rank < 1:
    return None
  axis = f.int(0, x.rank - 1)
  values = [x]
  for _ in range(f.int(0, 3)):
    if f.chance(0.2):
      values.append(f.pick(values))
      continue
    shape = tuple(f.int(1, 5) if i == axis else d for i, d in enumerate(x.shape))
    values.append(f.value(shape, x.type, x if x.type != 'u8' or f.chance(0.5) else None))
  f.rng.shuffle(values)
  shape = tuple(sum(v.shape[axis] for v in values) if i == axis else d for i, d in enumerate(x.shape))
  if math.prod(shape) > 8000:
    return None
  f.say(op='concatenation', axis=axis, n=len(values))
  return f.op('CONCATENATION', values, [f.activation(shape, x.type, x)], 'ConcatenationOptions',
              axis=axis - x.rank if f.chance(0.3) else axis)


def reshape(f, x=None):
  x = x or f.input(f.any_shape())
  flat = x.size
  shape = []
  while len(shape) < f.int(1, 4):
    d = f.pick([d for d in range(1, flat + 1) if flat % d == 0])
    shape.append(d)
    flat //= d
  shape.append(flat)
  if len(shape) > 5:
    return None
  said = list(shape)
  if f.chance(0.3):
    said[f.int(0, len(said) - 1)] = -1
  f.say(op='reshape', to=shape)
  return f.op('RESHAPE', [x, f.integers(said)], [f.activation(shape, x.type, x)], 'ReshapeOptions', newShape=said)


def squeeze(f, x=None):
  x = x or f.input((1, f.int(1, 4), 1, f.int(1, 9)))
  ones = [i for i, d in enumerate(x.shape) if d == 1]
  dims = ones if f.chance(0.5) else [d for d in ones if f.chance(0.6)]
  shape = [d for i, d in enumerate(x.shape) if i not in (dims or ones)]
  if not ones or not shape:
    return None
  f.say(op='squeeze', shape=list(x.shape), dims=dims)
  return f.op('SQUEEZE', [x], [f.activation(shape, x.type, x)], 'SqueezeOptions',
              squeezeDims=[d - x.rank if f.chance(0.3) else d for d in dims])


def expand_dims(f, x=None):
  x = x or f.input(f.shape(f.pick([1, 2, 3])))
  if x.rank > 4:
    return None
  axis = f.int(0, x.rank)
  shape = x.shape[:axis] + (1,) + x.shape[axis:]
  f.say(op='expand_dims', axis=axis)
  return f.op('EXPAND_DIMS', [x, f.integers(axis - x.rank - 1 if f.chance(0.3) else axis)], [f.activation(shape, x.type, x)],
              'ExpandDimsOptions')


def transpose(f, x=None):
  x = x or f.input(f.any_shape())
  if x.rank < 1:
    return None
  order = [int(i) for i in f.rng.permutation(x.rank)]
  f.say(op='transpose', shape=list(x.shape), order=order)
  return f.op('TRANSPOSE', [x, f.integers(order)], [f.activation([x.shape[i] for i in order], x.type, x)], 'TransposeOptions')


def tile(f, x=None):
  x = x or f.input(f.any_shape())
  if x.rank < 1:
    return None
  times = [f.int(1, 3) for _ in x.shape]
  shape = tuple(d * t for d, t in zip(x.shape, times))
  if math.prod(shape) > 6000:
    return None
  f.say(op='tile', shape=list(x.shape), times=times)
  return f.op('TILE', [x, f.integers(times, type_=f.pick(['i32', 'i64']))], [f.activation(shape, x.type, x)], 'TileOptions')


def broadcast_to(f, x=None):
  x = x or f.input(tuple(1 if f.chance(0.5) else f.int(1, 6) for _ in range(f.int(1, 4))))
  shape = tuple(f.int(1, 5) if d == 1 else d for d in x.shape)
  if x.rank < 4 and f.chance(0.3):
    shape = (f.int(1, 3),) + shape
  if math.prod(shape) > 6000:
    return None
  f.say(op='broadcast_to', shape=list(x.shape), to=list(shape))
  return f.op('BROADCAST_TO', [x, f.integers(shape, type_=f.pick(['i32', 'i64']))], [f.activation(shape, x.type, x)],
              'BroadcastToOptions')


def reverse_v2(f, x=None):
  x = x or f.input(f.any_shape())
  if x.rank < 1:
    return None
  first = f.int(0, x.rank - 1)
  axes = list(range(first, min(x.rank, first + f.int(1, 2))))  # LiteRT reverses neighbours only
  f.say(op='reverse_v2', shape=list(x.shape), axes=axes)
  return f.op('REVERSE_V2', [x, f.integers([a - x.rank if f.chance(0.3) else a for a in axes])],
              [f.activation(x.shape, x.type, x)], 'ReverseV2Options')


def depth_to_space(f, x=None):
  b = f.pick([2, 2, 3])
  x = x or f.input((f.int(1, 2), f.int(1, 5), f.int(1, 5), b * b * f.int(1, 3)))
  if x.rank != 4 or x.shape[3] % (b * b):
    return None
  n, h, w, c = x.shape
  f.say(op='depth_to_space', block=b)
  return f.op('DEPTH_TO_SPACE', [x], [f.activation((n, h * b, w * b, c // b // b), x.type, x)], 'DepthToSpaceOptions', blockSize=b)


def space_to_depth(f, x=None):
  b = f.pick([2, 2, 3])
  x = x or f.input((f.int(1, 2), b * f.int(1, 3), b * f.int(1, 3), f.int(1, 5)))
  if x.rank != 4 or x.shape[1] % b or x.shape[2] % b:
    return None
  n, h, w, c = x.shape
  f.say(op='space_to_depth', block=b)
  return f.op('SPACE_TO_DEPTH', [x], [f.activation((n, h // b, w // b, c * b * b), x.type, x)], 'SpaceToDepthOptions', blockSize=b)


def space_to_batch_nd(f, x=None, block=None, edges=None):
  x = x or f.input(f.shape(f.pick([3, 4, 4, 4])))
  if x.rank not in (3, 4):
    return None
  if block is None:
    block = [f.int(1, 3) for _ in range(x.rank - 2)]
    edges = []
    for d, b in zip(x.shape[1:], block):
      first = f.int(0, 2)
      edges.append([first, -(d + first) % b + b * f.int(0, 1)])
  shape = [d + sum(e) for d, e in zip(x.shape[1:], edges)]
  shape = (x.shape[0] * math.prod(block), *(d // b for d, b in zip(shape, block)), x.shape[-1])
  if math.prod(shape) > 8000 and not f.big:
    return None
  f.say(op='space_to_batch_nd', block=block, edges=edges)
  return f.op('SPACE_TO_BATCH_ND', [x, f.integers(block), f.integers(edges)], [f.activation(shape, x.type, x)],
              'SpaceToBatchNDOptions')


def batch_to_space_nd(f, x=None, block=None, cuts=None):
  if block is None:
    rank = x.rank if x else f.pick([3, 4, 4, 4])
    block = [f.int(1, 3) for _ in range(rank - 2)]
    x = x or f.input((math.prod(block) * f.int(1, 2),) + f.shape(rank)[1:])
    if x.rank not in (3, 4) or x.shape[0] % math.prod(block):
      return None
    cuts = []
    for d, b in zip(x.shape[1:], block):
      first = f.int(0, d * b - 1) if f.chance(0.3) else 0
      cuts.append([first, f.int(0, d * b - 1 - first) if f.chance(0.3) else 0])
  shape = (d * b - sum(c) for d, b, c in zip(x.shape[1:], block, cuts))
  shape = (x.shape[0] // math.prod(block), *shape, x.shape[-1])
  f.say(op='batch_to_space_nd', block=block, cuts=cuts)
  return f.op('BATCH_TO_SPACE_ND', [x, f.integers(block), f.integers(cuts)], [f.activation(shape, x.type, x)],
              'BatchToSpaceNDOptions')
