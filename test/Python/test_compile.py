"""Functions of the dialect, compiled and called from Python."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd import forward_ad
from torch.fx.experimental.proxy_tensor import make_fx
from torch.overrides import TorchFunctionMode
from torch.testing._internal.two_tensor import TwoTensor
from torch.utils.flop_counter import FlopCounterMode

import embedding_mlir

FUNCTIONS = """
func.func @rows(%weight: tensor<?x?xf32>, %input: tensor<?xi64>) -> tensor<?x?xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %size = tensor.dim %input, %c0 : tensor<?xi64>
  %length = tensor.dim %weight, %c1 : tensor<?x?xf32>
  %init = tensor.empty(%size, %length) : tensor<?x?xf32>
  %out = embedding.lookup ins(%weight, %input : tensor<?x?xf32>, tensor<?xi64>)
      outs(%init : tensor<?x?xf32>) -> tensor<?x?xf32>
  return %out : tensor<?x?xf32>
}
func.func @renormed(%weight: tensor<?x2xf32>, %input: tensor<?xi64>) -> tensor<?x2xf32> {
  %out = embedding.renorm max_norm(1.0) ins(%input : tensor<?xi64>)
      outs(%weight : tensor<?x2xf32>) -> tensor<?x2xf32>
  return %out : tensor<?x2xf32>
}
func.func @renorm(%weight: memref<?x2xf32>, %input: memref<?xi64>, %max_norm: f64) {
  embedding.renorm max_norm(%max_norm) ins(%input : memref<?xi64>)
      outs(%weight : memref<?x2xf32>)
  return
}
func.func @scalars(%a: i8, %b: i64, %c: f32, %d: index) -> (i8, i64, f32, index) {
  return %a, %b, %c, %d : i8, i64, f32, index
}
func.func @signed(%a: si8, %b: ui8) -> (si8, ui8) {
  return %a, %b : si8, ui8
}
func.func @fill(%x: f32, %out: memref<?x?xf32>, %holds: i8) {
  %zero = arith.constant 0 : i8
  %is_set = arith.cmpi ne, %holds, %zero : i8
  linalg.fill ins(%x : f32) outs(%out : memref<?x?xf32>)
  cf.assert %is_set, "expected a flag"
  return
}
func.func private @hidden(%a: i8) -> i8 {
  return %a : i8
}
"""


@pytest.fixture(scope="module")
def module():
    return embedding_mlir.compile(FUNCTIONS)


def test_names(module):
    assert list(module) == ["rows", "renormed", "renorm", "scalars", "signed", "fill"]
    assert len(module) == 6
    assert "rows" in dir(module) and module["rows"] is module.rows
    assert "rows(weight: float32[?, ?], input: int64[?]) -> float32[?, ?]" in repr(module)
    with pytest.raises(AttributeError, match="no function 'hidden'"):
        module.hidden


def test_arrays_and_tensors(module):
    weight, input = np.arange(12, dtype=np.float32).reshape(4, 3), np.array([2, 0])
    out = module.rows(weight, input)
    assert isinstance(out, np.ndarray) and np.array_equal(out, weight[input])
    out = module.rows(torch.from_numpy(weight), torch.from_numpy(input))
    assert isinstance(out, torch.Tensor) and np.array_equal(out.numpy(), weight[input])
    for other in (input, [2, 0], None):
        with pytest.raises(TypeError, match="expected either tensors of PyTorch or arrays, but "
                                            f"got Tensor, {type(other).__name__}$"):
            module.rows(torch.from_numpy(weight), other)


def test_keywords(module):
    """Arguments by the names of the IR; what is asked sees them by position."""
    weight, input = np.arange(12, dtype=np.float32).reshape(4, 3), np.array([2, 0])
    for arguments, named in (((), {"input": input, "weight": weight}),
                             ((weight,), {"input": input})):
        assert np.array_equal(module.rows(*arguments, **named), weight[input])
    for arguments, named, what in (
            ((weight, input), {"input": input}, "got multiple values for argument 'input'"),
            ((weight,), {"inputs": input}, "got an unexpected argument 'inputs'"),
            ((), {"input": input}, "missing argument 'weight'")):
        with pytest.raises(TypeError, match=rf"^rows\(weight: .*: {what}$"):
            module.rows(*arguments, **named)
    weight, input = torch.tensor(weight), torch.tensor(input)
    with Asked() as mode:
        mode.functions = []
        module.rows(input=input, weight=weight)
    assert mode.functions == [module.rows]


def test_what_is_written(module):
    """Memrefs in place, tensors never."""
    weight, input = np.array([[3, 4], [0, 2]], np.float32), np.array([0])
    expected = np.array([[0.6, 0.8], [0, 2]], np.float32)
    out = module.renormed(weight, input)
    assert np.allclose(out, expected) and np.array_equal(weight, [[3, 4], [0, 2]])
    assert module.renorm(weight, input, 1.0) is None
    assert np.allclose(weight, expected)
    weight.flags.writeable = False
    module.renormed(weight, input)
    with pytest.raises(ValueError, match="weight: expected an array that can be written"):
        module.renorm(weight, input, 1.0)


def test_scalars(module):
    a, b, c, d = module.scalars(-3, 1 << 40, 0.5, np.int64(7))
    assert (a, b, c, d) == (-3, 1 << 40, 0.5, 7)
    assert (a.dtype, c.dtype, a.shape) == (np.int8, np.float32, ())
    for arguments in ((0, 0, "x", 0), (0.5, 0, 0.0, 0)):
        with pytest.raises(TypeError, match="expected an? .*, but got (x|0.5)$"):
            module.scalars(*arguments)


@pytest.mark.parametrize("function, position, limits", [
    ("scalars", 0, (-2**7, 2**7 - 1)), ("scalars", 1, (-2**63, 2**63 - 1)),
    ("scalars", 3, (-2**63, 2**63 - 1)), ("signed", 1, (0, 2**8 - 1))])
def test_ranges_of_scalars(module, function, position, limits):
    values = [0, 0, 0.0, 0] if function == "scalars" else [0, 0]
    for value in limits:
        values[position] = value
        assert int(module[function](*values)[position]) == value
    smallest, largest = limits
    for value in (smallest - 1, largest + 1, 2**64, -2**64, 2**70):
        values[position] = value
        with pytest.raises(TypeError, match=f"{'abcd'[position]}: expected an integer from "
                                            f"{smallest} to {largest} for u?int(8|64), but "
                                            f"got {value}$"):
            module[function](*values)


# ---------------------------------------------------------------------------
# What PyTorch sees of a call
# ---------------------------------------------------------------------------


def with_context(context):
    def call(function, weight):
        with context():
            return function(weight)
    return call


WATCHERS = {
    "jit.trace": lambda f, w: torch.jit.trace(f, w),
    "make_fx": lambda f, w: make_fx(f)(w),
    "make_fx of fakes": lambda f, w: make_fx(f, tracing_mode="fake")(w),
    "fake": lambda f, w: f(FakeTensorMode().from_tensor(w)),
    "dispatching": lambda f, w: f(TwoTensor(w, w)),
    "flop counter": with_context(lambda: FlopCounterMode(display=False)),
    "dual level": with_context(forward_ad.dual_level),
    "vmap": lambda f, w: torch.func.vmap(f)(w[None]),
    "grad": lambda f, w: torch.func.grad(lambda w: f(w).sum())(w),
    "jvp": lambda f, w: torch.func.jvp(f, (w,), (w,)),
    "functionalize": lambda f, w: torch.func.functionalize(f)(w),
    "export": lambda f, w: torch.export.export(Called(f), (w,)),
    "compile": lambda f, w: torch.compile(f, fullgraph=True, backend="eager")(w),
    "meta": lambda f, w: f(w.to("meta")),
    "functional": lambda f, w: f(torch._to_functional_tensor(w)),
}


@pytest.mark.parametrize("make", (np.array, torch.tensor))
def test_masks(make):
    module = embedding_mlir.compile("""
      func.func @positive(%mask: tensor<?xi1>, %x: tensor<?xf32>) -> tensor<?xi1> {
        %c0 = arith.constant 0 : index
        %size = tensor.dim %x, %c0 : tensor<?xf32>
        %f0 = arith.constant 0.0 : f32
        %zeros = tensor.splat %f0[%size] : tensor<?xf32>
        %is_positive = arith.cmpf ogt, %x, %zeros : tensor<?xf32>
        %out = arith.andi %mask, %is_positive : tensor<?xi1>
        return %out : tensor<?xi1>
      }
      func.func @bytes(%x: tensor<?xi8>) {
        return
      }""")
    mask = make([True, True, False])
    x = torch.tensor([1.0, -1.0, 1.0])
    out = module.positive(mask, x if make is torch.tensor else x.numpy())
    assert out.dtype == mask.dtype and out.tolist() == [True, False, False]
    module.bytes(mask)


class Called(torch.nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, weight):
        return self.function(weight)


@pytest.mark.parametrize("watcher", WATCHERS)
def test_watched_calls_are_refused(module, watcher):
    """A graph would have memory that nothing writes."""
    weight, input = torch.full((4, 2), 7.0), torch.tensor([1, 3])
    written = weight.clone()
    functions = [lambda w: module.rows(w, input) * 2,
                 lambda w: module.renorm(w, input, 1.0) or w]
    if watcher not in ("fake", "dispatching", "meta", "functional"):
        # Of a tensor that is not watched itself.
        functions.append(lambda w: module.fill(1.0, written, 1) or w)
    for function in functions:
        torch._dynamo.reset()
        with pytest.raises((RuntimeError, TypeError), match={
                "export": "call_method", "compile": "call_method",
                "meta": "expected a tensor on a CPU", "functional": "expected a tensor with "
                "memory"}.get(watcher, "cannot be traced, transformed or watched")):
            WATCHERS[watcher](function, weight)
        assert (weight == 7).all() and (written == 7).all()


class Plain(torch.Tensor):
    pass


class Asked(TorchFunctionMode):
    def __torch_function__(self, function, types, args=(), kwargs=None):
        self.functions.append(function)
        return function(*args, **(kwargs or {}))


def test_who_is_asked(module):
    """Types and modes with __torch_function__ see the call itself."""
    weight, input = torch.randn(4, 3), torch.tensor([1, 3])
    out = module.rows(weight.as_subclass(Plain), input)
    assert type(out) is Plain and torch.equal(out, weight[input])
    with torch.device("cpu"):
        assert torch.equal(module.rows(weight, input), weight[input])
    with Asked() as mode:
        mode.functions = []
        out = module.rows(weight, input)
    assert mode.functions == [module.rows] and torch.equal(out, weight[input])
    graph = torch.fx.symbolic_trace(lambda w: module.rows(w, input) * 2)
    assert torch.equal(graph(weight), weight[input] * 2)


@pytest.mark.parametrize("backend", ("eager", "aot_eager"))
def test_compile_breaks_the_graph(module, backend):
    weight, input, out = torch.randn(4, 3), torch.tensor([1, 3]), torch.zeros(2, 3)

    def function(weight):
        rows = module.rows(weight * 2, input).sin()
        module.fill(5.0, out, 1)
        return rows + out

    torch._dynamo.reset()
    compiled = torch.compile(function, backend=backend)
    expected = (weight * 2)[input].sin() + 5
    for calls in (1, 2):
        torch.testing.assert_close(compiled(weight), expected)
        assert out._version == calls
    leaf = out.clone().requires_grad_()
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad"):
        torch.compile(lambda x: module.fill(1.0, x, 1), backend=backend)(leaf)
    out = torch.compile(lambda w: module.rows(w, input) * 2, backend=backend)(
        weight.as_subclass(Plain))
    assert torch.equal(torch.Tensor(out), weight[input] * 2)


def test_autograd_is_told(module):
    rows = torch.ones(2, 2, requires_grad=True) * 1
    out = rows.sin()
    module.fill(2.0, rows.detach(), 1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        out.sum().backward()
    # A call that fails may have written before.
    memory = torch.ones(2, 2)
    with pytest.raises(ValueError, match="expected a flag"):
        module.fill(2.0, memory, 0)
    assert memory._version == 1
    before = memory._version
    module.rows(memory, torch.tensor([1]))
    assert memory._version == before


def test_what_requires_grad(module):
    leaf = torch.ones(2, 2, requires_grad=True)
    for written, message in (
            (leaf, "^out: a leaf Variable that requires grad is being used in an in-place "
                   "operation, fill$"),
            (leaf[:1], "^out: functions of embedding_mlir.compile have no derivative, so fill "
                       "cannot write a tensor that requires grad$"),
            (leaf * 1, "cannot write a tensor that requires grad")):
        with pytest.raises(RuntimeError, match=message):
            module.fill(2.0, written, 1)
        assert (written == 1).all() and written._version == 0
        with torch.no_grad():
            module.fill(2.0, written, 1)
            assert (written == 2).all() and written._version == 1
            leaf.data.fill_(1)
            torch._C._autograd._unsafe_set_version_counter(leaf, 0)
    assert not module.rows(leaf, torch.tensor([1])).requires_grad


def test_inference_tensors(module):
    with torch.inference_mode():
        memory = torch.ones(2, 2)
        module.fill(2.0, memory, 1)
    assert (memory == 2).all()
    with pytest.raises(RuntimeError, match="Inplace update to inference tensor outside "
                                           "InferenceMode is not allowed: fill writes out"):
        module.fill(3.0, memory, 1)
    assert (memory == 2).all()
    module.rows(memory, torch.tensor([1]))


def test_bad_arguments(module):
    weight, input = np.zeros((4, 3), np.float32), np.array([5, -1])
    with pytest.raises(embedding_mlir.OutOfRangeError) as info:
        module.rows(weight, input)
    assert (info.value.position, info.value.index, info.value.count) == (0, 5, 2)
    for error, message, arguments in (
            (ValueError, "weight: expected float32, but got float64",
             (weight.astype(float), input)),
            (ValueError, r"weight: expected shape \[\?, \?\], but got \[4\]",
             (weight[:, 0].copy(), input)),
            (ValueError, "weight: expected a stride of 1 in dimension 1, but got 2",
             (np.zeros((4, 6), np.float32)[:, ::2], input)),
            (TypeError, "expected 2 arguments, but got 1", (weight,))):
        with pytest.raises(error, match=message):
            module.rows(*arguments)


def test_assumed_sizes():
    """They are not looked at: an output that is too large."""
    ir = """
func.func @f(%weight: memref<?x?xf32>, %input: memref<?xi64>, %init: memref<?x?xf32>) {
  embedding.lookup ins(%weight, %input : memref<?x?xf32>, memref<?xi64>)
      outs(%init : memref<?x?xf32>)
  return
}"""
    weight, input = np.eye(3, dtype=np.float32), np.array([2, 0])
    with pytest.raises(ValueError, match="expected dimension 0 of out to be"):
        embedding_mlir.compile(ir).f(weight, input, np.zeros((3, 3), np.float32))
    init = np.full((3, 3), 7, np.float32)
    assert embedding_mlir.compile(ir, assume_sizes=True).f(weight, input, init) is None
    assert np.array_equal(init[:2], weight[input]) and (init[2] == 7).all()


def test_bad_modules():
    for ir, message in (
            ("func.func @f(%a: f32) {\n  return %b : f32\n}", "line 2, column 10"),
            ("func.func @f(%a: tensor<*xf32>) {\n  return\n}", "cannot be called from outside"),
            ("", "there is no public function"),
            ("func.func @f(%a: tensor<2x3xf32>) {\n  %0 = embedding.lookup\n}", "line 3")):
        with pytest.raises(embedding_mlir.CompilerError, match=message):
            embedding_mlir.compile(ir)
    for device in ("tpu", "cuda:x", 3):
        with pytest.raises(ValueError, match="device: expected cpu, cuda or cuda:N"):
            embedding_mlir.compile(FUNCTIONS, device=device)
    if not torch.cuda.is_available():
        with pytest.raises(embedding_mlir.UnsupportedError):
            embedding_mlir.compile(FUNCTIONS, device=torch.device("cuda"))


def test_assertions():
    module = embedding_mlir.compile("""
func.func @root(%x: f64) -> f64 {
  %zero = arith.constant 0.0 : f64
  %holds = arith.cmpf oge, %x, %zero : f64
  cf.assert %holds, "expected a number of at least 0"
  %0 = math.sqrt %x : f64
  return %0 : f64
}""")
    with pytest.raises(ValueError, match="^assertion failed: expected a number of at least 0$"):
        module.root(-1.0)
    assert module.root(4.0) == 2.0


def test_without_torch():
    """Arrays need no PyTorch, and do not import it."""
    program = """
import sys
import numpy as np
import embedding_mlir
weight = np.eye(3, dtype=np.float32)
out = embedding_mlir.embedding(np.array([2, 0]), weight)
assert np.array_equal(out, weight[[2, 0]])
assert embedding_mlir.dense_grad(out, np.array([2, 0]), 3).sum() == 2
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_fork():
    """A function that was compiled before, whose loops OpenMP's threads have run."""
    module = embedding_mlir.compile(FUNCTIONS)
    weight, indices = np.ones((2000, 64), np.float32), np.arange(200_000) % 777
    assert module.rows(weight, indices).all()
    child = os.fork()
    if child == 0:
        signal.alarm(60)  # Ends a child that waits for threads for ever.
        os._exit(0 if module.rows(weight, indices).all() else 1)
    assert os.waitpid(child, 0)[1] == 0
