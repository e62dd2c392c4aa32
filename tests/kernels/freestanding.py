#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Checks that the reference kernels can live on bare metal: they include nothing but <stdint.h>, <stddef.h> and their own headers,
# link with -nostdlib given only memcpy and its kin, and, where arm-none-eabi-g++ is installed, cross-compile for Cortex-M4 alike.
# Usage: freestanding.py SOURCE_ROOT [C++ compiler and its options]; prints what it checked, exit status 1 on any finding.
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROUNDINGS = {'real': 0, 'int_bias': 1, 'fixed_double': 2, 'fixed_single': 3}
MEMORY = {'memcpy', 'memmove', 'memset', 'memcmp'}
# Not functions: what position-independent code refers to.
LINKER = {'_GLOBAL_OFFSET_TABLE_'}
# int_bias emulates one fused multiply-add in binary64 (its add); a float-only FPU does that in software. No other mode may.
SOFT_DOUBLE = {'__aeabi_' + n for n in ('dadd', 'dsub', 'drsub', 'dmul', 'dcmpgt', 'dcmplt', 'dcmpge', 'dcmple', 'dcmpeq',
                                        'f2d', 'd2f')}
SYSTEM_HEADERS = {'stdint.h', 'stddef.h'}
OWN_HEADERS = re.compile(r'kernels/(args|info|list|qmath|ref/\w+)\.h')
FLAGS = ['-std=c++17', '-ffreestanding', '-fno-exceptions', '-fno-rtti', '-ffp-contract=off', '-fno-stack-protector',
         '-Wall', '-Wextra', '-Werror']
CORTEX_M4 = ['-mcpu=cortex-m4', '-mfpu=fpv4-sp-d16', '-mfloat-abi=hard', '-mthumb', '-O2']
MEMORY_STUBS = '''#include <stddef.h>
extern "C" {
void* memcpy(void* d, const void* s, size_t n) {
  for (size_t i = 0; i < n; ++i) ((volatile char*)d)[i] = ((const char*)s)[i];
  return d;
}
void* memmove(void* d, const void* s, size_t n) { return d < s ? memcpy(d, s, n) : d; }
void* memset(void* d, int c, size_t n) {
  for (size_t i = 0; i < n; ++i) ((volatile char*)d)[i] = (char)c;
  return d;
}
int memcmp(const void*, const void*, size_t) { return 0; }
void _start() {}
}
'''
findings = []


def run(*command):
  done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
  if done.returncode != 0:
    findings.append(' '.join(str(c) for c in command) + '\n' + done.stderr)
  return done.stdout


def check_includes(root, files):
  for file in files:
    for line in file.read_text().splitlines():
      match = re.match(r'\s*#\s*include\s+(<([^>]+)>|"([^"]+)")', line)
      if not match and re.match(r'\s*#\s*include', line):
        findings.append(f'{file.relative_to(root)}: cannot read {line.strip()}')
      elif match and match[2] and match[2] not in SYSTEM_HEADERS:
        findings.append(f'{file.relative_to(root)} includes <{match[2]}>')
      elif match and match[3] and not OWN_HEADERS.fullmatch(match[3]):
        findings.append(f'{file.relative_to(root)} includes "{match[3]}"')


def modes_of(root, source):
  """The rounding modes a source is compiled for; [None]: it has none."""
  fixed = re.search(r"ref_fixed = files\((.*?)\)", (root / 'kernels/ref/meson.build').read_text(), re.DOTALL)[1]
  if f"'{source.name}'" in fixed:
    return [mode for mode in ROUNDINGS if mode.startswith('fixed')]
  return ROUNDINGS if 'OCTET_ROUNDING' in source.read_text() else [None]


def compile_all(compiler, flags, root, sources, out):
  """Object files by rounding mode; None holds those of no mode."""
  objects = {mode: [] for mode in [None, *ROUNDINGS]}
  for source in sources:
    for mode in modes_of(root, source):
      target = out / f'{source.stem}-{mode}.o'
      define = [] if mode is None else [f'-DOCTET_ROUNDING={ROUNDINGS[mode]}']
      run(*compiler, *FLAGS, *flags, *define, '-I', root, '-c', source, '-o', target)
      objects[mode].append(target)
  return objects


def symbols(nm, files, undefined):
  names = set()
  for line in run(nm, *files).splitlines():
    match = re.match(r'[0-9a-f]*\s+([A-Za-z])\s+(\S+)$', line)
    if match and (match[1] in 'Uvw') == undefined and (undefined or match[1].isupper()):
      names.add(match[2])
  return names


def check_symbols(nm, objects, soft_double_for, what):
  files = [f for group in objects.values() for f in group if f.exists()]
  own = symbols(nm, files, False)
  for mode, group in objects.items():
    group = [f for f in group if f.exists()]
    needed = symbols(nm, group, True) - own - LINKER
    helpers = needed & SOFT_DOUBLE if mode in soft_double_for else set()
    bad = needed - MEMORY - helpers
    if bad:
      findings.append(f'{what}, {mode or "any mode"}: undefined {", ".join(sorted(bad))}')
    note = f'; soft double: {", ".join(sorted(helpers))}' if helpers else ''
    print(f'  {mode or "any mode"}: {len(group)} objects, needs {", ".join(sorted(needed & MEMORY)) or "nothing"}{note}')


def check_link(compiler, objects, out):
  stubs = out / 'stubs.cpp'
  stubs.write_text(MEMORY_STUBS)
  run(*compiler, '-std=c++17', '-ffreestanding', '-fno-builtin', '-fno-stack-protector', '-c', stubs, '-o', out / 'stubs.o')
  files = [f for group in objects.values() for f in group]
  run(*compiler, '-nostdlib', '-static', '-ffreestanding', '-fno-exceptions', '-fno-rtti', *files, out / 'stubs.o',
      '-o', out / 'linked')


def main():
  root = pathlib.Path(sys.argv[1]).resolve()
  compiler = sys.argv[2:] or ['c++']
  sources = sorted((root / 'kernels/ref').glob('*.cpp'))
  headers = sorted((root / 'kernels/ref').glob('*.h')) + [root / f'kernels/{name}.h' for name in ('args', 'list', 'qmath')]
  if len(sources) < 9:
    findings.append(f'only {len(sources)} sources in kernels/ref')
  listed = (root / 'kernels/ref/meson.build').read_text()
  for source in sources:
    if f"'{source.name}'" not in listed:
      findings.append(f'{source.name} is not built by kernels/ref/meson.build')
  check_includes(root, sources + headers)
  print(f'includes of {len(sources)} sources and {len(headers)} headers')
  with tempfile.TemporaryDirectory() as folder:
    out = pathlib.Path(folder) / 'host'
    out.mkdir()
    print(' '.join(compiler), '-O3:')
    objects = compile_all(compiler, ['-O3', '-fno-pic', '-fno-pie'], root, sources, out)
    check_symbols('nm', objects, [], 'host')
    check_link(compiler, objects, out)
    arm = shutil.which('arm-none-eabi-g++')
    if arm is None:
      print('arm-none-eabi-g++ is not installed: Cortex-M4 not checked')
    else:
      out = pathlib.Path(folder) / 'arm'
      out.mkdir()
      print('Cortex-M4 -O2, single-precision FPU:')
      objects = compile_all([arm], CORTEX_M4, root, sources, out)
      check_symbols('arm-none-eabi-nm', objects, ['int_bias'], 'Cortex-M4')
  for finding in findings:
    print('FAILED:', finding)
  print('freestanding:', f'{len(findings)} findings' if findings else 'all checks passed')
  return 1 if findings else 0


if __name__ == '__main__':
  sys.exit(main())
