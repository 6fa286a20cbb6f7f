"""The drop-in for torch.nn.functional.embedding.

`_watchers` says which way a call goes. The quickest is one call of `_core`, behind which
an autograd.Function that has nothing left to compute records what takes a gradient.
"""

import functools
import types
from typing import NamedTuple, Optional

import torch
import torch.nn.functional as F
from torch.autograd.graph import increment_version
from torch.overrides import handle_torch_function

from . import _core, _operators, _tracing, _watchers
from ._errors import InvalidArgumentError, UnsupportedError
from ._functions import as_float, check_options
from ._watchers import Way

_F_embedding = F.embedding
_MAX_INDEX_DIMS = 31  # Of the runtime, whose output has a dimension more.


class _Arguments(NamedTuple):
    """What is not differentiable, the same in each derivative."""

    num_rows: int
    padding_idx: Optional[int]  # In [0, num_rows), or None.
    scale_grad_by_freq: bool
    sparse: bool
    out_of_range: str

    def without_sparse(self):
        return self.num_rows, self.padding_idx, self.scale_grad_by_freq, self.out_of_range


class _RecordedLookup(torch.autograd.Function):
    """A lookup that was done before: `recorded` is its output and its arguments. An
    output that is an argument would be taken for one that was written in place."""

    @staticmethod
    def forward(ctx, weight, input, recorded):
        out, ctx.arguments = recorded
        ctx.save_for_backward(input)
        # No gradient is none, and not zeros that an optimizer would move rows by.
        ctx.set_materialize_grads(False)
        return out

    @staticmethod
    def backward(ctx, grad):
        if grad is None:
            return None, None, None
        input, = ctx.saved_tensors
        a = ctx.arguments
        if a.sparse:
            return _operators.make_sparse(grad, input, *a.without_sparse()), None, None
        gradient = None
        if not torch.is_grad_enabled():
            gradient = _core.sum_plain(grad, input, *a.without_sparse())
        # Gradients may come from anywhere: batched, fake, or with no memory.
        if gradient is None:
            gradient = _operators.dense_grad(grad, input, *a.without_sparse())
        return gradient, None, None


# ---------------------------------------------------------------------------
# The function
# ---------------------------------------------------------------------------


def _check_arguments(input, weight, padding_idx, scale_grad_by_freq, sparse, out_of_range):
    """The checks of F.embedding, and `padding_idx` without a sign."""
    if not isinstance(input, torch.Tensor) or not isinstance(weight, torch.Tensor):
        names = ", ".join(type(x).__name__ for x in (input, weight))
        raise TypeError(f"embedding(): expected tensors of PyTorch, but got {names}")
    check_options(padding_idx, scale_grad_by_freq, sparse, out_of_range)
    if padding_idx:
        num_rows = weight.shape[0] if weight.dim() > 0 else 0
        if padding_idx >= num_rows or padding_idx < -num_rows:
            raise AssertionError("Padding_idx must be within num_embeddings")
        if padding_idx < 0:
            padding_idx += num_rows
    if weight.dim() != 2:
        raise InvalidArgumentError("'weight' must be 2-D")
    if input.dtype not in (torch.int64, torch.int32):
        raise InvalidArgumentError(
            "Expected tensor for argument #1 'input' to have one of the following scalar "
            f"types: Long, Int; but got {input.dtype} instead (while checking arguments "
            "for embedding)")
    _operators.check_devices(weight, input)
    return padding_idx


def _overrides(x):
    """Whether the type of `x` has a __torch_function__ of its own."""
    function = getattr(type(x), "__torch_function__", None)
    return (function is not None and function is not torch._C._disabled_torch_function_impl
            and getattr(function, "__func__", None)
            is not torch.Tensor.__torch_function__.__func__)


def _ask(input, weight, out_of_range, **options):
    """What types and modes with __torch_function__ make of a call: in the words of
    F.embedding, whose arguments they know."""
    asked = drop_in
    if out_of_range != "check":
        options["out_of_range"] = out_of_range
    elif _overrides(input) or _overrides(weight):
        asked = F.embedding
    return handle_torch_function(asked, (input, weight), input, weight, **options)


def _look_up_portably(input, weight, out_of_range, *, padding_idx, max_norm, norm_type,
                      scale_grad_by_freq, sparse):
    """By operators of PyTorch's alone."""
    def look_up(input, max_norm=None):
        return _F_embedding(input, weight, padding_idx, max_norm, norm_type,
                            scale_grad_by_freq, sparse)

    if out_of_range in ("check", "assume"):
        return look_up(input, max_norm)
    num_rows = weight.shape[0]
    if out_of_range == "clamp":
        return look_up(input.clamp(0, num_rows - 1), max_norm)
    if out_of_range != "zero":
        raise InvalidArgumentError("out_of_range: expected check, assume, clamp or zero, "
                                   f"but got {out_of_range}")
    if scale_grad_by_freq:
        raise UnsupportedError("embedding(): out_of_range zero with scale_grad_by_freq is "
                               "not supported where a graph leaves this process")
    is_in = (input >= 0) & (input < num_rows)
    if max_norm is not None:
        look_up(input[is_in], max_norm)
    out = look_up(torch.where(is_in, input, 0))
    return torch.where(is_in[..., None], out, out.new_zeros(()))


def _look_up_watched(input, weight, out_of_range, *, padding_idx, max_norm, norm_type,
                     scale_grad_by_freq, sparse):
    padding_idx = _check_arguments(input, weight, padding_idx, scale_grad_by_freq, sparse,
                                   out_of_range)
    if (weight.is_complex() and not sparse and weight.requires_grad
            and torch.is_grad_enabled()):
        raise RuntimeError("embedding does not support automatic differentiation for "
                           "outputs with complex dtype.")
    shape = input.shape
    if input.dim() > _MAX_INDEX_DIMS:
        input = input.reshape(-1)
    if max_norm is not None:
        # On the tensor itself: what it is a part of does not see this write. Of one that
        # takes gradients torch.compile would add them to those of what was read, sparse
        # ones to dense zeros.
        with torch.no_grad():
            _operators.renorm_(weight.detach(), input, as_float(max_norm, "max_norm"),
                               as_float(norm_type, "norm_type"), out_of_range)
    out = _operators.lookup(weight, input, sparse, padding_idx, scale_grad_by_freq,
                            out_of_range)
    return out if out.dim() == len(shape) + 1 else out.reshape(*shape, weight.shape[1])


def embed(input, weight, padding_idx=None, max_norm=None, norm_type=2.0,
          scale_grad_by_freq=False, sparse=False, *, out_of_range="check"):
    """`embedding_mlir.embedding` of tensors."""
    if not _tracing.is_compiling():
        out = _core.embed_plain(input, weight, padding_idx, max_norm, norm_type,
                                scale_grad_by_freq, sparse, out_of_range)
        if out is not None:
            return out
    way = _watchers.choose(input, weight, max_norm is not None)
    go = (_ask if way is Way.ASK else
          _look_up_portably if way is Way.PORTABLE else _look_up_watched)
    return go(input, weight, out_of_range, padding_idx=padding_idx, max_norm=max_norm,
              norm_type=norm_type, scale_grad_by_freq=scale_grad_by_freq, sparse=sparse)


# ---------------------------------------------------------------------------
# In the place of F.embedding
# ---------------------------------------------------------------------------


class _DropIn:
    """`embed`, equal to F.embedding: types and modes look for functions in tables that they
    may have made before F.embedding was swapped, or while it is."""

    def __init__(self):
        functools.update_wrapper(self, _F_embedding)

    def __call__(self, *arguments, **options):
        # Dynamo traces methods, but no staticmethod in this place.
        return embed(*arguments, **options)

    def __eq__(self, other):
        return other is self or other is _F_embedding

    def __hash__(self):
        return hash(_F_embedding)

    def __repr__(self):
        return ("<embedding_mlir.embedding in the place of F.embedding, which "
                "torch.jit.script does not support>")

    def __reduce__(self):
        return _get_drop_in, ()


drop_in = _DropIn()


def _get_drop_in():
    return drop_in


class patch_torch:
    """Makes torch.nn.functional.embedding this package's, and with it torch.nn.Embedding,
    for all threads. As torch.set_grad_enabled, it acts when it is called: to the end of
    the block behind `with`, in calls of the function that it decorates, or for good.

    What has been imported by name (from torch.nn.functional import embedding),
    torch.embedding and F.embedding_bag stay as they are.
    """

    def __init__(self):
        self._previous = F.embedding
        F.embedding = drop_in

    def __enter__(self):
        F.embedding = drop_in

    def __exit__(self, *exception):
        F.embedding = self._previous

    def __call__(self, function):
        F.embedding = self._previous

        @functools.wraps(function)
        def patched(*args, **kwargs):
            with patch_torch():
                return function(*args, **kwargs)

        return patched


# ---------------------------------------------------------------------------
# What _core needs of PyTorch
# ---------------------------------------------------------------------------

# The types in DLPack's terms. Those that NumPy does not know are bytes, or integers of
# their width, which can be looked up.
_TYPES = [(dtype, code, 8 * dtype.itemsize) for dtype, code in (
    (torch.float32, 2), (torch.int64, 0), (torch.float16, 2), (torch.bfloat16, 4),
    (torch.float64, 2), (torch.int32, 0), (torch.int16, 0), (torch.int8, 0),
    (torch.uint8, 1), (torch.bool, 6), (torch.complex64, 5), (torch.complex128, 5),
    (torch.uint16, 1), (torch.uint32, 1), (torch.uint64, 1), (torch.complex32, 5))]
_TYPES += [(getattr(torch, name), 1, 8 * getattr(torch, name).itemsize) for name in (
    "float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e8m0fnu",
    "float4_e2m1fn_x2") if hasattr(torch, name)]


# torch.compile does not trace these, which `_core` calls. Its decorators for that would take
# as long to import as PyTorch does.
def _increment_version(weight):
    # Inference tensors have none, and F.embedding writes them anywhere.
    if not weight.is_inference():
        increment_version(weight)


def _call_watched(function, arguments):
    """What types and modes with __torch_function__ make of a call of a function of IR, in a
    tuple, or None if there are none. Nobody else can look into such a call."""
    tensors = [x for x in arguments if hasattr(type(x), "__torch_function__")]
    ways = {_watchers.choose(x, x) for x in tensors or (None,)}
    if Way.ASK in ways:
        return handle_torch_function(function, tensors, *arguments),
    if ways != {Way.PLAIN}:
        raise UnsupportedError(
            "functions of embedding_mlir.compile cannot be traced, transformed or watched, but "
            f"{function.__name__} was called under a tracer, torch.func, a dual level or a "
            "dispatch mode, or with a tensor of a type of its own")
    return None


def _check_writable(function, tensor, name):
    """Refuses what PyTorch's operations in place refuse."""
    if tensor.requires_grad and torch.is_grad_enabled():
        if tensor.is_leaf:
            raise InvalidArgumentError(f"{name}: a leaf Variable that requires grad is being "
                                       f"used in an in-place operation, {function.__name__}")
        raise InvalidArgumentError(
            f"{name}: functions of embedding_mlir.compile have no derivative, so "
            f"{function.__name__} cannot write a tensor that requires grad")
    _operators.check_writable(tensor, function.__name__, name)


_core.set_torch(types.SimpleNamespace(
    tensor_type=torch.Tensor, parameter_type=torch.nn.Parameter, types=_TYPES,
    no_function=torch._C._disabled_torch_function_impl,
    no_dispatch=torch.Tensor.__torch_dispatch__,
    questions=_watchers.QUESTIONS, forward_ad=_watchers.FORWARD_AD,
    is_grad_enabled=torch.is_grad_enabled, call_watched=_call_watched,
    check_writable=_check_writable, increment_version=_increment_version,
    set_eval_frame=torch._C._dynamo.eval_frame.set_eval_frame,
    get_storage_address=getattr(torch._C, "_data_address", None),
    get_current_stream=getattr(torch._C, "_cuda_getCurrentRawStream", None),
    make_arguments=_Arguments, embedding=torch.embedding,
    # What Function.apply does for torch.func before it calls this is not needed there.
    record_lookup=super(torch.autograd.Function, _RecordedLookup).apply))
