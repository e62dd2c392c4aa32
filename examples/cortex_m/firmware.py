#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Cross-builds the runtime, links a firmware for each model, board and rounding, runs it under QEMU, compares the checksum of every
# layer of every sample with the host's and prints one table. Usage: firmware.py --host-build FOLDER [option…]; see --help.
import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys

import sizes

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'tools'))
import program  # noqa: E402
HERE = ROOT / 'examples/cortex_m'
ARM, RISCV = 'arm-none-eabi-', 'riscv64-unknown-elf-'
# By cross file: image target, tool prefix, linker script, startup, QEMU command, instructions per tick
# (-icount shift=0: one instruction a nanosecond).
BOARDS = {
    'cortex-m3': ('portable', ARM, 'mps2.ld', 'startup_arm.cpp', ['qemu-system-arm', '-M', 'mps2-an385'], 40),
    'cortex-m4': ('cortex_m4', ARM, 'mps2.ld', 'startup_arm.cpp', ['qemu-system-arm', '-M', 'mps2-an386'], 40),
    'cortex-m7': ('cortex_m4', ARM, 'mps2.ld', 'startup_arm.cpp', ['qemu-system-arm', '-M', 'mps2-an500'], 40),
    'cortex-m55': ('cortex_m55', ARM, 'mps3.ld', 'startup_arm.cpp', ['qemu-system-arm', '-M', 'mps3-an547'], 31.25),
    'rv32imac': ('portable', RISCV, 'virt.ld', 'startup_riscv.cpp', ['qemu-system-riscv32', '-M', 'virt', '-bios', 'none'], 1),
}
MODELS = ['tiny_separable', 'every_op', 'dscnn', 'autoencoder', 'demo', 'resnet8', 'mobilenet', 'mobilenet_pruned', 'every_op_16',
          'functions_16', 'arrangements_16']
ROUNDINGS = ['real', 'fixed_double', 'fixed_single']
CI_MODELS, CI_BOARDS = ['tiny_separable', 'every_op', 'every_op_16'], ['cortex-m4', 'cortex-m55']
SIZED_BOARDS = CI_BOARDS  # one per kernel family
# Million instructions of TensorFlow Lite Micro with CMSIS-NN on the same QEMU boards, its .text and arena in bytes.
BASELINES = {
    ('dscnn', 'cortex-m4'): '7.70 M, 83,072, 22,820', ('dscnn', 'cortex-m7'): '7.65 M, -, -',
    ('dscnn', 'cortex-m55'): '1.82 M, 43,304, 27,348', ('autoencoder', 'cortex-m4'): '0.583 M, 30,944, 2,580',
    ('autoencoder', 'cortex-m7'): '0.583 M, -, -', ('autoencoder', 'cortex-m55'): '0.150 M, 19,172, 9,268',
    ('resnet8', 'cortex-m4'): '29.9 M, 77,856, 54,996', ('resnet8', 'cortex-m7'): '30.0 M, -, -',
    ('resnet8', 'cortex-m55'): '4.91 M, 39,992, 55,028',
}
# They take or give float values, in every rounding.
FLOAT_OPERATORS = ['quantize', 'dequantize', 'quantize_16', 'dequantize_16']
MEMORY = {'memcpy', 'memmove', 'memset', 'memcmp'}
# What a rounding may need of the compiler's library where the board has no FPU, or no 64-bit shifts at -Os.
SOFT_FLOAT = {
    'cortex-m3': {'__aeabi_' + n for n in ('fadd', 'fsub', 'fmul', 'fdiv', 'fcmplt', 'fcmpgt', 'fcmple', 'fcmpge', 'fcmpeq',
                                           'fcmpun', 'i2f', 'f2iz')},
    'rv32imac': {'__' + n for n in ('addsf3', 'subsf3', 'mulsf3', 'divsf3', 'ltsf2', 'gtsf2', 'lesf2', 'gesf2', 'eqsf2', 'nesf2',
                                    'unordsf2', 'floatsisf', 'fixsfsi')},
}
SHIFTS = {'rv32imac': {'__ashldi3', '__ashrdi3', '__lshrdi3'}}
failures = []


def run(*command, **options):
  done = subprocess.run([str(c) for c in command], capture_output=True, text=True, **options)
  if done.returncode != 0:
    sys.exit(f'firmware: {" ".join(str(c) for c in command)}\n{done.stdout}{done.stderr}')
  return done.stdout


def fail(what):
  failures.append(what)
  print('FAILED:', what)


def cross_flags(board):
  text = (ROOT / f'tools/cross/{board}.ini').read_text()
  flags = re.findall(r"'([^']+)'", re.search(r'^cpp_args = (.*)', text, re.M)[1])
  return flags + ['-O' + re.search(r"^optimization = '(.)'", text, re.M)[1]]


class Board:
  def __init__(self, name, out):
    self.name = name
    self.target, self.tools, script, startup, self.qemu, self.per_tick = BOARDS[name]
    self.flags = cross_flags(name)
    self.out = out / name
    self.build = self.out / 'runtime'
    if not (self.build / 'build.ninja').exists():
      run('meson', 'setup', self.build, ROOT, '--cross-file', ROOT / f'tools/cross/{name}.ini', '-Druntime_only=true')
    run('ninja', '-C', self.build)
    self.archive = self.build / sizes.ARCHIVE
    common = ['-std=c++17', '-ffreestanding', '-fno-exceptions', '-fno-rtti', '-ffunction-sections', '-fdata-sections',
              '-ffp-contract=off', '-Wall', '-Wextra', '-Werror', '-I', ROOT]
    self.cpp = [self.tools + 'g++', *self.flags, *common]
    self.link = [self.tools + 'g++', *self.flags, '-nostdlib', '-nostartfiles', '-static', '-Wl,--gc-sections',
                 '-Wl,--build-id=none', '-Wl,--no-warn-rwx-segments', '-L', HERE, '-T', HERE / script]
    self.objects = []
    for source in [startup, 'memory.cpp', 'stack.cpp']:
      target = self.out / (source + '.o')
      extra = ['-fno-builtin', '-fno-tree-loop-distribute-patterns'] if source == 'memory.cpp' else []
      run(*self.cpp, *extra, '-c', HERE / source, '-o', target)
      self.objects.append(target)

  def firmware(self, kind, data):
    """Links minimal.cpp or runner.cpp with the model in `data`; the ELF file."""
    work = self.out / data.name
    work.mkdir(parents=True, exist_ok=True)
    run(*self.cpp, '-I', data, '-c', HERE / f'{kind}.cpp', '-o', work / f'{kind}.o')
    if not (work / 'model.o').exists() or (work / 'model.o').stat().st_mtime < (data / 'model.c').stat().st_mtime:
      run(self.tools + 'gcc', *self.flags, '-std=c99', '-ffreestanding', '-Wall', '-Wextra', '-Werror', '-I', ROOT, '-I', data,
          '-c', data / 'model.c', '-o', work / 'model.o')
    elf = work / f'{kind}.elf'
    run(*self.link, *self.objects, work / f'{kind}.o', work / 'model.o', self.archive, '-lgcc', '-o', elf)
    return elf

  def simulate(self, elf):
    options = ['-nographic', '-icount', 'shift=0', '-kernel', str(elf)]
    if self.tools == ARM:
      options += ['-semihosting-config', 'enable=on,target=native', '-monitor', 'none', '-serial', 'none']
    try:
      done = subprocess.run([*self.qemu, *options], capture_output=True, text=True, timeout=240, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
      return 'timeout'
    return done.stdout + done.stderr

  def sections(self, elf):
    found = {}
    for line in run(self.tools + 'size', '-A', elf).splitlines():
      if match := re.match(r'(\.\w+)\s+(\d+)', line):
        found[match[1]] = int(match[2])
    return found


def check_undefined(board):
  """Fails on a symbol that no firmware has to offer; prints the others: of the fixed modes, and of what computes in float."""
  fixed, floats = set(), set()
  for (operator, rounding), names in sizes.undefined(board.tools, board.build).items():
    in_float = rounding == 'real' or operator in FLOAT_OPERATORS
    (floats if in_float else fixed).update(names)
    allowed = MEMORY | SHIFTS.get(board.name, set()) | (SOFT_FLOAT.get(board.name, set()) if in_float else set())
    if names - allowed:
      fail(f'{board.name}, {operator or "shared code"}, {rounding}: undefined {", ".join(sorted(names - allowed))}')
  more = f'; real, {" and ".join(FLOAT_OPERATORS)} also {", ".join(sorted(floats - fixed))}' if floats - fixed else ''
  print(f'{board.name}: the archive needs {", ".join(sorted(fixed))}{more}')


def check_float(board, rounding, elf):
  """No float instruction and no float helper in a whole firmware of a fixed mode; never a fused one."""
  text = run(board.tools + 'objdump', '-d', '--no-show-raw-insn', elf)
  ops = re.findall(r'^\s*[0-9a-f]+:\s+([a-z][\w.]*)', text, re.M)
  if not ops:
    fail(f'{elf}: no disassembly')
  floats = sorted({o for o in ops if re.search(r'\.f(16|32|64)\b', o) or re.match(r'f(add|sub|mul|div|cvt|madd|lw|sw)\b', o)})
  fused = [o for o in floats if o.startswith(('vfma', 'vfms', 'vfnm', 'fmadd'))]
  if fused:
    fail(f'{elf}: fused {", ".join(fused)}')
  if rounding == 'real':
    return
  helpers = re.findall(r'<(__aeabi_[fd]\w+|__aeabi_[iu]2[fd]|__(?:add|sub|mul|div|float|fix)\w*[sd]f\w*)>:', text)
  if floats or helpers:
    fail(f'{elf}: float in a fixed mode: {", ".join(floats + helpers)}')


def parse(output):
  result = {'checksums': [], 'layer_ticks': []}
  sample = 0
  for line in output.splitlines():
    words = line.split()
    if len(words) == 2 and words[0] == 'sample':
      sample = int(words[1], 16)
    elif len(words) == 3 and words[0] == 'layer':
      result['checksums'].append(f'{sample} {words[1]} {words[2]}')
    elif len(words) == 2 and words[0] == 'layer_ticks':
      result['layer_ticks'].append(int(words[1], 16))
    elif len(words) == 2 and re.fullmatch('[0-9a-f]{8}', words[1]):
      result[words[0]] = int(words[1], 16)
  result['done'] = output.rstrip().endswith('done')
  return result


def evaluate(board, data):
  model, rounding, _ = data.name.split('-')
  small = board.firmware('minimal', data)
  check_float(board, rounding, small)
  if 'timeout' in board.simulate(small):
    fail(f'{board.name}, {data.name}: the minimal firmware does not end')
  result = parse(output := board.simulate(board.firmware('runner', data)))
  expected = (data / 'expected.txt').read_text().split('\n')[:-1]
  if not result['done']:
    fail(f'{board.name}, {data.name}: {output[-300:]!r}')
    return None
  equal = sum(a == b for a, b in zip(expected, result['checksums']))
  first = ''
  if equal != len(expected) or len(expected) != len(result['checksums']):
    first = next((e for e, g in zip(expected, result['checksums']) if e != g), 'the number of layers')
    fail(f'{board.name}, {data.name}: {equal} of {len(expected)} layer checksums equal the host\'s; first other: {first}')
  sections = board.sections(small)
  return {
      'model': model, 'rounding': rounding, 'board': board.name, 'equal': equal, 'of': len(expected), 'first_other': first,
      'samples': len({e.split()[0] for e in expected}),
      'instructions': result['run_ticks'] * board.per_tick, 'open': result['open_ticks'] * board.per_tick,
      'text': sections.get('.text', 0), 'rodata': sections.get('.rodata', 0),
      'ram': sections.get('.data', 0) + sections.get('.bss', 0),
      'stack': max(result['run_stack'], result['open_stack']), 'run_stack': result['run_stack'],
      'layers': [t * board.per_tick for t in result['layer_ticks']],
      'names': [e.split()[1] for e in expected if e.startswith('0 ')],
  }


def table(rows):
  print('| model | board | rounding | samples | layer checksums equal | instructions | open | .text | .rodata | RAM | stack | '
        'TFLM+CMSIS-NN: instructions, .text, arena |')
  print('|---|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---|')
  for r in rows:
    print(f"| {r['model']} | {r['board']} | {r['rounding']} | {r['samples']} | {r['equal']}/{r['of']} | {r['instructions']:,.0f} "
          f"| {r['open']:,.0f} | {r['text']:,} | {r['rodata']:,} | {r['ram']:,} | {r['stack']:,} "
          f"| {BASELINES.get((r['model'], r['board']), '')} |")


def main():
  p = argparse.ArgumentParser(description='Runs octet models on simulated microcontrollers.')
  p.add_argument('--host-build', help='build folder with tests/runtime/board_models, which makes the models')
  p.add_argument('--cases', help="folder of models made otherwise (octet verify's): MODEL-ROUNDING-TARGET/ with model.c, model.h, "
                                 'samples.h and expected.txt')
  p.add_argument('--out', default='build-firmware')
  p.add_argument('--board', action='append', choices=BOARDS, help='default: all')
  p.add_argument('--model', action='append', choices=MODELS, help='default: all')
  p.add_argument('--rounding', action='append', choices=ROUNDINGS, help='default: all')
  p.add_argument('--samples', type=program.number(int, 1), default=20)
  p.add_argument('--ci', action='store_true', help=f'{", ".join(CI_MODELS)} on {", ".join(CI_BOARDS)}, 4 samples')
  p.add_argument('--portable', action='store_true', help='reference kernels everywhere')
  p.add_argument('--profile', action='store_true', help='instructions layer by layer')
  p.add_argument('--json', help='write the rows of the table into this file, too')
  a = p.parse_args()
  if (a.host_build is None) == (a.cases is None):
    p.error('either --host-build or --cases is needed')
  out = pathlib.Path(a.out).resolve()
  if a.cases:
    made = pathlib.Path(a.cases)
    models = sorted({f.name.split('-')[0] for f in made.iterdir()} if made.is_dir() else [])
  else:
    made = out / 'models'
    host = pathlib.Path(a.host_build) / 'tests/runtime/board_models'
    if not host.is_file():
      program.fail(f'--host-build {a.host_build}: there is no {host}; ./dev build makes it')
    models = a.model or (CI_MODELS if a.ci else MODELS)
  program.check_outputs(a.json)
  program.make_output_folder(out)
  boards = a.board or (CI_BOARDS if a.ci else list(BOARDS))
  samples = 4 if a.ci else a.samples
  if not a.cases:
    env = {**os.environ, 'OCTET_MODELS': os.environ.get('OCTET_MODELS', str(ROOT / '../shared/models'))}
    print(run(host, made, samples, *models, env=env), end='')
  program.require_output()
  rows, weighed, passed = [], [], 0
  for name in boards:
    board = Board(name, out)
    if name in SIZED_BOARDS and not a.cases:
      weighed.append((name, board.tools, board.build))
    before = len(failures)
    check_undefined(board)
    passed += len(failures) == before
    target = 'portable' if a.portable else board.target
    folders = [made / f'{m}-{r}-{target}' for m in models for r in (a.rounding or ROUNDINGS)]
    folders = [f for f in folders if f.is_dir()]
    with concurrent.futures.ThreadPoolExecutor(int(os.environ.get('JOBS', os.cpu_count()))) as pool:
      for row in pool.map(lambda f: evaluate(board, f), folders):
        if row:
          rows.append(row)
  table(rows)
  if weighed:
    sizes.table(weighed)
  if a.json:
    program.write_text(a.json, json.dumps(rows))
  if a.profile:
    for r in rows:
      print(f"{r['model']} {r['board']} {r['rounding']}: " + ', '.join(f'{n} {t:,.0f}' for n, t in zip(r['names'], r['layers'])))
  passed += sum(r['equal'] == r['of'] for r in rows)
  print(f'{passed} passed, {len(failures)} failed')
  return 1 if failures or not rows else 0


if __name__ == '__main__':
  program.run(main)
