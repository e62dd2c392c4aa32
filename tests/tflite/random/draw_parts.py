# SPDX-License-Identifier: Apache-2.0
# Draws operators that give parts of a tensor or put parts together: slices, splits, stacks, gathers.
import math


def strided_slice(f, x=None):
  x = x or f.input(f.any_shape())
  if x.rank < 1 or x.rank > 4:
    return None
  # With masks, negative begins or fewer axes LiteRT, TFLM and octet mean different things by an offset.
  offset = f.chance(0.2)
  full = x.rank if offset or f.chance(0.8) else f.int(1, x.rank)
  begin, end, step, shape = [], [], [], []
  begin_mask = end_mask = shrink = 0
  for i in range(full):
    n = x.shape[i]
    if f.chance(0.2) and x.rank > 1:
      b = f.int(0 if offset else -n, n - 1)
      begin.append(b), step.append(1), end.append(1 if offset else b + 1 if b != -1 else n)
      shrink |= 1 << i
      continue
    s = f.pick([1, 1, 1, 2, 3])
    lo, hi = sorted((f.int(0, n), f.int(0, n)))
    if lo == hi:
      lo, hi = 0, n
    b, e = lo, hi
    if f.chance(0.25) and not offset:
      begin_mask |= 1 << i
      lo = 0
      b = f.int(0, n - 1)
    if f.chance(0.25) and not offset:
      end_mask |= 1 << i
      hi = n
      e = f.int(0, n)
    if f.chance(0.3) and b < n:
      b -= n
    if offset:
      e = hi - lo
      if b < 0:
        b += n
    elif f.chance(0.3) and e < n:
      e -= n
    elif f.chance(0.1) and e == n:
      e = n + 5
    begin.append(b), end.append(e), step.append(s)
    shape.append((hi - lo + s - 1) // s)
  shape += x.shape[full:]
  if not shape or any(d < 1 for d in shape):
    return None
  f.say(op='strided_slice', shape=list(x.shape), begin=begin, end=end, step=step, begin_mask=begin_mask, end_mask=end_mask,
        shrink=shrink, offset=offset, result=shape)
  return f.op('STRIDED_SLICE', [x, f.integers(begin), f.integers(end), f.integers(step)], [f.activation(shape, x.type, x)],
              'StridedSliceOptions', beginMask=begin_mask, endMask=end_mask, shrinkAxisMask=shrink, offset=offset)


def slice_(f, x=None):
  x = x or f.input(f.any_shape())
  if x.rank < 1:
    return None
  begin = [f.int(0, d - 1) for d in x.shape]
  size = [f.int(1, d - b) for d, b in zip(x.shape, begin)]
  said = [-1 if b + s == d and f.chance(0.5) else s for d, b, s in zip(x.shape, begin, size)]
  f.say(op='slice', shape=list(x.shape), begin=begin, size=said)
  t = f.pick(['i32', 'i32', 'i64'])
  return f.op('SLICE', [x, f.integers(begin, type_=t), f.integers(said, type_=t)], [f.activation(size, x.type, x)], 'SliceOptions')


def split(f, x=None):
  x = x or f.input(f.any_shape())
  if x.rank < 1:
    return None
  axis = f.int(0, x.rank - 1)
  n = f.pick([d for d in range(1, min(x.shape[axis], 6) + 1) if x.shape[axis] % d == 0])
  shape = tuple(d // n if i == axis else d for i, d in enumerate(x.shape))
  f.say(op='split', shape=list(x.shape), axis=axis, n=n)
  return f.op('SPLIT', [f.integers(axis - x.rank if f.chance(0.3) else axis), x],
              [f.activation(shape, x.type, x) for _ in range(n)], 'SplitOptions', numSplits=n)


def split_v(f, x=None):
  x = x or f.input(f.any_shape())
  if x.rank < 1:
    return None
  axis = f.int(0, x.rank - 1)
  left, sizes = x.shape[axis], []
  while left > 0 and len(sizes) < 4:
    sizes.append(f.int(1, left))
    left -= sizes[-1]
  sizes[-1] += left
  said = list(sizes)
  if f.chance(0.3):
    said[f.int(0, len(said) - 1)] = -1
  f.say(op='split_v', shape=list(x.shape), axis=axis, sizes=said)
  return f.op('SPLIT_V', [x, f.integers(said), f.integers(axis - x.rank if f.chance(0.3) else axis)],
              [f.activation(tuple(s if i == axis else d for i, d in enumerate(x.shape)), x.type, x) for s in sizes],
              'SplitVOptions', numSplits=len(sizes))


def pack_(f, x=None):
  x = x or f.input(f.shape(f.pick([1, 2, 3])))
  if x.rank > 3:
    return None
  values = [x] + [x if f.chance(0.2) else f.value(x.shape, x.type, x) for _ in range(f.int(0, 3))]
  axis = f.int(0, x.rank)
  shape = x.shape[:axis] + (len(values),) + x.shape[axis:]
  f.say(op='pack', axis=axis, n=len(values), shape=list(x.shape))
  return f.op('PACK', values, [f.activation(shape, x.type, x)], 'PackOptions', valuesCount=len(values),
              axis=axis - x.rank - 1 if f.chance(0.3) else axis)


def unpack(f, x=None):
  x = x or f.input(f.shape(f.pick([2, 3, 4])))
  if x.rank < 2:
    return None
  axis = f.pick([i for i in range(x.rank)])
  n = x.shape[axis]
  if n > 6:
    return None
  shape = x.shape[:axis] + x.shape[axis + 1:]
  f.say(op='unpack', shape=list(x.shape), axis=axis)
  return f.op('UNPACK', [x], [f.activation(shape, x.type, x) for _ in range(n)], 'UnpackOptions', num=n,
              axis=axis - x.rank if f.chance(0.3) else axis)


def gather(f, x=None):
  x = x or f.input(f.any_shape())
  if x.rank < 1:
    return None
  axis = f.int(0, x.rank - 1)
  at = f.pick([(), (f.int(1, 5),), (f.int(1, 5),), (f.int(1, 3), f.int(1, 3))])
  shape = x.shape[:axis] + at + x.shape[axis + 1:]
  if not shape or len(shape) > 5 or math.prod(shape) > 6000:
    return None
  f.say(op='gather', shape=list(x.shape), axis=axis, at=list(at))
  return f.op('GATHER', [x, f.integers(f.rng.integers(0, x.shape[axis], at), at, f.pick(['i32', 'i32', f.index_type]))],
              [f.activation(shape, x.type, x)], 'GatherOptions', axis=axis - x.rank if f.chance(0.3) else axis)
