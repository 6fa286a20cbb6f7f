"""Every watcher of a call times every derivative of it, against F.embedding: the table of
embedding_mlir._watchers, cell by cell.

What F.embedding raises we may do; where it works we do the same.
"""

import contextlib
import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F
from functorch.compile import aot_function
from torch.autograd import forward_ad
from torch.fx.experimental.proxy_tensor import make_fx
from torch.overrides import TorchFunctionMode
from torch.testing import assert_close
from torch.testing._internal.two_tensor import TwoTensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

import embedding_mlir

V, D = 7, 3
INDICES = torch.tensor([[1, 2, 1], [2, 6, 0]])


class Watched(TorchDispatchMode):
    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        return function(*args, **(kwargs or {}))


class Asked(TorchFunctionMode):
    def __torch_function__(self, function, types, args=(), kwargs=None):
        return function(*args, **(kwargs or {}))


class Plain(torch.Tensor):
    pass


class Overriding(torch.Tensor):
    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        return super().__torch_function__(function, types, args, kwargs or {})


class OwnParameter(torch.nn.Parameter):
    pass


class Module(torch.nn.Module):
    """Of indices and a table: what exporters take."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, input, weight):
        return self.function(input, weight)


def export(function, *arguments, **options):
    # A table that is an input may be written, a parameter that takes a gradient not.
    program = torch.export.export(Module(function), arguments, **options)
    assert not any("embedding_mlir" in str(node.target) for node in program.graph.nodes)
    return program.module()


def record(function, *arguments):
    """A graph of this process has our operators, but none of ours that writes."""
    graph = make_fx(function)(*arguments)
    assert (any("embedding_mlir.lookup" in str(node.target) for node in graph.graph.nodes)
            == (function.embed is embedding_mlir.embedding and not function.writes))
    return graph


def compile(function, *arguments):
    torch._dynamo.reset()
    return torch.compile(function, fullgraph=True, backend="aot_eager")


def convert(kind):
    """Calls with a table of another type, which takes the gradient in its place."""
    return lambda function, *_: lambda input, weight: function(input, kind(weight))


def own_parameter(weight):
    # A leaf: it shares memory, and passes no gradient on.
    return OwnParameter(weight) if not weight.requires_grad else weight


# Of a function of (indices, table) and examples of them, the function that is watched.
RECORDERS = {
    "jit.trace": torch.jit.trace,
    "export": export,
    "make_fx": record,
    "compile": compile,
    "subclass": convert(lambda w: w.as_subclass(Plain)),
    "overriding": convert(lambda w: w.as_subclass(Overriding)),
    "parameter": convert(own_parameter),
    "dispatching": convert(lambda w: TwoTensor(w, w.clone())),
}
CONTEXTS = {
    "nobody": contextlib.nullcontext,
    "dispatch mode": Watched,
    "flop counter": lambda: FlopCounterMode(display=False),
    "function mode": Asked,
    "device mode": lambda: torch.device("cpu"),
    "inference": torch.inference_mode,
    "no_grad": torch.no_grad,
    "dual level": forward_ad.dual_level,
}
WATCHERS = (*RECORDERS, *CONTEXTS)


# ---------------------------------------------------------------------------
# What is asked of a function of a table
# ---------------------------------------------------------------------------


def forward(f, w, t):
    return f(w)


def vjp(f, w, t):
    w.requires_grad_()
    return torch.autograd.grad(f(w).sin().sum(), w)[0]


def double_vjp(f, w, t):
    w.requires_grad_()
    grad, = torch.autograd.grad(f(w).sin().sum(), w, create_graph=True)
    return torch.autograd.grad((grad * t).sum(), w)[0]


def jvp(f, w, t):
    context = (contextlib.nullcontext if forward_ad._current_level >= 0
               else forward_ad.dual_level)
    with context():
        return forward_ad.unpack_dual(f(forward_ad.make_dual(w, t))).tangent


def jvp_of_vjp(f, w, t):
    context = (contextlib.nullcontext if forward_ad._current_level >= 0
               else forward_ad.dual_level)
    w.requires_grad_()
    with context():
        dual = forward_ad.make_dual(w, t)
        grad, = torch.autograd.grad(f(dual).sin().sum(), dual, create_graph=True)
        return forward_ad.unpack_dual(grad).tangent


def batched_vjp(f, w, t):
    w.requires_grad_()
    out = f(w)
    grads = torch.randn(4, *out.shape, dtype=out.dtype,
                        generator=torch.Generator().manual_seed(1))
    return torch.autograd.grad(out, w, grads, is_grads_batched=True)[0]


def total(f):
    return lambda w: f(w).pow(3).sum()


DERIVATIVES = {
    "forward": forward,
    "vjp": vjp,
    "vjp(vjp)": double_vjp,
    "jvp": jvp,
    "jvp(vjp)": jvp_of_vjp,
    "batched vjp": batched_vjp,
    "func.grad": lambda f, w, t: torch.func.grad(total(f))(w),
    "func.jvp": lambda f, w, t: torch.func.jvp(f, (w,), (t,)),
    "func.linearize": lambda f, w, t: torch.func.linearize(f, w)[1](t),
    "func.hessian": lambda f, w, t: torch.func.hessian(total(f))(w),
    "func.jacfwd(jacrev)": lambda f, w, t: torch.func.jacfwd(torch.func.jacrev(f))(w),
    "func.jacrev(jacrev)": lambda f, w, t: torch.func.jacrev(torch.func.jacrev(f))(w),
    "func.grad(grad)": lambda f, w, t: torch.func.grad(
        lambda w: torch.func.grad(total(f))(w).pow(2).sum())(w),
    "func.vmap": lambda f, w, t: torch.func.vmap(f)(torch.stack((w, t, w - t))),
    "func.vmap(grad)": lambda f, w, t: torch.func.vmap(torch.func.grad(total(f)), 1)(
        torch.stack((w, t), 1)),
    "func.vmap(hessian)": lambda f, w, t: torch.func.vmap(torch.func.hessian(total(f)))(
        torch.stack((w, t))),
    "func.jvp(vmap)": lambda f, w, t: torch.func.jvp(
        torch.func.vmap(f), (torch.stack((w, t)),), (torch.stack((t, w)),)),
    "func.functionalize": lambda f, w, t: torch.func.functionalize(f)(w),
    "func.functionalize(grad)": lambda f, w, t: torch.func.functionalize(
        torch.func.grad(total(f)))(w),
}
# Those that derive the gradient.
SECOND = {"vjp(vjp)", "jvp(vjp)", "func.hessian", "func.jacfwd(jacrev)", "func.jacrev(jacrev)",
          "func.grad(grad)", "func.vmap(hessian)"}
OPTIONS = {"plain": {}, "padding": {"padding_idx": 2}, "negative": {"padding_idx": -V + 1},
           "max_norm": {"max_norm": 1.0, "norm_type": 1.0},
           "scale": {"scale_grad_by_freq": True}, "sparse": {"sparse": True, "padding_idx": 2}}


def outcome(embed, watcher, derivative, options):
    """What a cell yields, with the table afterwards, or the exception."""
    generator = torch.Generator().manual_seed(0)
    weight, tangent = torch.randn(2, V, D, dtype=torch.double, generator=generator)
    weight, tangent = weight.clone(), tangent.clone()

    def function(input, weight):
        return embed(input, weight, **options)

    function.embed, function.writes = embed, "max_norm" in options
    try:
        if watcher in RECORDERS:
            example = torch.flip(weight, (0,)).clone()
            function = RECORDERS[watcher](function, INDICES % 3, example)
        with CONTEXTS.get(watcher, contextlib.nullcontext)():
            result = DERIVATIVES[derivative](lambda w: function(INDICES, w), weight, tangent)
    except Exception as error:  # noqa: BLE001, it is what is compared.
        return error
    return result, weight


def is_wrong_in_torch(watcher, derivative, options):
    """PyTorch's second derivatives leave out scale_grad_by_freq, in some versions; and its
    functionalize of two tensors ends the process."""
    return (options == "scale" and derivative in SECOND
            or watcher == "dispatching" and "functionalize" in derivative)


def unwrap(x):
    if isinstance(x, tuple):
        return tuple(map(unwrap, x))
    if isinstance(x, TwoTensor):
        return x.a
    if x is not None and x.layout is torch.sparse_coo:
        return x.to_dense()
    return x


# All options where they are ours to heed; where F.embedding does, a few.
CELLS = [(watcher, derivative, options) for watcher in WATCHERS for derivative in DERIVATIVES
         for options in OPTIONS
         if watcher in ("nobody", "compile", "dispatch mode")
         or options in ("padding", "max_norm", "sparse")]


@pytest.mark.parametrize("watcher, derivative, options", CELLS)
@pytest.mark.filterwarnings("ignore")
def test_cell(watcher, derivative, options):
    if is_wrong_in_torch(watcher, derivative, options):
        pytest.skip("F.embedding is wrong")
    theirs, ours = (outcome(embed, watcher, derivative, OPTIONS[options])
                    for embed in (F.embedding, embedding_mlir.embedding))
    if isinstance(theirs, Exception):
        if not isinstance(ours, Exception):
            pytest.skip(f"F.embedding: {theirs}"[:200])
        return
    if isinstance(ours, Exception):
        raise ours
    for mine, its in zip(ours, theirs):
        assert type(mine) is type(its)
        if isinstance(mine, torch.Tensor):
            assert mine.layout == its.layout
        mine, its = unwrap(mine), unwrap(its)
        assert_close(mine, its)


# ---------------------------------------------------------------------------
# Functions beside embedding
# ---------------------------------------------------------------------------


def test_renorm_tells_autograd():
    weight = torch.ones(4, 3, requires_grad=True)
    rows = weight * 1
    out = rows.sin()
    embedding_mlir.renorm_(rows, torch.tensor([1]), 0.5)
    assert rows._version == 1
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        out.sum().backward()


def test_functions_are_recorded():
    input = torch.tensor([1, 3])
    functions = {
        "dense_grad": (lambda x: embedding_mlir.dense_grad(x, input, 4), (2, 3)),
        "double_backward": (lambda x: embedding_mlir.double_backward(x, input), (4, 3)),
        "renorm_": (lambda x: embedding_mlir.renorm_(x * 1, input, 0.5), (4, 3)),
    }
    for name, (function, shape) in functions.items():
        example, other = torch.ones(shape), torch.full(shape, 7.0)
        expected = function(other)
        for recorded in (make_fx(function)(example),
                         torch.jit.trace(function, (example,), check_trace=False)):
            assert torch.equal(recorded(other), expected), name


class Seen(TorchDispatchMode):
    """Our operators that were called."""

    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if function.namespace == "embedding_mlir":
            self.names.append(function._schema.name.removeprefix("embedding_mlir::"))
        return function(*args, **(kwargs or {}))


def test_modes_see_each_operator():
    """Also the gradient of a lookup that nobody saw, whose backward asks again."""
    input, rows, table = torch.tensor([1, 3]), torch.ones(2, 3), torch.ones(4, 3)
    weight = torch.ones(4, 3, requires_grad=True)
    out = embedding_mlir.embedding(input, weight)
    steps = [
        ("lookup", lambda: embedding_mlir.embedding(input, weight)),
        ("renorm_ lookup", lambda: embedding_mlir.embedding(input, table, max_norm=1.0)),
        ("renorm_", lambda: embedding_mlir.renorm_(table, input, 1.0)),
        ("dense_grad", lambda: embedding_mlir.dense_grad(rows, input, 4)),
        ("double_backward", lambda: embedding_mlir.double_backward(table, input)),
        ("lookup dense_grad", lambda: torch.autograd.grad(
            embedding_mlir.embedding(input, weight).sum(), weight)),
        ("dense_grad", lambda: torch.autograd.grad(out.sum(), weight)),
    ]
    for names, step in steps:
        with Seen() as seen:
            step()
        assert seen.names == names.split(), names


@pytest.mark.parametrize("out_of_range", ("assume", "clamp", "zero"))
def test_modes_see_every_option(out_of_range):
    """Each differs from its default, and counts as it does where nobody watches."""
    input = torch.tensor([1, 3, 3, 0] if out_of_range == "assume" else [1, 5, 3, -1])
    rows = torch.arange(1.0, 13).reshape(4, 3)

    def renorm():
        table = rows.clone()
        return embedding_mlir.renorm_(table, input, 4.0, 1.0, out_of_range=out_of_range)

    def embed():
        table = rows.clone()
        out = embedding_mlir.embedding(input, table, 2, 4.0, 1.0, out_of_range=out_of_range)
        return torch.cat((out, table))

    def train(**options):
        table = rows.clone().requires_grad_()
        out = embedding_mlir.embedding(input, table, 3, out_of_range=out_of_range, **options)
        grad, = torch.autograd.grad((out * rows).sum(), table)
        return grad.to_dense()

    steps = (
        renorm, embed, train, lambda: train(scale_grad_by_freq=True), lambda: train(sparse=True),
        lambda: embedding_mlir.dense_grad(rows, input, 4, 3, True, out_of_range=out_of_range),
        lambda: embedding_mlir.double_backward(rows, input, 3, True, out_of_range=out_of_range))
    for number, step in enumerate(steps):
        expected = step()
        with Seen() as seen:
            assert torch.equal(step(), expected), number
        assert seen.names, number


def test_aot_function_keeps_operators():
    """Its tensors are of types that our operators work on, unlike those of others."""
    graphs = []

    def keep(graph, inputs):
        graphs.append(graph)
        return graph.forward

    def look_up(input, weight):
        return embedding_mlir.embedding(input, weight, out_of_range="zero")

    input, weight = torch.tensor([1, 9]), torch.ones(4, 3, requires_grad=True)
    out = aot_function(look_up, keep)(input, weight)
    assert torch.equal(out, torch.tensor([[1.0] * 3, [0.0] * 3]))
    grad, = torch.autograd.grad(out.sum(), weight)
    assert grad.sum(1).tolist() == [0, 3, 0, 0]
    names = {str(node.target) for graph in graphs for node in graph.graph.nodes}
    assert {"embedding_mlir.lookup.default", "embedding_mlir.dense_grad.default"} <= names


def test_functions_of_unknown_sizes_are_refused():
    input, rows = torch.tensor([1, 3]), torch.ones(2, 3)
    for function in (lambda x: embedding_mlir.sparse_grad(x, input, 4)[1],
                     lambda x: embedding_mlir.coalesce(input, x, 4)[1]):
        with pytest.raises(NotImplementedError, match="depends on the indices"):
            make_fx(function)(rows)


def test_dense_grad_has_a_tangent():
    input, rows = torch.tensor([1, 1]), torch.ones(2, 3)
    with forward_ad.dual_level():
        out = embedding_mlir.dense_grad(forward_ad.make_dual(rows, 2 * rows), input, 4)
        tangent = forward_ad.unpack_dual(out).tangent
    assert torch.equal(tangent, 2 * embedding_mlir.dense_grad(rows, input, 4))


def test_no_gradient_is_none():
    class Stop(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, grad):
            return None

    weight = torch.randn(7, 3, requires_grad=True)
    Stop.apply(embedding_mlir.embedding(torch.tensor([0, 1]), weight)).sum().backward()
    assert weight.grad is None


@pytest.mark.parametrize("padding_idx", [2**70, -2**70])
def test_padding_beyond_all_rows(padding_idx):
    with pytest.raises(AssertionError, match="Padding_idx must be within num_embeddings"):
        embedding_mlir.embedding(torch.tensor([0]), torch.ones(3, 2), padding_idx)


def test_make_fx_of_max_norm_under_vmap():
    """Where PyTorch has no rule for its own operator, and ours has."""
    input = torch.tensor([[1, 2], [3, 1]])

    def look_up(weight):
        return torch.func.vmap(lambda i: embedding_mlir.embedding(i, weight, max_norm=1.0))(input)

    weight = torch.full((4, 3), 2.0)
    out = make_fx(look_up)(torch.ones(4, 3))(weight)
    expected = torch.full((4, 3), 2.0)
    assert torch.equal(out, F.embedding(input, expected, max_norm=1.0))
    assert torch.equal(weight, expected)


DISTRIBUTED = """
import sys
import torch, torch.distributed as dist
import torch.nn.functional as F
from functorch.compile import aot_function
import embedding_mlir
from torch.distributed._tensor import Replicate, Shard, distribute_tensor, init_device_mesh
dist.init_process_group("gloo", init_method="file://" + sys.argv[1], rank=0, world_size=1)
mesh = init_device_mesh("cpu", (1,))
input = torch.tensor([1, 2, 1])
table = torch.arange(12.0).reshape(4, 3)
for placement in (Shard(1), Replicate()):
    for compile in (lambda f: f, lambda f: torch.compile(f, fullgraph=True, backend="eager"),
                    lambda f: torch.compile(f, fullgraph=True, backend="aot_eager")):
        results = []
        for embed in (F.embedding, embedding_mlir.embedding):
            torch._dynamo.reset()
            weight = distribute_tensor(table, mesh, [placement]).requires_grad_()
            indices = distribute_tensor(input, mesh, [Replicate()])
            out = compile(lambda i, w: embed(i, w, padding_idx=2) * 2)(indices, weight)
            out.sum().backward()
            assert out.placements == (placement,)
            results.append((out.to_local(), weight.grad.to_local()))
        for theirs, ours in zip(*results):
            assert torch.equal(ours, theirs)
dist.destroy_process_group()
"""


def test_distributed_tensors(tmp_path):
    """By operators that have sharding rules, also where torch.compile traces."""
    subprocess.run([sys.executable, "-W", "ignore", "-c", DISTRIBUTED,
                    str(tmp_path / "rendezvous")], check=True, timeout=300)
