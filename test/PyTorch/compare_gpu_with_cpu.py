"""Runs operations on a GPU, next to PyTorch, and compares them with the CPU's bits.

    compare_gpu_with_cpu.py LIBRARY                 on the GPU of this machine
    compare_gpu_with_cpu.py LIBRARY --interpreted   small, by EMBEDDING_CUDA_LIBRARY

LIBRARY is libembedding-runtime.so. On a GPU tensors are large, one row takes half of
the positions, work also goes to streams of PyTorch's, and each call is captured into
a CUDA graph and replayed on other values. EMBEDDING_TEST_SEED draws other values.
"""

import argparse
import contextlib
import functools
import itertools
import os

import torch

import gpu_tensors
from embedding_runtime import Engine, Error

DTYPES = (torch.float32, torch.bfloat16)
ROW_LENGTHS = (64, 101)
MAX_NORM = 1.5
PADDING_IDX = 2
# Positions of one row: one chunk but one, one, one and one more, two and one more.
EDGE_GROUPS = (127, 129, 128, 257)
SEED = int(os.environ.get("EMBEDDING_TEST_SEED", 1))


def same_bits(a, b):
    return torch.equal(*(t.reshape(-1).view(torch.uint8) for t in (a, b)))


class Inputs:
    """What all operations take, on the CPU: values at random, or those at the edges of
    how they are summed and compared."""

    def __init__(self, dtype, length, count, num_rows, seed):
        generator = torch.Generator().manual_seed(seed)
        self.num_rows = num_rows
        self.max_norm = MAX_NORM
        self.grad = torch.randn(count, length, generator=generator).to(dtype)
        self.table = torch.randn(num_rows, length, generator=generator).to(dtype)
        self.indices = torch.randint(num_rows, (count,), generator=generator)
        self.indices[torch.rand(count, generator=generator) < 0.5] = num_rows // 2

    @classmethod
    def edges(cls, dtype, length, groups, num_rows, seed):
        """Groups of exactly these sizes, and every second row has the norm that is the
        bound; all are so small that 1e-7 more counts."""
        inputs = cls(dtype, length, sum(groups), num_rows, seed)
        generator = torch.Generator().manual_seed(seed)
        rows = torch.arange(len(groups)).repeat_interleave(torch.tensor(groups))
        inputs.indices = rows[torch.randperm(len(rows), generator=generator)]
        unit = 2.0 ** -20
        inputs.max_norm = 5 * unit
        inputs.table[::2] = 0
        inputs.table[::2, 1], inputs.table[::2, length - 2] = 3 * unit, -4 * unit
        return inputs

    def tensors(self):
        return [self.indices, self.table, self.grad]


def outputs(inputs):
    """Every result of `call_all`, without values yet."""
    empty = torch.empty_like
    count = torch.zeros((), dtype=torch.int64)
    return {
        "lookup": [empty(inputs.grad)],
        "renorm_lookup": [inputs.table.clone(), empty(inputs.grad)],
        "renorm": [inputs.table.clone()],
        "dense_grad": [empty(inputs.table)],
        "scaled dense_grad": [empty(inputs.table)],
        "double_backward": [empty(inputs.grad)],
        "sparse_grad": [empty(inputs.indices), empty(inputs.grad), count.clone()],
        "coalesce": [empty(inputs.indices), empty(inputs.grad), count.clone()],
    }


def call_all(engine, inputs, tensors, results):
    num_rows, max_norm = inputs.num_rows, inputs.max_norm
    indices, table, grad = tensors
    engine.lookup(table, indices, *results["lookup"])
    renormed, out = results["renorm_lookup"]
    engine.lookup(renormed, indices, out, max_norm=max_norm)
    engine.renorm(*results["renorm"], indices, max_norm)
    engine.dense_grad(grad, indices, *results["dense_grad"], padding_idx=PADDING_IDX)
    engine.dense_grad(grad, indices, *results["scaled dense_grad"],
                      padding_idx=PADDING_IDX, scale_grad_by_freq=True)
    engine.double_backward(table, indices, *results["double_backward"],
                           padding_idx=PADDING_IDX)
    rows, values, nnz = results["sparse_grad"]
    engine.sparse_grad(grad, indices, num_rows, rows, values, padding_idx=PADDING_IDX,
                       nnz=nnz)
    rows, sums, nnz = results["coalesce"]
    engine.coalesce(indices, grad, num_rows, rows, sums, nnz=nnz)


def compare(expected, got, what):
    for name, tensors in expected.items():
        used = int(tensors[2]) if len(tensors) == 3 else None
        for i, (a, b) in enumerate(zip(tensors, got[name])):
            if i < 2 and used is not None:
                a, b = a[:used], b[:used]
            assert same_bits(a, b), f"{what}: {name}: result {i} has other bits"


def move_all(move, results):
    return {name: [move(t) for t in tensors] for name, tensors in results.items()}


def check(cpu, gpu, device, draw, what):
    """Each operation once, and then in streams and graphs, where there are any. `draw`
    makes inputs of a seed."""
    inputs = draw(SEED)
    expected = outputs(inputs)
    call_all(cpu, inputs, inputs.tensors(), expected)
    tensors = [device.upload(t) for t in inputs.tensors()]
    results = move_all(device.upload, outputs(inputs))
    call_all(gpu, inputs, tensors, results)
    gpu.synchronize()
    compare(expected, move_all(device.download, results), what)
    if not device.has_streams:
        return

    stream = torch.cuda.Stream()
    results = move_all(device.upload, outputs(inputs))
    stream.wait_stream(torch.cuda.current_stream())
    with use_stream(gpu, stream):
        call_all(gpu, inputs, tensors, results)
        gpu.synchronize()
    compare(expected, move_all(device.download, results), what + ", in a stream")

    # Captured with the inputs above, replayed with others.
    inputs = draw(SEED + 1)
    expected = outputs(inputs)
    call_all(cpu, inputs, inputs.tensors(), expected)
    fresh = move_all(device.upload, outputs(inputs))
    results = move_all(torch.empty_like, fresh)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph), use_stream(gpu, torch.cuda.current_stream()):
        call_all(gpu, inputs, tensors, results)
    for _ in range(2):
        for name, target in results.items():
            for to, value in zip(target, fresh[name]):
                to.copy_(value)
        for to, value in zip(tensors, inputs.tensors()):
            to.copy_(value)
        graph.replay()
        torch.cuda.synchronize()
        compare(expected, move_all(device.download, results), what + ", in a graph")


@contextlib.contextmanager
def use_stream(engine, stream):
    previous, engine.stream = engine.stream, stream.cuda_stream
    with torch.cuda.stream(stream):
        yield
    engine.stream = previous


def check_bad_indices(gpu, device, count, num_rows):
    """Reported by position, nothing written elsewhere, and the context lives."""
    table = torch.randn(num_rows, 64)
    indices = torch.randint(num_rows, (count,))
    bad = indices.clone()
    bad[count // 3] = num_rows
    bad[count - 1] = -5
    tensors = [device.upload(t) for t in (table, bad, torch.empty(count, 64))]
    gpu.lookup(*tensors)
    try:
        gpu.synchronize()
    except Error as error:
        found = (error.position, error.index, error.count)
        assert found == (count // 3, num_rows, 2), found
    else:
        raise AssertionError("no error for bad indices")
    out = device.download(tensors[2])
    valid = (bad >= 0) & (bad < num_rows)
    assert torch.equal(out[valid], table[bad[valid]]), "bad indices: other rows"
    tensors[1] = device.upload(indices)
    gpu.lookup(*tensors)
    gpu.synchronize()
    assert torch.equal(device.download(tensors[2]), table[indices]), "after bad indices"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("library")
    parser.add_argument("--interpreted", action="store_true")
    arguments = parser.parse_args()
    device = gpu_tensors.Interpreter() if arguments.interpreted else gpu_tensors.GPU()
    # Kernels of the environment's cache, for a CPU of any machine.
    engines = [Engine(arguments.library, cache_dir=None, cpu="x86-64-v3", num_threads=n)
               for n in (8, 1)]
    engines[1].stream = device.stream
    large = [(1, 9), (5000, 3), (2**19, 2**15), (2**16, 2**20)]
    sizes = [(1, 9), (40, 9)] if arguments.interpreted else large
    groups = EDGE_GROUPS[:2] if arguments.interpreted else EDGE_GROUPS
    passed = 0
    for dtype, length in itertools.product(DTYPES, ROW_LENGTHS):
        what = f"seed {SEED}, {dtype}, D = {length}"
        for count, num_rows in sizes:
            check(*engines, device,
                  functools.partial(Inputs, dtype, length, count, num_rows),
                  f"{what}, N = {count}, V = {num_rows}")
        check(*engines, device,
              functools.partial(Inputs.edges, dtype, length, groups, 64),
              f"{what}, groups of {groups}")
        passed += len(sizes) + 1
    if arguments.interpreted:
        # The CPU's part of the rest: kernels for all that a GPU machine will call.
        for dtype, length, size in itertools.product(DTYPES, ROW_LENGTHS, large):
            inputs = Inputs(dtype, length, *size, SEED)
            call_all(engines[0], inputs, inputs.tensors(), outputs(inputs))
    check_bad_indices(engines[1], device, *sizes[-1])
    print(f"seed {SEED}: {passed + 1} passed, 0 failed")


if __name__ == "__main__":
    main()
