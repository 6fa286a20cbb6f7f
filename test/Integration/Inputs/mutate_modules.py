"""Compiles mutated IR by embedding_module_compile, in this process.

What is not IR any more, or nothing that can be compiled, has to be an error: this
process lives on, and a mutant that compiles is destroyed. The compiler's own end, as
far as it can be provoked at all, is an error too, and is counted.
"""

import argparse
import collections
import os
import pathlib
import re
import resource
import signal
import subprocess
import sys
import threading
import time

import numpy as np

from ir_modules import COMPILER_ERROR, Engine, Error, Module

NUMBERS = ["0", "1", "-1", "2", "7", "64", "255", "65536", "2147483648", "4294967296",
           "1152921504606846976", "2305843009213693952", "4611686018427387904",
           "9223372036854775807", "9223372036854775808", "18446744073709551616", "1.0e400",
           "0xFF"]
TYPES = ["f32", "f64", "f16", "bf16", "i0", "i1", "i7", "i8", "i32", "i64", "i128", "i16777215",
         "index", "f80", "f128", "f8E5M2", "none", "complex<f32>", "complex<i0>", "vector<4xf32>",
         "vector<[4]xf32>", "vector<0xf32>", "!llvm.ptr", "tuple<>", "memref<?x?xf32>",
         "tensor<*xf32>", "memref<*xi64>", "tensor<4611686018427387904xf32>",
         "memref<?x4xf32, strided<[?, ?], offset: ?>>", "memref<2xf32, 3>", "si32", "ui8"]
LINES = ["%u = vector.vscale", "%u = arith.constant dense<1> : tensor<4611686018427387904xi32>",
         "%u = arith.constant dense<0> : vector<4xi0>", "\"test.unknown\"() : () -> ()",
         "%u = memref.alloc() : memref<4611686018427387904xf32>",
         "%u = memref.alloca() : memref<1099511627776xf32>",
         "llvm.inline_asm \"no such instruction\", \"\" : () -> ()",
         "llvm.inline_asm has_side_effects \"\", \"{nonsense}\" : () -> ()",
         "%u = llvm.mlir.undef : vector<[2]xi64>", "llvm.unreachable", "omp.barrier",
         "%u = tensor.empty() : tensor<0x4611686018427387904xf32>",
         "%u:2 = scf.while : () -> (i0, i0) { scf.condition(%u) } do { scf.yield }",
         "cf.assert %u, \"x\"", "func.call @f() : () -> ()", "gpu.barrier"]
TOKEN = re.compile(r"\s+|//[^\n]*|\"(?:[^\"\\]|\\.)*\"|[%@#!^]?[A-Za-z_][\w.$-]*|-?\d+|->|.")
SIZES = re.compile(r"(?<=[<x])(?:\?|\d+)(?=x)")


def find_seeds(roots):
    """The pieces of the files in which there is a function, in a fixed order: of those
    that are to be compiled, since else hardly a mutant would be."""
    seeds = []
    for root in roots:
        for path in sorted(pathlib.Path(root).rglob("*.mlir")):
            if path.name.startswith("invalid-"):
                continue
            for piece in path.read_text().split("// -----"):
                if "func.func" in piece:
                    code = (line for line in piece.split("\n") if not line.lstrip().startswith("//"))
                    seeds.append("\n".join(code))
    return seeds


class Mutator:
    def __init__(self, rng, seeds):
        self.rng, self.seeds = rng, seeds

    def pick(self, items):
        return items[int(self.rng.integers(len(items)))]

    def mutate(self, text):
        # Most mutations alone make an error of the parser.
        for _ in range(self.pick([1, 1, 1, 2, 3])):
            text = self.pick(self.MUTATIONS)(self, text)
        return text

    def on_tokens(self, text, wanted, change):
        tokens = TOKEN.findall(text)
        places = [i for i, token in enumerate(tokens) if wanted(token)]
        if places:
            place = self.pick(places)
            tokens[place] = change(tokens[place])
        return "".join(tokens)

    def number(self, text):
        return self.on_tokens(text, lambda t: re.fullmatch(r"-?\d+", t),
                              lambda _: self.pick(NUMBERS))

    def size(self, text):
        places = list(SIZES.finditer(text))
        if not places:
            return text
        place = self.pick(places)
        size = self.pick(["?", "0", "1", "3"] + NUMBERS[6:14])
        return text[:place.start()] + size + text[place.end():]

    def type(self, text):
        return self.on_tokens(
            text, lambda t: re.fullmatch(r"x?(bf16|[fi]\d+|index)", t),
            lambda t: ("x" if t.startswith("x") else "") + self.pick(TYPES))

    def every_type(self, text):
        """One type becomes another all over, which keeps more of the IR valid."""
        old = self.pick(["f32", "i64", "i32", "f16", "bf16", "f64"])
        return re.sub(rf"(?<![a-zA-Z0-9]){old}\b|(?<=x){old}\b", self.pick(TYPES), text)

    def every_size(self, text):
        places = SIZES.findall(text)
        if not places:
            return text
        old, new = self.pick(places), self.pick(["?", "0", "1", "5"] + NUMBERS[6:14])
        return SIZES.sub(lambda m: new if m.group() == old else m.group(), text)

    def name(self, text):
        """An operation or a keyword becomes another of the corpus."""
        words = re.findall(r"[a-z_]+\.[a-z_]+|out_of_range\(\w+\)", self.pick(self.seeds))
        return self.on_tokens(text, lambda t: re.fullmatch(r"[a-z_]+\.[a-z_.]+", t),
                              lambda t: self.pick(words) if words else t)

    def value(self, text):
        values = re.findall(r"%\w+", text)
        return self.on_tokens(text, lambda t: t.startswith("%"),
                              lambda t: self.pick(values) if values else t)

    def token(self, text):
        return self.on_tokens(text, lambda t: not t.isspace(),
                              lambda t: self.pick(["", t + " " + t]))

    def lines(self, text):
        lines = text.split("\n")
        at, other = (int(i) for i in self.rng.integers(len(lines), size=2))
        kind = int(self.rng.integers(4))
        if kind == 0:
            del lines[at]
        elif kind == 1:
            lines.insert(at, lines[other])
        elif kind == 2:
            lines[at], lines[other] = lines[other], lines[at]
        else:
            lines.insert(at, self.pick(self.pick(self.seeds).split("\n")))
        return "\n".join(lines)

    def statement(self, text):
        lines = text.split("\n")
        starts = [i for i, line in enumerate(lines) if re.match(r"\s+(%|return|embedding)", line)]
        lines.insert(self.pick(starts) if starts else 0, self.pick(LINES))
        return "\n".join(lines)

    def nest(self, text):
        depth = self.pick([10, 900, 3000, 100000])
        kind = self.pick(["[", "(", "tensor<1x", "{a = ", "-"])
        nested = kind * depth
        if kind == "-":
            nested = f"affine_map<() -> ({nested}1)>}}"
        return f"{text}\nfunc.func private @n() attributes {{x = {nested}"

    def bytes(self, text):
        data = bytearray(text.encode(errors="surrogateescape"))
        for _ in range(int(self.rng.integers(1, 9))):
            if data:
                data[int(self.rng.integers(len(data)))] = int(self.rng.integers(256))
        return data.decode(errors="surrogateescape")

    MUTATIONS = [number, size, size, type, type, every_type, every_type, every_size, every_size,
                 name, value, token, lines, statement, statement, nest, bytes]


def kill_slow_children(limit):
    """Ends compilers that take longer than `limit` seconds: mutants may be large."""
    while True:
        time.sleep(1)
        listed = pathlib.Path(f"/proc/self/task/{threading.main_thread().native_id}/children")
        for child in listed.read_text().split():
            try:
                started = os.stat(f"/proc/{child}").st_mtime
                if time.time() - started > limit:
                    os.kill(int(child), signal.SIGKILL)
            except (OSError, ProcessLookupError):
                pass


def to_bytecode(tool, text):
    done = subprocess.run([tool, "--emit-bytecode", "--allow-unregistered-dialect"],
                          input=text.encode(), capture_output=True)
    return done.stdout if done.returncode == 0 else None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("library")
    parser.add_argument("roots", nargs="+")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cases", type=int, default=100)
    parser.add_argument("--case", type=int, help="print this one, and compile it")
    parser.add_argument("--embedding-opt", help="mutate bytecode too, which it writes")
    parser.add_argument("--limit", type=int, default=60, help="seconds for a mutant")
    options = parser.parse_args()
    os.environ["EMBEDDING_CACHE_DIR"] = ""
    # A mutant may ask for all memory.
    resource.setrlimit(resource.RLIMIT_AS, (16 << 30, resource.RLIM_INFINITY))
    threading.Thread(target=kill_slow_children, args=[options.limit], daemon=True).start()
    engine = Engine(options.library)
    seeds = find_seeds(options.roots)
    outcomes, ends = collections.Counter(), []
    cases = [options.case] if options.case is not None else range(options.cases)
    for case in cases:
        rng = np.random.default_rng([options.seed, case])
        mutator = Mutator(rng, seeds)
        seed = mutator.pick(seeds)
        code = None
        if options.embedding_opt and case % 8 == 0:
            code = to_bytecode(options.embedding_opt, seed)
        if code:
            code = mutator.bytes(code.decode("latin-1")).encode("latin-1", errors="replace")
        else:
            code = mutator.mutate(seed).encode(errors="surrogateescape")
        if options.case is not None:
            sys.stdout.buffer.write(code + b"\n")
        try:
            Module(engine, code)
            outcomes["compiled"] += 1
        except Error as error:
            message = str(error)
            if error.status.code != COMPILER_ERROR or not message:
                print(f"--seed {options.seed} --case {case}: {error.status.code}: '{message}'")
                outcomes["wrong"] += 1
            elif "without an answer" in message:
                outcomes["compiler ended"] += 1
                ends.append(f"--seed {options.seed} --case {case}: {message}")
            else:
                outcomes["refused"] += 1
        if options.case is not None:
            print(ends or outcomes)
    print("\n".join(ends))
    print(f"{len(cases)} mutants: {dict(outcomes)}")
    # Mutants that are all refused at once would try the parser alone.
    return outcomes["wrong"] != 0 or (len(cases) >= 50 and outcomes["compiled"] == 0)


if __name__ == "__main__":
    sys.exit(main())
