"""Draws calls at random and compares the runtime with PyTorch and with the contract.

Two judges look at every case:

- the contract, written here with NumPy from docs/Semantics.md, order of summation
  included: to the last bit, apart from general p-norms, whose pow is libm's;
- PyTorch, wherever it does what the contract says, to the last bit where both only
  move rows, and else within the error bounds of the sums.

Where the contract leaves PyTorch on purpose, the case counts under the name of the
difference. Each call runs on one thread and on three, which must agree to the bit, into
outputs whose surroundings must stay as they are. The seed is printed; --case replays a
single case.
"""

import argparse
import collections
import math
import sys

import numpy as np
import torch
import torch.autograd.forward_ad as forward_ad
import torch.nn.functional as F

from embedding_runtime import Engine, Error

CHUNK = 128
PARTIAL_SUMS = 16
# Whole words of a bitmap and powers of two, and the numbers in between.
NUM_ROWS = [1, 2, 7, 50, 64, 256, 512, 1000, 1024, 70000]
ROW_LENGTHS = [0, 1, 3, 16, 17, 64, 101, 300]
# A group of one chunk, of one and a position, of two and a position.
EDGE_COUNTS = [CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 1]
COUNTS = [0, 1, 2, 17, 100, 400, 1500, *EDGE_COUNTS]
# Gradients of more than 8 MiB are cleared by other stores.
LARGE = (70000, 64)
# Of 40, one that is a dense gradient.
LARGE_CASE = 4
# Whole numbers whose 2-norm is one.
EXACT_ROWS = [(3, 4), (-4, 3), (2, -1, 2), (2, 2, 1, 4), (5, 0, 0)]
# What stands around outputs.
MARGIN_BYTES = 256
FLOATS = [torch.float64, torch.float32, torch.float16, torch.bfloat16]
INFINITY = float("inf")

differences = collections.Counter()
agreements = collections.Counter()


def fail(message):
    raise AssertionError(message)


def bits(tensor):
    """The bits of a tensor, as NumPy compares them."""
    type = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
    return tensor.contiguous().view(type[tensor.element_size()]).numpy()


def same_bits(a, b, what):
    """Equal to the last bit, but for which NaN it is."""
    if a.shape != b.shape:
        fail(f"{what}: shapes {tuple(a.shape)} and {tuple(b.shape)}")
    different = bits(a) != bits(b)
    if a.is_floating_point():
        different &= ~(torch.isnan(a) & torch.isnan(b)).numpy()
    if different.any():
        at = tuple(np.argwhere(different)[0])
        fail(f"{what}: {a[at].item()!r} and {b[at].item()!r} at {at}")


def close(ours, theirs, bound, what):
    ours, theirs = ours.double(), theirs.double()
    bound = torch.as_tensor(bound, dtype=torch.float64).expand_as(ours)
    same = (ours == theirs) | (torch.isnan(ours) & torch.isnan(theirs))
    wrong = ~(same | ((ours - theirs).abs() <= bound))
    if wrong.any():
        at = tuple(wrong.nonzero()[0].tolist())
        fail(f"{what}: {ours[at].item()!r} and {theirs[at].item()!r} at {at}, "
             f"bound {bound[at].item()!r}")


# ---------------------------------------------------------------------------
# The contract
# ---------------------------------------------------------------------------


def accumulator(dtype):
    return np.float64 if dtype == torch.float64 else np.float32


def to_numpy(tensor):
    """The values as the type that sums are taken in."""
    if tensor.dtype in (torch.float16, torch.bfloat16):
        tensor = tensor.float()
    return tensor.detach().contiguous().numpy()


def round_to(values, dtype):
    """Rounds once to `dtype`: float64 goes to the 16-bit types by way of float32,
    rounded to odd."""
    values = np.asarray(values)
    if values.dtype == np.float64 and dtype in (torch.float16, torch.bfloat16):
        with np.errstate(all="ignore"):
            nearest = values.astype(np.float32)
            back = nearest.astype(np.float64)
            raw = nearest.view(np.int32) - (np.abs(back) > np.abs(values))
            raw = raw | ~((back == values) | np.isnan(values))
        values = raw.astype(np.int32).view(np.float32)
    return torch.from_numpy(np.ascontiguousarray(values)).to(dtype)


def name_rows(indices, num_rows, mode, padding_idx):
    """The row that each flat position names, or -1."""
    rows = indices.reshape(-1).long().numpy().copy()
    if mode == "clamp":
        rows = np.clip(rows, 0, num_rows - 1) if num_rows else np.full_like(rows, -1)
    rows[(rows < 0) | (rows >= num_rows)] = -1
    if padding_idx is not None:
        rows[rows == padding_idx % num_rows] = -1
    return rows


def frequency_scales(rows, type):
    unique, inverse, counts = np.unique(rows, return_inverse=True, return_counts=True)
    return (1.0 / counts).astype(type)[inverse]


def sum_rows(terms, type):
    """Chunks in order from zero, then pairwise."""
    chunks = []
    for begin in range(0, len(terms), CHUNK):
        total = np.zeros(terms.shape[1], type)
        for term in terms[begin : begin + CHUNK]:
            total = total + term
        chunks.append(total)
    distance = 1
    while distance < len(chunks):
        for i in range(0, len(chunks) - distance, 2 * distance):
            chunks[i] = chunks[i] + chunks[i + distance]
        distance *= 2
    return chunks[0]


def reference_sums(values, rows, scaled):
    """{row: sum}, in ascending order of rows."""
    type = accumulator(values.dtype)
    terms = to_numpy(values)
    if scaled:
        terms = terms * frequency_scales(rows, type)[:, None]
    order = np.argsort(rows, kind="stable")
    order = order[rows[order] >= 0]
    unique, begins = np.unique(rows[order], return_index=True)
    groups = np.split(order, begins[1:]) if len(unique) else []
    return {
        row: round_to(sum_rows(terms[group], type), values.dtype)
        for row, group in zip(unique.tolist(), groups)
    }


def reference_norm(row, p, dtype):
    """The p-norm as a float64 that `dtype` holds."""
    x = np.abs(row.astype(np.float64))
    none = INFINITY if p == -INFINITY else 0.0
    partial = np.full(PARTIAL_SUMS, none)
    if p == 0:
        terms = (x != 0).astype(np.float64)
    elif p == 2:
        terms = x * x
    elif p == 1 or math.isinf(p):
        terms = x
    else:
        terms = np.power(x, p)
    combine = np.add
    if math.isinf(p):
        combine = np.maximum if p > 0 else np.minimum
    for begin in range(0, len(terms), PARTIAL_SUMS):
        piece = terms[begin : begin + PARTIAL_SUMS]
        partial[: len(piece)] = combine(partial[: len(piece)], piece)
    half = PARTIAL_SUMS // 2
    while half:
        partial = combine(partial[:half], partial[half:])
        half //= 2
    norm = partial[0]
    if p == 2:
        norm = np.sqrt(norm)
    elif p not in (0, 1) and not math.isinf(p):
        norm = np.power(norm, 1.0 / p)
    return float(round_to(np.array([norm]), dtype).double()[0])


def reference_renorm(table, rows, max_norm, p):
    result = table.clone()
    if table.shape[1] == 0:
        return result
    type = accumulator(table.dtype)
    for row in np.unique(rows[rows >= 0]):
        values = to_numpy(table[int(row)])
        norm = reference_norm(values, p, table.dtype)
        if norm > max_norm:
            factor = round_to(np.array([max_norm / (norm + 1e-7)]), table.dtype)
            scaled = values * to_numpy(factor).astype(type)[0]
            result[int(row)] = round_to(scaled, table.dtype)
    return result


# ---------------------------------------------------------------------------
# Cases
# ---------------------------------------------------------------------------


class Output:
    """A copy of a tensor, strides included, with something around and between."""

    def __init__(self, tensor):
        self.margin = MARGIN_BYTES // tensor.element_size()
        extent = 1 + sum((size - 1) * stride
                         for size, stride in zip(tensor.shape, tensor.stride()))
        if tensor.numel() == 0:
            extent = 0
        self.storage = torch.full((extent + 2 * self.margin,), 55, dtype=tensor.dtype)
        self.tensor = self.view(self.storage, tensor)
        self.tensor.copy_(tensor)

    def view(self, storage, tensor):
        return storage.as_strided(tensor.shape, tensor.stride(), self.margin)

    def check_surroundings(self):
        is_outside = torch.ones(self.storage.shape, dtype=torch.bool)
        self.view(is_outside, self.tensor).fill_(False)
        changed = (self.storage != 55) & is_outside
        if changed.any():
            at = int(changed.nonzero()[0]) - self.margin
            fail(f"element {at} of an output's memory is written, which is not the output's")


class Case:
    def __init__(self, seed, number, engines):
        self.random = np.random.default_rng([seed, number])
        self.generator = torch.Generator().manual_seed(
            int(self.random.integers(2**62))
        )
        self.engines = engines
        self.dtype = FLOATS[self.random.integers(4)]
        self.index_type = [torch.int32, torch.int64][self.random.integers(2)]
        self.num_rows = int(self.choose(NUM_ROWS))
        self.row_length = int(self.choose(ROW_LENGTHS))
        if self.num_rows * self.row_length > 4_000_000:
            self.num_rows = 1000
        self.is_large = number % 40 == LARGE_CASE or bool(self.random.random() < 0.02)
        if self.is_large:
            self.num_rows, self.row_length = LARGE
        self.mode = self.choose(["check", "check", "check", "clamp", "zero"])
        self.indices = self.draw_indices()
        self.padding_idx = None
        if self.random.random() < 0.5:
            # Often one that is there.
            row = int(self.random.integers(self.num_rows))
            if self.indices.numel() and self.random.random() < 0.7:
                flat = self.indices.reshape(-1)
                row = int(flat[self.random.integers(len(flat))])
            if 0 <= row < self.num_rows:
                self.padding_idx = row - self.num_rows * int(self.random.integers(2))
        self.scale_grad_by_freq = bool(self.random.random() < 0.4)
        self.bad_positions = []

    def choose(self, options):
        return options[self.random.integers(len(options))]

    def describe(self):
        return (f"{self.dtype}, {self.index_type}, V = {self.num_rows}, "
                f"D = {self.row_length}, indices {tuple(self.indices.shape)} "
                f"strides {self.indices.stride()}, mode {self.mode}, padding_idx "
                f"{self.padding_idx}, scale_grad_by_freq {self.scale_grad_by_freq}")

    def stride(self, tensor, can_expand=False):
        """The same values behind other strides, at times."""
        kind = self.random.random()
        if kind < 0.5 or tensor.dim() == 0:
            return tensor
        if kind < 0.65 and tensor.dim() > 1:
            return tensor.transpose(0, -1).contiguous().transpose(0, -1)
        if kind < 0.85:
            shape = [size + int(self.random.integers(3)) for size in tensor.shape]
            padded = torch.zeros(shape, dtype=tensor.dtype)
            part = padded[tuple(slice(size) for size in tensor.shape)]
            part.copy_(tensor)
            return part
        if can_expand and tensor.numel():
            return tensor.reshape(-1)[:1].expand(tensor.shape)
        shape = list(tensor.shape[:-1]) + [2 * tensor.shape[-1]]
        spread = torch.zeros(shape, dtype=tensor.dtype)
        part = spread[..., ::2]
        part.copy_(tensor)
        return part

    def draw_indices(self):
        count = int(self.choose(COUNTS))
        distribution = self.choose(
            ["uniform", "uniform", "zipf", "equal", "sorted", "reversed", "half"]
        )
        if count in EDGE_COUNTS and self.random.random() < 0.5:
            distribution = "equal"
        draw = lambda: self.random.integers(0, self.num_rows, count)
        if distribution == "zipf":
            flat = np.minimum(self.random.zipf(1.3, count) - 1, self.num_rows - 1)
        elif distribution == "equal":
            flat = np.full(count, self.random.integers(self.num_rows))
        elif distribution == "half":
            flat = np.where(self.random.random(count) < 0.5, self.num_rows // 2, draw())
        else:
            flat = draw()
            if distribution != "uniform":
                flat = np.sort(flat)[:: 1 if distribution == "sorted" else -1]
        if self.mode != "check" and count:
            bad = self.random.random(count) < 0.2
            flat = np.where(bad, self.random.integers(-5, 2 * self.num_rows, count), flat)
        indices = torch.from_numpy(flat.astype(np.int64).copy()).to(self.index_type)
        if count == 1 and self.random.random() < 0.5:
            return indices.reshape([])
        if count % 4 == 0 and self.random.random() < 0.4:
            indices = indices.reshape(2, count // 4, 2)
        elif count % 2 == 0 and self.random.random() < 0.4:
            indices = indices.reshape(count // 2, 2)
        return self.stride(indices)

    def draw_floats(self, *shape):
        values = torch.randn(*shape, generator=self.generator, dtype=torch.float64)
        if self.random.random() < 0.3 and values.numel():
            special = torch.tensor([float("nan"), INFINITY, -INFINITY, -0.0, 0.0, 1e-30])
            flat = values.view(-1)
            for _ in range(1 + flat.numel() // 500):
                flat[self.random.integers(flat.numel())] = special[
                    self.random.integers(len(special))
                ].double()
        return values.to(self.dtype)

    def empty(self, *shape, dtype=None):
        """An output that holds garbage."""
        return torch.full(shape, 77, dtype=dtype or self.dtype)

    def empty_rows(self):
        return self.stride(self.empty(*self.indices.shape, self.row_length))

    def empty_table(self):
        """A large one is columns of a wider table."""
        if not self.is_large:
            return self.stride(self.empty(self.num_rows, self.row_length))
        gap = int(self.choose([1, 8]))
        return self.empty(self.num_rows, self.row_length + gap)[:, : self.row_length]

    def run(self, call, *outputs):
        """Calls with one thread and with three, on copies of the outputs; returns
        those of the first and what the call returned."""
        results = []
        for engine in self.engines:
            copies = [Output(output) for output in outputs]
            returned = call(engine, *(copy.tensor for copy in copies))
            for copy in copies:
                copy.check_surroundings()
            results.append((returned, [copy.tensor for copy in copies]))
        (returned, first), (again, second) = results
        if returned != again:
            fail(f"{returned} with one thread and {again} with three")
        if returned is not None:
            first = [tensor[:returned] for tensor in first]
            second = [tensor[:returned] for tensor in second]
        for a, b in zip(first, second):
            same_bits(a, b, "one thread and three")
        return returned, first

    def rows(self, padding_idx=None):
        return name_rows(self.indices, self.num_rows, self.mode, padding_idx)

    def torch_indices(self):
        return self.indices.contiguous()

    def agrees(self, name):
        agreements[name] += 1

    def differs(self, name):
        differences[name] += 1

    def torch_cannot(self):
        """Whether PyTorch has nothing like the mode."""
        if self.mode != "check":
            self.differs("out_of_range modes other than check: torch has none")
            return True
        return False

    # Operations -----------------------------------------------------------

    def lookup(self):
        table = self.stride(self.draw_floats(self.num_rows, self.row_length))
        _, (out,) = self.run(
            lambda engine, out: engine.lookup(table, self.indices, out, self.mode),
            self.empty_rows(),
        )
        rows = self.rows()
        expected = torch.zeros(len(rows), self.row_length, dtype=self.dtype)
        kept = torch.from_numpy(rows >= 0)
        expected[kept] = table[torch.from_numpy(rows[rows >= 0])]
        same_bits(out.reshape(expected.shape), expected, "lookup and contract")
        if self.torch_cannot():
            return
        same_bits(out, F.embedding(self.torch_indices(), table), "lookup and torch")
        self.agrees("lookup")

    def draw_renorm(self):
        """A table, a bound and a norm: at times rows have exactly the norm that is the
        bound, and so small that 1e-7 more counts in every type."""
        if self.random.random() < 0.3 and self.row_length >= 4:
            return self.draw_exact_norms()
        max_norm, p = self.draw_norm()
        return self.draw_floats(self.num_rows, self.row_length), max_norm, p

    def draw_exact_norms(self):
        scale = 2.0 ** -20
        kinds = self.random.integers(len(EXACT_ROWS), size=self.num_rows)
        kinds[self.random.random(self.num_rows) < 0.3] = 0
        patterns = np.zeros((len(EXACT_ROWS), self.row_length))
        for pattern, row in zip(patterns, EXACT_ROWS):
            where = self.random.permutation(self.row_length)[: len(row)]
            pattern[where] = row
        table = torch.from_numpy(patterns[kinds] * scale).to(self.dtype)
        p = float(self.choose([2, 2, 1, 0, INFINITY]))
        norm = np.linalg.norm(EXACT_ROWS[0], p)
        return table, float(norm * (1 if p == 0 else scale)), p

    def draw_norm(self):
        max_norm = float(self.choose([0.0, -1.0, 0.5, 1.0, 3.0, 10.0, 100.0, INFINITY]))
        p = float(self.choose([2, 2, 2, 1, 0, INFINITY, -INFINITY, 3, 0.5, -1]))
        return max_norm, p

    def check_renormed(self, table, renormed, max_norm, p, what):
        expected = reference_renorm(table, self.rows(), max_norm, p)
        if p in (0, 1, 2) or math.isinf(p):
            same_bits(renormed, expected, f"{what} and contract")
        else:
            epsilon = torch.finfo(self.dtype).eps
            close(renormed, expected, 8 * epsilon * expected.double().abs().nan_to_num(0, 0, 0)
                  + torch.finfo(self.dtype).tiny, f"{what} and contract")
        if self.torch_cannot():
            return False
        if self.dtype in (torch.float16, torch.bfloat16):
            self.differs("norms of 16-bit tables: rounded once; torch 1.13 has no f16 norm "
                         "on the CPU and accumulates bf16 otherwise")
            return False
        theirs = table.clone().contiguous()
        torch.embedding_renorm_(theirs, self.torch_indices().reshape(-1), max_norm, p)
        special = ~torch.isfinite(table).all(dim=1)
        overflow = (theirs == 0).all(dim=1) & ~(expected == 0).all(dim=1)
        if overflow.any():
            self.differs("norms that overflow only on the way: taken in float64")
        skip = overflow
        if p == 0 or math.isinf(p):
            # torch's 0-norm and infinite norms of rows with NaN depend on its version.
            if special.any():
                self.differs("0-norm and infinite norms of rows with NaN or Inf")
            skip = skip | special
        epsilon = torch.finfo(self.dtype).eps
        scale = table.double().abs().nan_to_num(0, 0, 0)
        bound = 16 * epsilon * (self.row_length ** 0.5) * scale + 1e-12 * epsilon
        # A row whose norm is max_norm but for rounding may go either way.
        unchanged = (theirs == table).all(dim=1) != (renormed == table).all(dim=1)
        norm_is_bound = unchanged & torch.isclose(
            renormed.double(), table.double(), rtol=1e-5).all(dim=1)
        keep = ~(skip | norm_is_bound)
        # max_norm / 1e-7: a row of zeros or of a tiny norm with max_norm below.
        close(renormed[keep], theirs[keep], bound[keep] * max(1.0, 1.0)
              + 16 * epsilon * renormed[keep].double().abs().nan_to_num(0, 0, 0)
              * self.row_length, f"{what} and torch")
        return True

    def renorm(self):
        values, max_norm, p = self.draw_renorm()
        _, (renormed,) = self.run(
            lambda engine, table: engine.renorm(table, self.indices, max_norm, p, self.mode),
            self.stride(values),
        )
        if self.row_length == 0:
            return
        if self.check_renormed(values, renormed, max_norm, p, f"renorm {p} {max_norm}"):
            self.agrees("renorm")

    def lookup_with_renorm(self):
        values, max_norm, p = self.draw_renorm()
        _, (renormed, out) = self.run(
            lambda engine, table, out: engine.lookup(
                table, self.indices, out, self.mode, max_norm, p),
            self.stride(values), self.empty_rows(),
        )
        rows = self.rows()
        expected = torch.zeros(len(rows), self.row_length, dtype=self.dtype)
        expected[torch.from_numpy(rows >= 0)] = renormed[torch.from_numpy(rows[rows >= 0])]
        same_bits(out.reshape(expected.shape), expected, "looked up and renormed table")
        if self.row_length == 0:
            return
        if self.check_renormed(values, renormed, max_norm, p, "lookup with max_norm"):
            self.agrees("lookup with max_norm")

    def draw_grad_output(self):
        return self.stride(
            self.draw_floats(*self.indices.shape, self.row_length), can_expand=True)

    def torch_gradient(self, grad_output, sparse):
        weight = torch.zeros(self.num_rows, self.row_length, dtype=self.dtype,
                             requires_grad=True)
        out = F.embedding(self.torch_indices(), weight, padding_idx=self.padding_idx,
                          scale_grad_by_freq=self.scale_grad_by_freq and not sparse,
                          sparse=sparse)
        out.backward(grad_output.contiguous())
        return weight.grad

    def sum_bound(self, values, rows, scaled):
        """n * eps * sum |x| by row, with room for the last rounding."""
        magnitude = torch.zeros(self.num_rows, self.row_length, dtype=torch.float64)
        kept = torch.from_numpy(rows >= 0)
        index = torch.from_numpy(rows[rows >= 0])
        terms = values.reshape(len(rows), self.row_length)[kept].double().abs().nan_to_num(0, 0, 0)
        magnitude.index_add_(0, index, terms)
        counts = torch.bincount(index, minlength=self.num_rows).double()[:, None]
        eps = np.finfo(accumulator(self.dtype)).eps
        return (counts + 4) * eps * magnitude

    def dense_grad(self):
        grad_output = self.draw_grad_output()
        _, (grad,) = self.run(
            lambda engine, grad: engine.dense_grad(
                grad_output, self.indices, grad, self.padding_idx,
                self.scale_grad_by_freq, self.mode),
            self.empty_table(),
        )
        rows = self.rows(self.padding_idx)
        flat = grad_output.reshape(len(rows), self.row_length)
        expected = torch.zeros(self.num_rows, self.row_length, dtype=self.dtype)
        for row, total in reference_sums(flat, rows, self.scale_grad_by_freq).items():
            expected[row] = total
        same_bits(grad, expected, "dense_grad and contract")
        if self.torch_cannot():
            return
        if self.dtype in (torch.float16, torch.bfloat16):
            self.differs("sums of f16 and bf16: accumulated in f32, rounded once")
            return
        close(grad, self.torch_gradient(grad_output, sparse=False),
              self.sum_bound(flat, rows, self.scale_grad_by_freq), "dense_grad and torch")
        self.agrees("dense_grad")

    def sparse_grad(self):
        grad_output = self.draw_grad_output()
        count = self.indices.numel()
        _, (rows, values) = self.run(
            lambda engine, rows, values: engine.sparse_grad(
                grad_output, self.indices, self.num_rows, rows, values, self.padding_idx,
                self.scale_grad_by_freq, self.mode),
            self.empty(count, dtype=torch.int64),
            self.stride(self.empty(count, self.row_length)),
        )
        named = self.rows(self.padding_idx)
        flat = grad_output.reshape(count, self.row_length)
        expected = flat[torch.from_numpy(named >= 0)]
        if self.scale_grad_by_freq and count:
            type = accumulator(self.dtype)
            scaled = to_numpy(flat) * frequency_scales(named, type)[:, None]
            expected = round_to(scaled, self.dtype)[torch.from_numpy(named >= 0)]
        same_bits(rows, torch.from_numpy(named[named >= 0]), "rows and contract")
        same_bits(values, expected, "values and contract")
        if self.torch_cannot():
            return
        if self.scale_grad_by_freq:
            self.differs("scale_grad_by_freq with sparse gradients: torch refuses")
            return
        if self.indices.dim() == 0 and self.padding_idx is not None:
            self.differs("sparse gradients of a rank-0 index with padding_idx: torch fails")
            return
        if self.row_length == 0:
            self.differs("sparse gradients of empty rows: torch has no entries then")
            return
        theirs = self.torch_gradient(grad_output, sparse=True)
        same_bits(rows, theirs._indices().reshape(-1), "rows and torch")
        same_bits(values, theirs._values().reshape(values.shape), "values and torch")
        self.agrees("sparse_grad")

    def coalesce(self):
        indices = self.indices.reshape(-1)
        count = len(indices)
        values = self.stride(self.draw_floats(count, self.row_length), can_expand=True)
        _, (rows, sums) = self.run(
            lambda engine, rows, sums: engine.coalesce(
                indices, values, self.num_rows, rows, sums, self.mode),
            self.empty(count, dtype=torch.int64),
            self.stride(self.empty(count, self.row_length)),
        )
        named = self.rows()
        expected = reference_sums(values, named, scaled=False)
        same_bits(rows, torch.tensor(list(expected), dtype=torch.int64), "rows and contract")
        total = torch.zeros(0, self.row_length, dtype=self.dtype)
        if expected:
            total = torch.stack(list(expected.values()))
        same_bits(sums, total, "sums and contract")
        if self.torch_cannot():
            return
        if self.dtype in (torch.float16, torch.bfloat16):
            self.differs("sums of f16 and bf16: accumulated in f32, rounded once")
            return
        theirs = torch.sparse_coo_tensor(
            indices.long()[None], values.contiguous(), (self.num_rows, self.row_length)
        ).coalesce()
        same_bits(rows, theirs.indices()[0], "rows and torch")
        close(sums, theirs.values(), self.sum_bound(values, named, False)[rows],
              "sums and torch")
        self.agrees("coalesce")

    def double_backward(self):
        table = self.stride(self.draw_floats(self.num_rows, self.row_length))
        _, (out,) = self.run(
            lambda engine, out: engine.double_backward(
                table, self.indices, out, self.padding_idx, self.scale_grad_by_freq,
                self.mode),
            self.empty_rows(),
        )
        named = self.rows(self.padding_idx)
        expected = torch.zeros(len(named), self.row_length, dtype=self.dtype)
        kept = torch.from_numpy(named >= 0)
        gathered = table[torch.from_numpy(named[named >= 0])]
        if self.scale_grad_by_freq and len(named):
            scales = frequency_scales(named, accumulator(self.dtype))[named >= 0]
            gathered = round_to(to_numpy(gathered) * scales[:, None], self.dtype)
        expected[kept] = gathered
        same_bits(out.reshape(expected.shape), expected, "double_backward and contract")
        if self.torch_cannot() or out.numel() == 0:
            return
        if self.scale_grad_by_freq:
            self.differs("scale_grad_by_freq in the second derivative: torch refuses")
            return
        weight = torch.zeros(self.num_rows, self.row_length, dtype=self.dtype,
                             requires_grad=True)
        grad_output = torch.zeros(*self.indices.shape, self.row_length, dtype=self.dtype,
                                  requires_grad=True)
        looked_up = F.embedding(self.torch_indices(), weight, padding_idx=self.padding_idx)
        (grad,) = torch.autograd.grad(looked_up, weight, grad_output, create_graph=True)
        (theirs,) = torch.autograd.grad(grad, grad_output, table.contiguous())
        # torch multiplies by a mask, which makes -0.0 of some zeros and keeps NaN.
        close(out, theirs, 0.0, "double_backward and torch")
        self.agrees("double_backward")

    def forward_mode(self):
        """The derivative along a tangent is the lookup of the tangent."""
        tangent = self.draw_floats(self.num_rows, self.row_length)
        _, (out,) = self.run(
            lambda engine, out: engine.lookup(tangent, self.indices, out, self.mode),
            self.empty_rows(),
        )
        if self.torch_cannot():
            return
        with forward_ad.dual_level():
            weight = forward_ad.make_dual(torch.zeros_like(tangent), tangent)
            theirs = forward_ad.unpack_dual(
                F.embedding(self.torch_indices(), weight, padding_idx=self.padding_idx)
            ).tangent
        same_bits(out, theirs, "forward mode and torch")
        self.agrees("forward mode")

    def bad_index(self):
        """A failing call says where, and writes nothing."""
        count = self.indices.numel()
        if count == 0:
            return
        flat = self.indices.reshape(-1).clone().clamp(0, self.num_rows - 1)
        where = {"first": [0], "last": [count - 1], "middle": [count // 2],
                 "many": sorted(set(self.random.integers(0, count, 5).tolist()))}
        positions = where[self.choose(list(where))]
        limit = torch.iinfo(self.index_type)
        for position in positions:
            flat[position] = int(self.choose([-1, self.num_rows, limit.min, limit.max]))
        indices = self.stride(flat.reshape(self.indices.shape))
        shape = [*self.indices.shape, self.row_length]
        grad_output = self.draw_floats(*shape)
        table = self.draw_floats(self.num_rows, self.row_length)
        rows = self.empty(count, dtype=torch.int64)
        values = self.empty(count, self.row_length)
        out = self.empty(*shape)
        before = [t.clone() for t in (table, rows, values, out)]
        name, call = self.choose([
            ("renorm", lambda e: e.renorm(table, indices, 0.1)),
            ("lookup", lambda e: e.lookup(table, indices, out, max_norm=0.1)),
            ("dense", lambda e: e.dense_grad(grad_output, indices, table)),
            ("sparse", lambda e: e.sparse_grad(
                grad_output, indices, self.num_rows, rows, values)),
            ("coalesce", lambda e: e.coalesce(
                indices.reshape(-1), grad_output.reshape(count, self.row_length),
                self.num_rows, rows, values)),
            ("double", lambda e: e.double_backward(table, indices, out)),
        ])
        for engine in self.engines:
            try:
                call(engine)
                fail(f"{name}: no error")
            except Error as error:
                found = (error.code, error.position, error.index, error.count)
                expected = (2, positions[0], int(flat[positions[0]]), len(positions))
                if found != expected:
                    fail(f"{name}: {found} instead of {expected}")
            for tensor, old in zip((table, rows, values, out), before):
                same_bits(tensor, old, f"{name}: before and after a failing call")
        self.differs("an index out of range: reported before anything is written")


OPERATIONS = ["lookup", "renorm", "lookup_with_renorm", "dense_grad", "dense_grad",
              "sparse_grad", "coalesce", "double_backward", "forward_mode", "bad_index"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("library", help="libembedding-runtime.so")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--cases", type=int, default=400)
    parser.add_argument("--first", type=int, default=0, help="the number of the first case")
    parser.add_argument("--case", type=int, help="run this case alone")
    parser.add_argument("--cache-dir", default="")
    parser.add_argument("--naive", action="store_true")
    arguments = parser.parse_args()
    seed = arguments.seed
    if seed is None:
        seed = int(np.random.SeedSequence().entropy % 2**31)
    print(f"torch {torch.__version__}, seed {seed}, {arguments.cases} cases")
    engines = [Engine(arguments.library, threads, arguments.cache_dir, int(arguments.naive))
               for threads in (1, 3)]
    np.seterr(all="ignore")
    failures = 0
    numbers = range(arguments.first, arguments.first + arguments.cases)
    if arguments.case is not None:
        numbers = [arguments.case]
    for number in numbers:
        case = Case(seed, number, engines)
        operation = OPERATIONS[number % len(OPERATIONS)]
        try:
            getattr(case, operation)()
        except Exception as error:
            failures += 1
            print(f"FAILED: --seed {seed} --case {number}: {operation}, "
                  f"{case.describe()}\n  {type(error).__name__}: {error}")
            if failures >= 20:
                break
        if sys.stderr.isatty() and number % 100 == 0:
            print(f"{number} / {arguments.cases}", end="\r", file=sys.stderr)
    print("agree with torch and the contract:")
    for name, count in sorted(agreements.items()):
        print(f"  {count:6} {name}")
    print("follow the contract, which leaves torch on purpose:")
    for name, count in sorted(differences.items()):
        print(f"  {count:6} {name}")
    print(f"{len(numbers) - failures} passed, {failures} failed")
    return failures != 0


if __name__ == "__main__":
    sys.exit(main())
