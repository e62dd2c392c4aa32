# SPDX-License-Identifier: Apache-2.0
# For the tests of the command: runs of it, and arrays and pictures read and written with the standard library alone.
import ast
import json
import math
import pathlib
import struct
import subprocess
import zlib

CODES = {'<f4': 'f', '<f8': 'd', '|u1': 'B', '|i1': 'b', '<i2': 'h', '<i4': 'i', '<i8': 'q'}


def write_npy(path, descr, shape, values):
  header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {tuple(shape)}, }}".ljust(117) + '\n'
  path.write_bytes(b'\x93NUMPY\x01\x00' + struct.pack('<H', len(header)) + header.encode()
                   + struct.pack(f'<{len(values)}{CODES[descr]}', *values))


def read_npy(path):
  """(type, shape, values)"""
  data = path.read_bytes()
  size = struct.unpack('<H', data[8:10])[0]
  header = ast.literal_eval(data[10:10 + size].decode())
  code = CODES[header['descr']]
  body = data[10 + size:]
  return header['descr'], header['shape'], list(struct.unpack(f'<{len(body) // struct.calcsize(code)}{code}', body))


def write_png(path, width, height, pixel, channels=3):
  """pixel(x, y) gives a tuple of bytes."""
  rows = b''.join(b'\0' + bytes(v for x in range(width) for v in pixel(x, y)) for y in range(height))

  def chunk(kind, body):
    return struct.pack('>I', len(body)) + kind + body + struct.pack('>I', zlib.crc32(kind + body))
  kind = {1: 0, 3: 2, 4: 6}[channels]
  path.write_bytes(b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', width, height, 8, kind, 0, 0, 0))
                   + chunk(b'IDAT', zlib.compress(rows)) + chunk(b'IEND', b''))


ERROR, USAGE, LIMIT = 1, 2, 3
findings = []


class Test:

  def __init__(self, tool, work):
    self.tool, self.work, self.runs = pathlib.Path(tool).resolve(), work, 0

  def run(self, *words, status=0):
    self.runs += 1
    done = subprocess.run([self.tool, *map(str, words)], capture_output=True, text=True, timeout=120, cwd=self.work)
    if done.returncode != status:
      findings.append(f'{words}: status {done.returncode}, expected {status}: {done.stderr!r}')
    if status == 0 and done.stderr:
      findings.append(f'{words}: standard error {done.stderr!r}')
    return done.stdout if status in (0, LIMIT) or done.stdout else done.stderr

  def json(self, *words, status=0):
    text = self.run(*words, '--json', status=status)
    try:
      return json.loads(text)
    except json.JSONDecodeError:
      findings.append(f'{words}: no JSON: {text[:100]!r}')
      return {}

  def expect(self, what, condition, seen=''):
    if not condition:
      findings.append(f'{what}: {seen}')


def rows_of(path):
  _, shape, values = read_npy(path)
  width = math.prod(shape[1:])
  return [values[i * width:(i + 1) * width] for i in range(shape[0])]


def arg_max(row):
  return max(range(len(row)), key=lambda i: (row[i], -i))


def sqnr(reference, test):
  signal = sum(x * x for row in reference for x in row)
  noise = sum((x - y)**2 for a, b in zip(reference, test) for x, y in zip(a, b))
  return 10 * math.log10(signal / noise)


def close(a, b):
  return len(a) == len(b) and all(math.isclose(x, y, rel_tol=1e-4, abs_tol=1e-5) for x, y in zip(a, b))
