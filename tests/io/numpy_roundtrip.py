# SPDX-License-Identifier: Apache-2.0
# NumPy's own archives through octet and back: every integer and float type in both byte orders, C and Fortran order, compressed or
# not. Exit status 77 (skipped) where Python has no NumPy. Usage: numpy_roundtrip.py path/to/numpy_arrays
import os
import subprocess
import sys
import tempfile

# The system's Python has the system's NumPy, whatever the first one on the path has.
SYSTEM = "/usr/bin/python3"

try:
    import numpy
except ImportError as missing:
    if os.path.exists(SYSTEM) and not os.environ.get("OCTET_SYSTEM_PYTHON"):
        os.execve(SYSTEM, [SYSTEM, *sys.argv], {**os.environ, "OCTET_SYSTEM_PYTHON": "1"})
    print(f"skipped: {missing}; ./dev deps tests installs it")
    sys.exit(77)

HELD = {"f2": "f4", "b1": "u1", "u2": "i4", "u4": "i4", "u8": "i4", "i8": "i4"}
arrays = {}
for kind in ("f2", "f4", "f8", "u1", "i1", "b1", "u2", "i2", "u4", "i4", "u8", "i8"):
    for order in "<>":
        base = numpy.arange(24) * 5 - (0 if kind[0] in "ub" else 60)
        values = (base % 2 if kind == "b1" else base).astype(order + kind)
        arrays[kind + ("little" if order == "<" else "big")] = values.reshape(2, 3, 4)
for name in list(arrays):
    arrays[name + "_fortran"] = numpy.asfortranarray(arrays[name])
arrays["scalar"] = numpy.float32(3.5)
arrays["empty"] = numpy.zeros((0, 3), "f4", order="F")

with tempfile.TemporaryDirectory() as folder:
    archives = [os.path.join(folder, name) for name in ("stored.npz", "deflated.npz")]
    numpy.savez(archives[0], **arrays)
    numpy.savez_compressed(archives[1], **arrays)
    subprocess.run([sys.argv[1], folder, *archives], check=True)
    for i in range(len(archives)):
        for name, want in arrays.items():
            got = numpy.load(os.path.join(folder, f"{i}_{name}.npy"))
            assert got.dtype == numpy.dtype(HELD.get(name[:2], want.dtype.newbyteorder("="))), (name, got.dtype)
            assert got.shape == want.shape and numpy.array_equal(got, want), (name, got, want)
print(f"{len(arrays)} arrays equal from {len(archives)} archives")
