"""The Python package on a GPU: where there is none, all of it is skipped.

Its kernels are those of compile_gpu_kernels.py, since a machine with a GPU may have no
LLVM.
"""

import pytest
import torch
import torch.nn.functional as F

import embedding_mlir

if not torch.cuda.is_available():
    pytest.skip("there is no GPU", allow_module_level=True)

V, D = 1000, 64
SHAPES = ((), (0,), (300,), (4, 75), (2, 3, 50))
DTYPES = (torch.float32, torch.bfloat16)
MAX_NORM = 1.5
FUNCTION = """
func.func @rows(%weight: tensor<?x64xf32>, %input: tensor<?xi64>) -> tensor<?x64xf32> {
  %c0 = arith.constant 0 : index
  %size = tensor.dim %input, %c0 : tensor<?xi64>
  %init = tensor.empty(%size) : tensor<?x64xf32>
  %out = embedding.lookup ins(%weight, %input : tensor<?x64xf32>, tensor<?xi64>)
      outs(%init : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %out : tensor<?x64xf32>
}
"""


def make_weight(dtype=torch.float32, seed=0):
    generator = torch.Generator("cuda").manual_seed(seed)
    return torch.randn(V, D, generator=generator, device="cuda").to(dtype).requires_grad_()


def make_indices(*shape):
    generator = torch.Generator("cuda").manual_seed(1)
    return torch.randint(V, shape, generator=generator, device="cuda")


def both(function):
    """Of the drop-in and of PyTorch."""
    return function(embedding_mlir.embedding), function(F.embedding)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_same_bits(dtype, shape):
    weight, indices = make_weight(dtype), make_indices(*shape)
    ours, theirs = both(lambda embed: embed(indices, weight))
    assert ours.is_cuda and torch.equal(ours, theirs)


@pytest.mark.parametrize("padding_idx", (None, 2))
@pytest.mark.parametrize("sparse", (False, True))
def test_gradients(padding_idx, sparse):
    weight, indices = make_weight(), make_indices(4, 75)
    grad = torch.randn(4, 75, D, device="cuda")

    def gradient(embed):
        out = embed(indices, weight, padding_idx=padding_idx, sparse=sparse)
        return torch.autograd.grad(out, weight, grad)[0]

    ours, theirs = both(gradient)
    assert ours.is_sparse == sparse
    torch.testing.assert_close(ours.to_dense(), theirs.to_dense())


def test_second_derivative():
    weight, indices = make_weight(), make_indices(300)
    factor = torch.randn(300, D, device="cuda")

    def second(embed):
        out = (embed(indices, weight) ** 2 * factor).sum()
        first, = torch.autograd.grad(out, weight, create_graph=True)
        return torch.autograd.grad((first ** 2).sum(), weight)[0]

    torch.testing.assert_close(*both(second), rtol=1e-4, atol=1e-3)


def test_max_norm():
    indices = make_indices(300)

    def renormed(embed):
        weight = make_weight().detach()
        version = weight._version
        out = embed(indices, weight, max_norm=MAX_NORM)
        assert weight._version > version
        return out, weight

    (ours, ours_weight), (theirs, theirs_weight) = both(renormed)
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(ours_weight, theirs_weight)


def test_streams():
    """Work goes to the current stream, behind what is there."""
    weight, indices = make_weight(), make_indices(300)
    expected = F.embedding(indices, weight + 1)
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        torch.cuda._sleep(10_000_000)
        out = embedding_mlir.embedding(indices, weight.detach() + 1)
    stream.synchronize()
    assert torch.equal(out, expected)


def test_graph():
    """A step of training, captured and replayed on other indices."""
    module = embedding_mlir.nn.Embedding(V, D, device="cuda")
    indices, target = make_indices(300), torch.randn(300, D, device="cuda")

    def step():
        module.weight.grad = None
        (module(indices) * target).sum().backward()

    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    indices.copy_(torch.randint(V, (300,), device="cuda"))
    graph.replay()
    weight = module.weight.detach().requires_grad_()
    (F.embedding(indices, weight) * target).sum().backward()
    torch.testing.assert_close(module.weight.grad, weight.grad)


def test_bad_index():
    """Told of by synchronize; the context goes on."""
    weight, indices = make_weight(), make_indices(300)
    bad = indices.clone()
    bad[7], bad[9] = V, -1
    embedding_mlir.embedding(bad, weight)
    with pytest.raises(embedding_mlir.OutOfRangeError) as info:
        embedding_mlir.synchronize()
    assert (info.value.position, info.value.index, info.value.count) == (7, V, 2)
    embedding_mlir.synchronize()
    assert torch.equal(embedding_mlir.embedding(indices, weight), F.embedding(indices, weight))


def test_bad_arguments():
    weight, indices = make_weight(), make_indices(300)
    for arguments in ((indices.cpu(), weight), (indices, weight.detach().cpu())):
        for embed in (embedding_mlir.embedding, F.embedding):
            with pytest.raises(RuntimeError, match="same device"):
                embed(*arguments)


def test_autocast():
    """Lookups keep the type of the table, as PyTorch's do."""
    weight, indices = make_weight(), make_indices(300)
    with torch.autocast("cuda", dtype=torch.bfloat16):
        ours, theirs = both(lambda embed: embed(indices, weight))
    assert ours.dtype == theirs.dtype == torch.float32


def test_compile():
    weight, indices = make_weight(), make_indices(300)

    def loss(embed):
        compiled = torch.compile(lambda w: (embed(indices, w) ** 2).sum(), fullgraph=True,
                                 backend="aot_eager")
        return torch.autograd.grad(compiled(weight), weight)[0]

    torch.testing.assert_close(*both(loss))


def test_training():
    """A hundred steps of SGD from the same start."""
    def train(embed):
        weight, target = make_weight(), torch.ones(300, D, device="cuda")
        optimizer = torch.optim.SGD([weight], lr=0.5)
        for step in range(100):
            generator = torch.Generator("cuda").manual_seed(step)
            indices = torch.randint(V, (300,), generator=generator, device="cuda")
            optimizer.zero_grad()
            loss = F.mse_loss(embed(indices, weight), target, reduction="sum") / 300
            loss.backward()
            optimizer.step()
        return weight.detach()

    torch.testing.assert_close(*both(train))


def test_functions():
    weight, indices = make_weight().detach(), make_indices(300)
    rows, sums = embedding_mlir.coalesce(indices, weight[indices], V)
    assert torch.equal(rows, indices.unique())
    torch.testing.assert_close(sums, weight[rows] * indices.bincount(minlength=V)[rows, None])
    module = embedding_mlir.compile(FUNCTION, device="cuda")
    assert torch.equal(module.rows(weight, indices), weight[indices])
