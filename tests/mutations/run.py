#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Plants the faults of faults/ one at a time in a copy of the sources, rebuilds and runs the fast tests, those of the fault's
# own folder first, and stops at the first that fails; N copies work side by side. Prints what was noticed by folder, and the
# survivors. Results are kept, so that an interrupted run goes on. With --check it only looks whether each fault can still be
# planted; with --drawn N it plants N mechanical changes on lines drawn at random (drawn.py) instead.
# Usage: run.py [--folder FOLDER] [--only TEXT] [--jobs N] [--drawn N [--seed S]] [--list] [--check]
import argparse
import json
import os
import pathlib
import queue
import subprocess
import sys
import threading
import time

from drawn import draw
from faults import MUTATIONS

ROOT = pathlib.Path(__file__).resolve().parents[2]
SLOW = ('slow', 'rules', 'demo')  # suites that are not the fast tests


def stale(root):
  """The mutations that can no longer be planted, as lines."""
  lines = []
  for file, old, new, why in MUTATIONS:
    path = pathlib.Path(root, file)
    count = path.read_text(encoding='utf-8').count(old) if path.is_file() else 0
    if count != 1 or old == new:
      lines.append(f'tests/mutations/faults: {file}: "{old[:60]}" ({why}): expected once, found {count} times')
  return lines


class Tree:
  """A copy of the sources and a build of it."""

  def __init__(self, folder):
    self.sources, self.build = folder / 'sources', folder / 'build'
    self.sources.mkdir(parents=True, exist_ok=True)
    files = subprocess.run(['git', 'ls-files', '-z', '--cached', '--others', '--exclude-standard'], cwd=ROOT, capture_output=True,
                           check=True).stdout.decode().split('\0')
    for name in filter(None, files):
      source, target = ROOT / name, self.sources / name
      if source.is_file() and (not target.is_file() or target.read_bytes() != source.read_bytes()):
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source.read_bytes())
        target.chmod(source.stat().st_mode)
    for path in (p for p in self.sources.rglob('*') if p.is_file() and str(p.relative_to(self.sources)) not in files):
      path.unlink()
    if (ROOT / '.deps').is_dir() and not (self.sources / '.deps').exists():
      (self.sources / '.deps').symlink_to(ROOT / '.deps')
    if not (self.build / 'build.ninja').is_file():
      # With the library's assertions, as `./dev asan` has them: an index beyond the end is noticed whatever lies there.
      subprocess.run(['meson', 'setup', str(self.build), '-Doptimization=1', '-Dexamples=disabled',
                      '-Dcpp_args=-D_GLIBCXX_ASSERTIONS'], cwd=self.sources, check=True, stdout=subprocess.DEVNULL)
    self.ninja([], os.cpu_count(), check=True)
    tests = json.loads(subprocess.run(['meson', 'introspect', '--tests', str(self.build)], capture_output=True, check=True).stdout)
    # A program that runs under several caps of an instruction set is run once here.
    self.tests = {}
    for test in tests:
      if not any(s.split(':')[-1] in SLOW for s in test['suite']):
        self.tests.setdefault(' '.join(map(str, test['cmd'])), test)

  def ninja(self, targets, jobs=1, check=False):
    command = ['ninja', '-C', str(self.build), '-j', str(jobs), *targets]
    return subprocess.run(command, capture_output=True, text=True, check=check).returncode

  def run_test(self, test):
    environment = {**os.environ, **test['env']}
    try:
      return subprocess.run(test['cmd'], cwd=self.build, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL, timeout=300).returncode in (0, 77)
    except subprocess.TimeoutExpired:
      return False

  def near(self, file):
    """The tests of the file's own folder, and all others."""
    folder = file.split('/')[0]
    own = {'kernels': ('kernels', 'native', 'cortex_m', 'f32'), 'quant': ('quant', 'numerics'),
           'io': ('tflite',) if file.startswith('io/tflite/') else ('io', 'runtime')}
    folders = own.get(folder, (folder,))
    first = [t for t in self.tests.values() if any(f'/tests/{f}/' in ' '.join(t['cmd']) for f in folders)]
    return first, [t for t in self.tests.values() if t not in first]

  def judge(self, mutation):
    file, old, new, _ = mutation
    path = self.sources / file
    text = path.read_text(encoding='utf-8')
    path.write_text(text.replace(old, new), encoding='utf-8')
    try:
      first, rest = self.near(file)
      targets = sorted({os.path.relpath(t['cmd'][0], self.build) for t in first if t['cmd'][0].startswith(str(self.build))})
      if self.ninja(targets) != 0:
        return 'does not compile'
      for tests in (first, rest):
        if tests is rest and self.ninja([]) != 0:
          return 'does not compile'
        for test in tests:
          if not self.run_test(test):
            return f'noticed by {test["name"]}'
      return 'SURVIVED'
    finally:
      path.write_text(text, encoding='utf-8')


def table(results):
  folders = {}
  for (file, *_), result in results:
    folders.setdefault(file.rsplit('/', 1)[0] if file.startswith('kernels') else file.split('/')[0], []).append(result)
  print('\n| folder | noticed | of |\n|---|---:|---:|')
  noticed = total = 0
  for folder, found in sorted(folders.items()):
    found = [r for r in found if r != 'does not compile']
    good = sum(r.startswith('noticed') for r in found)
    noticed, total = noticed + good, total + len(found)
    print(f'| {folder} | {good} | {len(found)} |')
  print(f'| **all** | **{noticed}** | **{total}** |\n')
  for mutation, result in results:
    if not result.startswith('noticed'):
      print(f'{result}: {mutation[0]}: {mutation[3]}')


def main():
  p = argparse.ArgumentParser(description='Plants small faults and counts those that the fast tests notice.')
  p.add_argument('--folder', default=str(ROOT / 'build-mutations'), help='of the copy, its build and the results')
  p.add_argument('--only', default='', help="part of a file's name or of the reason")
  p.add_argument('--jobs', type=int, default=os.cpu_count(), help='copies that work side by side')
  p.add_argument('--drawn', type=int, default=0, help='so many faults drawn at random instead of those of faults/')
  p.add_argument('--seed', type=int, default=1, help='which ones')
  p.add_argument('--list', action='store_true', help='print the faults and stop')
  p.add_argument('--check', action='store_true', help='only look whether each can still be planted')
  a = p.parse_args()
  every = draw(ROOT, a.drawn, a.seed) if a.drawn else MUTATIONS
  chosen = [m for m in every if a.only in m[0] or a.only in m[3]]
  if not chosen:
    print(f'FAILED: no mutation matches --only "{a.only}"')
    return 1
  if a.list:
    for file, _, _, why in chosen:
      print(f'{file}: {why}')
    return 0
  lines = stale(ROOT)
  print('\n'.join(lines) or f'mutations: {len(MUTATIONS)} can be planted')
  if lines or a.check:
    return 1 if lines else 0
  folder = pathlib.Path(a.folder).resolve()
  kept = folder / 'results.json'
  done = json.loads(kept.read_text(encoding='utf-8')) if kept.is_file() else {}
  done = {key: result for key, result in done.items() if result.startswith('noticed')}  # a survivor may be noticed by now
  trees = [Tree(folder / str(number)) for number in range(a.jobs)]
  failed = [t['name'] for t in trees[0].tests.values() if not trees[0].run_test(t)]
  if failed:
    print('FAILED: without any fault: ' + ', '.join(failed))
    return 1
  waiting = queue.SimpleQueue()
  for number, mutation in enumerate(chosen, 1):
    if '|'.join(mutation[:3]) not in done:
      waiting.put((number, mutation))
  lock = threading.Lock()

  def work(tree):
    while True:
      try:
        number, mutation = waiting.get_nowait()
      except queue.Empty:
        return
      begin = time.monotonic()
      result = tree.judge(mutation)
      with lock:
        done['|'.join(mutation[:3])] = result
        kept.write_text(json.dumps(done, indent=1), encoding='utf-8')
        print(f'[{number}/{len(chosen)}] {mutation[0]}: {mutation[3]}: {result} ({time.monotonic() - begin:.0f} s)', flush=True)

  workers = [threading.Thread(target=work, args=(tree,)) for tree in trees]
  for worker in workers:
    worker.start()
  for worker in workers:
    worker.join()
  results = [(m, done['|'.join(m[:3])]) for m in chosen]
  table(results)
  noticed, survived = sum(r.startswith('noticed') for _, r in results), sum(r == 'SURVIVED' for _, r in results)
  print(f'{noticed} noticed, {survived} survived, {len(results) - noticed - survived} do not compile')
  return 0 if noticed >= 9 * survived and (a.drawn or noticed + survived == len(results)) else 1


if __name__ == '__main__':
  sys.exit(main())
