"""The Python package. Needs it installed, with PyTorch 2.4 or later: pytest test/Python.

F.embedding is the oracle for tensors and NumPy's indexing for arrays.
"""

import contextlib
import copy
import math
import os
import pickle
import re
import signal
import subprocess
import sys
import threading
import warnings

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from functorch.compile import make_boxed_func
from torch._dynamo.backends.common import aot_autograd
from torch.autograd import forward_ad, gradcheck, gradgradcheck
from torch.utils.flop_counter import FlopCounterMode

import embedding_mlir

V, D = 50, 3
PADDINGS = (None, 2, -3)


@pytest.fixture
def weight():
    torch.manual_seed(0)
    return torch.randn(V, D, dtype=torch.double, requires_grad=True)


@pytest.fixture
def indices():
    torch.manual_seed(1)
    return torch.randint(V, (4, 5))


def gradient(function, weight, grad):
    return torch.autograd.grad(function(weight), weight, grad)[0]


@pytest.mark.parametrize("dtype", (torch.float16, torch.bfloat16, torch.float32, torch.int64,
                                   torch.complex64))
@pytest.mark.parametrize("shape", ((), (0,), (7,), (2, 0, 3), (2, 3, 4)))
def test_same_bits(dtype, shape):
    weight = torch.randn(V, 16).to(dtype)
    input = torch.randint(V, shape, dtype=torch.int32)
    assert torch.equal(embedding_mlir.embedding(input, weight), F.embedding(input, weight))


@pytest.mark.parametrize("padding_idx", PADDINGS)
@pytest.mark.parametrize("scale", (False, True))
def test_dense_gradient(weight, indices, padding_idx, scale):
    grad = torch.randn(4, 5, D, dtype=torch.double)
    ours, theirs = (gradient(lambda w: f(indices, w, padding_idx=padding_idx,
                                         scale_grad_by_freq=scale), weight, grad)
                    for f in (embedding_mlir.embedding, F.embedding))
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("padding_idx", PADDINGS)
def test_sparse_gradient(weight, indices, padding_idx):
    grad = torch.randn(4, 5, D, dtype=torch.double)
    ours, theirs = (gradient(lambda w: f(indices, w, padding_idx=padding_idx, sparse=True),
                             weight, grad) for f in (embedding_mlir.embedding, F.embedding))
    assert ours.is_sparse and ours._nnz() == theirs._nnz()
    torch.testing.assert_close(ours.to_dense(), theirs.to_dense())


# Below and from 8 MiB on: PyTorch's node records the one, a node of ours the other.
@pytest.mark.parametrize("count", (300, (8 << 20) // 64 - 1, (8 << 20) // 64))
class TestSparseGradient:
    def embed(self, count, embed=embedding_mlir.embedding, dtype=torch.int64, **options):
        torch.manual_seed(count)
        weight = torch.randn(100, 16, requires_grad=True)
        indices = torch.randint(0, 100, (count,), dtype=dtype)
        return weight, indices, embed(indices, weight, sparse=True, **options)

    @pytest.mark.parametrize("dtype", (torch.int32, torch.int64))
    @pytest.mark.parametrize("padding_idx", (None, 0, -1))
    def test_same_as_pytorch(self, count, dtype, padding_idx):
        gradients = []
        for embed in (embedding_mlir.embedding, F.embedding):
            weight, indices, out = self.embed(count, embed, dtype, padding_idx=padding_idx)
            torch.manual_seed(1)
            out.backward(torch.randn_like(out))
            gradients.append(weight.grad)
        ours, theirs = gradients
        assert torch.equal(ours._indices(), theirs._indices())
        assert torch.equal(ours._values(), theirs._values())

    def test_who_records(self, count):
        _, _, out = self.embed(count)
        assert (out.grad_fn.name() == "EmbeddingBackward0") == (count * 64 < 8 << 20)

    def test_indices_are_written_before_the_gradient_is_read(self, count):
        weight, indices, out = self.embed(count)
        expected = indices.clone()
        out.sum().backward()
        indices.zero_()
        assert torch.equal(weight.grad._indices()[0], expected)

    def test_bad_index(self, count):
        weight, indices, _ = self.embed(count)
        indices[7] = 100
        with pytest.raises(embedding_mlir.OutOfRangeError) as caught:
            embedding_mlir.embedding(indices, weight, sparse=True)
        assert (caught.value.position, caught.value.index) == (7, 100)

    def test_derivative_of_the_gradient(self, count):
        weight, indices, out = self.embed(count)
        grad = torch.randn_like(out).requires_grad_()
        sparse, = torch.autograd.grad(out, weight, grad, create_graph=True)
        direction = torch.randn_like(weight)
        back, = torch.autograd.grad((sparse.to_dense() * direction).sum(), grad)
        assert torch.equal(back, direction[indices])


def test_gradcheck(weight, indices):
    def embed(w):
        return embedding_mlir.embedding(indices, w)
    assert gradcheck(embed, (weight,), check_forward_ad=True, check_batched_grad=True)
    assert gradgradcheck(embed, (weight,), check_fwd_over_rev=True)


@pytest.mark.parametrize("dynamic", (False, True))
@pytest.mark.parametrize("options", ({}, {"padding_idx": 1, "scale_grad_by_freq": True}),
                         ids=("plain", "padding"))
def test_compile(weight, indices, dynamic, options):
    """Traced whole, with symbolic sizes too; gradients are traced with it."""
    def loss(embed):
        compiled = torch.compile(lambda i, w: embed(i, w, **options).sin().sum(),
                                 fullgraph=True, backend="aot_eager", dynamic=dynamic)
        return [torch.autograd.grad(compiled(i, weight), weight)[0]
                for i in (indices, indices[:2])]

    torch._dynamo.reset()
    for ours, theirs in zip(loss(embedding_mlir.embedding), loss(F.embedding)):
        torch.testing.assert_close(ours, theirs)


def test_dynamo_is_imported_late():
    """torch.compile works, though `import embedding_mlir` and calls leave Dynamo alone, which
    takes as long to import as PyTorch."""
    program = """
import sys
import torch
import embedding_mlir
weight, indices = torch.eye(4), torch.tensor([3, 1])
module = embedding_mlir.compile('''
func.func @fill(%x: f32, %out: memref<?x?xf32>) {
  linalg.fill ins(%x : f32) outs(%out : memref<?x?xf32>)
  return
}''')

def function(weight):
    out = embedding_mlir.embedding(indices, weight).sum()
    module.fill(2.0, weight)
    return out + weight.sum()

plain = function(weight.clone())
assert not {"torch._dynamo", "torch.onnx", "onnxscript"} & set(sys.modules)
graph = torch.compile(lambda w: embedding_mlir.embedding(indices, w) * 2, fullgraph=True,
                      backend="eager")
assert torch.equal(graph(weight), weight[indices] * 2)
assert torch.compile(function, backend="eager")(weight) == plain == 34
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_version():
    assert embedding_mlir.__version__ == "0.1.0"


def test_compile_renorm(indices):
    """The write to the table is part of the graph."""
    ours, theirs = (torch.full((V, D), 2.0) for _ in range(2))

    def step(weight):
        return embedding_mlir.embedding(indices, weight, max_norm=1.0) * 2

    out = torch.compile(step, fullgraph=True, backend="aot_eager")(ours)
    torch.testing.assert_close(out, F.embedding(indices, theirs, max_norm=1.0) * 2)
    torch.testing.assert_close(ours, theirs)


def test_compile_sparse(weight, indices):
    def gradient(embed, **options):
        torch._dynamo.reset()
        compiled = torch.compile(lambda w: embed(indices, w, **options) * 2,
                                 backend="aot_eager", fullgraph=True)
        return torch.autograd.grad(compiled(weight).sum(), weight)[0]

    ours, theirs = (gradient(embed, sparse=True)
                    for embed in (embedding_mlir.embedding, F.embedding))
    assert ours.is_sparse and torch.equal(ours._indices(), theirs._indices())
    assert torch.equal(ours._values(), theirs._values())
    ours, theirs = (gradient(embedding_mlir.embedding, sparse=sparse, scale_grad_by_freq=True)
                    for sparse in (True, False))
    assert ours.is_sparse
    torch.testing.assert_close(ours.to_dense(), theirs)
    # As many entries as the data say: the oldest PyTorch refuses, and F.embedding does.
    try:
        ours = gradient(embedding_mlir.embedding, sparse=True, padding_idx=2)
    except torch._dynamo.exc.Unsupported:
        assert torch.__version__ < "2.5"
    else:
        theirs, = torch.autograd.grad(
            (F.embedding(indices, weight, sparse=True, padding_idx=2) * 2).sum(), weight)
        assert torch.equal(ours._indices(), theirs._indices())


def test_func_transforms(weight, indices):
    plain = weight.detach()
    batched = torch.func.vmap(lambda i: embedding_mlir.embedding(i, plain))(indices)
    assert torch.equal(batched, F.embedding(indices, plain))
    ours = torch.func.grad(lambda w: embedding_mlir.embedding(indices, w).cos().sum())(plain)
    theirs = torch.func.grad(lambda w: F.embedding(indices, w).cos().sum())(plain)
    torch.testing.assert_close(ours, theirs)


def test_max_norm(indices):
    ours, theirs = (torch.nn.Parameter(torch.full((V, D), 2.0)) for _ in range(2))
    version = ours._version
    out = embedding_mlir.embedding(indices, ours, max_norm=1.0)
    torch.testing.assert_close(out, F.embedding(indices, theirs, max_norm=1.0))
    torch.testing.assert_close(ours, theirs)
    assert ours._version > version


def test_module_and_patch(weight, indices):
    module = embedding_mlir.nn.Embedding(V, D, padding_idx=3)
    peer = torch.nn.Embedding(V, D, padding_idx=3)
    peer.load_state_dict(module.state_dict())
    original = F.embedding
    with embedding_mlir.patch_torch():
        assert F.embedding is not original
        assert torch.equal(module(indices), peer(indices))
    assert F.embedding is original


@pytest.mark.parametrize("sparse", (False, True))
def test_compile_gradient_behind_renorm(weight, indices, sparse):
    """Of what was read alone: no dense zeros for the table that was written."""
    operators = []

    def keep(graph, _):
        operators.extend(str(node.target) for node in graph.graph.nodes)
        return make_boxed_func(graph.forward)

    def step(table, compile):
        layer = embedding_mlir.nn.Embedding(V, D, max_norm=0.5, sparse=sparse, _weight=table)
        for _ in range(2):  # The second with a gradient that is there.
            compile(lambda i: layer(i).sin().sum())(indices).backward()
        return layer.weight.detach(), layer.weight.grad

    torch._dynamo.reset()
    # As PyTorch's own backends have it.
    backend = aot_autograd(fw_compiler=keep, keep_inference_input_mutations=True)
    tables, gradients = zip(*(
        step(weight.detach().clone(), compile) for compile in
        (lambda f: f, lambda f: torch.compile(f, fullgraph=True, backend=backend))))
    assert torch.equal(*tables)
    assert all(gradient.is_sparse == sparse for gradient in gradients)
    torch.testing.assert_close(*(gradient.to_dense() for gradient in gradients))
    assert "embedding_mlir.lookup.default" in operators and "aten.add.Tensor" not in operators


def test_bad_arguments(weight, indices):
    with pytest.raises(embedding_mlir.OutOfRangeError) as info:
        embedding_mlir.embedding(torch.tensor([1, V, -1]), weight)
    assert (info.value.position, info.value.index, info.value.count) == (1, V, 2)
    for error, input, table, options in (
            (RuntimeError, indices.double(), weight, {}),
            (RuntimeError, indices, weight[0], {}),
            (AssertionError, indices, weight, {"padding_idx": V}),
            (TypeError, [1, 2], weight, {})):
        for function in (embedding_mlir.embedding, F.embedding):
            with pytest.raises(error):
                function(input, table, **options)


def test_types_that_override(weight, indices):
    """__torch_function__ of a type is asked for F.embedding; a mode sees the drop-in."""
    class Logged(torch.Tensor):
        calls = []

        @classmethod
        def __torch_function__(cls, function, types, args=(), kwargs=None):
            cls.calls.append(function)
            return super().__torch_function__(function, types, args, kwargs or {})

    table = weight.detach()
    for arguments in ((indices, table.as_subclass(Logged)), (indices.as_subclass(Logged), table)):
        Logged.calls.clear()
        out = embedding_mlir.embedding(*arguments, padding_idx=1)
        # Itself, and not what is equal to it.
        assert any(call is F.embedding for call in Logged.calls) and isinstance(out, Logged)
        assert torch.equal(out.as_subclass(torch.Tensor), F.embedding(indices, weight))

    class Plain(torch.Tensor):
        pass

    out = embedding_mlir.embedding(indices, weight.detach().as_subclass(Plain))
    assert isinstance(out, Plain)
    with torch.device("cpu"):  # A mode.
        assert torch.equal(embedding_mlir.embedding(indices, weight),
                           F.embedding(indices, weight))


@pytest.mark.parametrize("options", ({}, {"padding_idx": 2}), ids=("all", "padding"))
def test_sparse_entries(weight, indices, options):
    """The entries themselves, and two gradients that are added."""
    def gradients(embed):
        table = weight.detach().clone().requires_grad_()
        for factor in (1, 2):
            (embed(indices, table, sparse=True, **options) * factor).sum().backward()
        return table.grad

    ours, theirs = gradients(embedding_mlir.embedding), gradients(F.embedding)
    assert torch.equal(ours._indices(), theirs._indices())
    assert torch.equal(ours._values(), theirs._values())
    # Written to since, the indices of the gradient are what they were.
    changed = indices.clone()
    out = embedding_mlir.embedding(changed, weight, sparse=True)
    grad, = torch.autograd.grad(out.sum(), weight)
    rows = grad._indices().clone()
    changed.zero_()
    assert torch.equal(grad._indices(), rows)


def test_scaled_sparse_gradient(weight, indices):
    """Refused by F.embedding; here it is the dense one's entries."""
    dense, sparse = (torch.autograd.grad(
        embedding_mlir.embedding(indices, weight, scale_grad_by_freq=True, sparse=sparse)
        .sum(), weight)[0] for sparse in (False, True))
    torch.testing.assert_close(sparse.to_dense(), dense)


def test_indices_changed_in_place(weight, indices):
    """Autograd notices, as for F.embedding."""
    for embed in (embedding_mlir.embedding, F.embedding):
        changed = indices.clone()
        out = embed(changed, weight).sum()
        changed.zero_()
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            out.backward()


def test_modes(weight, indices):
    for context in (torch.no_grad(), torch.inference_mode(),
                    torch.autocast("cpu", dtype=torch.bfloat16)):
        with context:
            ours, theirs = (embed(indices, weight)
                            for embed in (embedding_mlir.embedding, F.embedding))
        assert torch.equal(ours, theirs) and ours.dtype == theirs.dtype
        assert ours.requires_grad == theirs.requires_grad
        assert ours.is_inference() == theirs.is_inference()


def test_out_of_range(weight):
    input = torch.tensor([1, V, -1])
    grad = torch.ones(3, D, dtype=torch.double)
    rows, values = embedding_mlir.sparse_grad(grad, input, V, out_of_range="zero")
    assert rows.tolist() == [1] and values.shape == (1, D)
    out = embedding_mlir.embedding(input, weight, out_of_range="zero")
    assert torch.equal(out[0], weight[1]) and not out[1:].any()
    gradient, = torch.autograd.grad(out, weight, grad)
    assert gradient[1].eq(1).all() and gradient.count_nonzero() == D
    out = embedding_mlir.embedding(input, weight, out_of_range="clamp")
    assert torch.equal(out[1], weight[V - 1]) and torch.equal(out[2], weight[0])
    with pytest.raises(ValueError, match="expected check, assume, clamp or zero"):
        embedding_mlir.embedding(input, weight, out_of_range="wrap")


def test_failing_renorm_writes_nothing():
    """F.embedding shortens the rows before the bad index."""
    weight = torch.full((V, D), 2.0)
    with pytest.raises(embedding_mlir.OutOfRangeError):
        embedding_mlir.embedding(torch.tensor([0, 1, V]), weight, max_norm=1.0)
    assert weight.eq(2).all()


def test_module_is_copied_and_pickled(indices):
    module = embedding_mlir.nn.Embedding(V, D, padding_idx=1, max_norm=2.0)
    for copied in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert type(copied) is embedding_mlir.nn.Embedding
        assert torch.equal(copied(indices), module(indices))
    frozen = embedding_mlir.nn.Embedding.from_pretrained(module.weight.detach())
    assert torch.equal(frozen(indices), module(indices)) and not frozen.weight.requires_grad


def test_errors_are_pickled():
    """As between the processes of a DataLoader."""
    with pytest.raises(embedding_mlir.OutOfRangeError) as info:
        embedding_mlir.embedding(np.array([V]), np.zeros((V, D)))
    error = pickle.loads(pickle.dumps(info.value))
    assert (error.position, error.index, error.count) == (0, V, 1)
    assert str(error) == str(info.value)


def test_arrays():
    weight = np.random.default_rng(0).standard_normal((V, D)).astype(np.float32)
    indices = np.array([[1, 2], [3, 49]])
    out = embedding_mlir.embedding(indices, weight)
    assert isinstance(out, np.ndarray) and np.array_equal(out, weight[indices])
    assert np.array_equal(embedding_mlir.embedding(indices, weight[::-1]),
                          weight[::-1][indices])
    rows, values = embedding_mlir.sparse_grad(out, indices, V, padding_idx=2)
    assert rows.tolist() == [1, 3, 49] and values.shape == (3, D)
    dense = embedding_mlir.dense_grad(out, indices, V)
    assert np.array_equal(dense[1], weight[1]) and not dense[0].any()


def test_arrays_of_others():
    """What has DLPack's protocol, and arrays with types that NumPy does not have."""
    ml_dtypes = pytest.importorskip("ml_dtypes")

    class Exported:
        def __init__(self, array):
            self.array = array

        def __dlpack__(self, **kwargs):
            return self.array.__dlpack__(**kwargs)

        def __dlpack_device__(self):
            return self.array.__dlpack_device__()

    weight, indices = np.eye(4, dtype=np.float32), np.array([3, 1])
    out = embedding_mlir.embedding(Exported(indices), Exported(weight))
    assert isinstance(out, np.ndarray) and np.array_equal(out, weight[indices])
    short = weight.astype(ml_dtypes.bfloat16)
    grad = embedding_mlir.dense_grad(short, np.array([0, 0, 0, 0]), 2)
    assert grad.dtype == short.dtype and np.array_equal(grad[0], np.ones(4))
    with pytest.raises(TypeError, match="tensors of PyTorch or arrays, but got ndarray, Tensor"):
        embedding_mlir.dense_grad(weight, torch.tensor([1, 1, 1, 1]), 2)


def test_arrays_that_do_not_fit():
    weight, indices = np.zeros((V, D), np.float32), np.array([1])
    for error, arguments in ((ValueError, (indices, weight[0])),
                             (ValueError, (indices.astype(np.float32), weight)),
                             (TypeError, (indices, weight.astype(">f4"))),
                             (TypeError, (indices, np.array(["a", "b"]))),
                             (AssertionError, (indices, weight, V))):
        with pytest.raises(error):
            embedding_mlir.embedding(*arguments)
    weight.flags.writeable = False
    with pytest.raises(ValueError, match="weight: expected an array that can be written"):
        embedding_mlir.embedding(indices, weight, max_norm=1.0)


def test_threads(weight, indices):
    expected = F.embedding(indices, weight)
    wrong = []

    def call():
        for _ in range(200):
            if not torch.equal(embedding_mlir.embedding(indices, weight), expected):
                wrong.append(1)

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_fork():
    """The parent's threads have run loops, and are not there in the child."""
    weight, indices = np.ones((20000, 64), np.float32), np.arange(20000) % 777

    def works():
        out = embedding_mlir.embedding(indices, weight)
        grad = embedding_mlir.dense_grad(out, indices, len(weight))
        return np.array_equal(out, weight) and grad.sum() == out.size

    assert works()
    child = os.fork()
    if child == 0:
        signal.alarm(60)  # Ends a child that waits for a lock for ever.
        os._exit(0 if works() else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_number_of_threads():
    """torch.set_num_threads is heard, and changes no bit."""
    weight = torch.randn(5000, 64)
    indices = torch.randint(5000, (20000,))
    grad = torch.randn(20000, 64)
    before, results = torch.get_num_threads(), []
    for threads in (1, 2, 5):
        torch.set_num_threads(threads)
        results.append((embedding_mlir.embedding(indices, weight),
                        embedding_mlir.dense_grad(grad, indices, 5000)))
    torch.set_num_threads(before)
    for out, sums in results[1:]:
        assert torch.equal(out, results[0][0]) and torch.equal(sums, results[0][1])


def test_torch_imported_later():
    """The first call with tensors takes the way that all others take."""
    program = """
import embedding_mlir
import torch
weight = torch.randn(5, 3, requires_grad=True)
out = embedding_mlir.embedding(torch.tensor([1, 1]), weight, sparse=True,
                               scale_grad_by_freq=True)
out.sum().backward()
assert weight.grad.is_sparse and weight.grad.to_dense()[1].eq(1).all()
"""
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize("call", ("embedding", "renorm_"))
@pytest.mark.parametrize("view", (
    lambda c: c.conj(), lambda c: c.conj().imag, torch._neg_view, lambda c: torch._neg_view(c.real),
    lambda c: torch._neg_view(c).conj()), ids=("conj", "imag", "neg", "real", "neg conj"))
def test_views_that_are_renormed(indices, view, call):
    """Of conjugates and negatives: the table that they are a view of is written."""
    theirs, ours = tables = [torch.randn(V, D, dtype=torch.cdouble,
                                         generator=torch.Generator().manual_seed(0))
                             for _ in range(2)]
    assert view(ours).is_conj() or view(ours).is_neg()
    expected = F.embedding(indices, view(theirs), max_norm=1.0, norm_type=3.0)
    if call == "renorm_":
        embedding_mlir.renorm_(view(ours), indices, 1.0, 3.0)
    else:
        out = embedding_mlir.embedding(indices, view(ours), max_norm=1.0, norm_type=3.0)
        assert torch.equal(out, expected)
    assert torch.equal(*tables) and ours._version > 0
    before = ours.clone()
    with pytest.raises(embedding_mlir.OutOfRangeError):
        embedding_mlir.renorm_(view(ours), torch.tensor([0, V]), 1e-3)
    assert torch.equal(ours, before)


# ---------------------------------------------------------------------------
# Operands that are not plain: addresses, types, layouts
# ---------------------------------------------------------------------------


def at_odd_address(tensor):
    """The same values, at an address that no element may have."""
    memory = torch.empty(tensor.numel() * tensor.element_size() + 1, dtype=torch.uint8)
    bytes_ = memory[1:]
    bytes_.copy_(tensor.contiguous().view(torch.uint8).flatten())
    odd = torch.frombuffer(memory.numpy(), dtype=tensor.dtype, offset=1)
    assert odd.data_ptr() % tensor.element_size() != 0
    return odd.reshape(tensor.shape)


@pytest.mark.parametrize("options", ({}, {"max_norm": 1.0}, {"padding_idx": 2}), ids=str)
def test_odd_addresses(indices, options):
    """As of a safetensors file without a padded header."""
    values = torch.randn(V, D)
    results = []
    for embed in (embedding_mlir.embedding, F.embedding):
        table = at_odd_address(values)
        out = embed(at_odd_address(indices), table, **options)
        table.requires_grad_()
        grad, = torch.autograd.grad(embed(indices, table, **options), table,
                                    at_odd_address(torch.ones(4, 5, D)))
        results.append((out, table.detach(), grad,
                        embed(torch.tensor([1, 2]), at_odd_address(values.T).T.detach())))
    for mine, its in zip(*results):
        torch.testing.assert_close(mine, its)


def test_arrays_at_odd_addresses():
    values = np.random.default_rng(0).standard_normal((V, D)).astype(np.float32)
    memory = bytearray(1) + bytearray(values.tobytes())
    table = np.frombuffer(memory, np.float32, offset=1).reshape(V, D)
    indices, expected = np.array([1, 2, 1]), values.copy()
    embedding_mlir.renorm_(expected, indices, 1.0)
    out = embedding_mlir.embedding(indices, table, max_norm=1.0)
    assert np.array_equal(table, expected) and np.array_equal(out, expected[indices])
    assert not np.array_equal(table, values)
    grad = np.frombuffer(memory, np.float32, offset=1).reshape(V, D)[:3]
    assert np.array_equal(embedding_mlir.dense_grad(grad, np.array([4, 5, 6]), V)[4], grad[0])


TYPES = [name for name in (
    "uint8", "int8", "int16", "bool", "uint16", "uint32", "uint64", "complex32",
    "complex128", "float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz",
    "float8_e8m0fnu") if hasattr(torch, name)]


@pytest.mark.parametrize("name", TYPES)
def test_element_types(name):
    """Any of a fixed width, bit for bit."""
    dtype = getattr(torch, name)
    bits = torch.randint(2 if dtype is torch.bool else 256, (V, D * dtype.itemsize),
                         dtype=torch.uint8)
    table, indices = bits.view(dtype), torch.tensor([[3, 1], [49, 3]])
    out = embedding_mlir.embedding(indices, table)
    assert out.dtype is dtype and torch.equal(out.view(torch.uint8), bits[indices])
    out = embedding_mlir.embedding(indices, table, padding_idx=1)
    assert torch.equal(out.view(torch.uint8), bits[indices])


def test_arrays_of_other_types():
    indices = np.array([1, 0])
    for table in (np.zeros((3, 2), object), np.zeros((3, 2), np.clongdouble),
                  np.zeros((3, 2), "M8[ns]"), np.zeros((3, 2), [("a", "f4")]),
                  np.zeros((3, 2), "V0")):
        with pytest.raises(TypeError, match="weight: arrays of type .* are not supported"):
            embedding_mlir.embedding(indices, table)
    table = np.arange(6, dtype=np.longdouble).reshape(3, 2)
    assert np.array_equal(embedding_mlir.embedding(indices, table), table[indices])
    # Strides of parts of elements: a field of a structured array.
    field = np.zeros((3, 2), [("a", "i1"), ("b", "f4")])["b"]
    with pytest.raises(TypeError, match="weight: expected strides of whole elements"):
        embedding_mlir.embedding(indices, field)
    masked = np.ma.masked_array(np.zeros((3, 2), np.float32), np.eye(3, 2))
    with pytest.raises(TypeError, match="weight: masked arrays are not supported"):
        embedding_mlir.embedding(indices, masked)
    with pytest.raises(TypeError, match="input: masked arrays are not supported"):
        embedding_mlir.embedding(np.ma.masked_array(indices), masked.data)


def outcome(function, *arguments, **options):
    try:
        return function(*arguments, **options)
    except Exception as error:  # noqa: BLE001, it is what is compared.
        return error


@pytest.mark.parametrize("options", ({}, {"max_norm": 1.0}), ids=str)
def test_layouts(options):
    """What F.embedding makes of it: rows, or its own words."""
    strided = torch.tensor([[1, 2], [0, 1]])
    nested = torch.nested.nested_tensor([torch.tensor([1, 2]), torch.tensor([0])])
    jagged = torch.nested.nested_tensor([torch.tensor([1, 2]), torch.tensor([0])],
                                        layout=torch.jagged)
    table = torch.ones(3, 2)
    for input, weight in ((nested, table), (jagged, table), (strided.to_sparse(), table),
                          (strided, table.to_sparse()), (strided, table.to_sparse_csr()),
                          (strided, torch.nested.nested_tensor([torch.ones(2)]))):
        theirs, ours = (outcome(embed, input, weight.clone(), **options)
                        for embed in (F.embedding, embedding_mlir.embedding))
        assert type(ours) is type(theirs)
        if isinstance(theirs, Exception):
            assert str(ours) == str(theirs)
        else:
            assert torch.equal(ours.values(), theirs.values())
    with pytest.raises(TypeError, match="grad_output: expected a tensor with strides and "
                                        "memory, but got a torch.sparse_coo tensor"):
        embedding_mlir.dense_grad(table.to_sparse(), torch.tensor([1, 2, 0]), 3)


def test_zeros_without_memory(indices):
    zeros = torch._efficientzerotensor((V, D))
    assert torch.equal(embedding_mlir.embedding(indices, zeros), torch.zeros(4, 5, D))


SHRUNK = """
import torch
import embedding_mlir
module = embedding_mlir.compile('''
func.func @read(%x: tensor<?x?xf32>) -> tensor<?x?xf32> {
  return %x : tensor<?x?xf32>
}
func.func @write(%x: f32, %out: memref<?x?xf32>) {
  linalg.fill ins(%x : f32) outs(%out : memref<?x?xf32>)
  return
}''')

def shrink(*shape, dtype=torch.float32):
    tensor = torch.ones(8, *shape[1:], dtype=dtype)[8 - shape[0]:]
    storage = tensor.untyped_storage()
    storage.resize_(storage.nbytes() - 1)
    return tensor

def go_backward():
    out = embedding_mlir.embedding(input, weight.requires_grad_())
    out.backward(shrink(4, 3))

weight, input = torch.ones(4, 3), torch.tensor([0, 1, 2, 1])
table, indices = shrink(4, 3), shrink(4, dtype=torch.int64)
calls = [
    lambda: embedding_mlir.embedding(input, table),
    lambda: embedding_mlir.embedding(input, table, max_norm=0.1),
    lambda: embedding_mlir.embedding(input, table.detach().requires_grad_()),
    lambda: embedding_mlir.embedding(indices, weight),
    lambda: embedding_mlir.renorm_(table, input, 0.1),
    lambda: embedding_mlir.dense_grad(table, input, 3),
    lambda: embedding_mlir.dense_grad(weight, indices, 3),
    lambda: embedding_mlir.sparse_grad(table, input, 3),
    lambda: embedding_mlir.coalesce(input, table, 3),
    lambda: embedding_mlir.double_backward(table, input),
    lambda: module.read(table), lambda: module.write(0.0, table), go_backward]
for number, call in enumerate(calls):
    try:
        call()
    except RuntimeError as error:
        assert type(error) is RuntimeError and "are out of bounds for storage of size" in str(error), error
    else:
        raise AssertionError(number)
assert (table.view(-1)[:11] == 1).all()
try:
    module.read(table)
except RuntimeError as error:
    assert str(error) == (
        "x: setStorage: sizes [4, 3], strides [3, 1], storage offset 12, and itemsize 4 requiring "
        "a storage size of 96 are out of bounds for storage of size 95"), error
# What is in its storage to the last byte, or has no elements.
whole = torch.arange(24.0).reshape(8, 3)
whole.untyped_storage().resize_(84)
assert torch.equal(embedding_mlir.embedding(torch.tensor([2]), whole[4:7]), whole[6:7])
assert torch.equal(module.read(whole[:7].T.contiguous().T[:0]), torch.zeros(0, 3))
assert torch.equal(embedding_mlir.embedding(input, weight.detach()[:, :1].expand(4, 9)), torch.ones(4, 9))
# Memory that is shared until it is written is shared still.
shared = torch._lazy_clone(weight.detach())
assert torch.equal(embedding_mlir.embedding(input, shared[1:], out_of_range="clamp"), torch.ones(4, 3))
assert torch._C._is_cow_tensor(shared)
"""


@pytest.mark.parametrize("known", (True, False))
def test_storages_that_are_too_small(known):
    """Also where this package cannot tell how PyTorch's storages are built."""
    prologue = "" if known else "import torch\ntorch.frombuffer = None\n"
    subprocess.run([sys.executable, "-W", "ignore", "-c", prologue + SHRUNK], check=True)


@pytest.mark.parametrize("padding_idx", (0, 1, -1, True, False, 2.0, "1"), ids=repr)
@pytest.mark.parametrize("num_rows", (0, 3))
def test_padding_idx(padding_idx, num_rows):
    """Of an empty table too, and of types that are not int."""
    results = []
    for embed in (F.embedding, embedding_mlir.embedding):
        table = torch.ones(num_rows, 3, requires_grad=True)
        input = torch.zeros(0 if num_rows == 0 else 2, dtype=torch.long)
        result = outcome(embed, input, table, padding_idx=padding_idx)
        if isinstance(result, torch.Tensor):
            result.sum().backward()
            result = result.detach(), table.grad
        results.append(result)
    theirs, ours = results
    assert isinstance(ours, tuple) == isinstance(theirs, tuple), (theirs, ours)
    if isinstance(theirs, tuple):
        assert all(map(torch.equal, ours, theirs))
    assert embedding_mlir.embedding(np.zeros(0, int), np.ones((0, 3)), 0).shape == (0, 3)


@pytest.mark.parametrize("context", (
    contextlib.nullcontext, torch.inference_mode, torch.no_grad,
    lambda: FlopCounterMode(display=False), forward_ad.dual_level))
def test_inference_tensors(indices, context):
    """max_norm writes them, inside of inference mode and outside."""
    for rows in (slice(None), slice(5, None)):
        with torch.inference_mode():
            ours, theirs = torch.full((2, V, D), 2.0)[:, rows]
        input = indices % 5
        with context():
            out = embedding_mlir.embedding(input, ours, max_norm=1.0)
            assert torch.equal(out, F.embedding(input, theirs, max_norm=1.0))
        assert torch.equal(ours, theirs) and ours.is_inference() and not ours.eq(2).all()


def test_inference_tensors_that_are_renormed(indices):
    """By the function that detaches none."""
    with torch.inference_mode():
        table = torch.full((V, D), 2.0)
        embedding_mlir.renorm_(torch.full((V, D), 2.0), indices, 1.0)
    for context in (contextlib.nullcontext(), FlopCounterMode(display=False)):
        with context:
            with pytest.raises(RuntimeError, match="[Ii]nference tensor outside"):
                embedding_mlir.renorm_(table, indices, 1.0)
            assert table.eq(2).all()


# ---------------------------------------------------------------------------
# Edges, as F.embedding has them
# ---------------------------------------------------------------------------


def compare(function):
    """What `function` returns, or the kind of its exception, is the same with F.embedding:
    ours may be a kind of that."""
    theirs, ours = (outcome(function, embed)
                    for embed in (F.embedding, embedding_mlir.embedding))
    if isinstance(theirs, Exception):
        assert isinstance(ours, type(theirs)), (ours, theirs)
        assert "incompatible function arguments" not in str(ours)
    elif isinstance(ours, Exception):
        raise ours
    else:
        torch.testing.assert_close(ours, theirs, equal_nan=True)


def shorten(table, indices, **options):
    """Of a function that looks up: the output and the table, or an error and no write."""
    def function(embed):
        written = table.clone()
        try:
            return embed(indices, written, **options), written
        except Exception:
            assert torch.equal(written, table)
            raise
    return function


NORMS = (2.0, 1.0, 3.0, 0.0, 0, -1.0, -2.5, math.inf, -math.inf, math.nan, True)


@pytest.mark.parametrize("norm_type", NORMS)
@pytest.mark.parametrize("max_norm", (1.5, 0.0, -1.0, math.inf, math.nan))
def test_norms(weight, indices, max_norm, norm_type):
    compare(shorten(weight.detach(), indices, max_norm=max_norm, norm_type=norm_type))
    array = weight.detach().clone().numpy()
    embedding_mlir.embedding(indices.numpy(), array, max_norm=max_norm, norm_type=norm_type)
    F.embedding(indices, expected := weight.detach().clone(), None, max_norm, norm_type)
    np.testing.assert_allclose(array, expected, rtol=1e-12)


@pytest.mark.parametrize("norm_type", NORMS)
@pytest.mark.parametrize("dtype", (torch.complex64, torch.complex128, torch.complex32), ids=str)
def test_complex_norms(indices, dtype, norm_type):
    """Of magnitudes."""
    table = torch.randn(V, D, dtype=torch.complex64).to(dtype)
    compare(shorten(table, indices, max_norm=1.5, norm_type=norm_type))
    with FlopCounterMode(display=False):
        compare(shorten(table, indices.T, max_norm=1.5, norm_type=norm_type))


@pytest.mark.parametrize("out_of_range", ("check", "clamp", "zero"))
def test_complex_norms_out_of_range(out_of_range):
    table = torch.full((4, 2), 3 + 4j)
    input = torch.tensor([[1, 9], [-3, 2]])
    if out_of_range == "check":
        for function in (embedding_mlir.embedding,
                         lambda i, w, **o: embedding_mlir.renorm_(w, i, **o)):
            with pytest.raises(embedding_mlir.OutOfRangeError) as info:
                function(input, table, max_norm=1.0)
            assert (info.value.position, info.value.index, info.value.count) == (1, 9, 2)
            assert table.eq(3 + 4j).all()
        return
    out = embedding_mlir.embedding(input, table, max_norm=1.0, out_of_range=out_of_range)
    expected = torch.full((4, 2), 3 + 4j)
    F.embedding(torch.tensor([0, 1, 2, 3] if out_of_range == "clamp" else [1, 2]), expected,
                max_norm=1.0)
    assert torch.equal(table, expected)
    assert torch.equal(out[0, 0], expected[1])
    assert torch.equal(out[0, 1], expected[3] if out_of_range == "clamp" else torch.zeros(2) + 0j)


def test_types_without_norms(indices):
    for dtype in (torch.int64, torch.bool, torch.uint8, torch.float8_e4m3fn):
        table = torch.ones(V, D).to(dtype)
        for norm_type in (2.0, math.nan):
            with pytest.raises(RuntimeError):
                embedding_mlir.embedding(indices, table, None, 1.0, norm_type)
            assert table.float().eq(1).all()


@pytest.mark.parametrize("argument", ("norm_type", "max_norm", "padding_idx", "scale_grad_by_freq",
                                      "sparse"))
@pytest.mark.parametrize("value", (
    None, "1", 1, 0, 1.0, 1j, [1], True, 10**400, 2**70, torch.tensor(1), torch.tensor(1.0),
    torch.tensor([1.0, 2.0]), np.float32(1), np.int64(1), np.bool_(True), b"1"),
    ids=lambda x: repr(x)[:20])
def test_types_of_arguments(weight, indices, argument, value):
    options = {"max_norm": 1.0} if argument == "norm_type" else {}
    if argument == "padding_idx" and isinstance(value, torch.Tensor) and value.dim() > 0:
        pytest.skip("F.embedding asks whether it is true")
    compare(shorten(weight.detach(), indices, **options, **{argument: value}))
    with FlopCounterMode(display=False):
        compare(shorten(weight.detach(), indices, **options, **{argument: value}))


@pytest.mark.parametrize("value", (None, "2", [1], math.nan))
def test_norm_type_of_no_norm(weight, indices, value):
    """Nobody reads it."""
    compare(lambda embed: embed(indices, weight, norm_type=value))


@pytest.mark.parametrize("value", (None, 1, [1], "a", 1.0, np.array([1])), ids=repr)
def test_operands_of_other_types(weight, indices, value):
    compare(lambda embed: embed(value, weight))
    compare(lambda embed: embed(indices, value))
    for call in (lambda: embedding_mlir.embedding(value, value),
                 lambda: embedding_mlir.embedding(value, weight, max_norm=1.0)):
        if isinstance(value, (np.ndarray, list)):
            continue
        error = outcome(call)
        assert isinstance(error, (TypeError, ValueError)), error


OTHER = object()  # Of a type that no argument has.
WRONG = {
    "dense_grad": [(OTHER, "i", 4), ("g", OTHER, 4), ("g", "i", OTHER), ("g", "i", "4"),
                   ("g", "i", None), ("g", "i", True), ("g", "i", 4.0), ("g", "i", 4, "1"),
                   ("g", "i", 4, 1.0), ("g", "i", 4, None, 1)],
    "sparse_grad": [(OTHER, "i", 4), ("g", OTHER, 4), ("g", "i", OTHER), ("g", "i", 4, "1"),
                    ("g", "i", 4, None, 1)],
    "coalesce": [(OTHER, "g", 4), ("i", OTHER, 4), ("i", "g", None), ("i", "g", "4")],
    "double_backward": [(OTHER, "i"), ("w", OTHER), ("w", "i", 0.5), ("w", "i", None, 1)],
    "renorm_": [(OTHER, "i", 1.0), ("w", OTHER, 1.0), ("w", "i", None), ("w", "i", "1"),
                ("w", "i", 1j), ("w", "i", 1.0, None), ("w", "i", 1.0, "2")],
    "embedding": [(OTHER, "w"), ("i", OTHER), (None, None), ("i", "w", None, "1"),
                  ("i", "w", 0.5)],
    "set_num_threads": [("x",), (None,), (1.0,), (True,)],
    "set_memory_pool": [("x",), (1.0,), (True,)],
    "synchronize": [("x", 0), (0, "x"), (0.5, 0)],
    "compile": [(3,), (None,), (b"module {}",)],
}
CALLS = [(name, arguments) for name, calls in WRONG.items() for arguments in calls]
CALLS_OF_MODES = [("dense_grad", ("g", "i", 4)), ("sparse_grad", ("g", "i", 4)),
                  ("coalesce", ("i", "g", 4)), ("double_backward", ("w", "i")),
                  ("renorm_", ("w", "i", 1.0)), ("embedding", ("i", "w"))]


@pytest.mark.parametrize("make", (torch.from_numpy, lambda x: x), ids=("tensors", "arrays"))
def test_wrong_types_are_said_in_words(make):
    """And never by the signature of a function that nobody called."""
    operands = {"i": np.array([1, 2, 1]), "g": np.ones((3, 2), np.float32),
                "w": np.ones((4, 2), np.float32)}

    def call(name, arguments, **options):
        arguments = [make(operands[x].copy()) if isinstance(x, str) and x in operands else x
                     for x in arguments]
        return getattr(embedding_mlir, name)(*arguments, **options)

    for name, arguments in CALLS:
        with pytest.raises(TypeError) as info:
            call(name, arguments)
        message = str(info.value)
        assert "incompatible function" not in message and "_core" not in message
        assert "must be" in message or "expected" in message or "not support" in message, message
    for name, arguments in CALLS_OF_MODES:
        for mode in (3, None, b"check"):
            with pytest.raises(TypeError, match="'out_of_range' must be str, not"):
                call(name, arguments, out_of_range=mode)
        with pytest.raises(ValueError, match="out_of_range: expected check, assume, clamp or"):
            call(name, arguments, out_of_range="wrap")
    with pytest.raises(TypeError, match="'allow_nondeterministic' must be bool, not int"):
        call("dense_grad", ("g", "i", 4), allow_nondeterministic=1)
    with pytest.raises(TypeError, match="'assume_sizes' must be bool, not int"):
        embedding_mlir.compile("module {}", assume_sizes=1)
    for name in ("set_num_threads", "set_memory_pool"):
        for value in (-1, 2**70):
            with pytest.raises(ValueError, match="expected .* but got"):
                call(name, (value,))
    with pytest.raises(ValueError, match="num_rows: expected an integer of 64 bits"):
        call("dense_grad", ("g", "i", 2**70))


@pytest.mark.parametrize("make", (torch.from_numpy, lambda x: x), ids=("tensors", "arrays"))
def test_messages_name_arguments(make):
    """As the signatures have them, and not the runtime's."""
    def make_index(*shape):
        return make(np.zeros(shape, np.int64))

    def make_rows(*shape):
        return make(np.zeros(shape, np.float32))

    bad, real = make(np.array([1, 9])), make_rows(2)
    for call, name in (
            (lambda: embedding_mlir.embedding(bad, make_rows(4, 2)), "input"),
            (lambda: embedding_mlir.renorm_(make_rows(4, 2), bad, 1.0), "input"),
            (lambda: embedding_mlir.dense_grad(make_rows(2, 2), bad, 4), "input"),
            (lambda: embedding_mlir.sparse_grad(make_rows(2, 2), bad, 4), "input"),
            (lambda: embedding_mlir.coalesce(bad, make_rows(2, 2), 4), "input"),
            (lambda: embedding_mlir.double_backward(make_rows(4, 2), bad), "input"),
            (lambda: embedding_mlir.embedding(real, make_rows(4, 2)), "input"),
            (lambda: embedding_mlir.renorm_(make_rows(4, 2), real, 1.0), "input"),
            (lambda: embedding_mlir.renorm_(make_rows(4), bad, 1.0), "weight"),
            (lambda: embedding_mlir.renorm_(make_index(4, 2), bad, 1.0), "weight"),
            (lambda: embedding_mlir.double_backward(make_rows(4), bad), "grad_grad_weight"),
            (lambda: embedding_mlir.double_backward(make_index(4, 2), bad), "grad_grad_weight"),
            (lambda: embedding_mlir.dense_grad(make_rows(3, 2), bad, 10), "grad_output"),
            (lambda: embedding_mlir.dense_grad(make_rows(2, 2), bad, -1), "num_rows"),
            (lambda: embedding_mlir.sparse_grad(make_rows(2, 2), bad, -1), "num_rows"),
            (lambda: embedding_mlir.coalesce(bad, make_rows(3, 2), 10), "values")):
        with pytest.raises((embedding_mlir.OutOfRangeError, embedding_mlir.InvalidArgumentError),
                           match=f"^{name}: |argument #1 '{name}' to have") as info:
            call()
        assert not re.search("indices|table", str(info.value))


def test_errors_are_those_of_the_table(weight, indices):
    table = np.ones((4, 2), np.float32)
    table.flags.writeable = False
    embedding_mlir.embedding(np.array([1]), table)
    for call in (lambda: embedding_mlir.renorm_(table, np.array([1]), 1.0),
                 lambda: embedding_mlir.compile("x", device="tpu"),
                 lambda: embedding_mlir.set_num_threads(77),
                 lambda: embedding_mlir.embedding(indices, weight[0]),
                 lambda: embedding_mlir.embedding(indices.double(), weight),
                 lambda: embedding_mlir.embedding(indices.to("meta"), weight)):
        with pytest.raises(embedding_mlir.InvalidArgumentError) as info:
            call()
        assert isinstance(info.value, ValueError) and isinstance(info.value, RuntimeError)
    with FlopCounterMode(display=False), pytest.raises(embedding_mlir.UnsupportedError):
        embedding_mlir.coalesce(indices[0], torch.ones(5, 2), V)
    program = "import embedding_mlir"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True,
                          env={**os.environ, "EMBEDDING_MEMORY_POOL_BYTES": "much"})
    assert "InvalidArgumentError: EMBEDDING_MEMORY_POOL_BYTES: expected" in done.stderr


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
@pytest.mark.parametrize("arguments", ((), (0,), (3,), (0, 0)))
@pytest.mark.parametrize("imports", ("", "import torch; "))
def test_synchronize_without_a_gpu(arguments, imports):
    program = f"""
{imports}import embedding_mlir
try:
    embedding_mlir.synchronize{arguments!r}
except embedding_mlir.UnsupportedError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip(), done.stderr


def test_dir():
    """What is public, whether it was loaded or not, and nothing that is only imported."""
    program = """
import embedding_mlir
before = dir(embedding_mlir)
assert set(embedding_mlir.__all__) | {"__version__"} <= set(before), before
assert {name for name in before if not name.startswith("__")} == set(embedding_mlir.__all__)
assert not hasattr(embedding_mlir, "sys")
for name in before:
    getattr(embedding_mlir, name)
assert {x for x in dir(embedding_mlir.nn) if not x.startswith("__")} == {"Embedding"}
"""
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize("kind", ("quint8", "qint8", "qint32", "per channel"))
def test_quantised_tables(kind, indices):
    """F.embedding's own matter."""
    values = torch.randn(V, D)
    if kind == "per channel":
        table = torch.quantize_per_channel(values, torch.ones(V), torch.zeros(V), 0, torch.qint8)
    else:
        table = torch.quantize_per_tensor(values, 0.1, 3, getattr(torch, kind))
    for options in ({}, {"padding_idx": 1}, {"max_norm": 1.0}):
        theirs, ours = (outcome(embed, indices, table, **options)
                        for embed in (F.embedding, embedding_mlir.embedding))
        assert type(ours) is type(theirs)
        if isinstance(theirs, torch.Tensor):
            assert ours.q_scale() == theirs.q_scale()
            assert torch.equal(ours.int_repr(), theirs.int_repr())
    compare(lambda embed: embed(table, values))
    with pytest.raises(TypeError, match="grad_output: torch.q.* is not supported"):
        embedding_mlir.dense_grad(table, torch.arange(V), V)


@pytest.mark.parametrize("num_dims", (31, 32, 33, 63, 64, 65, 100))
def test_dimensions(weight, num_dims):
    """More than the runtime has."""
    input = torch.tensor([[1, 2, 1]]).reshape((1,) * (num_dims - 1) + (3,))
    for options in ({}, {"padding_idx": 2}, {"max_norm": 0.5}, {"scale_grad_by_freq": True},
                    {"sparse": True}):
        results = []
        for embed in (F.embedding, embedding_mlir.embedding):
            table = weight.detach().clone().requires_grad_()
            out = embed(input, table, **options)
            grad, = torch.autograd.grad(out.square().sum(), table)
            assert out.shape == (*input.shape, D)
            results.append((out.flatten(), grad.to_dense(), table.detach()))
        for theirs, ours in zip(*results):
            torch.testing.assert_close(ours, theirs)
    with pytest.raises(embedding_mlir.OutOfRangeError) as info:
        embedding_mlir.embedding(input + V - 2, weight)
    assert info.value.position == 1
    if num_dims > 31:
        with pytest.raises((TypeError, ValueError), match="expected .* dimensions"):
            embedding_mlir.dense_grad(torch.ones(*input.shape, D), input, V)


def test_tables_whose_elements_share_memory():
    """What is to be written is refused before it is; F.embedding writes some of it."""
    input, memory = torch.tensor([1, 2]), torch.arange(12.0)
    for table in (torch.arange(3.0).expand(4, 3), torch.arange(4.0)[:, None].expand(4, 3),
                  torch.full((), 3.0).expand(4, 3), memory.as_strided((4, 3), (1, 1)),
                  memory.as_strided((4, 3), (2, 1))):
        before = table.clone()
        for call in (lambda: embedding_mlir.embedding(input, table, max_norm=1.0),
                     lambda: embedding_mlir.renorm_(table, input, 1.0)):
            with pytest.raises(RuntimeError, match="expected elements that do not share memory"):
                call()
            assert torch.equal(table, before)
        assert torch.equal(embedding_mlir.embedding(input, table), before[input])


@pytest.mark.parametrize("dtype", (torch.complex64, torch.complex128), ids=str)
@pytest.mark.parametrize("options", ({}, {"padding_idx": 1}, {"max_norm": 1.0},
                                     {"scale_grad_by_freq": True}), ids=str)
def test_gradients_of_complex_tables(indices, dtype, options):
    """Refused by the lookup, before anything is written."""
    table = torch.randn(V, D, dtype=dtype)
    before = table.clone()
    message = "embedding does not support automatic differentiation for outputs with complex dtype"
    weight = torch.nn.Parameter(table)
    for context in (contextlib.nullcontext(), FlopCounterMode(display=False)):
        with context, pytest.raises(RuntimeError, match=message) as info:
            embedding_mlir.embedding(indices, weight, **options)
        assert type(info.value) is RuntimeError and torch.equal(table, before)
    with pytest.raises(RuntimeError, match=message):
        torch.func.grad(lambda w: embedding_mlir.embedding(indices, w, **options).abs().sum())(
            table.clone())
    with torch.no_grad():
        compare(lambda embed: embed(indices, weight.clone(), **options))
    compare(lambda embed: torch.func.jvp(lambda w: embed(indices, w), (table,), (table + 1,)))


@pytest.mark.parametrize("options", ({}, {"padding_idx": 1}, {"scale_grad_by_freq": True}),
                         ids=str)
def test_sparse_gradients_of_complex_tables(indices, options):
    """They are what two real tables have, side by side."""
    parts = torch.randn(V, D, 2, dtype=torch.double)
    grad = torch.randn(4, 5, D, 2, dtype=torch.double)
    real = parts.flatten(1).requires_grad_()
    expected, = torch.autograd.grad(F.embedding(indices, real, **options), real, grad.flatten(-2))
    for context in (contextlib.nullcontext(), FlopCounterMode(display=False)):
        table = torch.view_as_complex(parts).clone().requires_grad_()
        with context:
            out = embedding_mlir.embedding(indices, table, sparse=True, **options)
        out.backward(torch.view_as_complex(grad))
        assert table.grad.is_sparse
        torch.testing.assert_close(torch.view_as_real(table.grad.to_dense()).flatten(1), expected)


@pytest.mark.parametrize("rows", (slice(None), slice(3, 40)), ids=("whole", "view"))
def test_reading_copies_nothing(indices, rows):
    """Tables and indices that share memory until they are written keep sharing it."""
    values, input, grad = torch.randn(V, D), indices % 30, torch.randn(4, 5, D)
    expected = F.embedding(input, values[rows])
    is_shared = torch._C._is_cow_tensor

    def share(tensor):
        shared = torch._lazy_clone(tensor)
        assert is_shared(shared)
        return shared

    table, shared_input, shared_grad = share(values)[rows], share(input), share(grad)
    for _ in range(2):
        assert torch.equal(embedding_mlir.embedding(shared_input, table), expected)
    with FlopCounterMode(display=False):
        assert torch.equal(embedding_mlir.embedding(shared_input, table), expected)
    sums = embedding_mlir.dense_grad(shared_grad, shared_input, V)
    assert is_shared(table) and is_shared(shared_input) and is_shared(shared_grad)
    assert torch.equal(sums, embedding_mlir.dense_grad(grad, input, V))
    # Rows that do not follow each other.
    assert torch.equal(embedding_mlir.embedding(shared_input, table.T[:2].T), expected[..., :2])
    assert is_shared(table)
    for write in (lambda t: embedding_mlir.embedding(input, t, max_norm=0.1),
                  lambda t: embedding_mlir.renorm_(t, input, 0.1)):
        table, before = share(values)[rows], values.clone()
        write(table)
        assert not is_shared(table) and torch.equal(values, before)
        F.embedding(input, theirs := values[rows].clone(), max_norm=0.1)
        torch.testing.assert_close(table, theirs)


# ---------------------------------------------------------------------------
# __torch_function__, patch_torch
# ---------------------------------------------------------------------------


def test_how_types_are_asked(weight, indices):
    """In F.embedding's words, by tables that were made before, while and after it was
    swapped."""
    def make(functions):
        class Table(torch.Tensor):
            @classmethod
            def __torch_function__(cls, function, types, args=(), kwargs=None):
                if function in functions:
                    return len(args), kwargs
                return super().__torch_function__(function, types, args, kwargs or {})
        return weight.detach().as_subclass(Table)

    def ask(table):
        return [embed(indices, table, padding_idx=1) for embed in
                (F.embedding, embedding_mlir.embedding, torch.nn.functional.embedding)]

    before, expected = make({F.embedding: 1}), None
    expected = ask(before)[0]
    assert expected[0] == 2 and expected[1]["padding_idx"] == 1
    with embedding_mlir.patch_torch():
        during = make({F.embedding: 1})
        assert ask(before) == ask(during) == [expected] * 3
    assert ask(before) == ask(during) == [expected] * 3


def test_subclass_out_of_range(weight):
    class Plain(torch.Tensor):
        pass

    out = embedding_mlir.embedding(torch.tensor([1, V]), weight.detach().as_subclass(Plain),
                                   out_of_range="zero")
    assert isinstance(out, Plain) and not out[1].any() and torch.equal(out[0], weight[1])


def test_per_sample_gradients(indices):
    from torch.nn.utils._per_sample_grad import call_for_per_sample_grads
    samples = []
    for context in (contextlib.nullcontext(), embedding_mlir.patch_torch()):
        module = torch.nn.Embedding(V, D)
        with context:
            call_for_per_sample_grads(module)(indices).sum().backward()
        samples.append(module.weight.grad_sample)
    assert torch.equal(*samples) and samples[0].shape == (4, V, D)


def test_patch_forms(indices):
    original = F.embedding

    @embedding_mlir.patch_torch()
    def is_patched():
        return F.embedding is not original

    assert F.embedding is original and is_patched() and F.embedding is original
    patch = embedding_mlir.patch_torch()  # At once, and for good.
    assert F.embedding is not original
    with embedding_mlir.patch_torch():
        pass
    assert F.embedding is not original
    assert pickle.loads(pickle.dumps(F.embedding)) is F.embedding
    patch.__exit__()
    assert F.embedding is original


def test_patched_is_compiled(indices):
    module = torch.nn.Embedding(V, D)
    with embedding_mlir.patch_torch():
        torch._dynamo.reset()
        compiled = torch.compile(module, fullgraph=True, backend="aot_eager")
        assert torch.equal(compiled(indices), module(indices))


# ---------------------------------------------------------------------------
# Batching rules
# ---------------------------------------------------------------------------


@pytest.mark.parametrize("options", ({}, {"padding_idx": 2}, {"max_norm": 1.0}), ids=str)
@pytest.mark.parametrize("dims", ((0, None), (1, None), (None, 2), (0, 0), (1, 1)), ids=str)
def test_vmap(dims, options):
    """Samples of indices, of tables and of both; no warning of a slow way."""
    torch.manual_seed(0)
    input = torch.randint(V, (4, 5))
    input.fill_diagonal_(2)  # The padding row of each sample.
    table = torch.randn(V, D, 4 if dims[0] in (0, None) else 5, dtype=torch.double)
    table = table.movedim(-1, dims[1]) if dims[1] is not None else table[..., 0]
    table = table.clone()

    def embed(i, w):
        return embedding_mlir.embedding(i, w, **options)

    def loss(i, w):
        return embed(i, w).pow(3).sum()

    slices = (lambda x, dim, k: x if dim is None else x.select(dim, k))
    count = input.shape[dims[0]] if dims[0] is not None else table.shape[dims[1]]
    tables = [table.clone() for _ in range(3)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        batched = torch.func.vmap(embed, dims)(input, tables[0])
        grads = torch.func.vmap(torch.func.grad(loss, 1), dims)(input, tables[1])
    for k in range(count):
        indices, mine = slices(input, dims[0], k), slices(tables[2], dims[1], k)
        if "max_norm" in options and dims[1] is None:
            F.embedding(input, mine, max_norm=1.0)  # All samples' rows.
        out = F.embedding(indices, mine, **options)
        torch.testing.assert_close(batched[k], out)
        leaf = mine.clone().requires_grad_()
        grad, = torch.autograd.grad(F.embedding(indices, leaf, **options).pow(3).sum(), leaf)
        torch.testing.assert_close(grads[k], grad)
    if "max_norm" in options:
        torch.testing.assert_close(tables[0], tables[2])


@pytest.mark.parametrize("out_of_range", ("check", "zero", "clamp"))
def test_vmap_out_of_range(out_of_range):
    """An index of one sample never names a row of another's table."""
    tables = torch.arange(1.0, 13).reshape(2, 3, 2)
    input = torch.tensor([[0, 3], [-1, 2]])

    def embed(i, w):
        return embedding_mlir.embedding(i, w, out_of_range=out_of_range)

    def run():
        return (torch.func.vmap(embed)(input, tables),
                torch.func.vmap(torch.func.grad(lambda w, i: embed(i, w).pow(2).sum()))(
                    tables, input))

    if out_of_range == "check":
        with pytest.raises(IndexError, match=r"\[0, 3\), but got 3 at flat position 1"):
            run()
        return
    out, grads = run()
    for k in range(2):
        table = tables[k].clone().requires_grad_()
        expected = embed(input[k], table)
        grad, = torch.autograd.grad(expected.pow(2).sum(), table)
        assert torch.equal(out[k], expected) and torch.equal(grads[k], grad)
