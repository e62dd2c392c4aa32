#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# octet beside other engines (ONNX Runtime, OpenVINO, PyTorch, LiteRT, ncnn, MNN), in their turns and on their clock: runs the
# rivals' own
# benchmark, ../shared/rivals/bench.py, with columns for octet added. Skips if the rivals are not there.
# Usage: rivals.py --library LIBOCTET_BENCH.so --octet-models DIR [--prepared DIR] [--models a,b] [--batch 1,32] [--large]
#        [--threads 1,2] [--rivals a,b] [--rounds N] [--seconds S] [--markdown FILE] [--json FILE]
import argparse
import ctypes
import importlib.util
import json
import os
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / 'tools'))
import program  # noqa: E402
RIVALS = Path(os.environ.get('OCTET_RIVALS', ROOT.parent / 'shared' / 'rivals'))
# octet's columns: which file, which engine.
OWN = {'octet-f32': ('float', 'automatic'), 'octet-int8': ('int8', 'automatic'), 'octet-int8-native': ('int8', 'native'),
       'octet-int8-onednn': ('int8', 'onednn')}
# One column for every engine and precision that was ever the fastest; the others only cost time.
DEFAULT = ['ort-f32', 'ort-int8', 'ort-int8-qop', 'ov-f32', 'ov-int8', 'ov-int8-nncf', 'torch-f32-script', 'torch-x86-script',
           'ncnn-f32', 'litert-f32', 'litert-int8', 'mnn-f32']
MODELS = ['floor', 'multiple_ops', 'dscnn', 'autoencoder', 'resnet8', 'mobilenetv1_025_96', 'mobilenetv3_small', 'mobilenetv2',
          'efficientnet_b0', 'resnet18', 'resnet50']
# Seconds a batch of 32: measured at batch 1 only, unless asked for.
LARGE = {'mobilenetv3_small', 'mobilenetv2', 'efficientnet_b0', 'resnet18', 'resnet50'}
SOFTMAX = {'dscnn'}  # the rivals' file ends in one, octet's network in the layer before


def skip(why):
  print(f'rivals: skipped: {why}', file=sys.stderr)
  sys.exit(0)


def octet(form, engine):
  """A function for the rivals' table: (folder, model, batch, threads) gives what runs the network once."""
  def make(folder, model, batch, threads):
    import numpy
    path = Path(os.environ['OCTET_BENCH_MODELS']) / f'{model}.{form}.safetensors'
    if not path.is_file():
      raise FileNotFoundError(f'{path.name}: not a network of bench/networks')
    library = ctypes.CDLL(os.environ['OCTET_BENCH_LIBRARY'])
    library.octet_bench_open.restype = ctypes.c_void_p
    library.octet_bench_open.argtypes = [ctypes.c_char_p] * 2 + [ctypes.c_int] * 3 + [ctypes.c_void_p]
    library.octet_bench_run.argtypes = [ctypes.c_void_p]
    library.octet_bench_close.argtypes = [ctypes.c_void_p]
    library.octet_bench_error.restype = ctypes.c_char_p
    x = numpy.load(folder / f'{model}.input.npy')[:batch]
    if x.ndim == 4:
      x = x.transpose(0, 2, 3, 1)
    x = numpy.ascontiguousarray(x)
    handle = library.octet_bench_open(str(path).encode(), engine.encode(), batch, threads, model in SOFTMAX, x.ctypes.data)
    if not handle:
      raise RuntimeError(library.octet_bench_error().decode())
    return Call(library, handle)
  return make


class Call:
  """One run; the session goes when this does."""

  def __init__(self, library, handle):
    self.library, self.handle, self.run = library, ctypes.c_void_p(handle), library.octet_bench_run

  def __call__(self):
    if self.run(self.handle):
      raise RuntimeError(self.library.octet_bench_error().decode())

  def __del__(self):
    self.library.octet_bench_close(self.handle)


def load_bench():
  """The rivals' module, which starts its workers with this file and finds octet in its table."""
  if not (RIVALS / 'bench.py').is_file():
    skip(f'{RIVALS} is not there')
  if importlib.util.find_spec('onnxruntime') is None:
    skip("this Python has no onnxruntime; './dev deps rivals' makes one that has")
  sys.path.insert(0, str(RIVALS))
  spec = importlib.util.spec_from_file_location('rivals_bench', RIVALS / 'bench.py')
  bench = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(bench)
  bench.__file__ = __file__
  bench.RIVALS.update({name: octet(*what) for name, what in OWN.items()})
  bench.FLOAT.add('octet-f32')
  return bench


def best_of(cells, names):
  """(milliseconds, name) of the fastest, or None."""
  present = [(cells[n]['best'], n) for n in names if 'best' in cells.get(n, {})]
  return min(present) if present else None


def ratios(results, rivals):
  columns = ['network', 'batch', 'threads', 'octet-f32', 'octet-int8', 'fastest other', 'ms', 'octet-int8 / other',
             'fastest other f32', 'octet-f32 / other f32']
  lines = ['\n### octet against the fastest other engine at any precision: milliseconds a batch\n',
           '| ' + ' | '.join(columns) + ' |', '|---|---:|---:|---:|---:|---|---:|---:|---|---:|']
  for r in results:
    cells, best = r['cells'], best_of(r['cells'], rivals)
    if best is None:
      continue
    own = {n: best_of(cells, [n]) for n in OWN}
    floats = best_of(cells, [n for n in rivals if 'f32' in n])
    show = lambda entry: f'{entry[0]:.4g}' if entry else '-'
    ratio = lambda entry, other: f'{entry[0] / other[0]:.2f}' if entry and other else '-'
    row = [r['model'], r['batch'], r['threads'], show(own['octet-f32']), show(own['octet-int8']), best[1], show(best),
           f"**{ratio(own['octet-int8'], best)}**", floats[1] if floats else '-', ratio(own['octet-f32'], floats)]
    lines.append('| ' + ' | '.join(map(str, row)) + ' |')
  return '\n'.join(lines) + '\n'


TITLE = '## octet beside other engines\n'


def main():
  p = argparse.ArgumentParser(description="octet in the rivals' turns; progress goes to standard error.")
  p.add_argument('--library', required=True, help='liboctet_bench.so')
  p.add_argument('--octet-models', required=True, help='folder that `bench_models --write --models` filled')
  p.add_argument('--prepared', type=Path, default=ROOT / '.deps' / 'rivals',
                 help="folder with the rivals' models/ (./dev deps rivals)")
  p.add_argument('--models', default=','.join(MODELS))
  p.add_argument('--rivals', default=','.join(DEFAULT))
  p.add_argument('--own', default='octet-f32,octet-int8', help=f"octet's columns: any of {', '.join(OWN)}")
  p.add_argument('--batch', type=program.numbers(1), default=[1, 32])
  p.add_argument('--threads', type=program.numbers(1), default=[1, 2])
  p.add_argument('--large', action='store_true', help=f"{', '.join(sorted(LARGE))} at every batch, not only at 1")
  p.add_argument('--rounds', type=program.number(int, 1), default=3)
  p.add_argument('--seconds', type=program.number(float, 0.001), default=0.1, help="an engine's slice of a round")
  p.add_argument('--markdown', type=Path)
  p.add_argument('--json', type=Path)
  args = p.parse_args()
  program.check_outputs(args.markdown, args.json)
  bench = load_bench()
  folder = args.prepared / 'models'
  if not folder.is_dir():
    skip(f"{folder} is not there; './dev deps rivals' makes it")
  if not Path(args.library).is_file():
    sys.exit(f'rivals: {args.library}: no such file')
  os.environ['OCTET_BENCH_LIBRARY'] = str(Path(args.library).resolve())
  os.environ['OCTET_BENCH_MODELS'] = str(Path(args.octet_models).resolve())
  names = args.rivals.split(',')
  own = args.own.split(',')
  for name in own + names:
    if name not in bench.RIVALS:
      sys.exit(f"rivals: no rival \"{name}\"; there are {', '.join(bench.RIVALS)}")
  models = [m for m in args.models.split(',') if (folder / f'{m}.input.npy').is_file()]
  if not models:
    sys.exit(f'rivals: {folder} has none of {args.models}')
  print(TITLE, end='')
  program.require_output()
  results = []
  for threads in args.threads:
    processes = [bench.Rival(n, threads, folder) for n in own + names]
    for model in models:
      for batch in args.batch if args.large or model not in LARGE else [b for b in args.batch if b == 1]:
        cells = bench.measure(processes, model, batch, args.rounds, args.seconds)
        results.append({'model': model, 'threads': threads, 'batch': batch, 'cells': cells})
        best = {k: round(v['best'], 4) if 'best' in v else v['error'][:60] for k, v in cells.items()}
        print(time.strftime('%H:%M:%S'), f'threads {threads} {model} batch {batch}', json.dumps(best), file=sys.stderr, flush=True)
    for r in processes:
      r.process.stdin.close()
      r.process.wait()
  versions = bench.versions()
  text = ', '.join(f'{k} {v}' for k, v in versions.items()) + '.\n'
  text += ratios(results, names) + bench.markdown(results, own + names)
  print(text)
  text = f'{TITLE}\n{text}'
  if args.markdown:
    program.write_text(args.markdown, text)
  if args.json:
    program.write_text(args.json, json.dumps({'versions': versions, 'results': results}, indent=1) + '\n')


if __name__ == '__main__':
  if '--worker' in sys.argv:
    load_bench().main()
  else:
    program.run(main)
