# SPDX-License-Identifier: Apache-2.0
# What the rule scripts share: which files the project has, and the run of a rule or of its self-test. A rule is a function from a
# root folder to a list of findings; its self-test feeds it small trees that break it, so that no rule can pass by seeing nothing.
import os
import pathlib
import sys
import tempfile

LIBRARY = ['kernels', 'engine', 'quant', 'compile', 'numeric_suite', 'io', 'runtime']
FOLDERS = LIBRARY + ['include', 'tools', 'examples', 'tests', 'bench']


def project_files(root, *endings, folders=FOLDERS):
  """Paths relative to the root, sorted, of files in the project's own folders."""
  found = []
  for folder in folders:
    for here, below, names in os.walk(os.path.join(root, folder)):
      below[:] = [b for b in below if b != '__pycache__' and b != 'subprojects' and not b.startswith('build')]
      found += [os.path.relpath(os.path.join(here, n), root) for n in names if n.endswith(endings)]
  return sorted(found)


def read(root, path):
  return pathlib.Path(root, path).read_text(encoding='utf-8')


def report(what, findings, seen):
  """Exit status of a rule; one that looked at nothing has not passed."""
  if not seen:
    findings = findings + ['found no files to look at']
  for finding in findings:
    print('FAILED:', finding)
  print(f'{what}: {seen} files,', f'{len(findings)} findings' if findings else 'as they should be')
  return 1 if findings else 0


def self_test(check, clean, cases):
  """`check(root)` must find nothing in the tree `clean` ({path: text}), and in each case's tree, laid over it, something that
  contains the case's text: cases are (description, {path: text, None to leave out}, text)."""
  wrong = []
  for name, files, expected in [('the clean tree', {}, None)] + cases:
    with tempfile.TemporaryDirectory() as root:
      for path, text in {**clean, **files}.items():
        if text is not None:
          target = pathlib.Path(root, path)
          target.parent.mkdir(parents=True, exist_ok=True)
          target.write_text(text, encoding='utf-8')
      findings = check(root)
    if expected is None and findings:
      wrong.append(f'{name}: refused: {findings}')
    if expected is not None and not any(expected in f for f in findings):
      wrong.append(f'{name}: expected a finding with "{expected}", got {findings}')
  for line in wrong:
    print('FAILED: self-test:', line)
  if not wrong:
    print(f'self-test: a clean tree accepted, {len(cases)} violations refused')
  return 1 if wrong else 0


def main(script):
  """`script(root, arguments)`, or `script(None, [])` for the self-test."""
  if sys.argv[1:2] == ['--self-test']:
    sys.exit(script(None, []))
  sys.exit(script(sys.argv[1], sys.argv[2:]))
