# SPDX-License-Identifier: Apache-2.0
# Arrays in .npy files and pictures, read and written with the standard library alone, for the tests of the command.
import ast
import struct
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
