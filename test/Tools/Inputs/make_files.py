"""Writes the files that tests of embedding-run read into the folder it is given."""

import json
import pathlib
import struct
import sys

import numpy as np

work = pathlib.Path(sys.argv[1])
work.mkdir(parents=True, exist_ok=True)
table = np.arange(12, dtype="<f4").reshape(4, 3)
np.save(work / "c.npy", table)
np.save(work / "fortran.npy", np.asfortranarray(table))
np.save(work / "cube.npy", np.asfortranarray(np.arange(12, dtype="<f4").reshape(2, 3, 2)))
np.save(work / "complex.npy", np.array([1 + 2j, 3 - 4j], dtype="<c8"))
np.save(work / "double_complex.npy", np.array([1 + 2j, 3 - 4j], dtype="<c16"))
np.save(work / "bytes.npy", np.array([[1, 2], [3, 4]], dtype="i1"))
np.save(work / "halves.npy", table.astype("<f2").view("V2"))
np.save(work / "big_endian.npy", table.astype(">f4"))

data = table.tobytes()
header = json.dumps({
    "__metadata__": {"format": "np"},
    "wte.weight": {"dtype": "F32", "shape": [4, 3], "data_offsets": [0, 48]},
    "gap": {"dtype": "U8", "shape": [1], "data_offsets": [48, 49]},
    "unaligned": {"dtype": "F32", "shape": [4, 3], "data_offsets": [49, 97]},
}).encode()
header += b" " * (-len(header) % 8)
(work / "model.safetensors").write_bytes(
    struct.pack("<Q", len(header)) + header + data + b"x" + data)

# A header of odd length.
header = json.dumps({"t": {"dtype": "F32", "shape": [4, 3], "data_offsets": [0, 48]}}).encode()
header += b" " * (1 - len(header) % 2)
(work / "odd.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + data)
