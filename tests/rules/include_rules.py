#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Who may include whom (docs/architecture.md, section 2), as a closed world: every include line must be allowed by a table below.
# Usage: include_rules.py ROOT PUBLIC_HEADER… | include_rules.py --self-test
import os
import re

import common

INCLUDE = re.compile(r'^\s*#\s*(include|include_next|import)\b\s*(.*)$')

# Units by the longest matching path prefix. `free` is what firmware compiles too: freestanding C++17.
UNITS = {'kernels/ref/': 'free', 'kernels/args.h': 'free', 'kernels/info.h': 'free', 'kernels/list.h': 'free',
         'kernels/qmath.h': 'free', 'kernels/cortex_m/': 'free',
         'kernels/cortex_m/pack': 'kernels', 'kernels/onednn/': 'onednn', 'kernels/native/': 'native', 'kernels/f32/': 'f32',
         'include/': 'include', 'tests/proof/': 'proof', 'tests/fuzz/': 'fuzz',
         **{folder + '/': folder for folder in common.FOLDERS}}
KERNELS = {'free', 'f32', 'kernels', 'native', 'onednn'}
ENGINE = KERNELS | {'engine'}
ALL = ENGINE | {'quant', 'compile', 'numeric_suite', 'io', 'runtime'}
UMBRELLA = 'include/octet/octet.h'  # reaches every public header, and no header that it does not reach is one
SEES = {
    'free': {'free'},
    'runtime': {'free', 'runtime'},
    'f32': {'free', 'kernels', 'f32'},
    'onednn': {'free', 'kernels', 'onednn'},
    'native': {'free', 'kernels', 'native'},
    'kernels': KERNELS,
    'engine': ENGINE,
    'quant': ENGINE | {'quant'},
    'compile': ENGINE | {'compile'},
    'numeric_suite': ENGINE | {'quant', 'compile', 'numeric_suite'},
    'include': ALL - {'runtime'},
    'io': ENGINE | {'quant', 'compile', 'io'},  # and runtime/image.h
    'tools': ALL | {'tools'},
    'examples': ALL | {'include', 'tools', 'examples'},  # the tools' progress bar
    'tests': ALL | {'include', 'tests'},
    'proof': ALL | {'tools', 'tests', 'proof'},  # programs that train and print
    'fuzz': ALL | {'tools', 'tests', 'fuzz'},  # pictures are read by the command
    'bench': ALL | {'tools', 'examples', 'tests', 'bench'},  # it measures the demo's network and the tests' cases
}

# Headers from outside: pattern of what is between < and >, pattern of the files that may include it.
OUTSIDE = [
    (r'std(int|def)\.h', r'.*'),
    (r'[a-z_0-9]+', r'(?!kernels/(ref/|cortex_m/(?!pack)|(args|list|qmath)\.h)|runtime/).*'),  # the C++ standard library
    (r'(immintrin|arm_neon|cpuid)\.h', r'kernels/(?!ref/|(args|list|qmath)\.h).*|bench/.*'),
    (r'(unistd|fcntl|sched|pthread)\.h|sys/\w+\.h',
     r'(kernels/(?!ref/)|io/|tools/|examples/|bench/).*\.cpp|engine/storage\.cpp|tests/.*'),
    (r'arm_mve\.h', r'kernels/cortex_m/.*'),
    (r'dlfcn\.h', r'kernels/onednn/.*\.cpp'),
    (r'(unsupported/)?Eigen/\w+', r'kernels/f32/.*'),
    (r'(oneapi/dnnl/|dnnl).*', r'kernels/onednn/.*|bench/.*\.cpp'),
    (r'zlib\.h', r'io/.*|tests/(io|fuzz)/.*'),
    (r'flatbuffers/.*', r'io/tflite/.*|tests/tflite/.*'),
    (r'protozero/.*', r'io/.*'),
    (r'nlohmann/.*', r'io/.*|bench/.*|tools/octet/.*|(numeric_suite|tools|examples)/.*\.cpp|tests/.*\.cpp'),
    (r'stb_image\.h', r'tools/octet/picture\.cpp'),
    (r'catch2/.*', r'tests/(catch\.h|main\.cpp)'),
    (r'benchmark/.*', r'bench/.*'),
    (r'CLI/.*|fmt/.*', r'(tools|examples|bench|tests/proof)/.*'),
]
# What the image writer puts beside a firmware.
GENERATED = {('examples/cortex_m/minimal.cpp', 'model.h'), ('examples/cortex_m/runner.cpp', 'model.h'),
             ('examples/cortex_m/runner.cpp', 'samples.h')}
STANDARD = r'[a-z_0-9]+|std(int|def)\.h'


def unit_of(path):
  return UNITS[max((p for p in UNITS if path.startswith(p)), key=len, default=None)] if any(map(path.startswith, UNITS)) else None


def check_line(root, path, public, what):
  """Why this file may not have `#include what`, or None."""
  if match := re.match(r'<([^>]+)>', what):
    name = match[1]
    if os.path.exists(os.path.join(root, name)):
      return 'own headers are included with quotes'
    if path in public and not re.fullmatch(STANDARD, name):
      return 'a public header shows nothing but the standard library'
    rules = [files for headers, files in OUTSIDE if re.fullmatch(headers, name)]
    if not rules:
      return 'no rule allows this header anywhere'
    return None if any(re.fullmatch(files, path) for files in rules) else 'not allowed here'
  match = re.match(r'"([^"]+)"', what)
  if not match:
    return 'neither <…> nor "…"'
  name = match[1]
  if (path, name) in GENERATED:
    return None
  if name == os.path.relpath(UMBRELLA, 'include'):  # spelled as users spell it
    name = UMBRELLA
  if os.path.normpath(name) != name or not os.path.isfile(os.path.join(root, name)):
    return 'includes start at the root of the project, and the file must exist'
  unit, other = unit_of(path), unit_of(name)
  if other not in SEES[unit] and (unit, name) != ('io', 'runtime/image.h'):
    return f'{unit} may not see {other}'
  if path in public and name not in public:
    return 'a public header includes only public headers'
  return None


DOCUMENT = 'docs/architecture.md'


def check_document(root):
  """The table of folders says of the library's parts what SEES says."""
  if not os.path.isfile(os.path.join(root, DOCUMENT)):
    return []
  rows = re.findall(r'^\| `(engine|quant|compile|numeric_suite|io)/` \|.*\| ([^|]*) \|$', common.read(root, DOCUMENT), re.M)
  stated = {unit: {folder.rstrip('/') for folder in re.findall(r'`(\w+/)`', row.split(', of ')[0])} for unit, row in rows}

  def seen(unit):
    found, wanted = set(), [unit]
    while wanted:
      new = stated.get(wanted.pop(), set()) - found
      found |= new
      wanted += new
    return found
  findings = []
  for unit in ('engine', 'quant', 'compile', 'numeric_suite', 'io'):
    enforced = {'kernels' if other in KERNELS else other for other in SEES[unit]} - {unit}
    if seen(unit) != enforced:
      findings.append(f'{DOCUMENT}: says {unit} may include {sorted(seen(unit))}, enforced is {sorted(enforced)}')
  return findings


def reached(root, path, found):
  for name in re.findall(r'^\s*#\s*include\s*"([^"]+)"', common.read(root, path), re.M):
    if name not in found and os.path.isfile(os.path.join(root, name)):
      found.add(name)
      reached(root, name, found)
  return found


def check_umbrella(root, public):
  if not os.path.isfile(os.path.join(root, UMBRELLA)):
    return []
  found = reached(root, UMBRELLA, set())
  return [f'{name}: installed, but {UMBRELLA} does not reach it' for name in sorted(set(public) - found)] + \
      [f'{name}: {UMBRELLA} reaches it, but it is not installed' for name in sorted(found - set(public))]


def check(root, public):
  findings = [f'{name}: a public header that does not exist' for name in public if not os.path.isfile(os.path.join(root, name))]
  findings += check_document(root) + check_umbrella(root, public)
  for path in common.project_files(root, '.h', '.cpp'):
    if path.startswith('tests/consumer/'):
      continue  # another project
    for number, line in enumerate(common.read(root, path).splitlines(), 1):
      if match := INCLUDE.match(line):
        reason = check_line(root, path, public, match[2].strip()) if match[1] == 'include' else 'only plain #include'
        if reason:
          findings.append(f'{path}:{number}: #{match[1]} {match[2].strip()}: {reason}')
  return findings


PUBLIC = ['engine/tensor.h', 'kernels/args.h', 'engine/gone.h']
CLEAN = {
    UMBRELLA: '#include "engine/tensor.h"\n#include "engine/gone.h"\n',
    'kernels/args.h': '#include <stdint.h>\n', 'kernels/qmath.h': '#include "kernels/args.h"\n', 'kernels/ref/ref.h': '',
    'kernels/ref/add.cpp': '#include "kernels/qmath.h"\n#include "kernels/ref/ref.h"\n#include <stddef.h>\n',
    'kernels/kernel.h': '#include <span>\n', 'kernels/f32/gemm.cpp': '#include <Eigen/Core>\n#include "kernels/kernel.h"\n',
    'kernels/onednn/conv2d.cpp': '#include <dnnl.hpp>\n#include <dlfcn.h>\n', 'engine/gone.h': '',
    'engine/tensor.h': '#include <vector>\n#include "kernels/args.h"\n', 'engine/private.h': '', 'quant/quantize.h': '',
    'compile/program.h': '', 'numeric_suite/compare.h': '#include "quant/quantize.h"\n#include "compile/program.h"\n',
    'numeric_suite/report.cpp': '#include <nlohmann/json.hpp>\n', 'runtime/image.h': '', 'runtime/octet.h': '', 'io/json.h': '',
    'io/npy.cpp': '#include <zlib.h>\n#include <unistd.h>\n#include "compile/program.h"\n#include "runtime/image.h"\n',
    'tests/catch.h': '#include <catch2/catch.hpp>\n', 'tests/x.cpp': '#include "tests/catch.h"\n#include "io/json.h"\n',
}
VIOLATIONS = [
    ('a kernel sees the engine', 'kernels/kernel.h', '"engine/tensor.h"', 'kernels may not see engine'),
    ('float kernels see the engine', 'kernels/f32/gemm.cpp', '"engine/tensor.h"', 'f32 may not see engine'),
    ('a reference kernel sees the host side', 'kernels/ref/add.cpp', '"kernels/kernel.h"', 'free may not see kernels'),
    ('a reference kernel includes <cstdint>', 'kernels/ref/add.cpp', '<cstdint>', 'not allowed here'),
    ('a reference kernel includes <string.h>', 'kernels/ref/add.cpp', '<string.h>', 'no rule'),
    ('args.h includes <type_traits>', 'kernels/args.h', '<type_traits>', 'not allowed here'),
    ('the runtime includes <vector>', 'runtime/octet.h', '<vector>', 'not allowed here'),
    ('the runtime sees the engine', 'runtime/octet.h', '"engine/tensor.h"', 'runtime may not see engine'),
    ('the engine sees quant', 'engine/private.h', '"quant/quantize.h"', 'engine may not see quant'),
    ('the engine sees io', 'engine/private.h', '"io/json.h"', 'engine may not see io'),
    ('quant sees compile', 'quant/quantize.h', '"compile/program.h"', 'quant may not see compile'),
    ('compile sees quant', 'compile/program.h', '"quant/quantize.h"', 'compile may not see quant'),
    ('the numeric suite sees io', 'numeric_suite/compare.h', '"io/json.h"', 'numeric_suite may not see io'),
    ('io sees the numeric suite', 'io/npy.cpp', '"numeric_suite/compare.h"', 'io may not see numeric_suite'),
    ('io sees the runtime beyond the image', 'io/npy.cpp', '"runtime/octet.h"', 'io may not see runtime'),
    ('the library sees its tests', 'quant/quantize.h', '"tests/catch.h"', 'quant may not see tests'),
    ('Eigen in the engine', 'engine/private.h', '<Eigen/Core>', 'not allowed here'),
    ('Eigen in other kernels', 'kernels/kernel.h', '<Eigen/Dense>', 'not allowed here'),
    ('oneDNN in the float kernels', 'kernels/f32/gemm.cpp', '<oneapi/dnnl/dnnl.hpp>', 'not allowed here'),
    ('zlib in the engine', 'engine/private.h', '<zlib.h>', 'not allowed here'),
    ('JSON in quant', 'quant/quantize.h', '<nlohmann/json.hpp>', 'not allowed here'),
    ('JSON in a header of the numeric suite', 'numeric_suite/compare.h', '<nlohmann/json.hpp>', 'not allowed here'),
    ('formatting in the library', 'engine/private.h', '<fmt/format.h>', 'not allowed here'),
    ('Catch2 past its shim', 'tests/x.cpp', '<catch2/catch.hpp>', 'not allowed here'),
    ('an unknown library', 'io/npy.cpp', '<boost/any.hpp>', 'no rule'),
    ('the umbrella shows a private one', UMBRELLA, '"engine/private.h"', 'reaches it, but it is not installed'),
    ('a public header shows a private one', 'engine/tensor.h', '"engine/private.h"', 'only public headers'),
    ('a public header shows POSIX', 'engine/tensor.h', '<unistd.h>', 'nothing but the standard library'),
    ('a path relative to the file', 'engine/private.h', '"../quant/quantize.h"', 'start at the root'),
    ('a path beside the file', 'engine/private.h', '"tensor.h"', 'start at the root'),
    ('an own header in angle brackets', 'engine/private.h', '<engine/tensor.h>', 'with quotes'),
    ('an outside header in quotes', 'io/npy.cpp', '"zlib.h"', 'start at the root'),
    ('an include by macro', 'engine/private.h', 'HEADER', 'neither'),
]


TABLE = ''.join(f'| `{unit}/` | what | {may} |\n' for unit, may in [
    ('engine', '`kernels/`'), ('quant', '`engine/`'), ('compile', '`engine/`'),
    ('numeric_suite', '`quant/`, `engine/`, `compile/`'),
    ('io', '`quant/`, `compile/`, of `runtime/` `image.h`')])
CLEAN[DOCUMENT] = TABLE


def script(root, public):
  if root is None:
    cases = [(name, {path: CLEAN[path] + f'#  include {what}\n'}, text) for name, path, what, text in VIOLATIONS]
    cases.append(('a public header is gone', {'engine/gone.h': None}, 'does not exist'))
    cases.append(('a document that says less', {DOCUMENT: TABLE.replace('`quant/`, `compile/`', '`quant/`')},
                  'says io may include'))
    cases.append(('a document that says more', {DOCUMENT: TABLE.replace('| `kernels/` |', '| `kernels/`, `io/` |')},
                  'says engine may include'))
    cases.append(('an import', {'io/npy.cpp': '#import "io/json.h"\n'}, 'only plain'))
    return common.self_test(lambda r: check(r, PUBLIC), CLEAN, cases)
  if not public:
    return common.report('includes', ['no public header was named'], 1)
  return common.report('includes', check(root, public), len(common.project_files(root, '.h', '.cpp')))


if __name__ == '__main__':
  common.main(script)
