"""Graphs that leave this process have PyTorch's operators: they are right, and run where
this package is not installed."""

import os
import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F

import embedding_mlir

V, D = 7, 3
WEIGHT = torch.arange(V * D, dtype=torch.float32).reshape(V, D)
EXAMPLE, INDICES = torch.tensor([[1, 2], [3, 6]]), torch.tensor([[0, 2], [5, 6]])


def module(**options):
    return embedding_mlir.nn.Embedding.from_pretrained(WEIGHT.clone(), **options)


def run_elsewhere(load, path, **tensors):
    """What `load` makes of the file, in a process without this package."""
    torch.save((INDICES, tensors), f"{path}.in")
    program = f"""
import sys, torch
try:
    import embedding_mlir
    sys.exit("the package is there")
except ImportError:
    pass
indices, tensors = torch.load({f"{path}.in"!r})
torch.save({load}({str(path)!r})(indices), {f"{path}.out"!r})
"""
    environment = {**os.environ, "PYTHONPATH": ""}
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True,
                   env=environment, cwd=os.path.dirname(path))
    return torch.load(f"{path}.out")


@pytest.mark.parametrize("options", ({}, {"padding_idx": 2}, {"max_norm": 4.0}), ids=str)
@pytest.mark.parametrize("gradient", (True, False))
def test_trace(tmp_path, options, gradient):
    """No uninitialised memory, with and without gradients, saved and loaded too."""
    expected = F.embedding(INDICES, WEIGHT.clone(), **options)
    with torch.set_grad_enabled(gradient):
        traced = torch.jit.trace(module(**options), (EXAMPLE,))
        assert torch.equal(traced(INDICES), expected)
    traced.save(tmp_path / "traced.pt")
    assert "aten::embedding" in str(traced.inlined_graph)
    assert torch.equal(run_elsewhere("torch.jit.load", tmp_path / "traced.pt"), expected)


@pytest.mark.parametrize("strict", (True, False))
def test_exported_program(tmp_path, strict):
    program = torch.export.export(module(padding_idx=2), (EXAMPLE,), strict=strict)
    torch.export.save(program, tmp_path / "exported.pt2")
    out = run_elsewhere("(lambda path: torch.export.load(path).module())",
                        tmp_path / "exported.pt2")
    assert torch.equal(out, WEIGHT[INDICES])
    # What is exported from elsewhere does not change what is compiled here.
    compiled = torch.compile(module(), fullgraph=True, backend=Recorder())
    assert torch.equal(compiled(INDICES), WEIGHT[INDICES])
    assert "embedding_mlir.lookup" in Recorder.code


class Recorder:
    code = ""

    def __call__(self, graph, inputs):
        Recorder.code = graph.code
        return graph


def test_fx():
    graph = torch.fx.symbolic_trace(module(padding_idx=2))
    assert "torch.nn.functional.embedding" in graph.code
    with embedding_mlir.patch_torch():
        patched = torch.fx.symbolic_trace(module(padding_idx=2))
    assert "torch.nn.functional.embedding" in patched.code
    assert torch.equal(graph(INDICES), WEIGHT[INDICES])
    assert torch.equal(patched(INDICES), WEIGHT[INDICES])


@pytest.mark.parametrize("dynamo", (False, True))
def test_onnx(tmp_path, dynamo):
    onnx = pytest.importorskip("onnx")
    from onnx.reference import ReferenceEvaluator

    path = tmp_path / "model.onnx"
    if not dynamo:
        options = {} if torch.__version__ < "2.5" else {"dynamo": False}
        torch.onnx.export(module(padding_idx=2), (EXAMPLE,), path, **options)
    elif torch.__version__ < "2.5":
        pytest.importorskip("onnxscript")
        torch.onnx.dynamo_export(module(padding_idx=2), EXAMPLE).save(str(path))
    else:
        pytest.importorskip("onnxscript")
        torch.onnx.export(module(padding_idx=2), (EXAMPLE,), path, dynamo=True)
    model = onnx.load(path)
    run = ReferenceEvaluator(model).run
    out, = run(None, {model.graph.input[0].name: INDICES.numpy()})
    assert torch.equal(torch.from_numpy(out), WEIGHT[INDICES])


@pytest.mark.parametrize("out_of_range", ("clamp", "zero"))
def test_out_of_range(out_of_range):
    """Our own argument, in PyTorch's operators: values, gradients, and rows shortened."""
    def function(input, weight):
        return embedding_mlir.embedding(input, weight, out_of_range=out_of_range,
                                        max_norm=4.0)

    bad = torch.tensor([[1, V, -1], [0, 2, -9]])
    results = []
    for call in (function, torch.jit.trace(function, (bad, WEIGHT.clone()))):
        weight = WEIGHT.clone()
        out = call(bad, weight)
        table = weight.clone().requires_grad_()
        grad, = torch.autograd.grad(embedding_mlir.embedding(
            bad, table, out_of_range=out_of_range).sin().sum(), table)
        results.append((out, weight, grad))
    for mine, its in zip(*results):
        torch.testing.assert_close(mine, its)
    with pytest.raises(ValueError, match="expected check, assume, clamp or zero"):
        torch.jit.trace(lambda i, w: embedding_mlir.embedding(i, w, out_of_range="wrap"),
                        (bad, WEIGHT))


def look_up(input, weight):
    return embedding_mlir.embedding(input, weight)


@pytest.mark.parametrize("scripted", (look_up, embedding_mlir.embedding, module()), ids=("call", "function", "module"))
def test_script(scripted):
    with pytest.raises(RuntimeError, match="torch.jit.script does not support embedding_mlir"):
        torch.jit.script(scripted)
