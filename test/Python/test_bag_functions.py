"""Bags in functions of IR, against docs/Semantics.md and PyTorch."""

import os

import numpy as np
import pytest
import torch

import embedding_mlir

SEED = int(os.environ.get("EMBEDDING_TEST_SEED", "1"))
CHUNK = 128


def add_pairwise(sums):
    """Sums of chunks, in pairs of distance 1, 2, 4 and so on."""
    distance = 1
    while distance < len(sums):
        for at in range(0, len(sums) - distance, 2 * distance):
            sums[at] = sums[at] + sums[at + distance]
        distance *= 2
    return sums[0]


def reference(table, indices, bounds, mode, padding, out_of_range, weights):
    """The bags [bounds[b], bounds[b + 1]), and the winners of mode max, as the contract
    has them, one after another."""
    wide = torch.float64 if table.dtype == torch.float64 else torch.float32
    num_rows, length = table.shape
    out = torch.zeros(len(bounds) - 1, length, dtype=table.dtype)
    winners = torch.full((len(bounds) - 1, length), -1)
    for bag, (begin, end) in enumerate(zip(bounds, bounds[1:])):
        kept = []
        for position in range(begin, end):
            row = int(indices[position])
            if out_of_range == "clamp":
                row = min(max(row, 0), num_rows - 1)
            if row != padding and 0 <= row < num_rows:
                kept.append((position, row))
        if not kept:
            continue
        if mode == "max":
            position, row = kept[0]
            best = table[row].clone()
            winners[bag] = position
            for position, row in kept[1:]:
                exceeds = table[row] > best
                best[exceeds] = table[row][exceeds]
                winners[bag][exceeds] = position
            out[bag] = best
            continue
        sums = [torch.zeros(length, dtype=wide) for _ in range(begin, end, CHUNK)]
        for position, row in kept:
            term = table[row].to(wide)
            if weights is not None:
                term = term * weights[position].to(wide)
            sums[(position - begin) // CHUNK] += term
        total = add_pairwise(sums)
        if mode == "mean":
            total = total / torch.tensor(len(kept), dtype=wide)
        out[bag] = total.to(table.dtype)
    return out, winners


NAMES = {torch.float16: "f16", torch.bfloat16: "bf16", torch.float32: "f32",
         torch.float64: "f64", torch.int32: "i32", torch.int64: "i64"}


def get_function(mode, table, indices, offsets, weights, last, padding, out_of_range,
                 is_static):
    """The text of a function of these operands, and whether it gives winners."""
    def shape(x, is_static):
        return "".join(f"{size}x" if is_static else "?x" for size in x.shape)

    def get_type(x, is_static=False):
        return f"memref<{shape(x, is_static)}{NAMES[x.dtype]}>"

    length = table.shape[1]
    row = f"?x{length if is_static else '?'}x"
    element = NAMES[table.dtype]
    operands = {"t": f"memref<{row}{element}>", "i": get_type(indices)}
    if offsets is not None:
        operands["o"] = get_type(offsets)
    if weights is not None:
        operands["w"] = get_type(weights)
    operands["y"] = f"memref<{row}{element}>"
    if mode == "max":
        operands["n"] = f"memref<{row}i64>"
    arguments = ", ".join(f"%{name}: {type}" for name, type in operands.items())
    clauses = [mode]
    if last:
        clauses.append("include_last_offset")
    if padding is not None:
        clauses.append(f"padding_idx({padding})")
    clauses.append(f"out_of_range({out_of_range})")
    clauses.append(f"ins(%t, %i : {operands['t']}, {operands['i']})")
    for name, operand in ("offsets", "o"), ("weights", "w"):
        if operand in operands:
            clauses.append(f"{name}(%{operand} : {operands[operand]})")
    clauses.append(f"outs(%y : {operands['y']})")
    if mode == "max":
        clauses.append(f"winners(%n : {operands['n']})")
    return (f"func.func @f({arguments}) {{\n  embedding.bag {' '.join(clauses)}\n"
            "  return\n}")


def draw_lengths(rng, num_bags):
    """Empty bags, short ones, and some around the ends of chunks."""
    around = [0, 1, 2, 20, 127, 128, 129, 255, 256, 257, 300, 700]
    return rng.choice(around, num_bags, p=[.2, .15, .15, .2] + [.0375] * 8)


def make_case(rng):
    """The arguments of one call, and those of the reference."""
    dtype = [torch.float16, torch.bfloat16, torch.float32, torch.float64][rng.integers(4)]
    num_rows = int(rng.choice([1, 5, 64, 1000]))
    length = int(rng.choice([1, 3, 8, 16, 31, 64, 100, 130]))
    mode = str(rng.choice(["sum", "mean", "max"]))
    out_of_range = str(rng.choice(["check", "assume", "clamp", "zero"]))
    table = torch.from_numpy(rng.standard_normal((num_rows, length))).to(dtype)
    if rng.integers(4) == 0:
        table[rng.integers(num_rows), rng.integers(length)] = float("nan")
    is_list = rng.integers(3) != 0
    last = bool(is_list and rng.integers(2))
    if is_list:
        lengths = draw_lengths(rng, int(rng.integers(0, 9)))
    else:
        lengths = [int(draw_lengths(rng, 1)[0])] * int(rng.integers(0, 6))
    bounds = [0, *np.cumsum(lengths).tolist()]
    size = bounds[-1]
    low, high = (-3, num_rows + 3) if out_of_range in ("clamp", "zero") else (0, num_rows)
    indices = rng.integers(low, high, size)
    trailing = int(rng.integers(0, 4)) if last else 0
    # What is in no bag may be anything.
    indices = np.concatenate([indices, rng.integers(-9, num_rows + 9, trailing)])
    integer = [torch.int32, torch.int64]
    indices = torch.from_numpy(indices).to(integer[rng.integers(2)])
    if not last and len(bounds) == 1:
        indices = indices[:0]
    offsets = None
    if is_list:
        starts = bounds if last else bounds[:-1]
        offsets = torch.tensor(starts, dtype=integer[rng.integers(2)])
    else:
        indices = indices.reshape(len(lengths), -1 if lengths and lengths[0] else 0)
    padding = int(rng.integers(-num_rows, num_rows)) if rng.integers(2) else None
    weights = None
    if mode == "sum" and rng.integers(2):
        weights = torch.from_numpy(rng.standard_normal(indices.shape)).to(dtype)
    text = get_function(mode, table, indices, offsets, weights, last, padding,
                        out_of_range, bool(rng.integers(2)))
    if padding is not None and padding < 0:
        padding += num_rows
    out = torch.full((len(bounds) - 1, length), 7.0, dtype=dtype)
    arguments = [x for x in (table, indices, offsets, weights, out) if x is not None]
    if mode == "max":
        arguments.append(torch.full(out.shape, 7))
    flat = None if weights is None else weights.flatten()
    expected = reference(table, indices.flatten(), bounds, mode, padding, out_of_range,
                         flat)
    return text, arguments, expected


def assert_same_bits(actual, expected):
    """NaNs may differ in their bits."""
    assert torch.equal(actual.isnan(), expected.isnan())
    same = torch.where(actual.isnan(), 0, actual)
    as_integers = {2: torch.int16, 4: torch.int32, 8: torch.int64}[actual.element_size()]
    assert torch.equal(same.view(as_integers),
                       torch.where(expected.isnan(), 0, expected).view(as_integers))


@pytest.mark.parametrize("case", range(60))
def test_bags_as_the_contract_has_them(case):
    rng = np.random.default_rng((SEED, case))
    text, arguments, (expected, winners) = make_case(rng)
    embedding_mlir.compile(text).f(*arguments)
    out = arguments[-1]
    if "embedding.bag max" in text:
        assert torch.equal(out, winners), text
        out = arguments[-2]
    assert_same_bits(out, expected)


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
@pytest.mark.parametrize("padding", [None, 3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_bags_as_pytorch_has_them(mode, padding, dtype):
    generator = torch.Generator().manual_seed(SEED)
    table = torch.randn(50, 24, generator=generator, dtype=dtype)
    indices = torch.randint(50, (400,), generator=generator)
    offsets = torch.tensor([0, 0, 5, 90, 217, 345, 400])
    text = get_function(mode, table, indices, offsets, None, False, padding, "check", True)
    out = torch.empty(len(offsets), 24, dtype=dtype)
    winners = [torch.empty(out.shape, dtype=torch.int64)] if mode == "max" else []
    embedding_mlir.compile(text).f(table, indices, offsets, out, *winners)
    expected = torch.nn.functional.embedding_bag(indices, table, offsets, mode=mode,
                                                 padding_idx=padding)
    # The order of sums is PyTorch's in bags of up to 128 indices.
    assert torch.equal(out, expected)
