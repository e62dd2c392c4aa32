# SPDX-License-Identifier: Apache-2.0
# Draws operators that look at several places: pools, reductions, pictures of another size.
import math

from draw_layers import same_padding
from files import ACTIVATIONS


def pool(code):
  def make(f, x=None):
    x = x or f.input(f.shape())
    if x.rank != 4:
      return None
    n, h, w, c = x.shape
    kh, kw, sh, sw, padding = f.int(1, 5), f.int(1, 5), f.int(1, 3), f.int(1, 3), f.int(0, 1)
    if f.chance(0.15):
      kh, kw, sh, sw, padding = h, w, h, w, 1
    oh, ow = same_padding(h, kh, sh, 1, padding), same_padding(w, kw, sw, 1, padding)
    if oh < 1 or ow < 1:
      return None
    act = f.act()
    f.say(op=code.lower(), k=(kh, kw), s=(sh, sw), same=padding == 0, act=act)
    return f.op(code, [x], [f.activation((n, oh, ow, c), x.type, x)], 'Pool2DOptions', padding=padding, strideW=sw, strideH=sh,
                filterWidth=kw, filterHeight=kh, fusedActivationFunction=ACTIVATIONS[act])
  return make


def reduction(code, like):
  def make(f, x=None):
    x = x or f.input(f.any_shape())
    if x.rank < 1:
      return None
    axes = sorted(set(f.int(0, x.rank - 1) for _ in range(f.int(1, 3))))
    if x.rank == 4 and f.chance(0.3):
      axes = [1, 2]
    keep = f.chance(0.5)
    shape = tuple(1 if i in axes else d for i, d in enumerate(x.shape) if keep or i not in axes)
    n = math.prod(x.shape[a] for a in axes)
    if not shape and not f.chance(0.3):
      return None
    about = float(x.scale or 1) * (n if code == 'SUM' and f.chance(0.5) else 1)
    equal = like or f.chance(0.3)
    y = f.activation(shape, x.type, x if equal else None, about)
    said = [a - x.rank if f.chance(0.3) else a for a in axes]
    f.rng.shuffle(said)
    f.say(op=code.lower(), shape=list(x.shape), axes=said, keep=keep, equal=equal)
    scalar = len(said) == 1 and f.chance(0.3)
    return f.op(code, [x, f.integers(said[0] if scalar else said)], [y], 'ReducerOptions', keepDims=keep)
  return make


def beyond(n, out, corners, half):
  """TensorFlow Lite's integer bilinear reads behind the picture: its step of 1/1024 was rounded up."""
  step = (1024 * (n - 1) + (out - 1) // 2) // (out - 1) if corners and out > 1 else (1024 * n + out // 2) // out
  return ((out - 1) * step + (step // 2 - 512 if half else 0)) // 1024 > n - 1


def resize(code, options):
  def make(f, x=None):
    x = x or f.input(f.shape())
    if x.rank != 4:
      return None
    n, h, w, c = x.shape

    def to(d):
      return f.pick([f.int(1, 20), d * 2, d * f.int(1, 3), max(1, d // 2), d, f.int(1, 6), f.int(1, 37)])
    oh, ow = to(h), to(w)
    if n * oh * ow * c > 12000:
      return None
    corners, half = f.pick([(False, False), (True, False), (False, True)])
    if code == 'RESIZE_BILINEAR' and x.type != 'f32' and any(beyond(*d, corners, half) for d in ((h, oh), (w, ow))):
      return None
    f.say(op=code.lower(), of=(h, w), to=(oh, ow), corners=corners, half=half)
    return f.op(code, [x, f.integers([oh, ow])], [f.activation((n, oh, ow, c), x.type, x)], options, alignCorners=corners,
                halfPixelCenters=half)
  return make
