"""Functions of the dialect, compiled and called from Python."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch

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
func.func private @hidden(%a: i8) -> i8 {
  return %a : i8
}
"""


@pytest.fixture(scope="module")
def module():
    return embedding_mlir.compile(FUNCTIONS)


def test_names(module):
    assert list(module) == ["rows", "renormed", "renorm", "scalars"] and len(module) == 4
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
    with pytest.raises(TypeError, match="but not both"):
        module.rows(torch.from_numpy(weight), input)


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
    # With or without a sign, as its bits are.
    assert module.scalars(255, 0, 0.0, 0)[0] == -1 == module.scalars(-1, 0, 0.0, 0)[0]
    assert module.scalars(-128, 0, 0.0, 0)[0] == -128 == module.scalars(128, 0, 0.0, 0)[0]
    for arguments in ((300, 0, 0.0, 0), (256, 0, 0.0, 0), (-129, 0, 0.0, 0),
                      (0, 1 << 70, 0.0, 0), (0, 0, "x", 0), (0.5, 0, 0.0, 0)):
        with pytest.raises(TypeError, match="expected an? "):
            module.scalars(*arguments)


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
    with pytest.raises(ValueError, match="expected dimension 0 of init to be"):
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
