# SPDX-License-Identifier: Apache-2.0
# What this project's Python programs do the same way, as tools/program.h does it for those in C++: arguments that are checked
# before the work, files that are whole or not there, standard output that cannot be written.
import argparse
import os
import sys
import tempfile


def number(kind, least):
  """A type for argparse: a number of at least `least`."""
  def parse(text):
    try:
      value = kind(text)
    except ValueError:
      value = None
    if value is None or not least <= value < float('inf'):
      raise argparse.ArgumentTypeError(f'expected a number of at least {least}, got "{text}"')
    return value
  return parse


def numbers(least):
  """A type for argparse: whole numbers between commas."""
  return lambda text: [number(int, least)(part) for part in text.split(',')]


def fail(words):
  raise SystemExit(f'{os.path.basename(sys.argv[0])}: {words}')


def require_output():
  """Fails if standard output did not take what was printed so far."""
  try:
    os.fstat(1)
    sys.stdout.flush()
  except (OSError, AttributeError, ValueError):
    lost_output()


def lost_output():
  os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # nothing more to complain about at exit
  fail('standard output cannot be written')


def check_outputs(*paths):
  """Fails unless each file that is asked for can be written where it is to be."""
  for path in map(str, filter(None, paths)):
    folder = os.path.dirname(path) or '.'
    if not os.path.isdir(folder):
      fail(f'{path}: the folder {folder} does not exist')
    if os.path.isdir(path) or not os.access(folder, os.W_OK):
      fail(f'{path}: cannot be written')


def make_output_folder(path):
  try:
    os.makedirs(path, exist_ok=True)
    tempfile.TemporaryFile(dir=path).close()
  except OSError as error:
    fail(f'{path}: expected a folder to write into: {error.strerror}')


def write_text(path, text):
  """The whole file or, whatever happens, the one that was there before."""
  path = str(path)
  try:
    with open(path + '.tmp', 'w', encoding='utf-8') as file:
      file.write(text)
      file.flush()
      os.fsync(file.fileno())
    os.rename(path + '.tmp', path)
  except OSError as error:
    if os.path.exists(path + '.tmp'):
      os.remove(path + '.tmp')
    fail(f'{path}: cannot be written: {error.strerror}')


def run(main):
  """Exits with main's status, or 1 where its output was lost."""
  if sys.stdout is None:
    lost_output()
  try:
    status = main()
    sys.stdout.flush()
  except OSError as error:
    if error.filename is None:
      lost_output()
    fail(f'{error.filename}: {error.strerror}')
  sys.exit(status)
