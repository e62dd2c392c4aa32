#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# `octet report` with output paths that cannot be written and labels that do not fit: one line that names the path, before any
# model is read where that is possible, and nothing half-written.
# Usage: report_command.py OCTET_TOOL WRITE_REPORT; prints what is wrong, exit status 1 on any finding.
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
  tool, write_report = sys.argv[1:3]
  with tempfile.TemporaryDirectory() as folder:
    work = pathlib.Path(folder)
    subprocess.run([write_report, work], check=True)

    def report(*options, models=('float.octet', 'int8.octet')):
      command = [tool, 'report', *(work / m for m in models), work / 'data.npy', *options]
      done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=30)
      return done.returncode, done.stdout, done.stderr

    def refused(what, words, *options, **models):
      before = {p: p.read_bytes() for p in work.rglob('*') if p.is_file()}
      status, out, err = report(*options, **models)
      expect(what, status == 1 and out == '' and err.count('\n') == 1 and all(str(w) in err for w in words), (status, out, err))
      expect(what + ', files left as they were', before == {p: p.read_bytes() for p in work.rglob('*') if p.is_file()})

    # Without models the path can only be named if it is tried first.
    none = ('none.octet', 'none.octet')
    lost, target, page = work / 'missing' / 'r.html', work / 'target', work / 'page'
    target.mkdir()
    for option in '--html', '--json':
      refused(f'{option} in a missing folder', [lost, 'the folder', 'does not exist'], f'{option}={lost}', models=none)
      refused(f'{option} onto a folder', [target, 'is a folder'], f'{option}={target}', models=none)
      below = work / 'data.npy' / 'r'
      refused(f'{option} below a file', [below, 'does not exist'], f'{option}={below}', models=none)
      if pathlib.Path('/proc/self').is_dir():  # where not even root makes files
        refused(f'{option} where none can be made', ['/proc/r.html', 'cannot be written'], f'{option}=/proc/r.html', models=none)
    page.write_text('an earlier report')
    refused('a good page beside a bad JSON', [lost], '--html', page, f'--json={lost}', models=none)
    refused('a good path, no model', ['none.octet'], '--html', page, models=none)
    refused('too few labels', ['labels_few.npy', 'expected 24 labels', '23'], '--html', page, '--labels', work / 'labels_few.npy')
    refused('labels in a column', ['labels_column.npy', 'expected 24 labels', '24, 1'], '--html', page, '--labels',
            work / 'labels_column.npy')
    status, out, err = report('--html', page, f'--json={work / "r.json"}', '--labels', work / 'labels.npy', '--batch', 8)
    expect('good paths and labels', status == 0 and f'wrote {page}' in out, (status, out, err))
    expect('the page replaces the earlier one', page.read_text().startswith('<!DOCTYPE html>'))
    said = json.loads((work / 'r.json').read_text()) if status == 0 else {'diagnosis': [{'path': ''}]}
    expect('the worst layer is the sabotaged one', said['diagnosis'][0]['path'] == 'dw', said['diagnosis'][0])
  for finding in findings:
    print('FAILED:', finding)
  print('octet report:', f'{len(findings)} findings' if findings else 'all checks passed')
  return 1 if findings else 0


if __name__ == '__main__':
  sys.exit(main())
