#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# octet as a test of a CI: report with limits, and two reports compared. What the status and the lines must say is worked out
# from the JSON.
# Usage: limits.py OCTET_TOOL WRITE_REPORT; prints what is wrong, exit status 1 on any finding.
import json
import pathlib
import subprocess
import sys
import tempfile

LIMIT = 3
findings = []


def main():
  command = sys.argv[1]
  with tempfile.TemporaryDirectory() as folder:
    work = pathlib.Path(folder)
    subprocess.run([sys.argv[2], work], check=True)

    def run(*arguments):
      done = subprocess.run([command, *map(str, arguments)], capture_output=True, text=True, timeout=60)
      return done.returncode, done.stdout, done.stderr.splitlines()

    def expect(what, condition, seen):
      if not condition:
        findings.append(f'{what}: {seen}')

    def report(int8, *options):
      status, out, err = run('report', work / 'float.octet', work / int8, work / 'data.npy', '--batch', 8, *options)
      lines = [line for line in err if line.startswith('octet: ')]
      return status, out, lines

    bad_json, good_json = work / 'bad.json', work / 'good.json'
    expect('a report without limits', report('int8.octet', f'--json={bad_json}', '--labels', work / 'labels.npy')[0] == 0, '')
    expect('a good report', report('int8_good.octet', f'--json={good_json}', '--labels', work / 'labels.npy')[0] == 0, '')
    bad, good = json.loads(bad_json.read_text()), json.loads(good_json.read_text())

    def db(said):
      return {l['path']: float(l['end_to_end']['sqnr_db']) for l in said['layers']}

    # Every layer below the limit has its line, in order, and no other.
    for limit in 20, 30, 40:
      low = [path for path, v in db(bad).items() if v < limit]
      status, out, lines = report('int8.octet', '--fail-below', limit)
      expect(f'--fail-below {limit}', status == (LIMIT if low else 0) and [l.split(': ')[2] for l in lines] == low, (status, lines))
      clear = [f'at least {limit} asked' in l and f'{db(bad)[l.split(": ")[2]]:.2f} dB' in l for l in lines]
      expect('each line is clear', all(clear), lines)
      expect('the table is printed all the same', 'worst first' in out, out[:100])
    worst = min(db(bad), key=db(bad).get)
    looser = [p for p, v in db(bad).items() if v < 30 and p != worst]
    status, _, lines = report('int8.octet', '--fail-below', 30, '--layer', f'{worst}=1')
    expect('a layer with a limit of its own', [l.split(': ')[2] for l in lines] == looser and status == LIMIT, lines)
    status, _, lines = report('int8.octet', '--layer', f'{worst}=1', '--layer', 'head=1')
    expect('limits of layers that are kept', status == 0 and not lines, (status, lines))
    status, _, lines = report('int8.octet', '--layer', f'{worst}=99', f'--json={work / "again.json"}')
    expect('one layer alone', status == LIMIT and len(lines) == 1 and f'{worst}: SQNR' in lines[0], lines)
    expect('files are written before it fails', (work / 'again.json').is_file(), '')
    expect('a good network keeps 30 dB', report('int8_good.octet', '--fail-below', 30)[0] == 0, db(good))
    labels, wrong_json = ['--labels', work / 'labels.npy'], work / 'wrong.json'
    report('int8_wrong.octet', *labels, f'--json={wrong_json}')
    wrong = json.loads(wrong_json.read_text())
    drop = 100 * (wrong['accuracy']['float'] - wrong['accuracy']['quantized'])
    expect('the wrong network loses accuracy', drop > 4, drop)
    status, _, lines = report('int8_wrong.octet', *labels, '--fail-accuracy-drop', drop - 0.5)
    expect('a drop of accuracy', status == LIMIT and len(lines) == 1 and f'a drop of {drop:.2f} points' in lines[0], lines)
    expect('a drop within the limit', report('int8_wrong.octet', *labels, '--fail-accuracy-drop', drop + 0.5)[0] == 0, drop)

    # A model with two inputs: a file for each, in the model's order.
    figures = {}
    for name, files in {'right order': ('left', 'right'), 'swapped': ('right', 'left')}.items():
      data = [work / (f + '.npy') for f in files]
      models = work / 'both.octet', work / 'both_int8.octet'
      status, _, err = run('report', *models, *data, '--batch', 7, f'--json={work / "two.json"}')
      expect(f'two inputs, {name}', status == 0, err)
      figures[name] = json.loads((work / 'two.json').read_text())
    right, swapped = figures['right order'], figures['swapped']
    expect('two inputs', right['samples'] == 24 and right['output_sqnr_db'] > 25, right)
    expect('swapped inputs', swapped['output_sqnr_db'] < right['output_sqnr_db'] - 10, swapped)
    status, _, lines = run('report', work / 'both.octet', work / 'both_int8.octet', work / 'left.npy')
    expect('one file for two inputs', status == 1 and '2 inputs, 1 file' in lines[-1], lines)
    for verb in 'firmware', 'explain':
      status, out, lines = run(verb, work / 'both_int8.octet', '--batch', 2)
      expect(f'{verb} of two inputs', status == 0 and 'both' in out, (status, lines))

    def changes(*options, before=good_json, after=bad_json):
      return run('compare-reports', before, after, *options)

    status, out, lines = changes()
    expect('two reports', status == 0 and not lines, (status, lines))
    changed = [p for p in db(bad) if abs(db(bad)[p] - db(good)[p]) >= 0.1]
    expect('layers that changed', [l.split(',')[0] for l in out.splitlines() if ', end to end' in l] == changed, (out, changed))
    expect('headline figures', all(f'{r["output_sqnr_db"]:.2f}' in out for r in (good, bad)) and '24' in out, out)
    for limit in 1, 5, 15:
      low = [p for p in db(bad) if db(good)[p] - db(bad)[p] > limit]
      if good['output_sqnr_db'] - bad['output_sqnr_db'] > limit:
        low.insert(0, 'output of the network')
      status, _, lines = changes('--fail-drop', limit)
      expect(f'--fail-drop {limit}', status == (LIMIT if low else 0) and [l.split(': ')[2] for l in lines] == low, (lines, low))
    expect('an improvement is no drop', changes('--fail-drop', 0, before=bad_json, after=good_json)[0] == 0, '')
    expect('a drop of accuracy between reports', changes('--fail-accuracy-drop', 1, after=wrong_json)[0] == LIMIT, '')
    status, out, _ = changes('--fail-drop', 0, after=good_json)
    expect('a report against itself', status == 0 and '+' not in out and ', end to end' not in out, (status, out))
    renamed = json.loads(good_json.read_text())
    renamed['layers'][1]['path'] = 'other'
    (work / 'renamed.json').write_text(json.dumps(renamed))
    status, out, _ = changes('--fail-drop', 0, after=work / 'renamed.json')
    expect('layers that came and went', status == 0 and 'other, end to end' in out and 'new' in out and 'gone' in out, out)
    cut = dict(good)
    del cut['output_sqnr_db']
    (work / 'cut.json').write_text(json.dumps(cut))
    status, out, lines = changes(after=work / 'cut.json')
    expect('a report without its headline', status == 1 and 'cut.json' in lines[0] and 'output_sqnr_db' in lines[0], lines)
  for finding in findings:
    print('FAILED:', finding)
  print('octet limits:', f'{len(findings)} findings' if findings else 'all checks passed')
  return 1 if findings else 0


if __name__ == '__main__':
  sys.exit(main())
