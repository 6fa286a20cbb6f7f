"""The drop-in for torch.nn.functional.embedding.

There are three ways to a result, from the quickest on:

- plain tensors that take no gradient go straight to the runtime;
- those that do, by an autograd.Function whose parts are such calls;
- what is traced (torch.compile, export, fake tensors, other subclasses), by operators
  of torch.library, whose derivatives are the same operators.
"""

import contextlib

import torch
import torch.nn.functional as F
from torch.autograd import forward_ad
from torch.autograd.graph import increment_version

from . import _core
from ._functions import _mode

for _dtype, _code in ((torch.float16, 2), (torch.float32, 2), (torch.float64, 2),
                      (torch.bfloat16, 4), (torch.int8, 0), (torch.int16, 0),
                      (torch.int32, 0), (torch.int64, 0), (torch.uint8, 1),
                      (torch.bool, 1), (torch.complex64, 5), (torch.complex128, 5)):
    _core.register_torch_type(_dtype, _code, 8 * _dtype.itemsize)
for _name in ("float8_e4m3fn", "float8_e5m2"):
    if hasattr(torch, _name):  # Bytes, for lookups.
        _core.register_torch_type(getattr(torch, _name), 1, 8)

_PLAIN = (torch.Tensor, torch.nn.Parameter)
_has_storage = torch._C._has_storage
_dispatch_modes = torch._C._len_torch_dispatch_stack
_peek_functorch = torch._C._functorch.peek_interpreter_stack
_core_lookup = _core.lookup
_core_renorm = _core.renorm


def plain(x):
    """`x` with its bytes as they look."""
    if x.is_conj():
        x = x.resolve_conj()
    return x.resolve_neg() if x.is_neg() else x


def _stream(x):
    return torch.cuda.current_stream(x.device).cuda_stream if x.is_cuda else 0


def _is_traced(input, weight):
    # The first comes first: the others are not to be traced themselves.
    return (torch.compiler.is_compiling() or type(weight) not in _PLAIN
            or type(input) not in _PLAIN or _dispatch_modes() > 0)


# ---------------------------------------------------------------------------
# On plain tensors
# ---------------------------------------------------------------------------


def _lookup(weight, input, mode):
    out = weight.new_empty((*input.shape, weight.shape[1]))
    _core_lookup(plain(weight), input, out, mode, None, 2.0, _stream(weight))
    return out


def _dense_grad(grad, input, num_rows, padding_idx, scale_grad_by_freq, mode):
    out = grad.new_empty((num_rows, grad.shape[-1]))
    _core.dense_grad(plain(grad), input, out, padding_idx, scale_grad_by_freq, False,
                     mode, _stream(grad))
    return out


def _sparse_grad(grad, input, num_rows, padding_idx, scale_grad_by_freq, mode):
    size = input.numel()
    rows = grad.new_empty((size,), dtype=torch.int64)
    values = grad.new_empty((size, grad.shape[-1]))
    nnz = grad.new_empty((), dtype=torch.int64)
    _core.sparse_grad(plain(grad), input, num_rows, rows, values, nnz, padding_idx,
                      scale_grad_by_freq, mode, _stream(grad))
    if padding_idx is not None or mode == 3:
        size = int(nnz)
        rows, values = rows[:size], values[:size]
    return torch.sparse_coo_tensor(rows[None], values, (num_rows, grad.shape[-1]),
                                   check_invariants=False)


def _double_backward(weight, input, padding_idx, scale_grad_by_freq, mode):
    out = weight.new_empty((*input.shape, weight.shape[1]))
    _core.double_backward(plain(weight), input, out, padding_idx, scale_grad_by_freq,
                          mode, _stream(weight))
    return out


# ---------------------------------------------------------------------------
# Operators, for what is traced
# ---------------------------------------------------------------------------


@torch.library.custom_op("embedding_mlir::lookup", mutates_args=())
def lookup_op(weight: torch.Tensor, input: torch.Tensor, padding_idx: int,
              scale_grad_by_freq: bool, mode: int) -> torch.Tensor:
    return _lookup(weight, input, mode)


@torch.library.custom_op("embedding_mlir::dense_grad", mutates_args=())
def dense_grad_op(grad: torch.Tensor, input: torch.Tensor, num_rows: int,
                  padding_idx: int, scale_grad_by_freq: bool,
                  mode: int) -> torch.Tensor:
    return _dense_grad(grad, input, num_rows, _optional(padding_idx),
                       scale_grad_by_freq, mode)


@torch.library.custom_op("embedding_mlir::double_backward", mutates_args=())
def double_backward_op(weight: torch.Tensor, input: torch.Tensor, padding_idx: int,
                       scale_grad_by_freq: bool, mode: int) -> torch.Tensor:
    return _double_backward(weight, input, _optional(padding_idx), scale_grad_by_freq,
                            mode)


@torch.library.custom_op("embedding_mlir::renorm_", mutates_args=("weight",))
def renorm_op(weight: torch.Tensor, input: torch.Tensor, max_norm: float,
              norm_type: float, mode: int) -> None:
    _core_renorm(weight, input, max_norm, norm_type, mode, _stream(weight))


def _optional(padding_idx):
    """Operators say -1 for no padding."""
    return None if padding_idx < 0 else padding_idx


@lookup_op.register_fake
@double_backward_op.register_fake
def _(weight, input, padding_idx, scale_grad_by_freq, mode):
    return weight.new_empty((*input.shape, weight.shape[1]))


@dense_grad_op.register_fake
def _(grad, input, num_rows, padding_idx, scale_grad_by_freq, mode):
    return grad.new_empty((num_rows, grad.shape[-1]))


@renorm_op.register_fake
def _(weight, input, max_norm, norm_type, mode):
    return None


def _save_input(ctx, inputs, output):
    ctx.save_for_backward(inputs[1])
    ctx.arguments = inputs[-3:]
    ctx.num_rows = inputs[0].shape[0]


def _lookup_backward(ctx, grad):
    input, = ctx.saved_tensors
    return dense_grad_op(grad, input, ctx.num_rows, *ctx.arguments), *(None,) * 4


def _dense_grad_backward(ctx, grad_grad):
    input, = ctx.saved_tensors
    return double_backward_op(grad_grad, input, *ctx.arguments), *(None,) * 5


lookup_op.register_autograd(_lookup_backward, setup_context=_save_input)
dense_grad_op.register_autograd(_dense_grad_backward, setup_context=_save_input)
double_backward_op.register_autograd(_lookup_backward, setup_context=_save_input)


# ---------------------------------------------------------------------------
# Autograd
# ---------------------------------------------------------------------------


class _Arguments:
    """What is not differentiable: hashable, and the same in each derivative."""

    __slots__ = ("padding_idx", "scale_grad_by_freq", "sparse", "mode")

    def __init__(self, padding_idx, scale_grad_by_freq, sparse, mode):
        self.padding_idx, self.scale_grad_by_freq = padding_idx, scale_grad_by_freq
        self.sparse, self.mode = sparse, mode


class _Lookup:
    @staticmethod
    def backward(ctx, grad):
        input, = ctx.saved_tensors
        a = ctx.arguments
        if a.sparse:
            return _sparse_grad(grad, input, ctx.num_rows, a.padding_idx,
                                a.scale_grad_by_freq, a.mode), None, None
        return _sum_gradients(grad, input, ctx.num_rows, a), None, None

    @staticmethod
    def jvp(ctx, tangent, *_):
        input, = ctx.saved_for_forward
        return _lookup_rows(tangent, input, ctx.arguments)


class _DenseGrad:
    @staticmethod
    def backward(ctx, grad_grad):
        input, = ctx.saved_tensors
        return _lookup_gradients(grad_grad, input, ctx.arguments), *(None,) * 3

    @staticmethod
    def jvp(ctx, tangent, *_):
        input, = ctx.saved_for_forward
        return _sum_gradients(tangent, input, ctx.num_rows, ctx.arguments)


class _DoubleBackward:
    @staticmethod
    def backward(ctx, grad):
        input, = ctx.saved_tensors
        return _sum_gradients(grad, input, ctx.num_rows, ctx.arguments), None, None

    @staticmethod
    def jvp(ctx, tangent, *_):
        input, = ctx.saved_for_forward
        return _lookup_gradients(tangent, input, ctx.arguments)


def _compute_lookup(weight, input, a):
    return _lookup(weight, input, a.mode)


def _compute_dense_grad(grad, input, num_rows, a):
    return _dense_grad(grad, input, num_rows, a.padding_idx, a.scale_grad_by_freq, a.mode)


def _compute_double_backward(weight, input, a):
    return _double_backward(weight, input, a.padding_idx, a.scale_grad_by_freq, a.mode)


def _set_up(ctx, inputs, num_rows):
    ctx.save_for_backward(inputs[1])
    ctx.save_for_forward(inputs[1])
    ctx.arguments = inputs[-1]
    ctx.num_rows = num_rows


class _Derivable:
    """A computation as an autograd.Function twice: as plain autograd has it, which takes
    a third of the time, and as torch.func's transforms need it."""

    def __init__(self, derivatives, compute, trace, get_num_rows):
        class Plain(derivatives, torch.autograd.Function):
            @staticmethod
            def forward(ctx, *inputs):
                _set_up(ctx, inputs, get_num_rows(inputs))
                return compute(*inputs)

        class Transformed(derivatives, torch.autograd.Function):
            generate_vmap_rule = True

            @staticmethod
            def forward(*inputs):
                # Tensors may still be those of another transform.
                return trace(*inputs)

            @staticmethod
            def setup_context(ctx, inputs, output):
                _set_up(ctx, inputs, get_num_rows(inputs))

        self.compute, self.trace = compute, trace
        self.plain, self.transformed = Plain.apply, Transformed.apply

    def __call__(self, *inputs):
        if _peek_functorch() is not None:
            return self.transformed(*inputs)
        # Gradients may come from anywhere: batched, fake, or none at all.
        if _is_traced(inputs[1], inputs[0]) or not _has_storage(inputs[0]):
            return self.trace(*inputs)
        if torch.is_grad_enabled():
            return self.plain(*inputs)
        return self.compute(*inputs)


def _as_operator(operator):
    def trace(*inputs):
        a = inputs[-1]
        padding_idx = -1 if a.padding_idx is None else a.padding_idx
        return operator(*inputs[:-1], padding_idx, a.scale_grad_by_freq, a.mode)
    return trace


_lookup_rows = _Derivable(_Lookup, _compute_lookup, _as_operator(lookup_op),
                          lambda inputs: inputs[0].shape[0])
_sum_gradients = _Derivable(_DenseGrad, _compute_dense_grad, _as_operator(dense_grad_op),
                            lambda inputs: inputs[2])
_lookup_gradients = _Derivable(_DoubleBackward, _compute_double_backward,
                               _as_operator(double_backward_op),
                               lambda inputs: inputs[0].shape[0])


# ---------------------------------------------------------------------------
# The function
# ---------------------------------------------------------------------------


def _check_arguments(input, weight, padding_idx):
    """The checks of F.embedding, and `padding_idx` without a sign."""
    if not isinstance(input, torch.Tensor) or not isinstance(weight, torch.Tensor):
        names = ", ".join(type(x).__name__ for x in (input, weight))
        raise TypeError(f"embedding(): expected tensors of PyTorch, but got {names}")
    if weight.dim() != 2:
        raise RuntimeError("'weight' must be 2-D")
    if input.dtype not in (torch.int64, torch.int32):
        raise RuntimeError(
            "Expected tensor for argument #1 'indices' to have one of the following scalar "
            f"types: Long, Int; but got {input.dtype} instead (while checking arguments "
            "for embedding)")
    if input.device != weight.device and "meta" not in (input.device.type,
                                                        weight.device.type):
        raise RuntimeError(
            "Expected all tensors to be on the same device, but found at least two "
            f"devices, {weight.device} and {input.device}!")
    if padding_idx is None:
        return None
    num_rows = weight.shape[0]
    if padding_idx >= num_rows or padding_idx < -num_rows:
        raise AssertionError("Padding_idx must be within num_embeddings")
    return padding_idx % num_rows if num_rows else None


def embedding(input, weight, padding_idx=None, max_norm=None, norm_type=2.0,
              scale_grad_by_freq=False, sparse=False, *, out_of_range="check"):
    """See embedding_mlir.embedding."""
    padding_idx = _check_arguments(input, weight, padding_idx)
    mode = 0 if out_of_range == "check" else _mode(out_of_range)
    if _is_traced(input, weight) or weight.device.type not in ("cpu", "cuda"):
        return _trace(input, weight, padding_idx, max_norm, norm_type,
                      scale_grad_by_freq, sparse, mode)
    transform = _peek_functorch() is not None
    if max_norm is not None:
        if transform:
            raise RuntimeError("embedding(): max_norm is not supported under torch.func")
        with torch.no_grad():
            _core_renorm(weight, input, max_norm, norm_type, mode, _stream(weight))
        increment_version(weight)
    if (transform or weight.requires_grad and torch.is_grad_enabled()
            or forward_ad._current_level >= 0):
        apply = _lookup_rows.transformed if transform else _lookup_rows.plain
        return apply(weight, input,
                     _Arguments(padding_idx, scale_grad_by_freq, sparse, mode))
    return _lookup(weight, input, mode)


def _trace(input, weight, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse,
           mode):
    if sparse:
        raise NotImplementedError(
            "embedding(): sparse=True is not supported under torch.compile")
    if max_norm is not None:
        # On the tensor itself: what it is a part of does not see this write.
        renorm_op(weight.detach(), input, float(max_norm), float(norm_type), mode)
    return lookup_op(weight, input, -1 if padding_idx is None else padding_idx,
                     scale_grad_by_freq, mode)


@contextlib.contextmanager
def patch_torch():
    """While it lasts, torch.nn.functional.embedding is this package's, and with it
    torch.nn.Embedding. For all threads: calls of others change too."""
    previous = F.embedding
    F.embedding = embedding
    try:
        yield
    finally:
        F.embedding = previous
