"""The drop-in for torch.nn.functional.embedding.

There are three ways to a result, from the quickest on:

- plain tensors go straight to the runtime, by `_core.embed_plain`; if they take a
  gradient, an autograd.Function that has nothing left to compute records it;
- derivatives of derivatives, and what torch.func transforms, by autograd.Functions whose
  parts are such calls;
- what is traced (torch.compile, export, fake tensors, other subclasses), by operators
  of torch.library, whose derivatives are the same operators.
"""

import contextlib
import types
from typing import NamedTuple, Optional

import torch
import torch.nn.functional as F
from torch.autograd import forward_ad
from torch.autograd.graph import increment_version
from torch.overrides import handle_torch_function, has_torch_function_variadic

from . import _core, _functions

_PLAIN = (torch.Tensor, torch.nn.Parameter)
_count_dispatch_modes = torch._C._len_torch_dispatch_stack
_peek_functorch = torch._C._functorch.peek_interpreter_stack
_has_storage = torch._C._has_storage
is_compiling = torch.compiler.is_compiling
_F_embedding = F.embedding


def _is_traced(input, weight):
    # The first comes first: the others are not to be traced themselves.
    return (is_compiling() or type(weight) not in _PLAIN
            or type(input) not in _PLAIN or _count_dispatch_modes() > 0)


class _Arguments(NamedTuple):
    """What is not differentiable, the same in each derivative."""

    num_rows: int
    padding_idx: Optional[int]  # In [0, num_rows), or None.
    scale_grad_by_freq: bool
    sparse: bool
    out_of_range: str

    def without_rows(self):
        return self.padding_idx, self.scale_grad_by_freq, self.out_of_range


# ---------------------------------------------------------------------------
# On plain tensors
# ---------------------------------------------------------------------------


def _compute_lookup(weight, input, a):
    return _core.lookup(weight, input, a.out_of_range)


def _compute_dense_grad(grad, input, a):
    return _core.dense_grad(grad, input, a.num_rows, a.padding_idx, a.scale_grad_by_freq,
                            False, a.out_of_range)


def _compute_sparse_grad(grad, input, a):
    if (a.padding_idx is None and not a.scale_grad_by_freq
            and a.out_of_range in ("check", "assume")):
        # The lookup has looked at the indices.
        return _make_sparse(*_view_entries(grad, input), a.num_rows)
    rows, values = _core.sparse_grad(grad, input, a.num_rows, a.padding_idx,
                                     a.scale_grad_by_freq, a.out_of_range)
    return _make_sparse(rows, values, a.num_rows)


def _view_entries(grad, input):
    """An entry for each position, by operators of PyTorch's: there is nothing to compute.
    Indices may be written before an optimizer reads theirs."""
    rows = input.reshape(-1).to(torch.int64, copy=True)
    return rows, grad.reshape(rows.shape[0], grad.shape[-1])


def _make_sparse(rows, values, num_rows):
    return torch.sparse_coo_tensor(rows[None], values, (num_rows, values.shape[-1]),
                                   check_invariants=False)


def _compute_double_backward(weight, input, a):
    return _core.double_backward(weight, input, a.padding_idx, a.scale_grad_by_freq,
                                 a.out_of_range)


# ---------------------------------------------------------------------------
# Operators, for what is traced
# ---------------------------------------------------------------------------


@torch.library.custom_op("embedding_mlir::lookup", mutates_args=())
def lookup_op(weight: torch.Tensor, input: torch.Tensor, sparse: bool,
              padding_idx: Optional[int], scale_grad_by_freq: bool,
              out_of_range: str) -> torch.Tensor:
    return _core.lookup(weight, input, out_of_range)


@torch.library.custom_op("embedding_mlir::dense_grad", mutates_args=())
def dense_grad_op(grad: torch.Tensor, input: torch.Tensor, num_rows: int,
                  padding_idx: Optional[int], scale_grad_by_freq: bool,
                  out_of_range: str) -> torch.Tensor:
    return _core.dense_grad(grad, input, num_rows, padding_idx, scale_grad_by_freq, False,
                            out_of_range)


@torch.library.custom_op("embedding_mlir::double_backward", mutates_args=())
def double_backward_op(weight: torch.Tensor, input: torch.Tensor,
                       padding_idx: Optional[int], scale_grad_by_freq: bool,
                       out_of_range: str) -> torch.Tensor:
    return _core.double_backward(weight, input, padding_idx, scale_grad_by_freq,
                                 out_of_range)


@torch.library.custom_op("embedding_mlir::renorm_", mutates_args=("weight",))
def renorm_op(weight: torch.Tensor, input: torch.Tensor, max_norm: float,
              norm_type: float, out_of_range: str) -> None:
    _core.renorm(weight, input, max_norm, norm_type, out_of_range)


@lookup_op.register_fake
def _(weight, input, sparse, padding_idx, scale_grad_by_freq, out_of_range):
    return weight.new_empty((*input.shape, weight.shape[1]))


@double_backward_op.register_fake
def _(weight, input, padding_idx, scale_grad_by_freq, out_of_range):
    return weight.new_empty((*input.shape, weight.shape[1]))


@dense_grad_op.register_fake
def _(grad, input, num_rows, padding_idx, scale_grad_by_freq, out_of_range):
    return grad.new_empty((num_rows, grad.shape[-1]))


@renorm_op.register_fake
def _(weight, input, max_norm, norm_type, out_of_range):
    return None


def _save_input(ctx, inputs, output):
    ctx.save_for_backward(inputs[1])
    ctx.arguments = inputs[-3:]
    ctx.num_rows = inputs[0].shape[0]


def _save_lookup(ctx, inputs, output):
    _save_input(ctx, inputs, output)
    ctx.sparse = inputs[2]


def _lookup_backward(ctx, grad):
    input, = ctx.saved_tensors
    if ctx.sparse:
        gradient = _trace_sparse_grad(grad, input, ctx.num_rows, *ctx.arguments)
    else:
        gradient = dense_grad_op(grad, input, ctx.num_rows, *ctx.arguments)
    return gradient, *(None,) * 5


def _double_backward_backward(ctx, grad):
    input, = ctx.saved_tensors
    return dense_grad_op(grad, input, ctx.num_rows, *ctx.arguments), *(None,) * 4


def _trace_sparse_grad(grad, input, num_rows, padding_idx, scale_grad_by_freq,
                       out_of_range):
    if scale_grad_by_freq or out_of_range in ("clamp", "zero"):
        raise NotImplementedError(
            "embedding(): sparse=True with scale_grad_by_freq, or with out_of_range clamp "
            "or zero, is not supported where it is traced")
    rows, values = _view_entries(grad, input)
    if padding_idx is not None:
        is_taken = rows != padding_idx
        rows, values = rows[is_taken], values[is_taken]
    return _make_sparse(rows, values, num_rows)


def _dense_grad_backward(ctx, grad_grad):
    input, = ctx.saved_tensors
    return double_backward_op(grad_grad, input, *ctx.arguments), *(None,) * 5


lookup_op.register_autograd(_lookup_backward, setup_context=_save_lookup)
dense_grad_op.register_autograd(_dense_grad_backward, setup_context=_save_input)
double_backward_op.register_autograd(_double_backward_backward,
                                     setup_context=_save_input)


# ---------------------------------------------------------------------------
# Autograd
# ---------------------------------------------------------------------------


def _save(ctx, input, arguments):
    ctx.save_for_backward(input)
    if forward_ad._current_level >= 0 or _peek_functorch() is not None:
        ctx.save_for_forward(input)
    ctx.arguments = arguments


class _Lookup:
    @staticmethod
    def backward(ctx, grad):
        input, = ctx.saved_tensors
        if ctx.arguments.sparse:
            return _compute_sparse_grad(grad, input, ctx.arguments), None, None
        return _sum_gradients(grad, input, ctx.arguments), None, None

    @staticmethod
    def jvp(ctx, tangent, *_):
        input, = ctx.saved_for_forward
        return _lookup_rows(tangent, input, ctx.arguments)


class _DenseGrad:
    @staticmethod
    def backward(ctx, grad_grad):
        input, = ctx.saved_tensors
        return _lookup_gradients(grad_grad, input, ctx.arguments), None, None

    @staticmethod
    def jvp(ctx, tangent, *_):
        input, = ctx.saved_for_forward
        return _sum_gradients(tangent, input, ctx.arguments)


class _DoubleBackward:
    @staticmethod
    def backward(ctx, grad):
        input, = ctx.saved_tensors
        return _sum_gradients(grad, input, ctx.arguments), None, None

    @staticmethod
    def jvp(ctx, tangent, *_):
        input, = ctx.saved_for_forward
        return _lookup_gradients(tangent, input, ctx.arguments)


class _Derivable:
    """A computation as an autograd.Function twice: as plain autograd has it, which takes
    a third of the time, and as torch.func's transforms need it."""

    def __init__(self, derivatives, compute, trace):
        class Plain(derivatives, torch.autograd.Function):
            @staticmethod
            def forward(ctx, tensor, input, arguments):
                _save(ctx, input, arguments)
                return compute(tensor, input, arguments)

        class Transformed(derivatives, torch.autograd.Function):
            generate_vmap_rule = True

            @staticmethod
            def forward(tensor, input, arguments):
                # Tensors may still be those of another transform.
                return trace(tensor, input, arguments)

            @staticmethod
            def setup_context(ctx, inputs, output):
                _save(ctx, *inputs[1:])

        self.compute, self.trace = compute, trace
        self.plain, self.transformed = Plain.apply, Transformed.apply

    def __call__(self, tensor, input, arguments):
        if _peek_functorch() is not None:
            return self.transformed(tensor, input, arguments)
        # Gradients may come from anywhere: batched, fake, or none at all.
        if _is_traced(input, tensor) or not _has_storage(tensor):
            return self.trace(tensor, input, arguments)
        if torch.is_grad_enabled():
            return self.plain(tensor, input, arguments)
        return self.compute(tensor, input, arguments)


_lookup_rows = _Derivable(
    _Lookup, _compute_lookup,
    lambda weight, input, a: lookup_op(weight, input, a.sparse, *a.without_rows()))
_sum_gradients = _Derivable(
    _DenseGrad, _compute_dense_grad,
    lambda grad, input, a: dense_grad_op(grad, input, a.num_rows, *a.without_rows()))
_lookup_gradients = _Derivable(
    _DoubleBackward, _compute_double_backward,
    lambda weight, input, a: double_backward_op(weight, input, *a.without_rows()))


class _RecordedLookup(_Lookup, torch.autograd.Function):
    """A lookup that was done before: `recorded` is its output and its arguments. An
    output that is an argument would be taken for one that was written in place."""

    @staticmethod
    def forward(ctx, weight, input, recorded):
        out, ctx.arguments = recorded
        ctx.save_for_backward(input)
        if forward_ad._current_level >= 0:
            ctx.save_for_forward(input)
        return out


# ---------------------------------------------------------------------------
# The function
# ---------------------------------------------------------------------------


def _check_arguments(input, weight, padding_idx):
    """The checks of F.embedding, and `padding_idx` without a sign."""
    if not isinstance(input, torch.Tensor) or not isinstance(weight, torch.Tensor):
        names = ", ".join(type(x).__name__ for x in (input, weight))
        raise TypeError(f"embedding(): expected tensors of PyTorch, but got {names}")
    num_rows = weight.shape[0] if weight.dim() > 0 else 0
    if padding_idx is not None:
        if padding_idx >= num_rows or padding_idx < -num_rows:
            raise AssertionError("Padding_idx must be within num_embeddings")
        if padding_idx < 0:
            padding_idx += num_rows
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
    return padding_idx


def _overrides(x):
    """Whether the type of `x` has a __torch_function__ of its own."""
    function = getattr(type(x), "__torch_function__", None)
    return (function is not None and function is not torch._C._disabled_torch_function_impl
            and getattr(function, "__func__", None)
            is not torch.Tensor.__torch_function__.__func__)


def embed(input, weight, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse,
          out_of_range):
    """`embedding_mlir.embedding` of whatever is not plain, or not right."""
    is_traced_whole = is_compiling()
    if not is_traced_whole and has_torch_function_variadic(input, weight):
        arguments = (input, weight, padding_idx, max_norm, norm_type, scale_grad_by_freq,
                     sparse)
        if (_overrides(input) or _overrides(weight)) and out_of_range == "check":
            # Such a type knows F.embedding by its name.
            return handle_torch_function(_F_embedding, arguments[:2], *arguments)
        return handle_torch_function(_functions.embedding, arguments[:2], *arguments,
                                     out_of_range=out_of_range)
    padding_idx = _check_arguments(input, weight, padding_idx)
    a = _Arguments(weight.shape[0], padding_idx, scale_grad_by_freq, sparse, out_of_range)
    is_transformed = not is_traced_whole and _peek_functorch() is not None
    if max_norm is not None:
        if is_transformed:
            raise RuntimeError("embedding(): max_norm is not supported under torch.func")
        # On the tensor itself: what it is a part of does not see this write.
        renorm_op(weight.detach(), input, float(max_norm), float(norm_type), out_of_range)
    look_up = _lookup_rows.transformed if is_transformed else _lookup_rows.trace
    return look_up(weight, input, a)


@contextlib.contextmanager
def patch_torch():
    """While it lasts, torch.nn.functional.embedding is this package's, and with it
    torch.nn.Embedding. For all threads: calls of others change too."""
    previous = F.embedding
    F.embedding = _functions.embedding
    try:
        yield
    finally:
        F.embedding = previous


# ---------------------------------------------------------------------------
# What the others need of PyTorch
# ---------------------------------------------------------------------------

_functions.is_compiling = is_compiling

# The types in DLPack's terms; those of 8-bit floats as bytes, which can be looked up.
_TYPES = [(dtype, code, 8 * dtype.itemsize) for dtype, code in (
    (torch.float32, 2), (torch.int64, 0), (torch.float16, 2), (torch.bfloat16, 4),
    (torch.float64, 2), (torch.int32, 0), (torch.int16, 0), (torch.int8, 0),
    (torch.uint8, 1), (torch.bool, 1), (torch.complex64, 5), (torch.complex128, 5))]
_TYPES += [(getattr(torch, name), 1, 8) for name in ("float8_e4m3fn", "float8_e5m2")
           if hasattr(torch, name)]

_core.set_torch(types.SimpleNamespace(
    tensor_type=torch.Tensor, parameter_type=torch.nn.Parameter, types=_TYPES,
    is_grad_enabled=torch.is_grad_enabled, count_dispatch_modes=_count_dispatch_modes,
    peek_functorch=_peek_functorch,
    is_function_mode_enabled=torch._C._is_torch_function_mode_enabled,
    forward_ad=forward_ad, increment_version=increment_version,
    get_current_stream=getattr(torch._C, "_cuda_getCurrentRawStream", None),
    make_arguments=_Arguments,
    # What Function.apply does for torch.func before it calls this is not needed there.
    record_lookup=super(torch.autograd.Function, _RecordedLookup).apply))
