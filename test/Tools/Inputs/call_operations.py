"""Calls operations that embedding-compile-op.test has made: the results of the
CPU are those of NumPy, those of a GPU have the bits of the CPU's.

call_operations.py CPU-LIBRARY GPU-LIBRARY DRIVER
"""

import ctypes
import sys

import numpy as np

from compiled_library import Library

libraries = [Library(sys.argv[1]), Library(*sys.argv[2:])]
random = np.random.default_rng(3)
V, D, PADDING = 50, 12, 7
table = random.standard_normal((V, D)).astype(np.float32)
ids = random.integers(0, V, (5, 40)).astype(np.int32)
rows = random.standard_normal((5, 40, D)).astype(np.float32)
kept = ids != PADDING


def run(name, inputs, outputs):
    """The outputs of the CPU, which those of the GPU equal."""
    results = []
    for library in libraries:
        arrays = [array.copy() for array in outputs]
        library.succeed(name, *inputs, *arrays)
        results.append(arrays)
    for cpu, gpu in zip(*results):
        count = int(results[0][-1]) if results[0][-1].ndim == 0 else None
        same = slice(count) if cpu.ndim else ()
        assert np.array_equal(cpu[same], gpu[same]), name
    return results[0]


(out,) = run("lookup", [table, ids], [rows])
assert np.array_equal(out, table[ids])

norms = np.linalg.norm(table.astype(np.float64), axis=1)
short = np.where(norms > 2, 2 / (norms + 1e-7), 1)[:, None] * table
named = np.isin(np.arange(V), ids)
(renormed,) = run("renorm", [ids, ctypes.c_double(2.0)], [table])
assert np.allclose(renormed[named], short[named], rtol=1e-6)
assert np.array_equal(renormed[~named], table[~named])
renormed_too, out = run("renorm_lookup", [ids, ctypes.c_double(2.0)], [table, rows])
assert np.array_equal(renormed_too, renormed)
assert np.array_equal(out, renormed[ids])

expected = np.zeros((V, D))
np.add.at(expected, ids[kept], rows[kept].astype(np.float64))
(gradient,) = run("dense_grad", [rows, ids], [table])
assert np.allclose(gradient, expected, rtol=1e-5, atol=1e-5)

(out,) = run("double_backward", [table, ids], [rows])
assert np.array_equal(out, np.where(kept[..., None], table[ids], 0))

values = np.zeros((ids.size, D), np.float32)
places = np.zeros((ids.size,), np.int64)
nnz = np.zeros((), np.int64)
places, values, nnz = run("sparse_grad", [rows, ids, ctypes.c_int64(V)],
                          [places, values, nnz])
assert nnz == kept.sum()
assert np.array_equal(places[:nnz], ids[kept])
assert np.array_equal(values[:nnz], rows[kept])
print("done")
