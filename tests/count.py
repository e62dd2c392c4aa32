#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Adds up a `meson test` run: every Catch2 case and every script is one test. Nothing may fail unseen: an executable that crashed,
# was killed, ended without Catch2's closing line or ran no case counts as one failure, and so does a run without any test. What
# was skipped (tests/skip.h, and scripts that end with status 77) has not passed; it is listed by name and counted by itself.
# Usage: count.py build/meson-logs/testlog.json EXIT_STATUS_OF_MESON; prints seconds by suite and (from OCTET_STAGES) by stage, what
# was compared, skipped and failed, then `N skipped` and as last line `N passed, N failed`.
import json
import os
import re
import sys

ALL_PASSED = re.compile(r'^All tests passed \(.* in (\d+) test cases?\)$', re.M)
CASES = re.compile(r'^test cases: +(\d+)((?: +\| +\d+ [a-z ]+)*)$', re.M)


SKIPPED = re.compile(r'^skipped (case|part): (.+)$', re.M)
COMPARED = re.compile(r'^compared: (.+)$', re.M)


def catch_counts(output):
  """(passed, failed) by the last closing line of Catch2 in this output, None if there is none."""
  found = [(m.start(), int(m[1]), 0) for m in ALL_PASSED.finditer(output)]
  for match in CASES.finditer(output):
    parts = {name.strip(): int(count) for count, name in re.findall(r'(\d+) ([a-z ]+)', match[2])}
    known = parts.get('passed', 0) + parts.get('failed as expected', 0)
    found.append((match.start(), known, int(match[1]) - known - parts.get('skipped', 0)))
  return max(found)[1:] if found else None


def skips(test):
  """What this entry of meson's log skipped: (whole cases, lines for the reader)."""
  if test['result'] == 'SKIP':
    return 0, [(test['stdout'].strip().splitlines() or ['no reason given'])[-1].removeprefix('skipped: ')]
  found = SKIPPED.findall(test['stdout'])
  return sum(kind == 'case' for kind, _ in found), [what for _, what in found]


def count(test):
  """(passed, failed, why) of one entry of meson's log."""
  result, code = test['result'], test['returncode']
  if result == 'SKIP':
    return 0, 0, ''
  good = result in ('OK', 'EXPECTEDFAIL')
  if not os.path.basename(test['command'][0]).startswith('test_'):
    return (1, 0, '') if good else (0, 1, f'{result.lower()}, exit status {code}')
  counts = catch_counts(test['stdout'])
  if counts is None or sum(counts) == 0:
    return 0, 1, f'ran no test case to its end ({result.lower()}, exit status {code})'
  passed, failed = counts
  if passed + failed == skips(test)[0] and good:
    return 0, 0, ''  # each of its cases was skipped, and says so
  passed -= skips(test)[0]
  if failed == 0 and not good:
    return passed, 1, f'passed its cases, then: {result.lower()}, exit status {code}'
  return passed, failed, f'{failed} of {passed + failed} cases failed' if failed else ''


def total(tests, status):
  """(passed, failed, skipped, lines)."""
  passed, failed, notes, skipped = 0, 0, [], []
  for test in tests:
    p, f, why = count(test)
    passed, failed = passed + p, failed + f
    skipped += [f'skipped: {test["name"]}: {what}' for what in skips(test)[1]]
    if why:
      notes.append(f'{"FAILED" if f else "note"}: {test["name"]}: {why}')
  if failed == 0 and status != 0:
    failed = 1
    notes.append(f'FAILED: meson test ended with exit status {status}')
  if passed + failed == 0:
    failed = 1
    notes.append('FAILED: no test was run')
  return passed, failed, len(skipped), skipped + notes


def seconds(tests):
  """Where the time went. Tests run beside each other, so the sums are more than what a clock shows."""
  suites = {}
  for test in tests:  # 'octet:slow / kernels, slow'; without a suite 'octet / kernels'
    project, _, name = test['name'].partition(' / ')
    suites.setdefault(project.partition(':')[2] or 'fast', []).append((test.get('duration', 0), name))
  lines = []
  for suite, found in suites.items():
    longest = ', '.join(f'{name} {s:.0f}' for s, name in sorted(found, reverse=True)[:4] if s >= 1)
    lines.append(f'seconds: {suite}: {sum(s for s, _ in found):.0f} in {len(found)} tests' + (f' ({longest})' if longest else ''))
  clock = max((t.get('starttime', 0) + t.get('duration', 0) for t in tests), default=0) - min(
      (t.get('starttime', 0) for t in tests), default=0)
  return lines + [f'seconds: {os.environ.get("OCTET_STAGES", "")}tests {clock:.0f}']


def compared(tests):
  """Which instruction sets the engines were really compared on, each line once."""
  return list(dict.fromkeys('compared: ' + what for test in tests for what in COMPARED.findall(test['stdout'])))


def self_test():
  def entry(stdout, result='OK', code=0, command='build/test_x'):
    return {'name': 'x', 'stdout': stdout, 'result': result, 'returncode': code, 'command': [command]}
  one = 'All tests passed (1 assertion in 1 test case)\n'
  three = 'All tests passed (9 assertions in 3 test cases)\n'
  cases = [
      ('passing cases', [entry(three)], 0, (3, 0)),
      ('one passing case', [entry(one)], 0, (1, 0)),
      ('a failing case', [entry('test cases:  5 |  4 passed | 1 failed\nassertions: 9 | 9 passed\n', 'FAIL', 1)], 1, (4, 1)),
      ('only failing cases', [entry('test cases: 2 | 2 failed\n', 'FAIL', 2)], 1, (0, 2)),
      ('an expected failure', [entry('test cases: 2 | 1 passed | 1 failed as expected\n')], 0, (2, 0)),
      ('a case that Catch2 skipped', [entry('test cases: 2 | 1 passed | 1 skipped\n')], 0, (1, 0)),
      ('a skipped case', [entry('skipped case: a: no data\n' + three)], 0, (2, 0, 1)),
      ('skipped cases and nothing else', [entry(three), entry('skipped case: a: no data\n' + one)], 0, (3, 0, 1)),
      ('a skipped part', [entry('skipped part: avx2: no such CPU\n' + three)], 0, (3, 0, 1)),
      ('a skipped case beside one that failed',
       [entry('skipped case: a: no data\ntest cases: 2 | 1 passed | 1 failed\n', 'FAIL', 1)], 1, (0, 1, 1)),
      ('a crash', [entry('', 'FAIL', -11)], 1, (0, 1)),
      ('an early exit(0)', [entry('half way\n')], 0, (0, 1)),
      ('no case ran', [entry('No tests ran\n')], 0, (0, 1)),
      ('a time-out', [entry('', 'TIMEOUT', -15)], 1, (0, 1)),
      ('a crash after the cases', [entry(three, 'FAIL', -6)], 1, (3, 1)),
      ('a passing script', [entry('', command='python3')], 0, (1, 0)),
      ('a failing script', [entry(three, 'FAIL', 1, 'python3')], 1, (0, 1)),
      ('a skipped script beside others', [entry(three), entry('no numpy', 'SKIP', 77, 'python3')], 0, (3, 0, 1)),
      ('only a skipped script', [entry('', 'SKIP', 77, 'python3')], 0, (0, 1, 1)),
      ('no tests', [], 0, (0, 1)),
      ('meson failed by itself', [entry(three)], 2, (3, 1)),
  ]
  wrong = []
  for name, log, status, want in cases:
    got = total(log, status)[:3]
    if got != (want if len(want) == 3 else want + (0,)):
      wrong.append(f'{name}: expected {want}, got {got}')
  print('\n'.join(wrong) or f'self-test: {len(cases)} logs counted as they should be')
  return 1 if wrong else 0


def main():
  if sys.argv[1:] == ['--self-test']:
    return self_test()
  try:
    with open(sys.argv[1], encoding='utf-8') as log:
      tests = [json.loads(line) for line in log if line.strip()]
  except (OSError, ValueError) as error:
    tests = []
    print(f'FAILED: {sys.argv[1]}: {error}')
  passed, failed, skipped, notes = total(tests, int(sys.argv[2]))
  print('\n'.join(seconds(tests) + compared(tests) + notes + [f'{skipped} skipped', f'{passed} passed, {failed} failed']))
  return 1 if failed else 0


if __name__ == '__main__':
  sys.exit(main())
