#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Every command of octet with wrong input of every kind: an exit status that says whose fault it is, one short line on standard
# error that names the file or the option and says what was expected, nothing on standard output, no file touched.
# Usage: messages.py OCTET_TOOL WRITE_REPORT; prints what is wrong, exit status 1 on any finding.
import os
import pathlib
import subprocess
import sys
import tempfile

ERROR, USAGE = 1, 2
VERBS = ['inspect', 'run', 'quantize', 'eval', 'compare', 'report', 'compare-reports', 'explain', 'bench', 'prune', 'firmware',
         'verify', 'check', 'help']
NO_FILES = ['check', 'help']  # whose arguments are no model and data: tested by themselves
findings = []


def npy(path, descr, shape, data):
  header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + '\n'
  path.write_bytes(b'\x93NUMPY\x01\x00' + len(header).to_bytes(2, 'little') + header.encode() + data)


class Tool:

  def __init__(self, command, folder):
    self.command, self.work, self.runs = command, folder, 0

  def run(self, *arguments):
    self.runs += 1
    done = subprocess.run([self.command, *map(str, arguments)], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr

  def refused(self, status, words, *arguments):
    before = {p: p.read_bytes() for p in self.work.rglob('*') if p.is_file()}
    got, out, err = self.run(*arguments)
    good = got == status and out == '' and err.startswith('octet: ') and err.count('\n') == 1 and len(err) < 400
    if not good or not all(str(w) in err for w in words):
      findings.append(f'{arguments}: expected status {status} and one line with {words}, got {got}, {out[:80]!r}, {err!r}')
    if before != {p: p.read_bytes() for p in self.work.rglob('*') if p.is_file()}:
      findings.append(f'{arguments}: touched a file')


def arguments_of(verb, good):
  """The arguments that a verb needs, with one good file each."""
  return {'report': [good['float'], good['int8'], good['data']], 'compare-reports': [good['json'], good['json']],
          'inspect': [good['image']], 'run': [good['int8'], good['data']],
          'quantize': [good['float'], good['data'], '-o', good['float'].parent / 'new.octet'],
          'eval': [good['int8'], good['data'], '--labels', good['labels']], 'compare': [good['float'], good['int8'], good['data']],
          'verify': [good['int8'], good['data']], 'check': ['.'], 'help': []}.get(verb, [good['int8']])


def wrong_files(tool, good):
  work = tool.work
  (work / 'empty').write_bytes(b'')
  (work / 'noise').write_bytes(bytes(range(200, 256)) * 20)
  (work / 'cut').write_bytes(good['int8'].read_bytes()[:700])
  (work / 'cut_image').write_bytes(good['image'].read_bytes()[:-5])
  (work / 'bare').mkdir()
  for verb in VERBS:
    if verb in NO_FILES:
      continue
    right = arguments_of(verb, good)
    for i, path in enumerate(right):
      if path in good.values():
        for wrong in 'missing', 'empty', 'noise', 'bare':
          given = right[:i] + [work / wrong] + right[i + 1:]
          tool.refused(ERROR, [work / wrong], verb, *given)
  model, image, array = ('this is a model file', 'octet inspect'), ('this is a firmware image', 'octet inspect'), \
      ('this is a NumPy array',)
  for verb in 'explain', 'firmware', 'prune', 'bench':
    tool.refused(ERROR, [good['image'], 'expected a model file', *image], verb, good['image'])
    tool.refused(ERROR, [good['data'], 'expected a model file', *array], verb, good['data'])
    tool.refused(ERROR, [work / 'cut'], verb, work / 'cut')
  tool.refused(ERROR, [good['data'], 'expected a model file', *array], 'inspect', good['data'])
  tool.refused(ERROR, [work / 'cut_image', 'firmware image'], 'inspect', work / 'cut_image')
  tool.refused(ERROR, [good['float'], 'float input'], 'firmware', good['float'])
  tool.refused(ERROR, [good['float'], 'expected a converted model'], 'prune', good['float'])
  tool.refused(ERROR, [good['int8']], 'prune', good['int8'], '-o', good['int8'])
  tool.refused(ERROR, [good['int8'], 'quantized model', 'FLOAT INT8 DATA'], 'report', good['int8'], good['float'], good['data'])
  tool.refused(ERROR, [good['float'], 'float model', 'FLOAT INT8 DATA'], 'report', good['float'], good['float'], good['data'])
  tool.refused(ERROR, [good['int8'], 'expected inputs', *model], 'report', good['float'], good['int8'], good['int8'])
  tool.refused(ERROR, [good['int8'], 'no report'], 'compare-reports', good['int8'], good['json'])
  (work / 'other.json').write_text('{"a": 1}')
  tool.refused(ERROR, ['other.json', 'no report'], 'compare-reports', good['json'], work / 'other.json')


def wrong_words(tool, good):
  work = tool.work
  tool.refused(USAGE, ['a command is missing', *VERBS])
  tool.refused(USAGE, ['no command "frobnicate"', *VERBS], 'frobnicate')
  tool.refused(USAGE, ['no command "inspct"', 'did you mean "inspect"?'], 'inspct', good['image'])
  tool.refused(USAGE, ['"--fast"', *VERBS], '--fast')
  for verb in VERBS:
    right = arguments_of(verb, good)
    if verb != 'help':
      tool.refused(USAGE, [verb, 'required', f'octet {verb} --help'], verb)
    tool.refused(USAGE, [verb, '--frobnicate', f'octet {verb} --help'], verb, *right, '--frobnicate')
    if verb in ('inspect', 'compare-reports', 'explain', 'prune', 'firmware'):
      tool.refused(USAGE, [verb, 'surplus'], verb, *right, 'surplus')
  numbers = {'explain': ['--batch', '--threads', '--repeats'], 'firmware': ['--batch', '--ram-budget', '--flash-budget'],
             'run': ['--batch', '--threads', '--top'], 'quantize': ['--batch', '--samples'], 'verify': ['--samples'],
             'report': ['--batch', '--diagnosis-batches'], 'bench': ['--batch', '--threads']}
  for verb, options in numbers.items():
    for option in options:
      for wrong in 'abc', '0', '-5', '1.5', '99999999999999999999999', '3x', ' 3':
        tool.refused(USAGE, [verb, option, 'whole number', f'"{wrong}"'], verb, *arguments_of(verb, good), option + '=' + wrong)
      tool.refused(USAGE, [verb, option, 'more than once'], verb, *arguments_of(verb, good), option, '1', option, '2')
      tool.refused(USAGE, [verb, option, 'value'], verb, *arguments_of(verb, good), option)
  report = ['report', *arguments_of('report', good)]
  for option in '--fail-below', '--fail-accuracy-drop':
    for wrong in 'abc', 'nan', 'inf', '1e999':
      tool.refused(USAGE, [option, f'"{wrong}"'], *report, option + '=' + wrong)
  for option in '--least', '--fail-drop', '--fail-accuracy-drop':
    for wrong in 'abc', '-1', 'nan':
      tool.refused(USAGE, [option, f'"{wrong}"'], 'compare-reports', good['json'], good['json'], option + '=' + wrong)
  for wrong in 'head', '=3', 'head=', 'head=x', 'head=nan':
    tool.refused(USAGE, ['--layer', f'"{wrong}"', 'LAYER=DB'], *report, '--layer', wrong)
  tool.refused(ERROR, ['--layer', '"hed"', 'did you mean "head"?'], *report, '--layer', 'hed=3')
  tool.refused(USAGE, ['--fail-accuracy-drop', '--labels'], *report, '--fail-accuracy-drop', '1')
  tool.refused(USAGE, ['--ram-bugdet', 'did you mean "--ram-budget"?'], 'firmware', good['int8'], '--ram-bugdet', '5')
  tool.refused(USAGE, ['--engine', 'fast', 'native'], 'explain', good['int8'], '--engine', 'fast')
  tool.refused(USAGE, ['--target', 'arm', 'cortex-m4'], 'firmware', good['int8'], '--target', 'arm')


def wrong_labels(tool, good):
  def labels(name, descr, pack, rows=24):
    npy(tool.work / name, descr, f'({rows},)', b''.join(pack(i) for i in range(rows)))
    return tool.work / name

  report = ['report', *arguments_of('report', good), '--labels']
  whole = {'<i8': 8, '<u8': 8, '<u4': 4, '<u2': 2, '|i1': 1, '|b1': 1}
  for descr, size in whole.items():
    path = labels('l' + descr.strip('<|') + '.npy', descr, lambda i, size=size: (i % 2).to_bytes(size, 'little'))
    status, out, err = tool.run(*report, path, '--batch', '8')
    if status != 0 or '(24 samples)' not in out or 'accuracy' not in out:
      findings.append(f'labels of type {descr}: {status}, {out[:200]!r}, {err!r}')
  import struct
  floats = labels('floats.npy', '<f4', lambda i: struct.pack('<f', i % 3))
  if tool.run(*report, floats)[0] != 0:
    findings.append('labels as whole float32 numbers are refused')
  # Without models only what is checked before they are read can be named.
  blind = ['report', 'none.octet', 'none.octet', good['data'], '--labels']
  half = labels('half.npy', '<f8', lambda i: struct.pack('<d', 0.5 if i == 7 else 1))
  big = labels('big.npy', '<i8', lambda i: (2**40 if i == 3 else 1).to_bytes(8, 'little'))
  few = labels('few.npy', '<i8', lambda i: bytes(8), 23)
  tool.refused(ERROR, [half, 'element 7 is 0.5', 'integer'], *blind, half)
  tool.refused(ERROR, [big, 'element 3 is 1099511627776', '32 bits'], *blind, big)
  tool.refused(ERROR, [few, 'expected 24 labels', '23'], *report, few)
  tool.refused(ERROR, [good['int8'], 'expected labels', 'this is a model file'], *blind, good['int8'])
  five = labels('five.npy', '<i8', lambda i: (5 if i == 9 else 0).to_bytes(8, 'little'))
  minus = labels('minus.npy', '<i8', lambda i: (-1 if i == 20 else 0).to_bytes(8, 'little', signed=True))
  tool.refused(ERROR, [five, 'element 9 is 5', '5 classes'], *report, five)
  tool.refused(ERROR, [minus, 'element 20 is -1', '5 classes'], *report, minus)
  nan = tool.work / 'nan.npy'
  npy(nan, '<f4', '(2, 8, 8, 3)', b''.join(struct.pack('<f', float('nan') if i == 11 else 0) for i in range(384)))
  tool.refused(ERROR, [nan, 'element 11 is', 'nan'], 'report', 'none.octet', 'none.octet', nan)
  shape = tool.work / 'shape.npy'
  npy(shape, '<f4', '(2, 8, 8, 1)', bytes(512))
  tool.refused(ERROR, [shape, '[2, 8, 8, 1]', 'image', '[1, 8, 8, 3]'], 'report', good['float'], good['int8'], shape)


def batches(tool, good):
  """A model that keeps the batch it was trained with is planned for one input."""
  arena = {}
  for name, options in {'one': [], 'eight': ['--batch', '8'], 'trained': []}.items():
    model = good['trained'] if name == 'trained' else good['int8']
    status, out, err = tool.run('firmware', model, *options)
    lines = [line for line in out.splitlines() if line.startswith('arena')]
    if status != 0 or len(lines) != 1:
      findings.append(f'plan {name}: {status}, {err!r}')
      return
    arena[name] = int(lines[0].split()[1])
  if arena['trained'] != arena['one'] or arena['eight'] < 7 * arena['one']:
    findings.append(f'arenas by batch: {arena}')
  images = []
  for model in 'int8', 'trained':
    tool.run('firmware', good[model], '-o', tool.work / model)
    images.append((tool.work / model / 'model.octi').read_bytes())
  if images[0] != images[1]:
    findings.append('the image of a model trained with a batch of 64 is another one')


def outputs(tool, good):
  """Outputs that are inputs, or each other, by any path; folders that are not there; a standard output that takes nothing."""
  kept = {key: pathlib.Path(path).read_bytes() for key, path in good.items() if pathlib.Path(path).is_file()}
  link, hard = tool.work / 'link.octet', tool.work / 'hard.octet'
  link.symlink_to(good['int8'])
  os.link(good['int8'], hard)
  page = tool.work / 'page.html'
  around = f"{tool.work}/./{pathlib.Path(good['int8']).name}"
  report = ['report', good['float'], good['int8'], good['data']]
  for words, said in [
      (report + ['--html', good['float']], 'is read'), (report + ['--html', around], 'is read'),
      (report + ['--html', link], 'is read'),
      (report + [f'--json={hard}'], 'is read'), (report + ['--html', page, f'--json={page}'], 'twice'),
      (report + ['--html', tool.work / 'none' / 'page.html'], 'does not exist'),
      (['prune', good['int8'], '-o', good['int8']], 'is read'),
      (['quantize', good['float'], good['data'], '-o', good['data']], 'is read'),
      (['quantize', good['float'], good['data'], '-o', page, '--report', page], 'twice'),
      (['run', good['float'], good['data'], '-o', tool.work / 'none' / 'x'], 'does not exist'),
      (['firmware', good['int8'], '-o', good['int8']], 'expected a folder')]:
    status, _, err = tool.run(*words)
    if status != 1 or said not in err:
      findings.append(f'{[str(w) for w in words]}: {status}, {err!r}, expected "{said}"')
  for key, data in kept.items():
    if pathlib.Path(good[key]).read_bytes() != data:
      findings.append(f'{key} was written over')
  with open('/dev/full', 'w') as full:
    done = subprocess.run([tool.command, 'inspect', good['image']], stdout=full, stderr=subprocess.PIPE, text=True)
  if done.returncode != 1 or 'standard output cannot be written' not in done.stderr:
    findings.append(f'a full standard output: {done.returncode}, {done.stderr!r}')


def main():
  with tempfile.TemporaryDirectory() as folder:
    work = pathlib.Path(folder)
    subprocess.run([sys.argv[2], work], check=True)
    good = {'float': work / 'float.octet', 'int8': work / 'int8.octet', 'data': work / 'data.npy', 'json': work / 'report.json',
            'image': work / 'fw' / 'model.octi', 'labels': work / 'labels.npy', 'trained': work / 'int8_batch64.octet'}
    tool = Tool(sys.argv[1], work)
    status, _, err = tool.run('firmware', good['int8'], '-o', work / 'fw')
    if status != 0:
      findings.append(f'image: {err}')
    for words in ['--version'], ['--help'], *([verb, '--help'] for verb in VERBS):
      status, out, err = tool.run(*words)
      if status != 0 or not out or err:
        findings.append(f'{words}: {status}, {out[:80]!r}, {err!r}')
    for part in wrong_files, wrong_words, wrong_labels, batches, outputs:
      part(tool, good)
  for finding in findings:
    print('FAILED:', finding)
  print(f'octet: {tool.runs} runs,', f'{len(findings)} findings' if findings else 'all messages as they should be')
  return 1 if findings else 0


if __name__ == '__main__':
  sys.exit(main())
