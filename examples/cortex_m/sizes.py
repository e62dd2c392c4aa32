# SPDX-License-Identifier: Apache-2.0
# What the objects of the runtime archive weigh and need: .text by operator and rounding, and undefined symbols. Read are the
# objects that the cross build puts into the archive: their folders tell the rounding, which the names of its members do not.
import collections
import re
import subprocess

ARCHIVE = 'runtime/liboctet_runtime.a'
ROUNDINGS = ['any', 'real', 'fixed_double', 'fixed_single']
Object = collections.namedtuple('Object', 'path operator rounding packed')


def output(*command):
  return subprocess.run([str(c) for c in command], capture_output=True, text=True, check=True).stdout


def objects(build):
  """Every object of the archive; operator is '' for the code that all operators share."""
  inputs = re.findall(r'^ {4}(\S+\.o)$', output('ninja', '-C', build, '-t', 'query', ARCHIVE), re.M)
  operators = {m[1] for i in inputs if (m := re.search(r'/ops_(?:packed_)?(\w+)\.cpp\.o$', i))}
  if not operators:
    raise ValueError(f'{build}: no operator among the objects of {ARCHIVE}')
  found = []
  for name in inputs:
    folder, file = re.search(r'([^/]+)\.a\.p/([^/]+)$', name).groups()
    rounding = next((r for r in ROUNDINGS[1:] if r in folder), 'any')
    packed = bool(re.search(r'_m\d+(_|$)', folder))
    base = re.sub(r'^(ops_packed_|ops_|m\d+_)|(_block|_line)?\.(cpp|S)\.o$', '', file)
    found.append(Object(build / name, base if base in operators else '', rounding, packed))
  return found


def text_bytes(tools, paths):
  """The sum of the .text sections of each file, in the order of `paths`."""
  sizes = []
  for part in output(tools + 'size', '-A', *paths).split('section ')[1:]:
    sizes.append(sum(int(n) for n in re.findall(r'^\.text\S*\s+(\d+)', part, re.M)))
  if len(sizes) != len(paths):
    raise ValueError(f'size: {len(paths)} objects given, {len(sizes)} listed')
  return sizes


def table(boards):
  """Prints .text of every operator, one line each, for boards given as (name, tools, build folder)."""
  cells, shared = {}, {}
  for name, tools, build in boards:
    listed = objects(build)
    for o, size in zip(listed, text_bytes(tools, [o.path for o in listed])):
      if o.operator:
        key = (o.operator, ROUNDINGS.index(o.rounding))
        line = cells.setdefault(key, collections.Counter())
        line[name, o.packed] += size
      else:
        shared[name] = shared.get(name, 0) + size
  names = [b[0] for b in boards]
  print('\nSize per operator, bytes of .text (kernel, check and entry):\n')
  print('| operator | rounding | ' + ' | '.join(f'{n} portable | {n} packed' for n in names) + ' |')
  print('|---|---|' + '---:|' * 2 * len(names))
  for (operator, rounding), line in sorted(cells.items()):
    row = [f'{line[n, p]:,}' if line[n, p] else '-' for n in names for p in (False, True)]
    print(f'| {operator} | {ROUNDINGS[rounding]} | ' + ' | '.join(row) + ' |')
  row = [cell for n in names for cell in (f'{shared[n]:,}', '-')]
  print('| shared by all | any | ' + ' | '.join(row) + ' |\n')


def undefined(tools, build):
  """Symbols that the archive needs from elsewhere, by (operator, rounding) of the objects that name them."""
  own, needed = set(), collections.defaultdict(set)
  for o in objects(build):
    for line in output(tools + 'nm', o.path).splitlines():
      kind, symbol = line.split()[-2:]
      if kind in 'Uw':
        needed[o.operator, o.rounding].add(symbol)
      else:
        own.add(symbol)
  return {key: symbols - own for key, symbols in needed.items()}
