#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# A training step of octet beside PyTorch's, float and quantization-aware: both take turns, process by process, and the smallest of
# the turns' medians counts. PyTorch's steps are those of ../shared/rivals/bench_training.py. Skips if that or PyTorch is not there.
# Usage: rivals_training.py --octet BENCH_TRAINING [--threads 1,2] [--turns N] [--nets a,b] [--markdown FILE] [--json FILE]
import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / 'tools'))
import program  # noqa: E402
RIVALS = Path(os.environ.get('OCTET_RIVALS', ROOT.parent / 'shared' / 'rivals'))
NETS = {'small_cnn': 'small_cnn', 'resnet18_32': 'resnet18'}  # octet's name: theirs


def skip(why):
  print(f'rivals_training: skipped: {why}', file=sys.stderr)
  sys.exit(0)


def worker(threads, net, seconds):
  """PyTorch's milliseconds by variant, in a process of its own."""
  import warnings
  warnings.filterwarnings('ignore')
  sys.path.insert(0, str(RIVALS))
  import bench_training
  import torch
  torch.set_num_threads(threads)
  print(json.dumps(bench_training.race(bench_training.steps(net), 1, seconds)))


def torch_turn(threads, net, seconds):
  env = dict(os.environ, OMP_NUM_THREADS=str(threads), MKL_NUM_THREADS=str(threads))
  command = [sys.executable, __file__, '--worker', net, '--threads', str(threads), '--seconds', str(seconds)]
  run = subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True, check=True)
  return {f'PyTorch {k}': v for k, v in json.loads(run.stdout.splitlines()[-1]).items()}


def octet_turn(binary, threads, net, seconds):
  with tempfile.TemporaryDirectory() as folder:
    out = Path(folder) / 'octet.json'
    options = ['--filter', f'^{net}$', '--threads', str(threads), '--rounds', '1', '--seconds', str(seconds), '--json', str(out)]
    subprocess.run([binary, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    row = json.loads(out.read_text())['rows'][0]
  return {f'octet {k}': row['ms'][k]['best'] for k in sorted(row['ms'], key=lambda k: k != 'float')}  # float first


def table(rows):
  names = list(rows[0]['ms'])
  lines = ['## Training step beside PyTorch\n', 'Milliseconds a step; in brackets times the float step of the same engine.\n',
           '| network | threads | ' + ' | '.join(names) + ' | octet float / PyTorch float |',
           '|---|---:|' + '---:|' * (len(names) + 1)]
  for r in rows:
    ms = r['ms']
    cells = [f'{v:.2f} ({v / ms[k.split()[0] + " float"]:.2f}x)' for k, v in ms.items()]
    cells.append(f"**{ms['octet float'] / ms['PyTorch float']:.2f}**")
    lines.append(f"| {r['net']} | {r['threads']} | " + ' | '.join(cells) + ' |')
  return '\n'.join(lines) + '\n'


def main():
  p = argparse.ArgumentParser(description='Training steps of octet and PyTorch, turn by turn; progress goes to standard error.')
  p.add_argument('--octet', default='build-bench/bench/bench_training', help='the bench_training program')
  p.add_argument('--threads', type=program.numbers(1), default=[1, 2])
  p.add_argument('--nets', default=','.join(NETS))
  p.add_argument('--turns', type=program.number(int, 1), default=2)
  p.add_argument('--seconds', type=program.number(float, 0.001), default=0.3,
                 help='of a variant in a turn, at least three steps of PyTorch')
  p.add_argument('--markdown', type=Path)
  p.add_argument('--json', type=Path)
  p.add_argument('--worker', help=argparse.SUPPRESS)
  args = p.parse_args()
  if args.worker:
    return worker(args.threads[0], args.worker, args.seconds)
  program.check_outputs(args.markdown, args.json)
  program.require_output()
  if not (RIVALS / 'bench_training.py').is_file():
    skip(f'{RIVALS} is not there')
  if importlib.util.find_spec('torch') is None:
    skip("this Python has no torch; './dev deps rivals' makes one that has")
  rows = []
  for net in args.nets.split(','):
    if net not in NETS:
      sys.exit(f"rivals_training: no network \"{net}\"; there are {', '.join(NETS)}")
    for threads in args.threads:
      ms = {}
      for _ in range(args.turns):
        turn = octet_turn(args.octet, threads, net, args.seconds) | torch_turn(threads, NETS[net], args.seconds)
        ms = {k: min(v, ms.get(k, v)) for k, v in turn.items()}
      rows.append({'net': net, 'threads': threads, 'ms': ms})
      print(f'{net}, threads {threads}: ' + ', '.join(f'{k} {v:.2f} ms' for k, v in ms.items()), file=sys.stderr, flush=True)
  text = table(rows)
  print(text)
  if args.markdown:
    program.write_text(args.markdown, text)
  if args.json:
    program.write_text(args.json, json.dumps(rows, indent=1) + '\n')


if __name__ == '__main__':
  program.run(main)
