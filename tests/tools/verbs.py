#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# The verbs of octet that run models: what they print and write is worked out again from the arrays they read and wrote.
# Usage: verbs.py OCTET_TOOL WRITE_REPORT FOLDER_OF_TFLITE_FILES; prints what is wrong, exit status 1 on any finding.
import json
import math
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import zipfile

from common import ERROR, LIMIT, USAGE, Test, arg_max, close, findings, read_npy, rows_of, sqnr, write_npy, write_png


def inspecting(t):
  said = t.json('inspect', 'int8_good.octet')
  layers = {l['path']: l for l in said['layers']}
  t.expect('multiply-accumulates of 3x3x3 to 8 at 8x8', layers['stem.conv']['macs'] == 8 * 8 * 8 * 27, layers['stem.conv'])
  t.expect('parameters add up', said['parameters'] == sum(math.prod(p['shape']) for l in layers.values() for p in l['parameters']))
  t.expect('the crossing is the input', [p for p, l in layers.items() if l['crossing']] == ['image'], said)
  head = layers['head']['outputs'][0]
  lo, hi = ((q - head['zero_point']) * head['scale'] for q in (0, 255))
  t.expect('the range of the codes', all(math.isclose(a, b, rel_tol=1e-6) for a, b in zip(head['range'], (lo, hi))), head)
  t.expect('a float model', t.json('inspect', 'float.octet')['kind'] == 'float')
  t.run('inspect', 'int8_good.octet', '--svg', 'graph.svg')
  svg = (t.work / 'graph.svg').read_text()
  t.expect('every layer is drawn', svg.startswith('<svg xmlns=') and all(f'>{p}<' in svg for p in layers), svg[:80])
  t.expect('and its shape', '[1, 8, 8, 12]' in svg)


def running(t):
  t.run('run', 'float.octet', 'data.npy', '-o', 'y.npy')
  rows = rows_of(t.work / 'y.npy')
  labels = read_npy(t.work / 'labels.npy')[2]
  t.expect('the float network is right', [arg_max(r) for r in rows] == labels)
  (t.work / 'names.txt').write_text('ant\nbee\ncat\ndog\neel\n')
  said = t.json('run', 'float.octet', '--input', 'data.npy', '--labels', 'names.txt', '--top', 2)['outputs'][0]['rows']
  for row, top in zip(rows, said):
    best = sorted(range(5), key=lambda i: -row[i])[:2]
    t.expect('the largest two', [c['class'] for c in top['top']] == best and
             [c['name'] for c in top['top']] == [['ant', 'bee', 'cat', 'dog', 'eel'][b] for b in best], top)
  for batch in 1, 7, 24:
    t.run('run', 'int8_good.octet', 'data.npy', '-o', f'y{batch}.npy', '--batch', batch)
    t.expect(f'batches of {batch} give the same', read_npy(t.work / f'y{batch}.npy') == read_npy(t.work / 'y1.npy'))
  # Codes out and codes in.
  t.run('run', 'int8_good.octet', 'data.npy', '-o', 'codes.npy', '--raw')
  t.run('run', 'int8_good.octet', 'data.npy', '-o', 'values.npy')
  q = t.json('inspect', 'int8_good.octet')['layers']
  head, image = q[-1]['outputs'][0], q[0]['outputs'][0]
  kind, _, codes = read_npy(t.work / 'codes.npy')
  values = read_npy(t.work / 'values.npy')[2]
  t.expect('raw outputs are codes', kind == '|u1' and all(
      math.isclose(v, (c - head['zero_point']) * head['scale'], rel_tol=1e-5, abs_tol=1e-6) for v, c in zip(values, codes)))
  _, shape, pixels = read_npy(t.work / 'data.npy')
  given = [min(max(round(x / image['scale']) + image['zero_point'], 0), 255) for x in pixels]
  write_npy(t.work / 'given.npy', '|u1', shape, given)
  t.run('run', 'int8_good.octet', 'given.npy', '--codes', '-o', 'again.npy', '--raw')
  t.expect('codes in are the codes floats become', read_npy(t.work / 'again.npy')[2] == codes)
  # Layouts: the same values in N,C,H,W, one sample alone, and an axis of samples before the tensor's own.
  n, h, w, c = shape
  nchw = [pixels[((i * h + y) * w + x) * c + k] for i in range(n) for k in range(c) for y in range(h) for x in range(w)]
  write_npy(t.work / 'nchw.npy', '<f4', (n, c, h, w), nchw)
  write_npy(t.work / 'one.npy', '<f4', (h, w, c), pixels[:h * w * c])
  write_npy(t.work / 'samples.npy', '<f4', (n, 1, h, w, c), pixels)
  for name, options, want in ('nchw', ['--layout', 'nchw'], rows), ('one', [], rows[:1]), ('samples', [], rows):
    t.run('run', 'float.octet', f'{name}.npy', *options, '-o', 'z.npy')
    got = rows_of(t.work / 'z.npy')
    t.expect(f'data as {name}', len(got) == len(want) and all(map(close, got, want)))
  t.expect('the hint at the layout', '--layout nchw' in t.run('run', 'float.octet', 'nchw.npy', status=ERROR))
  t.expect('codes for a float input', 'takes floats' in t.run('run', 'float.octet', 'given.npy', '--codes', status=ERROR))
  # Archives: an array by its name.
  with zipfile.ZipFile(t.work / 'd.npz', 'w') as archive:
    archive.write(t.work / 'data.npy', 'images.npy')
    archive.write(t.work / 'labels.npy', 'classes.npy')
  t.run('run', 'float.octet', 'd.npz:images', '-o', 'z.npy')
  t.expect('an array of an archive', read_npy(t.work / 'z.npy') == read_npy(t.work / 'y.npy'))
  t.expect('and its labels', t.json('eval', 'float.octet', 'd.npz:images', '--labels', 'd.npz:classes')['accuracy'] == 1)
  for name, words in ('d.npz', 'which of its arrays? It has classes, images'), ('d.npz:x', 'no such array'), ('e.npz:x', 'e.npz'):
    t.expect(f'{name} is refused', words in t.run('run', 'float.octet', name, status=ERROR))
  write_npy(t.work / 'no_rows.npy', '|u1', (0, 8, 8, 3), [])
  for options in [], ['--codes']:
    t.expect('no rows', 'no_rows.npy' in t.run('run', 'int8_good.octet', 'no_rows.npy', *options, status=ERROR))
  # Two inputs, in their order.
  t.run('run', 'both.octet', '--input', 'left.npy', 'right.npy', '--output', 'lr.npy')
  t.run('run', 'both.octet', '--input', 'right.npy', 'left.npy', '--output', 'rl.npy')
  t.expect('the order of inputs matters', read_npy(t.work / 'lr.npy') != read_npy(t.work / 'rl.npy'))
  t.expect('one of two inputs', '2 inputs, 1 file' in t.run('run', 'both.octet', 'left.npy', status=ERROR))


def pictures(t):
  values = {(x, y): (20 * x, 25 * y, 10 * (x + y)) for x in range(8) for y in range(8)}
  write_png(t.work / 'p.png', 8, 8, lambda x, y: values[x, y])
  said = t.run('run', 'float.octet', 'p.png', '-o', 'p.npy')
  if 'reads no pictures' in said:
    print('left out: this build has no stb')
    findings.pop()
    return
  same = [v for y in range(8) for x in range(8) for v in values[x, y]]

  def as_array(name, mean, std):
    write_npy(t.work / name, '<f4', (1, 8, 8, 3), [(v / 255 - mean[i % 3]) / std[i % 3] for i, v in enumerate(same)])
    t.run('run', 'float.octet', name, '-o', 'a.npy')
    return rows_of(t.work / 'a.npy')[0]
  t.expect('pixels are shares of 255', close(rows_of(t.work / 'p.npy')[0], as_array('a1.npy', [0] * 3, [1] * 3)))
  normal = ['--mean', '0.5,0.4,0.3', '--std', '0.25']
  said = t.run('run', 'float.octet', 'p.png', *normal, '-o', 'n.npy', '--store', 'stored.octet')
  wanted = as_array('a2.npy', [0.5, 0.4, 0.3], [0.25] * 3)
  t.expect('mean and std', close(rows_of(t.work / 'n.npy')[0], wanted))
  t.expect('are printed', 'mean 0.5,0.4,0.3' in said and 'std 0.25' in said and 'stretched to 8x8' in said, said)
  t.run('run', 'stored.octet', 'p.png', '-o', 's.npy')
  t.expect('and stored', read_npy(t.work / 's.npy') == read_npy(t.work / 'n.npy'))
  t.expect('and shown', 'mean 0.5,0.4,0.3' in t.run('inspect', 'stored.octet'))
  t.run('run', 'stored.octet', 'p.png', '--mean', '0', '--std', '1', '-o', 's.npy')
  t.expect('and overruled', read_npy(t.work / 's.npy') == read_npy(t.work / 'p.npy'))
  # A picture twice as large in blocks of four pixels shrinks to the one above; cropping takes its middle.
  write_png(t.work / 'big.png', 16, 16, lambda x, y: values[x // 2, y // 2])
  t.run('run', 'float.octet', 'big.png', '-o', 'b.npy')
  near = [abs(x - y) for x, y in zip(rows_of(t.work / 'b.npy')[0], rows_of(t.work / 'p.npy')[0])]
  t.expect('a larger picture', max(near) < 0.02, near)
  write_png(t.work / 'wide.png', 16, 8, lambda x, y: values.get((x - 4, y), (9, 9, 9)))
  t.run('run', 'float.octet', 'wide.png', '--resize', 'crop', '-o', 'c.npy')
  t.expect('the centre of a wide picture', read_npy(t.work / 'c.npy')[2] == read_npy(t.work / 'p.npy')[2])
  t.run('run', 'float.octet', 'wide.png', '-o', 'c.npy')
  t.expect('stretched it is another', read_npy(t.work / 'c.npy')[2] != read_npy(t.work / 'p.npy')[2])
  t.expect('another size', '8 x 16 pixels' in t.run('run', 'float.octet', 'wide.png', '--resize', 'none', status=ERROR))
  data = (t.work / 'p.png').read_bytes()
  for name, content, words in [('cut', data[:60], 'cut.png'), ('none', b'GIF99', 'no picture'), ('zero', b'', 'empty'),
                               ('huge', data[:16] + b'\x7f\xff\xff\xff' * 2 + data[24:], 'huge.png')]:
    (t.work / f'{name}.png').write_bytes(content)
    t.expect(f'{name}.png is refused', words in t.run('run', 'float.octet', f'{name}.png', status=ERROR))
  # Damaged anywhere: a picture of something, or one line.
  write_png(t.work / 'p.png', 8, 8, lambda x, y: values[x, y])
  good = (t.work / 'p.png').read_bytes()
  damaged = [good[:n] for n in range(0, len(good), 6)]
  damaged += [bytes(b ^ (1 << bit % 8) if i == bit // 8 else b for i, b in enumerate(good)) for bit in range(0, 8 * len(good), 31)]
  for content in damaged:
    (t.work / 'damaged.png').write_bytes(content)
    done = subprocess.run([t.tool, 'run', 'float.octet', 'damaged.png'], capture_output=True, text=True, timeout=20, cwd=t.work)
    line = done.stderr.startswith('octet: damaged.png: ') and done.stderr.count('\n') == 1
    t.expect('a damaged picture', line if done.returncode == 1 else done.returncode == 0, (done.returncode, done.stderr, content))
  t.runs += len(damaged)
  # A folder for each class.
  for c in range(2):
    (t.work / 'sorted' / f'class{c}').mkdir(parents=True)
    for i in range(3):
      write_png(t.work / 'sorted' / f'class{c}' / f'{i}.png', 8, 8, lambda x, y, c=c, i=i: (30 * i, 100 * c, 5 * x))
  best = [r['top'][0]['class'] for r in t.json('run', 'float.octet', 'sorted')['outputs'][0]['rows']]
  right = sum(b == i // 3 for i, b in enumerate(best))
  t.expect('folders are classes', t.json('eval', 'float.octet', 'sorted')['right'] == right, (best, right))


def quantizing(t):
  said = t.json('quantize', 'float.octet', '--data', 'data.npy', '--labels', 'labels.npy', '-o', 'q.octet', '--report', 'q.html')
  t.run('run', 'float.octet', 'data.npy', '-o', 'f.npy')
  t.run('run', 'q.octet', 'data.npy', '-o', 'g.npy')
  f, q, labels = rows_of(t.work / 'f.npy'), rows_of(t.work / 'g.npy'), read_npy(t.work / 'labels.npy')[2]
  t.expect('SQNR of the output', math.isclose(said['output_sqnr_db'], sqnr(f, q), abs_tol=0.01), (said, sqnr(f, q)))
  for name, rows in ('float', f), ('int8', q):
    right = sum(arg_max(r) == l for r, l in zip(rows, labels)) / len(labels)
    t.expect(f'accuracy of {name}', math.isclose(said[name]['accuracy'], right), said)
  t.expect('all layers are int8', said['int8_kernels'] == said['weighted_layers'] == 5, said)
  t.expect('a report', 'recipe for octet quantize' in (t.work / 'q.html').read_text())
  t.expect('eval says the same', math.isclose(t.json('eval', 'q.octet', 'data.npy', '--labels', 'labels.npy')['accuracy'],
                                              said['int8']['accuracy']))
  write_npy(t.work / 'second.npy', '<i8', (len(f),), [sorted(range(5), key=lambda i, r=r: -r[i])[1] for r in f])
  t.expect('the second class is not right', t.json('eval', 'float.octet', 'data.npy', '--labels', 'second.npy')['right'] == 0)
  both = t.json('compare', 'float.octet', 'q.octet', 'data.npy')
  t.expect('so does compare', math.isclose(both['outputs'][0]['sqnr_db'], said['output_sqnr_db'], abs_tol=0.01), both['outputs'])
  t.expect('layers by their paths', {'dw', 'last', 'head'} <= {l['value'] for l in both['layers']}, both['layers'])
  t.run('compare', 'float.octet', 'q.octet', 'data.npy', '--fail-below', 99, status=LIMIT)

  # Codes that differ, whichever model is the larger one.
  rows = {}
  for name in 'good', 'wrong':
    t.run('run', f'int8_{name}.octet', 'data.npy', '--raw', '-o', f'raw_{name}.npy')
    rows[name] = read_npy(t.work / f'raw_{name}.npy')[2]
  differ = sum(a != b for a, b in zip(rows['good'], rows['wrong']))
  for a, b in ('good', 'wrong'), ('wrong', 'good'):
    said = t.json('compare', f'int8_{a}.octet', f'int8_{b}.octet', 'data.npy')
    t.expect('codes that differ', said['outputs'][0]['differ'] == differ > 0, (said['outputs'], differ))
  # A range far too wide leaves few codes, and classes that are equally large: the first of them counts.
  _, shape, pixels = read_npy(t.work / 'data.npy')
  write_npy(t.work / 'loud.npy', '<f4', shape, [200 * x for x in pixels])
  t.run('quantize', 'float.octet', 'loud.npy', '-o', 'coarse.octet', '--observer', 'min_max')
  t.run('run', 'coarse.octet', 'data.npy', '-o', 'coarse.npy')
  coarse = rows_of(t.work / 'coarse.npy')
  t.expect('there are ties', any(sorted(r)[-1] == sorted(r)[-2] for r in coarse), coarse[0])
  write_npy(t.work / 'first.npy', '<i8', (shape[0],), [arg_max(r) for r in coarse])
  t.expect('the first of equal classes', t.json('eval', 'coarse.octet', 'data.npy', '--labels', 'first.npy')['accuracy'] == 1)

  # The recipe that was printed makes the same file, byte for byte; every part of it has its effect, and options win.
  made = ['--rounding', 'fixed_double', '--keep-float', 'head', '--samples', 10, '--seed', 3, '--per-tensor',
          '--observer', 'min_max']
  first = t.json('quantize', 'float.octet', 'data.npy', '-o', 'r1.octet', *made)
  (t.work / 'recipe.json').write_text(json.dumps(first['recipe']))
  again = t.json('quantize', 'float.octet', 'data.npy', '-o', 'r2.octet', '--recipe', 'recipe.json')
  t.expect('a recipe repeats', (t.work / 'r1.octet').read_bytes() == (t.work / 'r2.octet').read_bytes(), again.get('recipe'))
  layers = {l['path']: l for l in t.json('inspect', 'r1.octet')['layers']}
  t.expect('the head is float', layers['head']['outputs'][0]['dtype'] == 'f32' and first['int8_kernels'] == 4, layers['head'])
  scales = [p.get('scales', 1) for l in layers.values() for p in l['parameters'] if p['name'] == 'weight']
  t.expect('one scale a layer', len(scales) == 5 and set(scales) == {1}, scales)
  t.expect('codes for devices', layers['image']['outputs'][0]['dtype'] == 'i8', layers['image'])
  t.expect('its rounding', t.json('inspect', 'r1.octet')['rounding'] == 'fixed_double')
  for change in (['--seed', 4], ['--samples', 5], ['--per-channel'], ['--observer', 'histogram'], ['--rounding', 'fixed_single'],
                 ['--bias-correct'], ['--keep-float', 'mean'], ['--preset', 'octet']):
    t.run('quantize', 'float.octet', 'data.npy', '-o', 'r3.octet', '--recipe', 'recipe.json', *change)
    t.expect(f'{change} changes the model', (t.work / 'r3.octet').read_bytes() != (t.work / 'r1.octet').read_bytes())
  t.run('quantize', 'float.octet', 'data.npy', '-o', 'e.octet', '--equalize', '--save-recipe', 'e.json')
  t.expect('a recipe as a file', json.loads((t.work / 'e.json').read_text())['equalize'] is True)
  t.run('quantize', 'both.octet', '--data', 'left.npy', 'right.npy', '-o', 'b.octet')
  t.expect('two inputs', t.json('inspect', 'b.octet')['kind'] == 'converted')

  before = (t.work / 'q.octet').read_bytes()
  for recipe, words in [('{"preset": "octett"}', 'did you mean "octet"'), ('{"color": 1}', "unknown key 'color'"), ('[', 'JSON'),
                        ('{"samples": -1}', 'samples'), ('{"equalize": 3}', 'equalize'), ('{"keep_float": "head"}', 'keep_float')]:
    (t.work / 'bad.json').write_text(recipe)
    error = t.run('quantize', 'float.octet', 'data.npy', '-o', 'q.octet', '--recipe', 'bad.json', status=ERROR)
    t.expect(f'the recipe {recipe}', 'bad.json' in error and words in error and error.count('\n') == 1, error)
  error = t.run('quantize', 'float.octet', 'data.npy', '-o', 'q.octet', '--keep-float', 'hat', status=ERROR)
  t.expect('a prefix of nothing', 'float.octet' in error and 'hat' in error, error)
  t.expect('quantized twice', 'quantized already' in t.run('quantize', 'q.octet', 'data.npy', '-o', 'q.octet2', status=ERROR))
  t.expect('nothing is half written', (t.work / 'q.octet').read_bytes() == before and not list(t.work.glob('*.tmp*')))


def interrupting(t):
  """Ended at any time: the file that was there or the new one, and nothing beside it."""
  words = [str(t.tool), 'quantize', 'float.octet', 'data.npy', '-o', 'kept.octet', '--report', 'kept.html']
  statuses = []
  for delay in range(0, 60, 3):
    old = {name: f'the old {name}'.encode() for name in ('kept.octet', 'kept.html')}
    for name, data in old.items():
      (t.work / name).write_bytes(data)
    going = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=t.work)
    time.sleep(delay / 1000)
    going.send_signal(signal.SIGTERM)
    statuses.append(going.wait(timeout=60))
    model, page = (t.work / 'kept.octet').read_bytes(), (t.work / 'kept.html').read_bytes()
    whole = (t.work / 'q.octet').read_bytes()
    t.expect('the model is the old one or whole', model in (old['kept.octet'], whole), model[:20])
    t.expect('the page is the old one or whole', page == old['kept.html'] or page.rstrip().endswith(b'</html>'), page[-20:])
    beside = list(t.work.glob('.*')) + list(t.work.glob('*.probe'))
    t.expect('nothing is left beside them', not beside, beside)
  t.expect('some were interrupted', set(statuses) <= {0, -signal.SIGTERM} and -signal.SIGTERM in statuses, statuses)


def timing(t):
  said = t.json('bench', 'float.octet', 'int8_good.octet', '--seconds', '0.1', '--threads', 1, '--batch', 2)
  names = [m['model'] for m in said['models']]
  t.expect('both are timed', names == ['float.octet', 'int8_good.octet'] and said['batch'] == 2, said)
  for m in said['models']:
    t.expect('percentiles in order', 0 < m['p10_us'] <= m['median_us'] <= m['p90_us'] and
             math.isclose(m['inputs_per_second'], 2e6 / m['median_us'], rel_tol=1e-6), m)
  layers = t.json('explain', 'int8_good.octet', '--repeats', 2, '--engine', 'reference')['layers']
  t.expect('explain', {l['engine'] for l in layers if l['macs']} == {'reference'}, layers)


def checking(t):
  """A folder of cases: codes and floats, right, wrong and impossible."""
  cases = t.work / 'cases'
  cases.mkdir()
  image = t.json('inspect', 'int8_good.octet')['layers'][0]['outputs'][0]
  _, shape, pixels = read_npy(t.work / 'data.npy')
  given = [min(max(round(x / image['scale']) + image['zero_point'], 0), 255) for x in pixels]
  n = shape[0]
  t.run('run', 'int8_good.octet', 'data.npy', '-o', 'golden.npy', '--raw')
  golden = read_npy(t.work / 'golden.npy')[2]
  floats = read_npy(t.work / 'f.npy')[2]

  def case(name, model, inputs, kind, values):
    (cases / f'{name}.octet').write_bytes((t.work / model).read_bytes() if model else b'no model at all')
    write_npy(cases / f'{name}.inputs.npy', *inputs)
    write_npy(cases / f'{name}.golden.npy', kind, (n, 1, 5), values)
  codes, values = ('|u1', (n, 1, 8, 8, 3), given), ('<f4', (n, 1, 8, 8, 3), pixels)
  case('a_codes', 'int8_good.octet', codes, '|u1', golden)
  case('b_values', 'int8_good.octet', values, '|u1', golden)
  off = list(golden)
  off[7] += 3
  off[9] -= 1
  case('c_off', 'int8_good.octet', codes, '|u1', off)
  case('d_float', 'float.octet', values, '<f4', floats)
  near = [v + 1e-3 for v in floats]
  case('e_near', 'float.octet', values, '<f4', near)
  case('f_none', None, codes, '|u1', golden)
  said = t.json('check', 'cases', status=ERROR)
  verdicts = {pathlib.Path(c['model']).stem: c for c in said['cases']}
  t.expect('verdicts', [c['verdict'] for c in said['cases']] == ['PASS', 'PASS', 'WRONG', 'PASS', 'WRONG', 'REFUSED'], said)
  t.expect('the largest difference', verdicts['c_off']['max_diff'] == 3 and verdicts['c_off']['differ'] == 2, verdicts['c_off'])
  t.expect('all values are compared', verdicts['a_codes']['values'] == n * 5, verdicts['a_codes'])
  lines = t.run('check', 'cases', status=ERROR).splitlines()
  t.expect('the last line', lines[-1] == 'PASS 3 WRONG 2 REFUSED 1' and len(lines) == 7, lines)
  t.expect('a line a case', lines[2].startswith('WRONG cases/c_off.octet: max-diff 3') and lines[5].startswith('REFUSED'), lines)
  for name in 'c_off', 'e_near':
    (cases / f'{name}.octet').unlink()
  t.expect('a refusal alone', t.run('check', 'cases').splitlines()[-1] == 'PASS 3 WRONG 0 REFUSED 1')
  t.run('check', 'cases', '--strict', status=ERROR)
  one = ['check', 'cases/d_float.octet', '--inputs', 'cases/d_float.inputs.npy', '--golden', 'cases/e_near.golden.npy']
  t.run(*one, status=ERROR)
  t.expect('a tolerance', t.run(*one, '--tolerance', 0.1).endswith('PASS 1 WRONG 0 REFUSED 0\n'))
  two = ['check', t.work / 'both.octet', '--inputs', 'left.npy', 'right.npy', '--golden', 'lr.npy']
  t.expect('inputs without the axis of samples', 'REFUSED' in t.run(*two))
  t.expect('a model without arrays', '--golden' in t.run('check', 'float.octet', status=USAGE))
  t.expect('half a case', '--golden' in t.run('check', 'float.octet', '--inputs', 'data.npy', status=USAGE))
  (t.work / 'none').mkdir()
  t.expect('an empty folder', 'none' in t.run('check', 'none', status=ERROR))


def importing(t):
  """TensorFlow Lite's files as models: outputs against golden ones, some of them read again here."""
  folder = pathlib.Path(sys.argv[3])
  if not folder.is_dir():
    print('left out: models of TensorFlow Lite,', folder, 'is not there')
    return
  folder = folder.resolve()
  said = t.json('check', folder, folder / 'made', status=ERROR)
  verdicts = {'PASS': set(), 'WRONG': set(), 'REFUSED': set()}
  for case in said['cases']:
    verdicts[case['verdict']].add(pathlib.Path(case['model']).stem)
  # Its golden was computed with weights in codes and activations quantized as they come, which octet does not do.
  t.expect('goldens that differ', verdicts['WRONG'] == {'kws_ref_model_float32'}, verdicts)
  t.expect('files that are refused', verdicts['REFUSED'] <= {'quantize0', 'trained_lstm_int8'}, verdicts)
  t.expect('most are equal', said['pass'] >= 57, said['pass'])
  kws = folder / 'kws_ref_model.tflite'
  t.run('run', kws, folder / 'kws_ref_model.inputs.npy', '--codes', '--raw', '-o', 'kws.npy')
  t.expect('codes are the golden ones', read_npy(t.work / 'kws.npy')[2] == read_npy(folder / 'kws_ref_model.golden.npy')[2])
  face = t.json('inspect', kws)
  t.expect('names of the file', face['interface'] == {'inputs': ['input_1'], 'outputs': ['Identity']}, face['interface'])
  floats = folder / 'hello_world_float.tflite'
  t.run('quantize', floats, '--data', folder / 'hello_world_float.inputs.npy', '-o', 'hello.octet')
  names = [t.json('inspect', m)['interface']['inputs'] for m in (floats, 'hello.octet')]
  t.expect('and of what is made of it', names[0] == names[1] != [], names)
  (t.work / 'cut.tflite').write_bytes(kws.read_bytes()[:5000])
  (t.work / 'noise.tflite').write_bytes(b'\x10\0\0\0TFL3' + bytes(range(256)))
  for name in 'cut.tflite', 'noise.tflite':
    for words in ['inspect', name], ['run', name, 'data.npy'], ['firmware', name], ['bench', name]:
      error = t.run(*words, status=ERROR)
      t.expect(f'{words} is refused', error.startswith(f'octet: {name}: ') and error.count('\n') == 1, error)


def main():
  with tempfile.TemporaryDirectory() as folder:
    work = pathlib.Path(folder)
    subprocess.run([sys.argv[2], work], check=True)
    test = Test(sys.argv[1], work)
    for part in inspecting, running, pictures, quantizing, interrupting, timing, checking, importing:
      try:
        part(test)
      except (OSError, KeyError, IndexError, ValueError) as error:  # what failed before is among the findings
        findings.append(f'{part.__name__} ended early: {error!r}')
  for finding in findings:
    print('FAILED:', finding)
  print(f'octet verbs: {test.runs} runs,', f'{len(findings)} findings' if findings else 'all checks passed')
  return 1 if findings else 0


if __name__ == '__main__':
  sys.exit(main())
