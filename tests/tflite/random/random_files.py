#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Makes random .tflite files, has LiteRT, TensorFlow Lite Micro (where it can be imported) and octet compute them, and compares.
# Usage: random_files.py FOLDER --runner PROGRAM [--seed S --count N …]: all of it. --steps names some of make litert tflm octet
# compare. The program is tests/tflite/random_runner.cpp; everything is drawn from the seed and a file's number. A step leaves files
# alone that it has done. Needs numpy, flatbuffers and ai_edge_litert.
import argparse
import os
import sys

import compare
import draw
import references

STEPS = ('make', 'litert', 'tflm', 'octet', 'compare')


def words(text):
  return [word for word in text.split(',') if word]


def main():
  p = argparse.ArgumentParser(description='Compares octet on random .tflite files with LiteRT and TensorFlow Lite Micro.')
  p.add_argument('folder', nargs='?', help='where the files are, or will be')
  p.add_argument('--runner', help='the program that has octet compute them')
  p.add_argument('--steps', type=words, default=STEPS, help=','.join(STEPS))
  p.add_argument('--seed', type=int, default=1)
  p.add_argument('--count', type=int, default=600, help='files of each type, and chains')
  p.add_argument('--types', type=words, default=['i8', 'i16', 'f32'], help='of i8, i16, u8, f32')
  p.add_argument('--only', type=words, default=[], help='these operators, no chains')
  p.add_argument('--chains', type=words, help='kinds: tflm, litert (operators whose formula is theirs), islands (floats inside)')
  p.add_argument('--big', action='store_true', help='more channels and places: kernels of engines begin there')
  p.add_argument('--verbose', action='store_true', help='list also what only one reference gives otherwise')
  p.add_argument('--serve', choices=references.REFERENCES, help=argparse.SUPPRESS)
  a = p.parse_args()
  if a.serve:
    references.serve(a.serve)
    return 0
  if not a.folder or ('octet' in a.steps and not a.runner) or set(a.steps) - set(STEPS):
    p.error('needs a folder, a runner, and steps of ' + ' '.join(STEPS))
  there = [which for which in references.REFERENCES if references.is_there(which)]
  if 'make' in a.steps:
    # Without TFLM nobody would judge chains of what LiteRT computes otherwise.
    kinds = [k for k in ('tflm', 'litert', 'islands') if k != 'tflm' or 'tflm' in there]
    draw.make(a.folder, a.seed, a.count, a.types, a.only, kinds if a.chains is None and not a.only else a.chains or [], a.big)
  for which in references.REFERENCES:
    if which in a.steps and which in there:
      references.drive(which, a.folder, [sys.executable, os.path.abspath(__file__), '--serve', which])
    elif which in a.steps:
      print(f'{which}: {references.PACKAGES[which]} cannot be imported, left out')
  if 'octet' in a.steps:
    references.drive('octet', a.folder, [os.path.abspath(a.runner)])
  return compare.compare(a.folder, a.verbose) if 'compare' in a.steps else 0


if __name__ == '__main__':
  sys.exit(main())
