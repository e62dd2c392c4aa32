#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Gets what Debian 12 does not have from PyPI and unpacks it below .deps: oneDNN 3.2 with GNU OpenMP (Debian's version 2 has another
# interface, newer wheels need a SYCL runtime), and Python's safetensors, the other side of a test of model files.
# Usage: wheels.py FOLDER onednn|safetensors; without a working pip or network one line says so, exit status 1.
import glob
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile

WHEELS = {
    'onednn': ('oneDNN 3.2', [
        ('onednn-cpu-gomp==2023.2.0', '2f22a54d6a890ed14bfa185d42a4be65d8b5b1df85dc1f0f3a9abe31620416fb'),
        ('onednn-devel-cpu-gomp==2023.2.0', '9763c69e8c907e119056bd52ad918ca84ac9ba939d130a99dfa95ccca3e5e284'),
    ]),
    'safetensors': ('safetensors 0.5.3', [
        ('safetensors==0.5.3', 'cead1fa41fc54b1e61089fa57452e8834f798cb1dc7a09ba3524f1eb08e0317a'),
    ]),
}


def has_pip(python):
  return shutil.which(python) and subprocess.run([python, '-m', 'pip', '--version'], capture_output=True).returncode == 0


def download(folder, wheels):
  """None, or why not."""
  python = next((p for p in (sys.executable, '/usr/bin/python3') if has_pip(p)), None)
  if python is None:
    return 'no python3 with pip'
  requirements = os.path.join(folder, 'requirements.txt')
  with open(requirements, 'w', encoding='utf-8') as file:
    file.writelines(f'{name} --hash=sha256:{digest}\n' for name, digest in wheels)
  options = ['-q', '--retries', '2', '--timeout', '30', '--no-deps', '--require-hashes', '--only-binary=:all:']
  done = subprocess.run([python, '-m', 'pip', 'download', *options, '-d', folder, '-r', requirements],
                        capture_output=True, text=True)
  errors = [line for line in done.stderr.splitlines() if 'error' in line.lower()]
  return None if done.returncode == 0 else (errors or ['pip failed'])[0][:100]


def unpack(wheel, target):
  """A wheel with a .data/data folder holds a library, laid out for a prefix; others hold a Python package."""
  with zipfile.ZipFile(wheel) as archive:
    files = [n for n in archive.namelist() if not n.endswith('/') and '..' not in n.split('/')]
    library = [n for n in files if n.split('/')[0].endswith('.data') and n.split('/')[1] == 'data']
    for name in library or files:
      path = os.path.join(target, *name.split('/')[2 if library else 0:])
      os.makedirs(os.path.dirname(path), exist_ok=True)
      with open(path, 'wb') as file:
        file.write(archive.read(name))
  # One file under three names.
  shared = os.path.join(target, 'lib', 'libdnnl.so')
  for alias in (shared + '.3', shared + '.3.2'):
    if os.path.exists(alias):
      os.remove(alias)
      os.symlink('libdnnl.so', alias)


def main():
  folder, (words, wheels) = sys.argv[1], WHEELS[sys.argv[2]]
  print(f'dev: getting {words} into {folder}', flush=True)
  why = None
  if (os.uname().sysname, os.uname().machine) != ('Linux', 'x86_64'):
    why = f'no wheels for {os.uname().sysname} {os.uname().machine}'
  with tempfile.TemporaryDirectory() as work:
    why = why or download(work, wheels)
    if why:
      print(f'dev: could not get {words} ({why}); going on without it', file=sys.stderr)
      return 1
    # Unpacked beside its place and moved there last, so that an interrupted run leaves no half of it.
    try:
      shutil.rmtree(folder + '.tmp', ignore_errors=True)
      for wheel in sorted(glob.glob(os.path.join(work, '*.whl'))):
        unpack(wheel, folder + '.tmp')
      shutil.rmtree(folder, ignore_errors=True)
      os.rename(folder + '.tmp', folder)
    except OSError as error:
      print(f'dev: could not unpack {words} ({error}); going on without it', file=sys.stderr)
      return 1
  return 0


if __name__ == '__main__':
  sys.exit(main())
