"""PyTorch's own descriptions and tests of F.embedding, of the PyTorch that is installed,
with F.embedding swapped: samples, bad inputs, derivatives, modules, fake tensors.

What differs on purpose is in `differs`, and in docs/Python.md.
"""

import unittest

import pytest
import torch
import torch.nn.functional as F
from torch.autograd import gradcheck, gradgradcheck
from torch.testing import assert_close

common = pytest.importorskip("torch.testing._internal.common_methods_invocations",
                             exc_type=ImportError)
from torch.testing._internal import common_nn
from torch.testing._internal.common_nn import NewModuleTest, NNTestCase

import embedding_mlir
from embedding_mlir import _operators

OP, = (op for op in common.op_db if op.name == "nn.functional.embedding")
DTYPES = sorted(OP.dtypes, key=str)


@pytest.fixture(autouse=True)
def patched():
    """Every test of this file, PyTorch's included, calls the drop-in."""
    original = F.embedding
    with embedding_mlir.patch_torch():
        assert F.embedding is not original
        yield original


def call(function, weight, sample):
    """The output and the gradient of a fresh copy of `weight`, and that copy."""
    weight = weight.detach().clone().requires_grad_()
    out = function(*sample.args, weight, **sample.kwargs)
    grad, = torch.autograd.grad(out, weight, torch.ones_like(out) * 0.5)
    return out, grad.to_dense(), grad.layout, weight


def differs(sample):
    """The name of the difference that `sample` meets, if any: of docs/Python.md."""
    options = sample.kwargs
    if options.get("scale_grad_by_freq") and options.get("sparse"):
        return "scale_grad_by_freq with sparse gradients"
    return None


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_samples(patched, dtype):
    compared = 0
    for sample in OP.sample_inputs("cpu", dtype, requires_grad=False):
        ours = call(F.embedding, sample.input, sample)
        if differs(sample):
            with pytest.raises(RuntimeError):
                call(patched, sample.input, sample)
            continue
        compared += 1
        theirs = call(patched, sample.input, sample)
        for mine, its in zip(ours, theirs):
            if isinstance(mine, torch.Tensor):
                assert_close(mine, its)
            else:
                assert mine == its
    assert compared >= 8


def test_error_inputs():
    cases = list(OP.error_inputs("cpu"))
    for case in cases:
        sample = case.sample_input
        with pytest.raises(case.error_type, match=case.error_regex):
            OP(sample.input, *sample.args, **sample.kwargs)
    assert cases


def test_derivatives():
    for sample in OP.sample_inputs("cpu", torch.double, requires_grad=True):
        def function(weight):
            return OP(weight, *sample.args, **sample.kwargs)

        assert gradcheck(function, (sample.input,), check_forward_ad=True,
                         check_batched_grad=True, check_batched_forward_grad=True)
        assert gradgradcheck(function, (sample.input,), check_fwd_over_rev=True,
                             check_batched_grad=True)


def test_negative_and_conjugate_views(patched):
    """As PyTorch's TestMathBits."""
    indices = torch.randint(5, (2, 3))
    values = torch.randn(5, 3, dtype=torch.cdouble)
    for weight in (values.conj().imag, values.conj()):
        assert weight.is_neg() or weight.is_conj()
        assert torch.equal(F.embedding(indices, weight), patched(indices, weight.clone()))


def test_fake_tensors(patched):
    """As PyTorch's TestFakeTensor: the same metadata, and no memory touched."""
    from torch._subclasses.fake_tensor import FakeTensorMode
    for sample in OP.sample_inputs("cpu", torch.float32, requires_grad=False):
        expected = patched(*sample.args, sample.input.clone(), **sample.kwargs)
        with FakeTensorMode() as mode:
            weight = mode.from_tensor(sample.input)
            indices = mode.from_tensor(sample.args[0])
            out = F.embedding(indices, weight, **sample.kwargs)
        assert (out.shape, out.dtype, out.stride()) == (expected.shape, expected.dtype,
                                                        expected.stride())


def test_meta_tensors():
    out = F.embedding(torch.empty(2, 3, dtype=torch.long, device="meta"),
                      torch.empty(5, 4, device="meta", requires_grad=True))
    assert out.device.type == "meta" and out.shape == (2, 3, 4) and out.requires_grad


@pytest.mark.parametrize("call", [
    lambda table, indices: embedding_mlir.embedding(indices, table),
    lambda table, indices: embedding_mlir.embedding(indices, table, sparse=True),
    lambda table, indices: embedding_mlir.embedding(indices, table.detach(), max_norm=0.1),
    lambda table, indices: torch.func.vmap(embedding_mlir.embedding, (0, None))(indices, table),
    lambda table, indices: embedding_mlir.dense_grad(table.detach()[:2], indices, 5),
    lambda table, indices: embedding_mlir.double_backward(table.detach(), indices),
    lambda table, indices: embedding_mlir.renorm_(table.detach(), indices, 0.1),
], ids=["lookup", "sparse", "max_norm", "vmap", "dense_grad", "double_backward", "renorm_"])
def test_meta_indices_of_a_table_with_memory(call):
    """Nobody would write the result."""
    table = torch.ones(5, 4, requires_grad=True)
    with pytest.raises(RuntimeError, match="same device"):
        call(table, torch.empty(2, dtype=torch.long, device="meta"))
    assert_close(table, torch.ones(5, 4))


# A function in later versions of PyTorch.
if hasattr(common_nn, "get_new_module_tests"):
    new_module_tests = common_nn.get_new_module_tests()
else:
    new_module_tests = common_nn.new_module_tests
MODULES = [parameters for parameters in new_module_tests
           if parameters.get("module_name", parameters.get("fullname")) in
           ("Embedding", "Embedding_sparse")]


class ModuleCase(NNTestCase):
    __test__ = False
    """What PyTorch's module tests ask of a test case, and one of them."""

    def __init__(self, test):
        super().__init__("runTest")
        self.test = test

    def runTest(self):
        self.test(self)

    def _forward(self, module, input):
        return module(*input) if isinstance(input, tuple) else module(input)

    def _backward(self, module, input, output, grad_output, create_graph=False):
        output.backward(grad_output, retain_graph=True, create_graph=create_graph)
        return input.grad

    def _get_parameters(self, module):
        parameters = list(module.parameters())
        for p in parameters:
            if p.grad is None:
                p.grad = torch.zeros_like(p)
        return parameters, [p.grad for p in parameters]

    def _zero_grad_parameters(self, module):
        module.zero_grad(set_to_none=False)


@pytest.mark.parametrize("kind", (torch.nn.Embedding, embedding_mlir.nn.Embedding),
                         ids=lambda kind: kind.__module__)
@pytest.mark.parametrize("parameters", MODULES,
                         ids=lambda p: p.get("fullname") or p.get("desc") or p["module_name"])
def test_modules(parameters, kind):
    """PyTorch's own module tests, Jacobians included."""
    parameters = dict(parameters)
    parameters.pop("decorator", None)  # Skips it in runs of PyTorch's under Dynamo.
    if "module_name" in parameters:
        parameters["constructor"] = kind
    result = unittest.TestResult()
    ModuleCase(NewModuleTest(**parameters)).run(result)
    assert result.testsRun == 1 and not result.skipped
    assert result.wasSuccessful(), "".join(trace for _, trace in result.failures + result.errors)


def test_module_list():
    assert len(MODULES) == 3


@pytest.mark.parametrize("options", ((None, False, "check"), (2, False, "check"),
                                     (3, True, "zero")), ids=str)
def test_operators(options):
    """torch.library's check of operators: schemas, autograd, fake tensors, tracing."""
    torch.manual_seed(0)
    weight = torch.randn(7, 3, dtype=torch.double, requires_grad=True)
    grad = torch.randn(4, 2, 3, dtype=torch.double, requires_grad=True)
    input = torch.randint(7, (4, 2))
    for operator, arguments in ((_operators.lookup, (weight, input, False)),
                                (_operators.dense_grad, (grad, input, 7)),
                                (_operators.double_backward, (weight, input))):
        torch.library.opcheck(operator, (*arguments, *options))
    torch.library.opcheck(_operators.renorm_, (weight.detach(), input, 0.5, 2.0, options[2]))
