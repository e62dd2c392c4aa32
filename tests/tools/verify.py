#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# octet verify: a model of the user's under QEMU, every layer against the host, and missing tools by name.
# Usage: verify.py OCTET_TOOL WRITE_REPORT SOURCES FOLDER_OF_TFLITE_FILES; exit status 77 (skipped) without compiler or emulator.
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

TOOLS = ['arm-none-eabi-g++', 'qemu-system-arm', 'meson', 'ninja']
findings = []


def main():
  tool, write_report, sources, models = map(os.path.abspath, sys.argv[1:5])
  missing = [name for name in TOOLS if shutil.which(name) is None]
  with tempfile.TemporaryDirectory() as folder:
    work = pathlib.Path(folder)
    subprocess.run([write_report, work], check=True)

    def octet(*words, **options):
      done = subprocess.run([tool, *map(str, words)], capture_output=True, text=True, timeout=600, cwd=work, **options)
      return done.returncode, done.stdout, done.stderr

    def expect(what, condition, seen=''):
      if not condition:
        findings.append(f'{what}: {seen}')
    status, _, err = octet('quantize', 'float.octet', 'data.npy', '-o', 'm.octet', '--rounding', 'fixed_double', '--json=made.json')
    expect('a model for boards', status == 0, err)
    status, _, err = octet('verify', 'm.octet', '--data', 'data.npy', '--sources', sources, env={'PATH': '/nowhere'})
    expect('missing tools are named', status == 1 and 'needs python3' in err and './dev deps firmware' in err, err)
    status, _, err = octet('verify', 'm.octet', '--data', 'data.npy', '--sources', work)
    expect('sources that are none', status == 1 and str(work) in err and '--sources' in err, err)
    status, _, err = octet('verify', 'float.octet', '--data', 'data.npy', '--sources', sources)
    expect('a float model', status == 1 and 'float.octet: is a float model' in err, err)
    if missing and not findings:
      print('skipped:', ', '.join(missing), 'not installed')
      return 77
    verify = ['--board', 'cortex-m4', '--sources', sources, '--samples', 3, '-o', work / 'board', '--json']
    status, out, err = octet('verify', 'm.octet', '--data', 'data.npy', *verify)
    expect('every layer is equal', status == 0, err)
    said = json.loads(out) if status == 0 else {}
    layers = [layer['path'] for layer in said.get('layers', [])]
    expect('layers by their names', layers == ['stem.conv', 'dw', 'pw', 'last', 'mean', 'head'], layers)
    expect('all samples, all layers', said.get('equal') == said.get('of') == 3 * len(layers), said)
    summed = sum(layer['instructions'] for layer in said.get('layers', []))
    expect('layers add up to the run', 0.8 < summed / said.get('instructions', 1) < 1.2, said)
    # A host that computes something else would be seen: one checksum of the second sample is spoiled.
    case = next((work / 'board/models').iterdir())
    lines = (case / 'expected.txt').read_text().splitlines()
    wrong = [line[:-8] + f'{int(line[-8:], 16) ^ 1:08x}' if line.startswith('1 l4 ') else line for line in lines]
    (case / 'expected.txt').write_text('\n'.join(wrong) + '\n')
    script = pathlib.Path(sources) / 'examples/cortex_m/firmware.py'
    script = [sys.executable, script, '--cases', case.parent, '--board', 'cortex-m4', '--out', work / 'board',
              '--json', work / 'wrong.json']
    done = subprocess.run(script, capture_output=True, text=True, timeout=600)
    row = json.loads((work / 'wrong.json').read_text())[0]
    one = row['of'] - row['equal'] == 1 and row['first_other'].startswith('1 l4 ')
    expect('a wrong layer is found', done.returncode == 1 and one, row)
    # Two inputs, in another rounding than the file's.
    status, out, err = octet('verify', 'both_int8.octet', '--data', 'left.npy', 'right.npy', '--rounding', 'fixed_single', *verify)
    said = json.loads(out) if status == 0 else {}
    expect('two inputs', status == 0 and said['equal'] == said['of'] > 0 and said['rounding_change']['to'] == 'fixed_single', err)
    # The user's own file: half of the 7.70 million instructions that TensorFlow Lite Micro takes with CMSIS-NN.
    kws = pathlib.Path(models) / 'kws_ref_model.tflite'
    if kws.is_file():
      status, out, err = octet('verify', kws, kws.with_suffix('.inputs.npy'), '--codes', *verify)
      said = json.loads(out) if status == 0 else {}
      good = status == 0 and said['equal'] == said['of'] == 36 and said['instructions'] < 3_850_000
      expect('a file of TensorFlow Lite', good, (said, err))
  for finding in findings:
    print('FAILED:', finding)
  print('octet verify:', f'{len(findings)} findings' if findings else 'all checks passed')
  return 1 if findings else 0


if __name__ == '__main__':
  sys.exit(main())
