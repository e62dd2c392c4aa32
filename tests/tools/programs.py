#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Programs that work for minutes, started so that the work would be in vain: standard output closed or full, wrong arguments,
# folders that cannot be written, data that is not there. Each must end with a status and one line that names what is wrong, before
# it has shown any progress, trained, or written anything.
# Usage: programs.py FOLDER_OF_THE_BUILD SOURCE_FOLDER; programs that were not built are left out by name.
import os
import pathlib
import subprocess
import sys
import tempfile

findings = []
ERROR, USAGE = 1, 2
# Name, path in the build or the sources, and what cannot be right: status, what the line names, arguments. {new} is a folder that
# could be made, {file} a file, {empty} a folder without data.
BENCH_OPTIONS = [
    (USAGE, '--threads', ['--threads', '0']),
    (USAGE, '--threads', ['--threads', '5000']),
    (USAGE, '--rounds', ['--rounds', '0']),
    (USAGE, '--seconds', ['--seconds', '-1']),
    (USAGE, 'no regular expression', ['--filter', '(']),
    (ERROR, '{file}/x', ['--json', '{file}/x']),
    (ERROR, 'nowhere', ['--markdown', '{empty}/nowhere/x']),
    (ERROR, 'twice', ['--markdown', '{new}', '--json', '{new}']),
]
PROGRAMS = [
    ('examples/fashion_mnist/fashion_mnist_demo', ['--out', '{new}'], [
        (USAGE, '--epochs', ['--epochs', '0']),
        (USAGE, '--threads', ['--threads', '-1']),
        (USAGE, '--batch', ['--batch', '1']),
        (USAGE, '--rate', ['--rate', '0']),
        (USAGE, '--calibration-images', ['--calibration-images', '0']),
        (USAGE, '--train-images', ['--train-images', '0']),
        (ERROR, '{empty}', ['--data', '{empty}', '--out', '{new}']),
        (ERROR, '{file}', ['--out', '{file}']),
        (ERROR, '{file}/below', ['--out', '{file}/below']),
    ]),
    ('tests/proof/repair_proof', ['{new}'], [
        (USAGE, '--epochs', ['{new}', '--epochs', '0']),
        (ERROR, '{empty}', ['{new}', '--data', '{empty}']),
        (ERROR, '{file}', ['{file}']),
    ]),
    ('bench/bench_training', [], BENCH_OPTIONS),
    ('bench/bench_calibration', [], BENCH_OPTIONS),
    ('bench/bench_models', [], BENCH_OPTIONS + [(USAGE, '--batch', ['--batch', '0']), (ERROR, '{file}', ['--models', '{file}'])]),
    ('bench/bench_engines', [], [(ERROR, 'nosuch', ['nosuch'])]),
    ('bench/bench_numeric_suite', [], [(USAGE, 'images', ['0']), (USAGE, 'side', ['1000', '7'])]),
    ('bench/bench_kernels', [], []),
]
SCRIPTS = [
    ('bench/rivals.py', ['--library', '{empty}/x', '--octet-models', '{empty}'], [
        (ERROR, 'nowhere', ['--library', 'x', '--octet-models', '{empty}', '--json', '{empty}/nowhere/x']),
    ]),
    ('bench/rivals_training.py', [], [(ERROR, 'nowhere', ['--markdown', '{empty}/nowhere/x'])]),
    ('examples/cortex_m/firmware.py', ['--host-build', '{build}', '--out', '{new}', '--ci'], [
        (ERROR, '{empty}', ['--host-build', '{empty}', '--out', '{new}']),
        (ERROR, '{file}', ['--host-build', '{build}', '--out', '{file}']),
    ]),
]


def check(program, status, words, arguments, places, stdout=subprocess.PIPE, closed=False):
  command = [*program, *(a.format(**places) for a in arguments)]
  if closed:
    command = ['sh', '-c', 'exec "$@" >&-', 'sh', *command]
  before = sorted(p for p in pathlib.Path(places['empty']).parent.rglob('*'))
  done = subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=120)
  lines = [line for line in done.stderr.splitlines() if not line.startswith(('usage:', ' '))]
  if done.returncode != status or len(lines) != 1 or words.format(**places) not in lines[0]:
    findings.append(f'{command}: expected status {status} and one line with "{words.format(**places)}", got {done.returncode}, '
                    f'{done.stderr[-400:]!r}')
  # Folders for results may have been made, and nothing in them.
  after = [p for p in pathlib.Path(places['empty']).parent.rglob('*') if p not in before]
  if written := [p for p in after if p.is_file()]:
    findings.append(f'{command}: wrote {written}')
  for path in after:
    path.rmdir()


def main(build, sources):
  runs = 0
  with tempfile.TemporaryDirectory() as folder:
    places = {'new': f'{folder}/new', 'file': f'{folder}/file', 'empty': f'{folder}/empty', 'build': build}
    os.mkdir(places['empty'])
    pathlib.Path(places['file']).write_text('a file\n', encoding='utf-8')
    programs = [([os.path.join(build, path)], *rest) for path, *rest in PROGRAMS]
    programs += [([sys.executable, os.path.join(sources, path)], *rest) for path, *rest in SCRIPTS]
    for program, good, wrong in programs:
      if not os.path.exists(program[-1]):
        print(f'left out, not built: {os.path.relpath(program[-1], build)}')
        continue
      cases = wrong if program[0] == sys.executable else wrong + [(USAGE, '--nonsense', ['--nonsense'])]
      if 'bench_kernels' in program[-1]:  # Google Benchmark's own words
        cases = [(ERROR, '--nonsense', ['--nonsense'])]
      for status, words, arguments in cases:
        check(program, status, words, arguments, places)
      lost = 'standard output cannot be written'
      check(program, ERROR, lost, good, places, closed=True)
      runs += len(cases) + 1
      # These print their first line before the work, so that a full disk is noticed as early as a closed pipe.
      if not program[-1].endswith(('bench_kernels', '.py')):
        with open('/dev/full', 'w', encoding='utf-8') as full:
          check(program, ERROR, lost, good, places, stdout=full)
        runs += 1
  for finding in findings:
    print('FAILED:', finding)
  print(f'programs: {runs} runs, {len(findings)} findings')
  return 1 if findings or not runs else 0


if __name__ == '__main__':
  sys.exit(main(*sys.argv[1:3]))
