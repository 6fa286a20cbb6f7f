"""Compares embedding-run with NumPy's weight[indices], bit for bit.

One IR file holds one function for each element type and index type; each run
looks up one array of indices made of every distribution of the corner matrix.
"""

import argparse
import pathlib
import subprocess
import sys

import numpy as np

# NumPy has no bf16: two bytes of no particular type have its bits.
ELEMENT_TYPES = {"f64": "<f8", "f32": "<f4", "f16": "<f2", "bf16": "<V2"}
OTHER_ELEMENT_TYPES = {
    "i1": "|b1", "i8": "|i1", "i16": "<i2", "i32": "<i4", "i64": "<i8",
    "complex<f32>": "<c8", "complex<f64>": "<c16",
}
INDEX_TYPES = {"i32": "<i4", "i64": "<i8"}
ROW_LENGTHS = [0, 1, 3, 5, 8, 16, 17, 64, 100, 101, 128, 768, 4096]
NUM_ROWS = 53

FUNCTION = """
func.func @{name}(%table: tensor<?x?x{element}>, %indices: tensor<?x?x{index}>)
    -> tensor<?x?x?x{element}> {{
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %n = tensor.dim %indices, %c0 : tensor<?x?x{index}>
  %m = tensor.dim %indices, %c1 : tensor<?x?x{index}>
  %d = tensor.dim %table, %c1 : tensor<?x?x{element}>
  %init = tensor.empty(%n, %m, %d) : tensor<?x?x?x{element}>
  %0 = embedding.lookup
         ins(%table, %indices : tensor<?x?x{element}>, tensor<?x?x{index}>)
         outs(%init : tensor<?x?x?x{element}>) -> tensor<?x?x?x{element}>
  return %0 : tensor<?x?x?x{element}>
}}
"""

STATIC_FUNCTION = """
func.func @{name}(%table: tensor<{rows}x{d}x{element}>, %indices: tensor<{n}x{m}x{index}>)
    -> tensor<{n}x{m}x{d}x{element}> {{
  %init = tensor.empty() : tensor<{n}x{m}x{d}x{element}>
  %0 = embedding.lookup
         ins(%table, %indices : tensor<{rows}x{d}x{element}>, tensor<{n}x{m}x{index}>)
         outs(%init : tensor<{n}x{m}x{d}x{element}>) -> tensor<{n}x{m}x{d}x{element}>
  return %0 : tensor<{n}x{m}x{d}x{element}>
}}
"""


def make_table(rng, dtype, row_length):
    """Random bytes: NaNs with payloads, infinities and negative zeros included."""
    dtype = np.dtype(dtype)
    raw = rng.integers(0, 256, NUM_ROWS * row_length * dtype.itemsize, dtype=np.uint8)
    if dtype.kind == "b":
        raw &= 1
    return raw.view(dtype).reshape(NUM_ROWS, row_length)


def make_indices(rng, dtype, count=12):
    """One row for each distribution."""
    drawn = rng.integers(0, NUM_ROWS, count)
    zipf = np.minimum(rng.zipf(1.05, count) - 1, NUM_ROWS - 1)
    rows = [drawn, np.full(count, NUM_ROWS - 1), np.sort(drawn), np.sort(drawn)[::-1], zipf]
    return np.stack(rows).astype(dtype)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--work-dir", type=pathlib.Path, required=True)
    parser.add_argument("--naive", action="store_true")
    options = parser.parse_args()
    work = options.work_dir
    work.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(17)
    cases = failures = 0

    def compare(text, element, index, table, indices):
        nonlocal cases, failures
        cases += 1
        (work / "lookup.mlir").write_text(text.format(
            name="lookup", element=element, index=index, rows=NUM_ROWS,
            d=table.shape[1], n=indices.shape[0], m=indices.shape[1]))
        np.save(work / "table.npy", table)
        np.save(work / "indices.npy", indices)
        command = ["embedding-run", work / "lookup.mlir", f"--input=@{work}/table.npy",
                   f"--input=@{work}/indices.npy", f"--output=@{work}/out.npy"]
        if options.naive:
            command.append("--naive")
        run = subprocess.run(command, capture_output=True, text=True)
        expected = table[indices]
        out = np.load(work / "out.npy") if run.returncode == 0 else None
        if out is None or out.shape != expected.shape or out.tobytes() != expected.tobytes():
            failures += 1
            print(f"FAILED: {element} [{index}] {table.shape} {indices.shape}: {run.stderr}")

    for element, dtype in ELEMENT_TYPES.items():
        for index, index_dtype in INDEX_TYPES.items():
            indices = make_indices(rng, index_dtype)
            for row_length in ROW_LENGTHS:
                table = make_table(rng, dtype, row_length)
                compare(FUNCTION, element, index, table, indices)
                if index == "i64":
                    compare(STATIC_FUNCTION, element, index, table, indices)
            table = make_table(rng, dtype, 17)
            compare(FUNCTION, element, index, table, indices[:, :0])
            compare(FUNCTION, element, index, np.asfortranarray(table), indices)
    for element, dtype in OTHER_ELEMENT_TYPES.items():
        indices = make_indices(rng, "<i8")
        for text in (FUNCTION, STATIC_FUNCTION):
            compare(text, element, "i64", make_table(rng, dtype, 19), indices)

    print(f"{cases - failures} passed, {failures} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
