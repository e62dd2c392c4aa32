# SPDX-License-Identifier: Apache-2.0
# A random .tflite file as it grows: its tensors and operators, the randomness that they are drawn with, and its bytes.
import math

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as s

f32 = np.float32
# The schema's number and the type of the elements; int4 is packed before it comes here.
TYPES = {'f32': (0, np.float32), 'i32': (2, np.int32), 'u8': (3, np.uint8), 'i64': (4, np.int64), 'i16': (7, np.int16),
         'i8': (9, np.int8), 'i4': (17, np.uint8)}
LIMITS = {'i8': (-128, 127), 'u8': (0, 255), 'i16': (-32768, 32767)}
VERSIONS = {'BROADCAST_TO': 3}  # where LiteRT has no first one
ACTIVATIONS = {'none': 0, 'relu': 1, 'relu_n1': 2, 'relu6': 3}


class Value:
  """A tensor of the file."""

  def __init__(self, index, shape, type_, scale=None, zero=0, constant=False):
    self.index, self.shape, self.type, self.scale, self.zero, self.constant = index, tuple(shape), type_, scale, zero, constant

  @property
  def rank(self):
    return len(self.shape)

  @property
  def size(self):
    return math.prod(self.shape)


class File:
  """A graph as it grows, and the randomness it is drawn with."""

  def __init__(self, rng, type_, big=False):
    self.rng, self.type, self.big = rng, type_, big
    self.tensors, self.operators, self.inputs, self.outputs = [], [], [], []
    self.names = rng.choice(['plain', 'plain', 'none', 'same', 'odd'])
    self.said = []  # what the file is, for people
    self.index_type = 'i64'  # which TFLM does not read everywhere

  # Draws.
  def int(self, lo, hi):
    return int(self.rng.integers(lo, hi + 1))

  def chance(self, p):
    return bool(self.rng.random() < p)

  def pick(self, items):
    return items[self.int(0, len(items) - 1)]

  def say(self, **what):
    self.said.append({k: (float(v) if isinstance(v, (np.floating, float)) else v) for k, v in what.items()})

  def spread(self, lo, hi):
    """Log-uniform."""
    return float(math.exp(self.rng.uniform(math.log(lo), math.log(hi))))

  def scale(self, about=None):
    return f32(self.spread(1e-3, 0.2) if about is None else about * self.spread(0.5, 2))

  def zero(self, type_):
    if type_ == 'i16':
      return 0
    lo, hi = LIMITS[type_]
    middle = 128 if type_ == 'u8' else 0
    return self.pick([middle, self.int(lo, hi), self.int(lo, hi), lo, hi, self.int(-20, 20) + middle])

  # Tensors.
  def tensor(self, shape, type_, scale=None, zero=0, data=None, axis=0):
    i = len(self.tensors)
    odd = self.pick(['a/b/c', 'a;b;c/d', 'x\ty', '\u00e9/', '/', 't' * 300, ''])
    name = {'plain': f't{i}', 'none': '', 'same': 'again', 'odd': odd}[self.names]
    self.tensors.append((tuple(int(d) for d in shape), type_, scale, zero, data, axis, name))
    return Value(i, shape, type_, scale, zero, data is not None)

  def codes(self, shape, type_, narrow=False):
    lo, hi = LIMITS[type_]
    if narrow:
      lo = -hi
    mode = self.int(0, 3)
    if mode == 0:
      a = self.rng.integers(lo, hi + 1, shape)
    elif mode == 1:
      a = np.clip(np.rint(self.rng.normal((lo + hi) / 2, (hi - lo) / 8, shape)), lo, hi)
    elif mode == 2:
      a = np.clip(np.rint(self.rng.normal((lo + hi) / 2, (hi - lo) / 40, shape)), lo, hi)
    else:
      a = self.rng.choice([lo, hi, lo + 1, hi - 1, 0 if lo < 0 else 128], shape)
    return np.asarray(a).astype(TYPES[type_][1])

  def floats(self, shape):
    return (self.rng.normal(0, 1, shape) * self.spread(0.3, 3)).astype(f32)

  def input(self, shape, type_=None, like=None):
    type_ = type_ or self.type
    v = self.activation(shape, type_, like)
    self.inputs.append(v)
    return v

  def activation(self, shape, type_, like=None, about=None):
    if type_ == 'f32':
      return self.tensor(shape, 'f32')
    if like is not None:
      return self.tensor(shape, type_, like.scale, like.zero)
    return self.tensor(shape, type_, self.scale(about), self.zero(type_))

  def value(self, shape, type_=None, like=None, constant=0.3):
    """An operand: a constant or another input."""
    type_ = type_ or self.type
    if self.chance(constant):
      if type_ == 'f32':
        return self.tensor(shape, 'f32', data=self.floats(shape))
      v = self.activation(shape, type_, like)
      self.tensors.pop()
      return self.tensor(shape, type_, v.scale, v.zero, self.codes(shape, type_))
    return self.input(shape, type_, like)

  def integers(self, values, shape=None, type_=None):
    type_ = type_ or 'i32'
    a = np.asarray(values, TYPES[type_][1])
    return self.tensor(a.shape if shape is None else shape, type_, data=a.reshape(a.shape if shape is None else shape))

  def op(self, code, inputs, outputs, options=None, **fields):
    self.operators.append((code, [-1 if v is None else v.index for v in inputs], [v.index for v in outputs], options, fields))
    return outputs

  def shape(self, rank=4, most=3000):
    while True:
      if self.big:
        s = (self.pick([1, 1, 2]),) + tuple(self.int(3, 30) for _ in range(rank - 2))
        s += (self.pick([3, 8, 16, 24, 32, 33, 64, 96]),) * (rank > 1)
        most = 40000
      elif rank == 4:
        s = (self.pick([1, 1, 1, 2, 3]), self.int(1, 11), self.int(1, 11), self.pick([1, 2, 3, 4, 5, 7, 8, 16, 17]))
      else:
        s = (self.pick([1, 1, 2, 3]),) + tuple(self.int(1, 12) for _ in range(rank - 1))
        if rank == 1:
          s = (self.int(1, 64),)
      if math.prod(s) <= most:
        return s

  def any_shape(self):
    return self.shape(self.pick([1, 2, 3, 4, 4, 4]))

  def act(self):
    return self.pick(['none', 'none', 'relu', 'relu6', 'relu_n1'])

  def bytes(self):
    return pack(self)


def pack(file):
  """The FlatBuffer."""
  model = s.ModelT()
  model.version, model.description = 3, 'random'
  graph = s.SubGraphT()
  graph.tensors, graph.operators, model.operatorCodes, model.buffers = [], [], [], [s.BufferT()]
  for shape, type_, scale, zero, data, axis, name in file.tensors:
    t = s.TensorT()
    t.shape, t.type, t.name = list(shape), TYPES[type_][0], name
    t.shapeSignature = None
    if scale is not None:
      q = s.QuantizationParametersT()
      q.scale = [float(v) for v in np.atleast_1d(scale)]
      q.zeroPoint = [int(v) for v in np.broadcast_to(zero, np.shape(np.atleast_1d(scale)))]
      q.quantizedDimension = axis
      t.quantization = q
    if data is not None:
      b = s.BufferT()
      b.data = np.frombuffer(np.ascontiguousarray(data).tobytes(), np.uint8)
      t.buffer = len(model.buffers)
      model.buffers.append(b)
    elif file.chance(0.5):
      t.buffer = len(model.buffers)
      model.buffers.append(s.BufferT())
    graph.tensors.append(t)
  codes = {}
  for code, inputs, outputs, options, fields in file.operators:
    number = getattr(s.BuiltinOperator, code)
    if number not in codes or file.chance(0.3):
      c = s.OperatorCodeT()
      c.deprecatedBuiltinCode, c.builtinCode, c.version = min(number, 127), number, VERSIONS.get(code, 1)
      codes[number] = len(model.operatorCodes)
      model.operatorCodes.append(c)
    o = s.OperatorT()
    o.opcodeIndex, o.inputs, o.outputs = codes[number], inputs, outputs
    if options is not None:
      table = getattr(s, options + 'T')()
      for k, v in fields.items():
        assert hasattr(table, k), (options, k)
        setattr(table, k, v)
      o.builtinOptionsType, o.builtinOptions = getattr(s.BuiltinOptions, options), table
    graph.operators.append(o)
  graph.inputs, graph.outputs = [v.index for v in file.inputs], [v.index for v in file.outputs]
  model.subgraphs = [graph]
  builder = flatbuffers.Builder(1024)
  builder.Finish(model.Pack(builder), b'TFL3')
  return bytes(builder.Output())
