#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Every header compiles without another before it, twice in one file, and without a warning; what firmware compiles (kernels/args.h,
# qmath.h, ref/, runtime/) also as freestanding C++17. A header that a source of the product includes before all others is compiled
# alone where tests/syntax.py parses that source; those are compiled together here, for guards and warnings.
# Usage: headers_alone.py ROOT [--built=compile_commands.json] COMPILER [OPTION…] | headers_alone.py --self-test COMPILER [OPTION…]
import concurrent.futures
import json
import os
import re
import subprocess
import sys

import common

FREESTANDING = re.compile(r'kernels/(args|list|qmath)\.h|(kernels/ref|runtime)/.*\.h')
WARNINGS = ['-Wall', '-Wextra', '-Wpedantic', '-Werror', '-ffp-contract=off']
# What their meson.build sets: these headers are compiled once for each instruction set.
DEFINES = [(re.compile(r'runtime/ops/packed\.h'), ['-DOCTET_FAMILY=m4', '-DOCTET_ROUNDING=0']),
           (re.compile(r'kernels/f32/.*'), ['-DOCTET_ISA=v1', '-Wno-psabi']),
           (re.compile(r'kernels/native/.*'), ['-DOCTET_ISA=v3', '-Wno-psabi'])]

# Headers that show a library which a build may lack are compiled where it is found; tests/rules/meson.build says where.
OPTIONAL = [(re.compile(r'kernels/onednn/(primitive|layer|f32_convolution)\.h'), '<dnnl.hpp>')]


FIRST_INCLUDE = re.compile(r'^#include (?:"([^"]+)"|<)', re.M)
JOINED = re.compile(r'^#include<(.*)>$', re.M)


def sources_of(root, database):
  """The project's sources of a compile_commands.json, also those that Meson joined for a unity build."""
  with open(database, encoding='utf-8') as file:
    entries = json.load(file)
  for entry in entries:
    path = os.path.join(root, entry['directory'], entry['file'])
    if re.search(r'-unity\d+\.cpp$', path) and os.path.exists(path):
      with open(path, encoding='utf-8') as joined:
        paths = [os.path.join(root, source) for source in JOINED.findall(joined.read())]
    else:
      paths = [path]
    for path in paths:
      source = os.path.relpath(path, root)
      if source.endswith('.cpp') and not source.startswith('..') and os.path.exists(os.path.join(root, source)):
        yield source


def compiled_alone(root, database):
  """The headers that sources in a compile_commands.json include first, other than those that depend on DEFINES."""
  found = set()
  for source in sources_of(root, database):
    if source.startswith(('tests/', 'examples/')):
      continue  # parsed as they are joined
    first = FIRST_INCLUDE.search(common.read(root, source))
    if first and first[1]:
      found.add(first[1])
  return {h for h in found if not any(pattern.fullmatch(h) for pattern, _ in DEFINES + OPTIONAL)}


def compile_together(root, compiler, headers, options):
  text = ''.join(f'#include "{header}"\n' for header in headers * 2)
  done = subprocess.run([*compiler, *WARNINGS, *options, '-fsyntax-only', '-I', '.', '-x', 'c++', '-'], cwd=root,
                        input=text, capture_output=True, text=True)
  return [] if done.returncode == 0 else [f'headers together, each twice:\n{done.stderr}']


def compile_header(root, compiler, header, options):
  options = options + [d for pattern, defines in DEFINES if pattern.fullmatch(header) for d in defines]
  text = f'#include "{header}"\n#include "{header}"\n'
  for pattern, library in OPTIONAL:
    if pattern.fullmatch(header):
      text = f'#if __has_include({library})\n{text}#endif\n'
  done = subprocess.run([*compiler, *WARNINGS, *options, '-fsyntax-only', '-I', '.', '-x', 'c++', '-'], cwd=root,
                        input=text, capture_output=True, text=True)
  return [] if done.returncode == 0 else [f'{header} alone ({" ".join(options)}):\n{done.stderr}']


def check(root, compiler, database=None):
  jobs = []
  headers = common.project_files(root, '.h')
  built = compiled_alone(root, database) if database else set()
  together = [h for h in headers if h in built]
  if together:
    jobs.append((compile_together, together, ['-std=c++20']))
  for header in headers:
    if header not in built:
      jobs.append((compile_header, header, ['-std=c++20']))
    if FREESTANDING.fullmatch(header):
      jobs.append((compile_header, header, ['-std=c++17', '-ffreestanding', '-fno-exceptions', '-fno-rtti']))
  with concurrent.futures.ThreadPoolExecutor(int(os.environ.get('JOBS') or os.cpu_count())) as pool:
    return [f for found in pool.map(lambda job: job[0](root, compiler, *job[1:]), jobs) for f in found]


CLEAN = {
    'kernels/args.h': '#pragma once\n#include <stdint.h>\nstruct Args { int32_t n; };\n',
    'engine/tensor.h': '#pragma once\n#include <vector>\n#include "kernels/args.h"\nstruct Tensor { std::vector<Args> a; };\n',
}
BUILT = {
    'compile_commands.json': '[{"directory": "engine", "file": "../engine/x.cpp"}]',
    'engine/x.cpp': '#include "engine/x.h"\n#include <string>\n',
}
CASES = [
    ('a missing include', {'engine/x.h': '#pragma once\ninline std::string f();\n'}, 'engine/x.h alone'),
    ('a missing guard', {'engine/x.h': 'struct X {};\n'}, 'redefinition'),
    ('a warning', {'engine/x.h': '#pragma once\ninline int f(int unused) { return 0; }\n'}, 'unused'),
    ('C++20 in a freestanding header', {'kernels/ref/x.h': '#pragma once\ntemplate <class T> concept C = true;\n'}, '-std=c++17'),
    ('an exception in a freestanding header', {'kernels/qmath.h': '#pragma once\ninline void f() { throw 1; }\n'},
     '-fno-exceptions'),
    ('a missing guard of a header that was built', {**BUILT, 'engine/x.h': 'struct X {};\n'}, 'redefinition'),
    ('a warning in a header that was built',
     {**BUILT, 'engine/x.h': '#pragma once\ninline int f(int unused) { return 0; }\n'}, 'headers together'),
    ('a warning in a header that was built by a source that was joined with others',
     {**BUILT, 'compile_commands.json': '[{"directory": "build", "file": "x-unity0.cpp"}]',
      'build/x-unity0.cpp': '#include<engine/x.cpp>\n', 'engine/x.h': '#pragma once\ninline int f(int unused) { return 0; }\n'},
     'headers together'),
    ('a missing include of a header that is built behind another',
     {**BUILT, 'engine/x.cpp': '#include <string>\n#include "engine/x.h"\n',
      'engine/x.h': '#pragma once\ninline std::string f();\n'},
     'engine/x.h alone'),
]


def script(root, compiler):
  if root is None:
    def with_database(tree):
      database = os.path.join(tree, 'compile_commands.json')
      return check(tree, sys.argv[2:] or ['c++'], database if os.path.exists(database) else None)
    return common.self_test(with_database, CLEAN, CASES)
  database = next((c.removeprefix('--built=') for c in compiler if c.startswith('--built=')), None)
  compiler = [c for c in compiler if not c.startswith('--built=')]
  return common.report('headers alone', check(root, compiler or ['c++'], database), len(common.project_files(root, '.h')))


if __name__ == '__main__':
  common.main(script)
