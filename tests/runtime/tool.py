#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# The `octet` tool from a saved model to an image and back: table, budgets, image, C source, inspect, damaged and missing files.
# Usage: tool.py OCTET_TOOL BOARD_MODELS; prints what is wrong, exit status 1 on any finding.
import json
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
    status, out, err = octet('firmware', model)
    expect('firmware prints its table', status == 0 and out.startswith((data / 'plan.txt').read_text()), out + err)
    status, _, err = octet('firmware', model, '--ram-budget', 300)
    expect('a RAM budget fails with a layer', status == 1 and 'stem: ' in err and '300' in err, err)
    status, _, err = octet('firmware', model, '--flash-budget', 1000)
    expect('a flash budget fails with a layer', status == 1 and 'flash budget of 1000' in err and ': with its' in err, err)
    status, out, err = octet('firmware', model, '-o', work / 'new')
    expect('firmware names its operators', status == 0 and 'conv2d_fixed_double' in out, out + err)
    expect('the image is the library\'s', (work / 'new/model.octi').read_bytes() == (data / 'model.octi').read_bytes())
    expect('the C source is the library\'s', (work / 'new/model.c').read_text() == (data / 'model.c').read_text())
    expect('the report is the table', (work / 'new/model.txt').read_text().startswith((data / 'plan.txt').read_text()))
    status, _, err = octet('firmware', model, '-o', work / 'image', '--emit', 'image', '--name', 'a')
    expect('the image alone', status == 0 and sorted(p.name for p in (work / 'image').iterdir()) == ['a.octi', 'a.txt'], err)
    (work / 'a.octi').write_bytes((work / 'image/a.octi').read_bytes())
    status, out, err = octet('firmware', model, '-o', work / 'packed', '--target', 'cortex-m4')
    expect('a target packs weights', status == 0 and 'm4_conv2d_fixed_double' in out, out + err)
    (work / 'm4.octi').write_bytes((work / 'packed/model.octi').read_bytes())
    status, out, err = octet('firmware', model, '--json')
    said = json.loads(out)
    expect('the plan as JSON', status == 0 and said['image_bytes'] == (data / 'model.octi').stat().st_size
           and [l['path'] for l in said['layers']] == [l.split()[0] for l in (data / 'plan.txt').read_text().splitlines()[1:]
                                                        if l.split()[0] not in ('arena', 'image')], out[:300])
    status, out, err = octet('inspect', work / 'a.octi')
    expect('inspect reads it back', status == 0 and 'rounding fixed_double' in out and 'separable1.dw' in out, out + err)
    status, out, err = octet('inspect', work / 'm4.octi')
    expect('inspect sees packed weights', status == 0 and 'packed weights of family 1' in out, out + err)
    pruned = work / 'tiny_pruned-fixed_double-portable' / 'model.octet'
    status, out, err = octet('prune', pruned)
    expect('prune says what it would save', status == 0 and 'stem: 1 of 8 channels\n' in out and ' MACs, then ' in out, out + err)
    status, again, err = octet('prune', pruned, '-o', work / 'small.octet')
    expect('prune writes a model', status == 0 and again == out and octet('firmware', work / 'small.octet')[0] == 0, again + err)
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
    status, _, err = octet('firmware', work / 'none.octet')
    expect('a missing model is named', status == 1 and 'none.octet' in err, err)
    status, out, err = octet('firmware', model, '--rounding', 'fixed_single', '-o', work / 'again', '--json')
    change = json.loads(out)['rounding_change'] if status == 0 else {}
    right = change.get('to') == 'fixed_single' and change['codes'] == 32 * 4 and change['worst'] == 1 and change['changed'] < 128
    expect('another rounding is said to change codes', right, out + err)
    expect('the image has that rounding', 'rounding fixed_single' in octet('inspect', work / 'again/model.octi')[1])
  for finding in findings:
    print('FAILED:', finding)
  print('octet tool:', f'{len(findings)} findings' if findings else 'all checks passed')
  return 1 if findings else 0


if __name__ == '__main__':
  sys.exit(main())
