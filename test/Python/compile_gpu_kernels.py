"""Compiles what test_gpu.py needs into EMBEDDING_CACHE_DIR, by calling it on the GPU that
EMBEDDING_CUDA_LIBRARY names, an interpreter:

    compile_gpu_kernels.py LIBRARY

LIBRARY is libembedding-runtime.so. Code is for x86-64-v3, as EMBEDDING_CPU should be
where the tests run. Needs embedding_mlir, and test/PyTorch in PYTHONPATH.
"""

import argparse
import os

import torch

import embedding_mlir
import gpu_tensors
from embedding_runtime import Engine

V, N = 20, 30
# What test_gpu.py has; it cannot be imported without a GPU.
D, MAX_NORM, PADDING_IDX = 64, 1.5, 2


def compile_all(engine, device, dtype):
    def upload(*shape, dtype=dtype):
        return device.upload(torch.ones(shape, dtype=dtype))

    table, rows, indices = upload(V, D), upload(N, D), upload(N, dtype=torch.int64)
    engine.lookup(table, indices, rows)
    engine.lookup(table, indices, rows, max_norm=MAX_NORM)
    engine.renorm(table, indices, MAX_NORM)
    for padding_idx in (None, PADDING_IDX):
        engine.dense_grad(rows, indices, table, padding_idx=padding_idx)
        engine.double_backward(table, indices, rows, padding_idx=padding_idx)
        engine.sparse_grad(rows, indices, V, upload(N, dtype=torch.int64), upload(N, D),
                           padding_idx=padding_idx, nnz=upload(dtype=torch.int64))
    engine.coalesce(indices, rows, V, upload(N, dtype=torch.int64), upload(N, D),
                    nnz=upload(dtype=torch.int64))


def read_function():
    source = os.path.join(os.path.dirname(__file__), "test_gpu.py")
    with open(source) as file:
        return file.read().split('FUNCTION = """')[1].split('"""')[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("library")
    arguments = parser.parse_args()
    device = gpu_tensors.Interpreter()
    engine = Engine(arguments.library, cache_dir=None, cpu="x86-64-v3")
    for dtype in (torch.float32, torch.bfloat16):
        compile_all(engine, device, dtype)
    os.environ["EMBEDDING_CPU"] = "x86-64-v3"
    embedding_mlir.compile(read_function(), device="cuda")


if __name__ == "__main__":
    main()
