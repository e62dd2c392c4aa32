# SPDX-License-Identifier: Apache-2.0
# Small faults that the fast tests must notice: (file, text that is there once, what it becomes, why that is wrong). Each changes
# what the code computes or refuses; one that is equivalent does not belong here. `./dev sweep mutations` plants them one at a time.
from . import compile_and_io, engine, kernels, numeric_suite, operators, quant, runtime, tflite, tools

MUTATIONS = [(file, *fault)
             for part in (engine, operators, kernels, quant, numeric_suite, compile_and_io, runtime, tflite, tools)
             for file, faults in part.FAULTS.items()
             for fault in faults]
