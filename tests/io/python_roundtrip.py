# SPDX-License-Identifier: Apache-2.0
# Files cross between octet and Python's safetensors in both directions. Exit status 77 (skipped) where Python has no safetensors.
# Usage: python_roundtrip.py path/to/python_model FOLDER; FOLDER is where `./dev deps tests` puts the package.
import os
import subprocess
import sys
import tempfile

# The system's Python has the system's NumPy, whatever the first one on the path has.
SYSTEM = "/usr/bin/python3"
sys.path.append(sys.argv[2])

try:
    import numpy
    from safetensors import safe_open
    from safetensors.numpy import load_file, save_file
except ImportError as missing:
    if os.path.exists(SYSTEM) and not os.environ.get("OCTET_SYSTEM_PYTHON"):
        os.execve(SYSTEM, [SYSTEM, *sys.argv], {**os.environ, "OCTET_SYSTEM_PYTHON": "1"})
    print(f"skipped: {missing}; ./dev deps tests installs it")
    sys.exit(77)

EXPECTED = {
    "f32": numpy.array([[0, 1.5, -2], [3e38, 1e-45, 0.1]], "f4"),
    "f64": numpy.array([0.1], "f8"),
    "u8": numpy.array([0, 128, 255], "u1"),
    "i8": numpy.array([[-128], [0], [127]], "i1"),
    "i16": numpy.array([-32768, 32767], "i2"),
    "i32": numpy.array([-2147483647, 2147483647], "i4"),
    "scalar": numpy.array(7, "f4"),
    "empty": numpy.zeros((0, 4), "f4"),
}


def check_equal(tensors):
    assert sorted(tensors) == sorted(EXPECTED), sorted(tensors)
    for name, value in EXPECTED.items():
        got = tensors[name]
        assert got.dtype == value.dtype and got.shape == value.shape, (name, got.dtype, got.shape)
        assert got.tobytes() == value.tobytes(), (name, got, value)


with tempfile.TemporaryDirectory() as folder:
    ours, theirs, back = (os.path.join(folder, name) for name in ("ours", "theirs", "back"))
    save_file(EXPECTED, theirs, metadata={"made": "by python"})
    subprocess.run([sys.argv[1], ours, theirs, back], check=True)
    check_equal(load_file(ours))
    check_equal(load_file(back))
    with safe_open(ours, "numpy") as f:
        metadata = f.metadata()
    assert metadata["text"] == '"quoted" größe\n', metadata
    assert len(metadata["octet.crc32.data"]) == len(metadata["octet.crc32.header"]) == 8, metadata
print(f"{len(EXPECTED)} tensors equal in both directions")
