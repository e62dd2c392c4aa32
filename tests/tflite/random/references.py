# SPDX-License-Identifier: Apache-2.0
# What LiteRT's reference kernels and TensorFlow Lite Micro compute of a folder of files, and programs run over such a folder.
import concurrent.futures
import glob
import importlib.util
import os
import subprocess
import sys

import numpy as np

REFERENCES = ('litert', 'tflm')
PACKAGES = {'litert': 'ai_edge_litert', 'tflm': 'tflite_micro'}


def is_there(which):
  return importlib.util.find_spec(PACKAGES[which]) is not None


def count(base, what):
  n = 0
  while os.path.exists(f'{base}.{what}{n}.npy'):
    n += 1
  return n


def arrays(base):
  return [np.load(f'{base}.in{i}.npy') for i in range(count(base, 'in'))]


def bases(folder):
  return sorted(path.removesuffix('.tflite') for path in glob.glob(os.path.join(folder, '*.tflite')))


def run_litert(base):
  from ai_edge_litert.interpreter import Interpreter, OpResolverType
  file = base + '.tflite'
  try:
    it = Interpreter(file, experimental_op_resolver_type=OpResolverType.BUILTIN_REF, num_threads=1)
  except RuntimeError:  # ROUND, CEIL and ELU have one kernel, which that resolver does not know
    it = Interpreter(file, experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES, num_threads=1)
  it.allocate_tensors()
  ins, outs = it.get_input_details(), it.get_output_details()
  data = arrays(base)
  results = [[] for _ in outs]
  for s in range(len(data[0])):
    for array, port in zip(data, ins, strict=True):
      it.set_tensor(port['index'], array[s])
    it.invoke()
    for result, port in zip(results, outs):
      result.append(np.array(it.get_tensor(port['index'])))
  return results


def run_tflm(base):
  from ai_edge_litert import schema_py_generated as schema
  from tflite_micro.python.tflite_micro import runtime
  with open(base + '.tflite', 'rb') as file:
    outputs = len(schema.Model.GetRootAs(file.read(), 0).Subgraphs(0).OutputsAsNumpy())
  it = runtime.Interpreter.from_file(base + '.tflite', arena_size=4 << 20)
  data = arrays(base)
  results = [[] for _ in range(outputs)]
  for s in range(len(data[0])):
    for i, array in enumerate(data):
      it.set_input(array[s], i)
    it.invoke()
    for i, result in enumerate(results):
      result.append(np.array(it.get_output(i)))
  return results


def serve(which):
  """Names on stdin; says each before it runs it, so that who started this knows what ended it."""
  run = {'litert': run_litert, 'tflm': run_tflm}[which]
  for line in sys.stdin:
    base = line.strip()
    print(base, flush=True)
    try:
      for i, result in enumerate(run(base)):
        np.save(f'{base}.{which}.out{i}.npy', np.stack(result))
      text = 'ok\n'
    except Exception as e:  # whatever it has to say of this file
      text = 'REFUSED ' + str(e).replace('\n', ' ') + '\n'
    with open(f'{base}.{which}.txt', 'w', encoding='utf-8') as out:
      out.write(text)


def drive_some(which, command, left, log):
  while left:
    done = subprocess.run(command, input='\n'.join(left) + '\n', stdout=subprocess.PIPE, stderr=log, text=True, check=False)
    if done.returncode == 0:
      return
    ran = done.stdout.split()
    if not ran:
      sys.exit(f'{which} did not start: {done.returncode}')
    with open(f'{ran[-1]}.{which}.txt', 'w', encoding='utf-8') as out:
      out.write(f'CRASHED {done.returncode}\n')
    left = left[left.index(ran[-1]) + 1:]


def drive(which, folder, command):
  """Runs a program, several times at once, over the files of a folder, and again behind a file that ended it."""
  left = [base for base in bases(folder) if not os.path.exists(f'{base}.{which}.txt')]
  jobs = int(os.environ.get('JOBS') or os.cpu_count())
  with open(os.path.join(folder, f'{which}.log'), 'a', encoding='utf-8') as log:
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
      list(pool.map(lambda first: drive_some(which, command, left[first::jobs], log), range(jobs)))
