"""Calls what embedding-compile.mlir has made, and compares with NumPy.

call_compiled.py LIBRARY [DRIVER]: on a GPU through DRIVER, if that is given.
"""

import ctypes
import sys

import numpy as np

from compiled_library import INVALID_ARGUMENT, OK, OUT_OF_RANGE, Host, Library, Status

library = Library(*sys.argv[1:])
succeed, fail = library.succeed, library.fail
machine, on_device = library.machine, library.on_device

random = np.random.default_rng(7)
table = random.standard_normal((1000, 8)).astype(np.float32)
indices = random.integers(0, 1000, (3000,))

# Memrefs are written in place; many indices take several threads.
out = np.zeros((3000, 8), np.float32)
succeed("lookup", table, indices, out)
assert np.array_equal(out, table[indices])

# A sum in float64 is close to that in float32, and no row is missing.
gradient = np.full((1000, 8), np.nan, np.float32)
succeed("dense_grad", out, indices, 3, gradient)
expected = np.zeros((1000, 8))
np.add.at(expected, indices[indices != 3], out[indices != 3].astype(np.float64))
assert np.allclose(gradient, expected, rtol=1e-5, atol=1e-5)
assert not gradient[3].any()

# Tensors are results, of sizes that the call finds out.
for shape in [(2, 3), (0, 4), (1, 1)]:
    ids = random.integers(0, 1000, shape).astype(np.int32)
    out = np.zeros((*shape, 8), np.float32)
    succeed("result", table, ids, out)
    assert np.array_equal(out, table[ids])
out = np.zeros((2, 4, 8), np.float32)
fail(INVALID_ARGUMENT, "out: expected shape [2, 3, 8], but got [2, 4, 8]",
     "result", table, np.zeros((2, 3), np.int32), out)
assert not out.any()

if not on_device:
    # Two results, one of them a scalar; scalar arguments of every width.
    total, product = np.zeros((2,), np.float64), np.zeros((), np.int64)
    values = np.array([1.5, 2.5])
    succeed("scalars", values, ctypes.c_double(2.0), ctypes.c_float(0.5),
            ctypes.c_int8(-3), ctypes.c_int64(5), total, product)
    assert total.tolist() == [3.5, 5.5] and product == -15
    # A result lies apart from what is read.
    fail(INVALID_ARGUMENT, "out0: expected memory apart from that of values",
         "scalars", values, ctypes.c_double(2.0), ctypes.c_float(0.5),
         ctypes.c_int8(-3), ctypes.c_int64(5), values, product)
    assert values.tolist() == [1.5, 2.5]
    # An assertion that fails ends the call.
    fail(INVALID_ARGUMENT, "assertion failed: expected a positive number", "positive",
         ctypes.c_int64(-1))
    succeed("positive", ctypes.c_int64(1))
    # Rows apart from each other, as the type allows.
    wide = np.arange(12, dtype=np.float32).reshape(3, 4)
    out = np.zeros((2, 2), np.float32)
    succeed("strided", wide[:, :2], np.array([2, 0]), out)
    assert np.array_equal(out, wide[[2, 0], :2])
    transposed = np.asfortranarray(wide[:, :2])
    fail(INVALID_ARGUMENT, "table: expected a stride of 1 in dimension 1, but got 3",
         "strided", transposed, np.array([2, 0]), out)

    # A part of a buffer, which does not begin where that does.
    out = np.zeros((2,), np.float32)
    succeed("part", np.arange(8, dtype=np.float32), ctypes.c_int64(2), ctypes.c_int64(3),
            out)
    assert out.tolist() == [5, 6]
    # One beyond the end, of which the message says where it begins in how much.
    fail(INVALID_ARGUMENT, "memref.subview: expected size of dimension 0 to be at most "
         "1, but got 2, from offset 7 of 8", "part", np.arange(8, dtype=np.float32),
         ctypes.c_int64(3), ctypes.c_int64(4), out)
    assert out.tolist() == [5, 6]
    # Buffers of any size begin where they should.
    for size in range(1, 2000, 111):
        beyond = np.ones((), np.int64), np.ones((), np.int64)
        succeed("beyond_alignment", ctypes.c_int64(size), *beyond)
        assert beyond == (0, 0), (size, beyond)

# Bad indices, and the next call is as good as any.
bad = indices.copy()
bad[[17, 2000]] = [1000, -1]
out = np.zeros((3000, 8), np.float32)
status = fail(OUT_OF_RANGE, "1000 at flat position 17", "lookup", table, bad, out)
assert (status.position, status.index, status.count) == (17, 1000, 2)
succeed("lookup", table, indices, out)
assert np.array_equal(out, table[indices])

# Sizes that no type fixes are checked against each other, before anything is written.
out = np.zeros((3001, 8), np.float32)
fail(INVALID_ARGUMENT, "embedding.lookup: expected dimension 0 of out to be "
     "dimension 0 of indices, 3000, but got 3001", "lookup", table, indices, out)
assert not out.any()

# Whatever else is wrong has a name.
short = np.zeros((3000, 7), np.float32)
fail(INVALID_ARGUMENT, "out: expected shape [?, 8], but got [3000, 7]",
     "lookup", table, indices, short)
fail(INVALID_ARGUMENT, "table: expected shape [?, 8], but got [8000]",
     "lookup", table.reshape(-1), indices, out)
fail(INVALID_ARGUMENT, "table: expected float32, but got float64",
     "lookup", table.astype(np.float64), indices, out)
fail(INVALID_ARGUMENT, "indices: expected int64, but got int32",
     "lookup", table, indices.astype(np.int32), out)
fail(INVALID_ARGUMENT, "table: expected a tensor, but got null",
     "lookup", None, indices, out)
if on_device:
    # What a call takes of the GPU is given back.
    count = library.machine.driver.embedding_interpreter_allocation_count
    count.restype = ctypes.c_size_t
    before = count()
    succeed("dense_grad", table[indices], indices, 3, gradient)
    assert count() == before
    # There is nothing to wait for on a GPU that is not there.
    status = Status()
    assert library.functions.compiled_synchronize(99, None, ctypes.byref(status)) != OK
    assert b"cuDeviceGet" in status.message, status.message

    # All of a call is on one GPU, and the results are looked at first.
    for moved, message in ((0, "table: expected GPU 0, as of out, but got GPU 1"),
                           (1, ": expected GPU 0, as of table, but got GPU 1"),
                           (2, "table: expected GPU 1, as of out, but got GPU 0")):
        tensors = [machine.tensor(array) for array in (
            table, np.zeros((2, 3), np.int32), np.zeros((2, 3, 8), np.float32))]
        tensors[moved].device_id = 1
        fail(INVALID_ARGUMENT, message, "result", *tensors)

    on_host = Host().tensor(table)
    fail(INVALID_ARGUMENT, "table: expected memory of a GPU", "lookup", on_host,
         indices, out)
    unaligned = machine.tensor(table)
    unaligned.byte_offset = 4
    unaligned.shape[0] -= 1
    fail(INVALID_ARGUMENT, "table: on a GPU, expected data aligned to 16 bytes",
         "lookup", unaligned, indices, out)
else:
    fail(INVALID_ARGUMENT,
         "table: expected a stride of 8 in dimension 0, but got 16", "lookup",
         table[::2], indices, out)
    on_device_tensor = Host().tensor(table)
    on_device_tensor.device_type = 2
    fail(INVALID_ARGUMENT, "table: expected memory of the CPU", "lookup",
         on_device_tensor, indices, out)
# A failure needs no status.
assert library.functions.lookup(None, None, None, *machine.stream,
                                None) == INVALID_ARGUMENT
print("done")
