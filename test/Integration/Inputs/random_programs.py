"""Compiles and runs random programs around lookups, and compares with NumPy.

A program is a lookup, or a few, with what models put behind it: scales, biases,
positions, norms, products, sums, casts, gradients, slices, padding, concatenations
and windows, on tensors of static or dynamic shape. Data are small integers, so that but for norms every value is exact.
"""

import argparse
import os
import sys

import numpy as np

from ir_modules import Engine, Error, Module

DTYPES = {"f32": np.float32, "f64": np.float64, "f16": np.float16}
BODIES = {"add": "arith.addf", "mul": "arith.mulf", "max": "arith.maximumf",
          "sub": "arith.subf"}
OPERATIONS = {"add": np.add, "mul": np.multiply, "max": np.maximum, "sub": np.subtract}


class Program:
    """A function under construction, and what it computes in NumPy."""

    def __init__(self, rng, name):
        self.rng, self.name = rng, name
        self.lines, self.parameters, self.arguments = [], [], []
        self.count = 0
        self.is_static = rng.random() < 0.5
        # Bounds of the values, and of how far from them the computed ones may be:
        # integers are exact until a norm divides.
        self.bound, self.error = 3.0, 0.0

    def fresh(self):
        self.count += 1
        return f"%v{self.count - 1}"

    def type(self, array):
        element = {"i8": "i64", "i4": "i32", "f4": "f32", "f8": "f64", "f2": "f16"}[
            array.dtype.str[1:]]
        sizes = array.shape if self.is_static else ("?",) * array.ndim
        return "tensor<" + "".join(f"{size}x" for size in sizes) + element + ">"

    def argument(self, array):
        value = f"%arg{len(self.arguments)}"
        self.parameters.append(f"{value}: {self.type(array)}")
        self.arguments.append(array)
        return value, array

    def emit(self, text):
        self.lines.append("  " + text)

    def index(self, number):
        value = self.fresh()
        self.emit(f"{value} = arith.constant {number} : index")
        return value

    def number(self, number):
        """An operand of type `index`: a constant, or an argument."""
        if self.rng.random() < 0.5:
            return self.index(number)
        value = f"%arg{len(self.arguments)}"
        self.parameters.append(f"{value}: index")
        self.arguments.append(int(number))
        return value

    def numbers(self, numbers, is_shape=False):
        """The text of a list of operands, those that types tell as they are."""
        return ", ".join(str(number) if is_shape and self.is_static else self.number(number)
                         for number in numbers)

    def empty(self, array, sizes):
        """A destination of the type of `array`. `sizes` are values and dimensions
        that say its sizes."""
        value = self.fresh()
        dynamic = []
        if not self.is_static:
            for (source, like), dim in sizes:
                size = self.fresh()
                self.emit(f"{size} = tensor.dim {source}, {self.index(dim)} : {self.type(like)}")
                dynamic.append(size)
        self.emit(f"{value} = tensor.empty({', '.join(dynamic)}) : {self.type(array)}")
        return value

    def fill(self, array, sizes, number):
        empty, constant, value = self.empty(array, sizes), self.fresh(), self.fresh()
        element = self.type(array)[:-1].split("x")[-1].removeprefix("tensor<")
        self.emit(f"{constant} = arith.constant {number:e} : {element}")
        self.emit(f"{value} = linalg.fill ins({constant} : {element}) outs({empty} : "
                  f"{self.type(array)}) -> {self.type(array)}")
        return value

    def generic(self, inputs, maps, output, init, iterators, body, element):
        """linalg.generic; `body` is lines over %a, %b, ... that yield %y."""
        value = self.fresh()
        names = [f"%{chr(ord('a') + i)}" for i in range(len(inputs) + 1)]
        dims = ", ".join(f"d{i}" for i in range(len(iterators)))
        texts = [f"affine_map<({dims}) -> ({results})>" for results in maps]
        ins = ""
        if inputs:
            ins = (f"ins({', '.join(v for v, _ in inputs)} : "
                   f"{', '.join(self.type(a) for _, a in inputs)}) ")
        elements = [self.element(a) for _, a in inputs] + [element]
        self.emit(f"{value} = linalg.generic {{indexing_maps = [{', '.join(texts)}], "
                  f"iterator_types = [{', '.join(chr(34) + i + chr(34) for i in iterators)}]}} "
                  f"{ins}outs({init} : {self.type(output)}) {{")
        self.emit(f"^bb0({', '.join(f'{n}: {e}' for n, e in zip(names, elements))}):")
        for line in body:
            self.emit("  " + line)
        self.emit(f"  linalg.yield %y : {element}")
        self.emit(f"}} -> {self.type(output)}")
        return value, output

    def element(self, array):
        return self.type(array)[:-1].split("x")[-1].removeprefix("tensor<")

    def rounded(self, array, operations, growth):
        """A step that rounds so many times, and makes errors so much larger."""
        if self.error:
            self.error = self.error * growth + (
                (operations + 1) * self.bound * np.finfo(array.dtype).eps)

    # What a program may do to rows of shape [n, d].

    def data(self, *shape, dtype):
        return self.rng.integers(-3, 4, shape).astype(dtype)

    def lookup(self, n, d, dtype):
        rows = int(self.rng.choice([1, 2, 5, 64, 100]))
        index = self.rng.choice([np.int32, np.int64])
        table = self.argument(self.data(rows, d, dtype=dtype))
        mode = self.rng.choice(["", "out_of_range(assume) ", "out_of_range(clamp) ",
                                "out_of_range(zero) "])
        low, high = (-2, rows + 2) if "clamp" in mode or "zero" in mode else (0, rows)
        indices = self.argument(self.rng.integers(low, high, n).astype(index))
        named = indices[1]
        expected = table[1][np.clip(named, 0, rows - 1)]
        if "zero" in mode:
            expected = np.where(((named >= 0) & (named < rows))[:, None], expected,
                                np.zeros((), dtype))
        init = self.empty(expected, [(indices, 0), (table, 1)])
        value = self.fresh()
        self.emit(f"{value} = embedding.lookup {mode}ins({table[0]}, {indices[0]} : "
                  f"{self.type(table[1])}, {self.type(indices[1])}) outs({init} : "
                  f"{self.type(expected)}) -> {self.type(expected)}")
        return value, expected

    def combine(self, rows):
        """Adds, multiplies, ... with a scalar, a bias, a scale per row or rows."""
        value, array = rows
        n, d = array.shape
        kind = self.rng.choice(list(BODIES))
        if self.bound * 3 > 1000:
            kind = "max"
        self.bound = self.bound * 3 if kind == "mul" else self.bound + 3
        self.rounded(array, 1, 3 if kind == "mul" else 1)
        form = self.rng.choice(["scalar", "columns", "rows", "all"])
        shape = {"scalar": (), "columns": (d,), "rows": (n,), "all": (n, d)}[form]
        other = self.argument(self.data(*shape, dtype=array.dtype))
        maps = {"scalar": "", "columns": "d1", "rows": "d0", "all": "d0, d1"}
        broadcast = other[1][:, None] if form == "rows" else other[1]
        expected = OPERATIONS[kind](array, broadcast).astype(array.dtype)
        element = self.element(array)
        return self.generic(
            [rows, other], ["d0, d1", maps[form], "d0, d1"], expected,
            self.empty(expected, [(rows, 0), (rows, 1)]), ["parallel"] * 2,
            [f"%y = {BODIES[kind]} %a, %b : {element}"], element)

    def positions(self, rows):
        """Adds the number of the row or column."""
        array = rows[1]
        dim = int(self.rng.integers(2))
        numbers = np.indices(array.shape)[dim].astype(array.dtype)
        self.bound += max(array.shape)
        self.rounded(array, 1, 1)
        element = self.element(array)
        expected = array + numbers
        return self.generic(
            [rows], ["d0, d1", "d0, d1"], expected,
            self.empty(expected, [(rows, 0), (rows, 1)]), ["parallel"] * 2,
            [f"%i = linalg.index {dim} : index",
             "%j = arith.index_cast %i : index to i64",
             f"%p = arith.sitofp %j : i64 to {element}",
             f"%y = arith.addf %a, %p : {element}"], element)

    def layer_norm(self, rows):
        array = rows[1]
        element = self.element(array)
        n, d = array.shape
        column = np.zeros(n, array.dtype)

        def reduce(source):
            zeros = self.fill(column, [(rows, 0)], 0.0)
            return self.generic([source], ["d0, d1", "d0"], column, zeros,
                                ["parallel", "reduction"],
                                [f"%y = arith.addf %a, %b : {element}"], element)

        def rowwise(inputs, maps, body):
            return self.generic(inputs, maps + ["d0, d1"], array,
                                self.empty(array, [(rows, 0), (rows, 1)]),
                                ["parallel"] * 2, body, element)

        total = reduce(rows)
        centred = rowwise([rows, total], ["d0, d1", "d0"], [
            f"%l = arith.constant {float(d):e} : {element}",
            f"%m = arith.divf %b, %l : {element}", f"%y = arith.subf %a, %m : {element}"])
        squares = rowwise([centred], ["d0, d1"], [f"%y = arith.mulf %a, %a : {element}"])
        variance = reduce(squares)
        result = rowwise([centred, variance], ["d0, d1", "d0"], [
            f"%l = arith.constant {float(d):e} : {element}",
            f"%e = arith.constant 1.0e-5 : {element}",
            f"%v = arith.divf %b, %l : {element}", f"%w = arith.addf %v, %e : {element}",
            f"%s = math.sqrt %w : {element}", f"%y = arith.divf %a, %s : {element}"])
        exact = array.astype(np.float64)
        mean = exact.mean(axis=1, keepdims=True)
        exact = exact - mean
        deviation = np.sqrt((exact**2).mean(axis=1, keepdims=True) + 1e-5)
        exact /= deviation
        # The mean is rounded once, and the quotient magnifies that.
        magnified = np.where((array == mean).all(axis=1, keepdims=True), 0, mean / deviation)
        self.bound = np.sqrt(d)
        self.error = 8 * np.finfo(array.dtype).eps * (
            d * self.bound + np.abs(magnified).max(initial=0))
        return result[0], exact.astype(array.dtype)

    def matmul(self, rows):
        value, array = rows
        n, d = array.shape
        m = int(self.rng.choice([1, 2, 7, 16]))
        weight = self.argument(self.data(d, m, dtype=array.dtype))
        expected = (array.astype(np.float64) @ weight[1]).astype(array.dtype)
        self.bound *= 3 * d
        self.rounded(array, d, 3 * d)
        zeros = self.fill(expected, [(rows, 0), (weight, 1)], 0.0)
        result = self.fresh()
        self.emit(f"{result} = linalg.matmul ins({value}, {weight[0]} : {self.type(array)}, "
                  f"{self.type(weight[1])}) outs({zeros} : {self.type(expected)}) "
                  f"-> {self.type(expected)}")
        return result, expected

    def transpose(self, rows):
        value, array = rows
        expected = np.ascontiguousarray(array.T)
        init, result = self.empty(expected, [(rows, 1), (rows, 0)]), self.fresh()
        self.emit(f"{result} = linalg.transpose ins({value} : {self.type(array)}) outs({init} : "
                  f"{self.type(expected)}) permutation = [1, 0]")
        return result, expected

    def add_lookup(self, rows):
        array = rows[1]
        other = self.lookup(*array.shape, array.dtype)
        self.bound += 3
        self.rounded(array, 1, 1)
        expected = array + other[1]
        element = self.element(array)
        return self.generic(
            [rows, other], ["d0, d1"] * 3, expected,
            self.empty(expected, [(rows, 0), (rows, 1)]), ["parallel"] * 2,
            [f"%y = arith.addf %a, %b : {element}"], element)

    def to_f64(self, rows):
        array = rows[1]
        if array.dtype == np.float64:
            return rows
        expected = array.astype(np.float64)
        return self.generic(
            [rows], ["d0, d1"] * 2, expected,
            self.empty(expected, [(rows, 0), (rows, 1)]), ["parallel"] * 2,
            [f"%y = arith.extf %a : {self.element(array)} to f64"], "f64")

    def dense_grad(self, rows):
        value, array = rows
        n, d = array.shape
        count = int(self.rng.choice([1, 3, 64]))
        like = self.argument(self.data(count, d, dtype=array.dtype))
        indices = self.argument(self.rng.integers(0, count, n))
        expected = np.zeros((count, d), np.float64)
        np.add.at(expected, indices[1], array.astype(np.float64))
        expected = expected.astype(array.dtype)
        self.bound *= n
        self.rounded(array, n, n)
        init, result = self.empty(expected, [(like, 0), (like, 1)]), self.fresh()
        self.emit(f"{result} = embedding.dense_grad ins({value}, {indices[0]} : {self.type(array)}, "
                  f"{self.type(indices[1])}) outs({init} : {self.type(expected)}) "
                  f"-> {self.type(expected)}")
        return result, expected

    # MLIR wants static offsets of slices, of no elements too, to be those of elements:
    # what is empty is not sliced, nor what is made of slices.

    def slice(self, rows):
        value, array = rows
        strides = self.rng.integers(1, 4, 2)
        if 0 in array.shape:
            return rows
        offsets = [int(self.rng.integers(0, size)) for size in array.shape]
        sizes = [int(self.rng.integers(0, -(-(size - offset) // stride) + 1))
                 for size, offset, stride in zip(array.shape, offsets, strides)]
        if self.rng.random() < 0.5:
            # All that are left.
            sizes = [-(-(size - offset) // stride)
                     for size, offset, stride in zip(array.shape, offsets, strides)]
        sizes = [int(size) for size in sizes]
        expected = np.ascontiguousarray(array[tuple(
            slice(offset, offset + size * stride, stride)
            for offset, size, stride in zip(offsets, sizes, strides))])
        result = self.fresh()
        at = (f"[{self.numbers(offsets)}] [{self.numbers(sizes, is_shape=True)}] "
              f"[{self.numbers(strides)}]")
        self.emit(f"{result} = tensor.extract_slice {value}{at} : {self.type(array)} to "
                  f"{self.type(expected)}")
        return result, expected

    def insert(self, rows):
        value, array = rows
        around = self.rng.integers(0, 3, (2, 2))
        shape = [size + low + high for size, (low, high) in zip(array.shape, around)]
        if 0 in array.shape:
            return rows
        dest = self.argument(self.data(*shape, dtype=array.dtype))
        offsets = [int(low) for low, _ in around]
        expected = dest[1].copy()
        expected[offsets[0]:offsets[0] + array.shape[0],
                 offsets[1]:offsets[1] + array.shape[1]] = array
        self.bound = max(self.bound, 3)
        result = self.fresh()
        at = f"[{self.numbers(offsets)}] [{self.numbers(array.shape, is_shape=True)}] [1, 1]"
        self.emit(f"{result} = tensor.insert_slice {value} into {dest[0]}{at} : "
                  f"{self.type(array)} into {self.type(expected)}")
        return result, expected

    def pad(self, rows):
        value, array = rows
        if 0 in array.shape:
            return rows
        around = self.rng.integers(0, 4, (2, 2))
        expected = np.pad(array, around, constant_values=2)
        self.bound = max(self.bound, 2)
        result, constant = self.fresh(), self.fresh()
        element = self.element(array)
        self.emit(f"{constant} = arith.constant 2.0 : {element}")
        by = f"low[{self.numbers(around[:, 0])}] high[{self.numbers(around[:, 1])}]"
        self.emit(f"{result} = tensor.pad {value} {by} {{ ^bb0(%i: index, %j: index): "
                  f"tensor.yield {constant} : {element} }} : {self.type(array)} to "
                  f"{self.type(expected)}")
        return result, expected

    def concat(self, rows):
        array = rows[1]
        if 0 in array.shape:
            return rows
        dim = int(self.rng.integers(2))
        shape = list(array.shape)
        shape[dim] = int(self.rng.integers(self.is_static, 5))
        other = self.argument(self.data(*shape, dtype=array.dtype))
        both = [rows, other, rows][:int(self.rng.integers(2, 4))]
        self.bound = max(self.bound, 3)
        expected = np.concatenate([part for _, part in both], axis=dim)
        result = self.fresh()
        self.emit(f"{result} = tensor.concat dim({dim}) {', '.join(v for v, _ in both)} : "
                  f"({', '.join(self.type(part) for _, part in both)}) -> {self.type(expected)}")
        return result, expected

    def windows(self, rows):
        """Sums of rows that follow each other."""
        value, array = rows
        count = int(self.rng.integers(1, 4))
        stride = int(self.rng.integers(1, 3))
        if array.shape[0] < count:
            return rows
        windows = np.lib.stride_tricks.sliding_window_view(array, count, axis=0)[::stride]
        expected = np.ascontiguousarray(
            windows.astype(np.float64).sum(axis=-1).astype(array.dtype))
        self.bound *= count
        self.rounded(array, count, count)
        # Says how many rows there are in a window, and how many windows.
        shape = self.argument(self.data(count, dtype=array.dtype))
        outer = self.argument(np.zeros(expected.shape[0], array.dtype))
        element = self.element(array)
        zeros = self.fill(expected, [(outer, 0), (rows, 1)], 0.0)
        return self.generic(
            [rows, shape], [f"d0 * {stride} + d2, d1", "d2", "d0, d1"], expected, zeros,
            ["parallel", "parallel", "reduction"], [f"%y = arith.addf %a, %c : {element}"], element)

    STEPS = [combine, combine, combine, positions, layer_norm, matmul, transpose,
             add_lookup, to_f64, dense_grad, slice, insert, pad, concat, windows]

    def build(self, steps=None):
        n = int(self.rng.choice([0, 1, 2, 3, 17, 64]))
        d = int(self.rng.choice([1, 2, 3, 8, 17, 64]))
        if steps:
            n, d = max(n, 1), max(d, 2)
        element = self.rng.choice(["f32", "f64"] if steps else ["f32", "f32", "f64", "f16"])
        rows = self.lookup(n, d, DTYPES[element])
        if steps is None:
            steps = self.rng.choice(np.array(self.STEPS, dtype=object), self.rng.integers(0, 5))
        for step in steps:
            # Half has 11 bits, and single 24.
            limit = {2: 16, 4: 2**18, 8: 2**40}[rows[1].itemsize]
            if self.bound * max(rows[1].size, 1) * 3 > limit and step not in (
                    Program.transpose, Program.to_f64):
                continue
            if step is Program.layer_norm and (
                    rows[1].dtype == np.float16 or rows[1].shape[1] == 0 or self.error):
                continue
            rows = step(self, rows)
        self.value, self.expected = rows

    def text(self):
        return "\n".join([
            f"func.func @{self.name}({', '.join(self.parameters)}) -> {self.type(self.expected)} {{",
            *self.lines, f"  return {self.value} : {self.type(self.expected)}", "}"])

    def is_right(self, got):
        return (got.shape == self.expected.shape and
                np.abs(got - self.expected).max(initial=0) <= self.error)


# Programs that users had and that did not compile, first.
FIXED = [
    [Program.layer_norm, Program.matmul],
    [Program.combine], [Program.positions], [Program.positions, Program.layer_norm],
    [Program.dense_grad], [Program.add_lookup, Program.matmul, Program.dense_grad],
]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("library")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument("--batch", type=int, default=10, help="functions in a module")
    options = parser.parse_args()
    os.environ["EMBEDDING_CACHE_DIR"] = ""
    engine = Engine(options.library)
    failures = 0
    for first in range(0, options.cases, options.batch):
        programs = []
        for case in range(first, min(first + options.batch, options.cases)):
            program = Program(np.random.default_rng([options.seed, case]), f"case{case}")
            program.build(FIXED[case] if case < len(FIXED) else None)
            programs.append(program)
        text = "\n".join(program.text() for program in programs)
        try:
            module = Module(engine, text.encode())
        except Error as error:
            print(f"--seed {options.seed}, cases from {first}: {error}\n{text}")
            failures += 1
            continue
        for program in programs:
            got = np.full_like(program.expected, 77)
            try:
                module.call(program.name, *program.arguments, got)
            except Error as error:
                print(f"--seed {options.seed}: {program.name}: {error}\n{program.text()}")
                failures += 1
                continue
            if not program.is_right(got):
                print(f"--seed {options.seed}: {program.name}: expected\n{program.expected}\n"
                      f"but got\n{got}\n{program.text()}")
                failures += 1
    print(f"{options.cases} programs, {failures} wrong")
    return failures != 0


if __name__ == "__main__":
    sys.exit(main())
