#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Builds the Cortex-M kernels and their runner for one target, runs the generated cases under QEMU and fails on any wrong byte.
# Usage: run.py SOURCE_ROOT GENERATOR m4|m55 [intrinsics] -- SOURCE…; exit status 77 (skipped) without compiler or emulator.
import pathlib
import shutil
import subprocess
import sys
import tempfile

COMMON = ['-mthumb', '-mfloat-abi=hard', '-O2', '-ffreestanding', '-ffp-contract=off', '-ffunction-sections', '-fdata-sections',
          '-Wall', '-Wextra', '-Werror']
CPP = ['-std=c++17', '-fno-exceptions', '-fno-rtti', '-fno-threadsafe-statics']
BOARD = ['-fno-tree-loop-distribute-patterns']  # memcpy must not become a call of itself
TARGETS = {
    'm4': (['-mcpu=cortex-m4', '-mfpu=fpv4-sp-d16'], 'mps2-an386', '0x20000000', '0x21000000'),
    'm55': (['-mcpu=cortex-m55'], 'mps3-an547', '0x21000000', '0x60000000'),
}
ROUNDINGS = [0, 2, 3]


def run(command, **options):
  done = subprocess.run([str(c) for c in command], capture_output=True, text=True, **options)
  if done.returncode != 0:
    sys.exit(f'FAILED: {" ".join(map(str, command))}\n{done.stdout}{done.stderr}')
  return done.stdout


def compile_kernels(root, out, cpu, target, assembly):
  """Every source once, those that know a rounding once for each."""
  define = [f'-DOCTET_{target.upper()}_ASSEMBLY'] if assembly else []
  sources = sorted((root / 'kernels/cortex_m').glob(target + '_*.cpp')) + sorted((root / 'kernels/ref').glob('*.cpp'))
  if assembly:
    sources += sorted((root / 'kernels/cortex_m').glob(target + '_*.S'))
  objects = []
  for source in sources:
    language = [] if source.suffix == '.S' else CPP + define
    wide = source.stem.endswith('_16') or source.stem == 'activation'  # of 16-bit codes, which have the fixed roundings only
    for mode in ROUNDINGS[1 if wide else 0:] if 'OCTET_ROUNDING' in source.read_text() else [None]:
      objects.append(out / f'{source.name}-{mode}.o')
      rounding = [] if mode is None else [f'-DOCTET_ROUNDING={mode}']
      run(['arm-none-eabi-g++', *cpu, *COMMON, *language, *rounding, '-I', root, '-c', source, '-o', objects[-1]])
  return objects


def main():
  root, generator, target = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2], sys.argv[3]
  options, sources = sys.argv[4:sys.argv.index('--')], sys.argv[sys.argv.index('--') + 1:]
  cpu, board, ram, cases = TARGETS[target]
  missing = [tool for tool in ('arm-none-eabi-g++', 'qemu-system-arm') if shutil.which(tool) is None]
  if missing:
    print('skipped:', ', '.join(missing), 'not installed')
    return 77
  with tempfile.TemporaryDirectory() as folder:
    out = pathlib.Path(folder)
    objects = compile_kernels(root, out, cpu, target, 'intrinsics' not in options)
    for source in sources:
      objects.append(out / f'{pathlib.Path(source).name}.o')
      run(['arm-none-eabi-g++', *cpu, *COMMON, *CPP, *BOARD, '-I', root, '-c', source, '-o', objects[-1]])
    run(['arm-none-eabi-g++', *cpu, *COMMON, '-nostdlib', '-Wl,--gc-sections', f'-Wl,--defsym=octet_ram={ram}',
         f'-Wl,--defsym=octet_cases={cases}', '-T', root / 'tests/cortex_m/board.ld', *objects, '-lgcc', '-o', out / 'runner.elf'])
    print(run([generator, target, out / 'cases.bin']), end='')
    done = subprocess.run(
        ['qemu-system-arm', '-M', board, '-icount', 'shift=0', '-nographic', '-monitor', 'none', '-serial', 'none',
         '-semihosting-config', 'enable=on,target=native', '-kernel', out / 'runner.elf',
         '-device', f'loader,file={out}/cases.bin,addr={cases},force-raw=on'], capture_output=True, text=True, timeout=600)
    print(done.stdout + done.stderr, end='')
    return done.returncode


if __name__ == '__main__':
  sys.exit(main())
