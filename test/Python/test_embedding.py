"""The Python package. Needs it installed, with PyTorch 2.4 or later: pytest test/Python.

F.embedding is the oracle for tensors and NumPy's indexing for arrays.
"""

import os
import threading

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.autograd import gradcheck, gradgradcheck

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


def test_gradcheck(weight, indices):
    def embed(w):
        return embedding_mlir.embedding(indices, w)
    assert gradcheck(embed, (weight,), check_forward_ad=True, check_batched_grad=True)
    assert gradgradcheck(embed, (weight,), check_fwd_over_rev=True)


def test_compile(weight, indices):
    compiled = torch.compile(
        lambda w: embedding_mlir.embedding(indices, w, padding_idx=1).sin().sum(),
        fullgraph=True, backend="aot_eager")
    ours, = torch.autograd.grad(compiled(weight), weight)
    theirs, = torch.autograd.grad(F.embedding(indices, weight, padding_idx=1).sin().sum(),
                                  weight)
    torch.testing.assert_close(ours, theirs)


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
    weight, indices = np.ones((V, D), np.float32), np.arange(V)
    embedding_mlir.embedding(indices, weight)
    child = os.fork()
    if child == 0:
        out = embedding_mlir.embedding(indices, weight)
        os._exit(0 if np.array_equal(out, weight) else 1)
    assert os.waitpid(child, 0)[1] == 0
