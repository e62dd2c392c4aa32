#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# The `octet` tool from a saved model to an image and back: plan, budgets, image, C source, inspect, damaged and missing files.
# Usage: tool.py OCTET_TOOL BOARD_MODELS; prints what is wrong, exit status 1 on any finding.
import pathlib
import subprocess
import sys
import tempfile

findings = []


def expect(what, condition, seen=''):
  if not condition:
    findings.append(f'{what}: {seen}')


def main():
  tool, board_models = sys.argv[1:3]

  def octet(*arguments):
    done = subprocess.run([tool, *map(str, arguments)], capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr

  with tempfile.TemporaryDirectory() as folder:
    work = pathlib.Path(folder)
    subprocess.run([board_models, work, '1', 'tiny_separable', 'tiny_pruned'], check=True, stdout=subprocess.DEVNULL)
    data = work / 'tiny_separable-fixed_double-portable'
    model = data / 'model.octet'
    status, out, err = octet('plan', model)
    expect('plan prints its table', status == 0 and out == (data / 'plan.txt').read_text(), out + err)
    status, _, err = octet('plan', model, '--ram-budget', 300)
    expect('a RAM budget fails with a layer', status == 1 and 'stem: ' in err and '300' in err, err)
    status, _, err = octet('plan', model, '--flash-budget', 1000)
    expect('a flash budget fails with a layer', status == 1 and 'flash budget of 1000' in err and ': with its' in err, err)
    status, out, err = octet('image', model, '-o', work / 'a.octi', '--c-source', work)
    expect('image names its operators', status == 0 and 'conv2d_fixed_double' in out, out + err)
    expect('the image is the library\'s', (work / 'a.octi').read_bytes() == (data / 'model.octi').read_bytes())
    expect('the C source is the library\'s', (work / 'model.c').read_text() == (data / 'model.c').read_text())
    status, out, err = octet('image', model, '-o', work / 'm4.octi', '--target', 'cortex-m4')
    expect('a target packs weights', status == 0 and 'm4_conv2d_fixed_double' in out, out + err)
    status, out, err = octet('inspect', work / 'a.octi')
    expect('inspect reads it back', status == 0 and 'rounding fixed_double' in out and 'separable1.dw' in out, out + err)
    status, out, err = octet('inspect', work / 'm4.octi')
    expect('inspect sees packed weights', status == 0 and 'packed weights of family 1' in out, out + err)
    pruned = work / 'tiny_pruned-fixed_double-portable' / 'model.octet'
    status, out, err = octet('prune', pruned)
    expect('prune says what it would save', status == 0 and 'stem: 1 of 8 channels\n' in out and ' MACs, then ' in out, out + err)
    status, again, err = octet('prune', pruned, '-o', work / 'small.octet')
    expect('prune writes a model', status == 0 and again == out and octet('plan', work / 'small.octet')[0] == 0, again + err)
    status, out, err = octet('prune', work / 'small.octet')
    expect('nothing is left to prune', status == 0 and out.startswith('0 layers lost 0 of 0 channels'), out + err)
    damaged = bytearray((work / 'a.octi').read_bytes())
    damaged[200] ^= 1
    (work / 'bad.octi').write_bytes(damaged)
    status, out, err = octet('inspect', work / 'bad.octi')
    expect('a damaged image is refused', status == 1 and 'OCTET_ERROR_CHECKSUM' in err and out == '', out + err)
    (work / 'bad.octi').write_bytes(damaged[:20])
    status, out, err = octet('inspect', work / 'bad.octi')
    expect('a stump is refused', status == 1 and 'bad.octi' in err, out + err)
    status, _, err = octet('plan', work / 'none.octet')
    expect('a missing model is named', status == 1 and 'none.octet' in err, err)
    status, _, err = octet('image', model)
    expect('image without an output is refused', status == 2 and '--output' in err, err)
  for finding in findings:
    print('FAILED:', finding)
  print('octet tool:', f'{len(findings)} findings' if findings else 'all checks passed')
  return 1 if findings else 0


if __name__ == '__main__':
  sys.exit(main())
