#!/usr/bin/env python3
"""Measures operations on a GPU against PyTorch, a Triton kernel and the copy rate.

    gpu.py LIBRARY [--output RESULTS.json]      on a machine with a GPU
    gpu.py LIBRARY --compile                    anywhere: compiles the kernels

LIBRARY is libembedding-runtime.so. Kernels are kept in EMBEDDING_CACHE_DIR, for a
GPU of EMBEDDING_INTERPRETER_CAPABILITY with --compile, which takes the interpreter
(EMBEDDING_CUDA_LIBRARY) for one: so the other form needs no compiler.

All contenders of a case take turns in one process, each in its own order of
rounds, timed by CUDA events while the host is ahead; medians are reported, and those
of the host's time beside them. Rates count the bytes that must move. The device's copy rate R, of the same run, is the yardstick.
"""

import argparse
import json
import pathlib
import platform
import sys
import time

import torch
import torch.nn.functional as F

HERE = pathlib.Path(__file__).resolve().parent
for folder in (HERE, HERE.parent / "test" / "PyTorch"):
    sys.path.insert(0, str(folder))
import embedding_runtime
import gpu_tensors

ROUNDS = 25
HEAD_START_CYCLES = 1_500_000  # About a millisecond.
MAX_NORM = 1.0
DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16}
ELEMENT_BYTES = {"f32": 4, "bf16": 2}

# What is measured: row bytes of lookups, in a table of 4 GiB or as many rows as
# that takes; then gradients, by positions and rows.
LOOKUPS = [("f32", row_bytes) for row_bytes in (64, 128, 256, 512, 1024, 2048, 4096)]
LOOKUPS += [("bf16", 256), ("bf16", 2048)]
GRADS = [("f32", 32), ("f32", 128), ("f32", 512), ("bf16", 128)]
DISTRIBUTIONS = ("uniform", "zipf", "half one row")


def call_all(engine, make):
    """Calls each operation that is measured once, on tensors of `make`."""
    count, num_rows = 4, 3
    indices = make((count,), torch.int64)
    for dtype, row_bytes in LOOKUPS:
        length = row_bytes // ELEMENT_BYTES[dtype]
        table = make((num_rows, length), DTYPES[dtype])
        out = make((count, length), DTYPES[dtype])
        for mode in ("check", "assume"):
            engine.lookup(table, indices, out, mode=mode)
        engine.lookup(table, indices, out, max_norm=MAX_NORM)
    for dtype, length in GRADS:
        grad = make((count, length), DTYPES[dtype])
        for atomic in (False, True):
            engine.dense_grad(grad, indices, make((num_rows, length), DTYPES[dtype]),
                              allow_nondeterministic=atomic)
    engine.synchronize()


# ---------------------------------------------------------------------------
# On a GPU
# ---------------------------------------------------------------------------


def draw_indices(distribution, count, num_rows):
    generator = torch.Generator("cuda").manual_seed(1)
    uniform = torch.randint(num_rows, (count,), device="cuda", generator=generator)
    if distribution == "uniform":
        return uniform
    if distribution == "half one row":
        uniform[torch.rand(count, device="cuda", generator=generator) < 0.5] = num_rows // 2
        return uniform
    # A power law of exponent 1.05, by inversion, over rows in random order.
    u = torch.rand(count, device="cuda", generator=generator, dtype=torch.float64)
    s = 1.05
    ranks = ((u * (num_rows ** (1 - s) - 1) + 1) ** (1 / (1 - s))).long().clamp(1, num_rows)
    order = torch.randperm(num_rows, device="cuda", generator=generator)
    return order[ranks - 1]


def make_triton_gather():
    """A kernel written by hand: a row for each program, without checks."""
    try:
        import triton
        import triton.language as tl
    except ImportError:
        return None

    @triton.jit
    def gather(table, indices, out, length, BLOCK: tl.constexpr):
        row = tl.program_id(0).to(tl.int64)
        index = tl.load(indices + row)
        columns = tl.arange(0, BLOCK)
        mask = columns < length
        values = tl.load(table + index * length + columns, mask=mask)
        tl.store(out + row * length + columns, values, mask=mask)

    def run(table, indices, out):
        length = table.shape[1]
        block = 1 << (length - 1).bit_length()
        gather[(indices.numel(),)](table, indices, out, length, BLOCK=block,
                                   num_warps=1 if block <= 256 else 4)

    return run


def measure(contenders, flush):
    """Medians by name: milliseconds of the GPU, and microseconds of the host's."""
    device_times = {name: [] for name in contenders}
    host_times = {name: [] for name in contenders}
    for call in contenders.values():
        for _ in range(3):
            call()
    torch.cuda.synchronize()
    names = list(contenders)
    for round_ in range(ROUNDS):
        events = {}
        for i in range(len(names)):
            name = names[(i + round_) % len(names)]
            # Meanwhile the host gets ahead, as it does in training: else launches
            # of short kernels would be what is measured.
            torch.cuda._sleep(HEAD_START_CYCLES)
            flush()
            start, stop = events[name] = [
                torch.cuda.Event(enable_timing=True) for _ in range(2)]
            start.record()
            begin = time.perf_counter()
            contenders[name]()
            host_times[name].append(1e6 * (time.perf_counter() - begin))
            stop.record()
        torch.cuda.synchronize()
        for name, (start, stop) in events.items():
            device_times[name].append(start.elapsed_time(stop))
    return tuple({name: sorted(values)[len(values) // 2] for name, values in times.items()}
                 for times in (device_times, host_times))


def report(results, case, medians, num_bytes, copy_rate):
    milliseconds, host_microseconds = medians
    ratios = {name: num_bytes / t / 1e6 / copy_rate for name, t in milliseconds.items()}
    results.append(dict(case, bytes=num_bytes, milliseconds=milliseconds,
                        host_microseconds=host_microseconds, ratio_to_copy=ratios))
    print(", ".join(f"{k}={v}" for k, v in case.items()) + ": " + ", ".join(
        f"{n} {t:.3f} ms ({ratios[n]:.2f} R)" for n, t in milliseconds.items()), flush=True)


def run(engine, output):
    device = torch.cuda.get_device_properties(0)
    scratch = torch.empty(2**28, dtype=torch.uint8, device="cuda")
    flush = scratch.zero_  # Larger than the second-level cache.
    source = torch.empty(2**30, dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)
    copied = measure({"copy": lambda: target.copy_(source)}, flush)[0]["copy"]
    copy_rate = 2 * source.numel() / copied / 1e6
    del source, target
    print(f"{device.name}: copies at {copy_rate:.0f} GB/s (R)")
    results = []
    torch._dynamo.config.recompile_limit = 100  # Of one function for all shapes.
    triton_gather = make_triton_gather()
    compiled_lookup = torch.compile(lambda i, w: F.embedding(i, w))
    compiled_grad = torch.compile(
        lambda g, i, rows: torch.zeros(rows, g.shape[1], dtype=g.dtype, device=g.device)
        .index_add_(0, i, g), dynamic=False)

    for dtype, row_bytes in LOOKUPS:
        element = ELEMENT_BYTES[dtype]
        length, num_rows = row_bytes // element, 2**32 // row_bytes
        count = min(2**22, 2**31 // row_bytes)
        table = torch.randn(num_rows, length, dtype=DTYPES[dtype], device="cuda")
        out = torch.empty(count, length, dtype=DTYPES[dtype], device="cuda")
        for distribution in DISTRIBUTIONS[:2]:
            indices = draw_indices(distribution, count, num_rows)
            engine.lookup(table, indices, out)
            assert torch.equal(out, F.embedding(indices, table)), "wrong rows"
            contenders = {
                "ours": lambda: engine.lookup(table, indices, out),
                "ours without checks": lambda: engine.lookup(table, indices, out, mode="assume"),
                "eager": lambda: F.embedding(indices, table),
                "compile": lambda: compiled_lookup(indices, table),
            }
            if triton_gather:
                contenders["triton"] = lambda: triton_gather(table, indices, out)
            medians = measure(contenders, flush)
            report(results, {"operation": "lookup", "element": dtype, "row_bytes": row_bytes,
                             "num_rows": num_rows, "num_indices": count,
                             "distribution": distribution},
                   medians, count * (2 * row_bytes + 8), copy_rate)
            # All rows are shortened now, and never again: as in training, where
            # few rows outgrow the bound in one step.
            engine.lookup(table, indices, out, max_norm=MAX_NORM)
            medians = measure({
                "ours": lambda: engine.lookup(table, indices, out, max_norm=MAX_NORM),
                "eager": lambda: F.embedding(indices, table, max_norm=MAX_NORM)}, flush)
            report(results, {"operation": "lookup with max_norm", "element": dtype,
                             "row_bytes": row_bytes, "num_rows": num_rows,
                             "num_indices": count, "distribution": distribution},
                   medians, count * (2 * row_bytes + 8), copy_rate)
        del table, out

    for dtype, length in GRADS:
        element = ELEMENT_BYTES[dtype]
        for num_rows, count in ((2**17, 2**20), (2**20, 2**16)):
            grad = torch.randn(count, length, dtype=DTYPES[dtype], device="cuda")
            grad_table = torch.empty(num_rows, length, dtype=DTYPES[dtype], device="cuda")
            for distribution in DISTRIBUTIONS:
                indices = draw_indices(distribution, count, num_rows)
                engine.dense_grad(grad, indices, grad_table)
                first = grad_table.clone()
                engine.dense_grad(grad, indices, grad_table)
                assert torch.equal(first, grad_table), "not the same bits again"
                exact = torch.zeros(num_rows, length, dtype=torch.float64, device="cuda")
                exact.index_add_(0, indices, grad.double())
                error = (exact - first.double()).abs().max().item()
                medians = measure({
                    "ours": lambda: engine.dense_grad(grad, indices, grad_table),
                    "ours, atomic": lambda: engine.dense_grad(
                        grad, indices, grad_table, allow_nondeterministic=True),
                    "eager": lambda: torch.ops.aten.embedding_dense_backward(
                        grad, indices, num_rows, -1, False),
                    "compile": lambda: compiled_grad(grad, indices, num_rows)}, flush)
                report(results, {"operation": "dense_grad", "element": dtype,
                                 "row_length": length, "num_rows": num_rows,
                                 "num_indices": count, "distribution": distribution,
                                 "max_error": error},
                       medians, count * (length * element + 8) + num_rows * length * element,
                       copy_rate)
    engine.synchronize()
    if output:
        output.write_text(json.dumps({
            "device": device.name, "torch": torch.__version__,
            "cuda": torch.version.cuda, "host": platform.node(),
            "copy_gigabytes_per_second": copy_rate, "rounds": ROUNDS,
            "results": results}, indent=1) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("library")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--output", type=pathlib.Path)
    arguments = parser.parse_args()
    engine = embedding_runtime.Engine(
        arguments.library, cache_dir=None, cpu="x86-64-v3")
    device = gpu_tensors.Interpreter() if arguments.compile else gpu_tensors.GPU()
    engine.stream = device.stream
    call_all(engine, lambda shape, dtype: device.upload(torch.zeros(shape, dtype=dtype)))
    if not arguments.compile:
        run(engine, arguments.output)


if __name__ == "__main__":
    main()
