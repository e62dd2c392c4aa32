#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Every header compiles without another before it, twice in one file, and without a warning; what firmware compiles (kernels/args.h,
# qmath.h, ref/, runtime/) also as freestanding C++17.
# Usage: headers_alone.py ROOT COMPILER [OPTION…] | headers_alone.py --self-test COMPILER [OPTION…]
import concurrent.futures
import os
import re
import subprocess
import sys

import common

FREESTANDING = re.compile(r'kernels/(args|qmath)\.h|(kernels/ref|runtime)/.*\.h')
WARNINGS = ['-Wall', '-Wextra', '-Wpedantic', '-Werror', '-ffp-contract=off']
# What their meson.build sets: these headers are compiled once for each instruction set.
DEFINES = [(re.compile(r'runtime/ops/packed\.h'), ['-DOCTET_FAMILY=m4', '-DOCTET_ROUNDING=0']),
           (re.compile(r'kernels/f32/.*'), ['-DOCTET_ISA=v1', '-Wno-psabi']),
           (re.compile(r'kernels/native/.*'), ['-DOCTET_ISA=v3', '-Wno-psabi'])]

# Headers that show a library which a build may lack are compiled where it is found; tests/rules/meson.build says where.
OPTIONAL = [(re.compile(r'kernels/onednn/primitive\.h'), '<dnnl.hpp>')]


def compile_header(root, compiler, header, options):
  options = options + [d for pattern, defines in DEFINES if pattern.fullmatch(header) for d in defines]
  text = f'#include "{header}"\n#include "{header}"\n'
  for pattern, library in OPTIONAL:
    if pattern.fullmatch(header):
      text = f'#if __has_include({library})\n{text}#endif\n'
  done = subprocess.run([*compiler, *WARNINGS, *options, '-fsyntax-only', '-I', '.', '-x', 'c++', '-'], cwd=root,
                        input=text, capture_output=True, text=True)
  return [] if done.returncode == 0 else [f'{header} alone ({" ".join(options)}):\n{done.stderr}']


def check(root, compiler):
  jobs = []
  for header in common.project_files(root, '.h'):
    jobs.append((header, ['-std=c++20']))
    if FREESTANDING.fullmatch(header):
      jobs.append((header, ['-std=c++17', '-ffreestanding', '-fno-exceptions', '-fno-rtti']))
  with concurrent.futures.ThreadPoolExecutor(int(os.environ.get('JOBS') or os.cpu_count())) as pool:
    return [f for found in pool.map(lambda job: compile_header(root, compiler, *job), jobs) for f in found]


CLEAN = {
    'kernels/args.h': '#pragma once\n#include <stdint.h>\nstruct Args { int32_t n; };\n',
    'engine/tensor.h': '#pragma once\n#include <vector>\n#include "kernels/args.h"\nstruct Tensor { std::vector<Args> a; };\n',
}
CASES = [
    ('a missing include', {'engine/x.h': '#pragma once\ninline std::string f();\n'}, 'engine/x.h alone'),
    ('a missing guard', {'engine/x.h': 'struct X {};\n'}, 'redefinition'),
    ('a warning', {'engine/x.h': '#pragma once\ninline int f(int unused) { return 0; }\n'}, 'unused'),
    ('C++20 in a freestanding header', {'kernels/ref/x.h': '#pragma once\ntemplate <class T> concept C = true;\n'}, '-std=c++17'),
    ('an exception in a freestanding header', {'kernels/qmath.h': '#pragma once\ninline void f() { throw 1; }\n'},
     '-fno-exceptions'),
]


def script(root, compiler):
  if root is None:
    return common.self_test(lambda r: check(r, sys.argv[2:] or ['c++']), CLEAN, CASES)
  return common.report('headers alone', check(root, compiler or ['c++']), len(common.project_files(root, '.h')))


if __name__ == '__main__':
  common.main(script)
