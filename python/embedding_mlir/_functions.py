"""Functions on tensors and arrays.

Shapes: `weight` [V, D], `input` any, int32 or int64; V rows of D elements each.
`out_of_range` says what an index outside [0, V) does: "check" raises OutOfRangeError
(on a GPU, `synchronize` does), "assume" promises that there is none, "clamp" takes the
nearest row, "zero" gives zeros and takes no gradient.
"""

import operator
import os
import sys

import numpy as np

from . import _core, _tracing
from ._errors import InvalidArgumentError, UnsupportedError

os.register_at_fork(after_in_child=_core.forget_engine)


def _is_tensor(x):
    torch = sys.modules.get("torch")
    return torch is not None and (isinstance(x, torch.Tensor)
                                  or hasattr(x, "__torch_function__"))


def _prepare_one(x):
    if isinstance(x, np.ndarray) or _is_tensor(x):
        return x
    if not hasattr(x, "__dlpack__"):
        return np.asarray(x)
    if x.__dlpack_device__()[0] == 1:
        return np.from_dlpack(x)
    import torch
    return torch.from_dlpack(x)


def prepare(*arguments):
    """Tensors and arrays as they are; what has DLPack's protocol without a copy: as an
    array if it is on the CPU, else as a tensor of PyTorch."""
    prepared = [_prepare_one(x) for x in arguments]
    kinds = {_is_tensor(x) for x in prepared}
    if len(kinds) > 1:
        given = ", ".join(type(x).__name__ for x in arguments)
        raise TypeError(f"expected either tensors of PyTorch or arrays, but got {given}")
    if True in kinds:
        from . import _torch  # noqa: F401, which tells _core of PyTorch.
    return prepared


def _refuse_type(value, name, expected):
    raise TypeError(f"argument '{name}' must be {expected}, not {type(value).__name__}")


def as_float(value, name):
    """What PyTorch takes for a float: numbers, and tensors without dimensions."""
    if not hasattr(value, "__float__") or getattr(value, "ndim", 0) != 0:
        _refuse_type(value, name, "float")
    return float(value)


def check_type(value, name, expected):
    if not isinstance(value, expected):
        _refuse_type(value, name, expected.__name__)


def check_options(padding_idx, scale_grad_by_freq, sparse, out_of_range):
    """The types of arguments, where none of `_core`'s functions reads all of them."""
    if padding_idx is not None and (isinstance(padding_idx, bool)
                                    or not hasattr(padding_idx, "__index__")):
        _refuse_type(padding_idx, "padding_idx", "int")
    if _is_tensor(padding_idx):
        operator.index(padding_idx)  # Which integers without dimensions alone have.
    check_type(scale_grad_by_freq, "scale_grad_by_freq", bool)
    check_type(sparse, "sparse", bool)
    check_type(out_of_range, "out_of_range", str)


def embedding(input, weight, padding_idx=None, max_norm=None, norm_type=2.0,
              scale_grad_by_freq=False, sparse=False, *, out_of_range="check"):
    """Rows of `weight` at `input`: input.shape + [D].

    The arguments of torch.nn.functional.embedding, which also says what they mean. With
    tensors of PyTorch it is differentiable. With arrays of NumPy `padding_idx`,
    `scale_grad_by_freq` and `sparse` change nothing: they are for the functions that
    compute gradients. `max_norm` writes `weight`.
    """
    if not _tracing.is_compiling():
        out = _core.embed_plain(input, weight, padding_idx, max_norm, norm_type,
                                scale_grad_by_freq, sparse, out_of_range)
        if out is not None:
            return out
    if _tracing.is_compiling() or _is_tensor(input) or _is_tensor(weight):
        from . import _torch
        return _torch.embed(input, weight, padding_idx, max_norm, norm_type,
                            scale_grad_by_freq, sparse, out_of_range=out_of_range)
    input, weight = prepare(input, weight)
    check_options(padding_idx, scale_grad_by_freq, sparse, out_of_range)
    if padding_idx and not -len(weight) <= padding_idx < len(weight):
        raise AssertionError("Padding_idx must be within num_embeddings")
    return _core.lookup(weight, input, out_of_range, max_norm, norm_type)


# What TorchScript says of a function that it meets.
setattr(embedding, "__script_unsupported",
        "torch.jit.script does not support embedding_mlir.embedding; torch.jit.trace does, "
        "and torch.nn.functional.embedding can be scripted")


def _watched_operators(first, second):
    """The operators of torch.library, if something watches a call with these tensors: what
    records it must not record memory alone. Else None."""
    if not _is_tensor(first):
        return None
    from . import _operators, _watchers
    return None if _watchers.choose(second, first) is _watchers.Way.PLAIN else _operators


def _refuse_watched(name, first, second):
    if _watched_operators(first, second):
        raise UnsupportedError(f"{name}: the number of rows depends on the indices, which "
                               "torch.func, tracers and modes do not know")


def renorm_(weight, input, max_norm, norm_type=2.0, *, out_of_range="check"):
    """Shortens, in place, the rows of `weight` that `input` names and whose p-norm
    exceeds `max_norm`; p is `norm_type`. Returns `weight`."""
    table, input = prepare(weight, input)
    if _is_tensor(table):
        # It tells autograd that the table was written.
        check_type(out_of_range, "out_of_range", str)
        from . import _operators
        _operators.renorm_(table, input, as_float(max_norm, "max_norm"),
                           as_float(norm_type, "norm_type"), out_of_range)
    else:
        _core.renorm(table, input, max_norm, norm_type, out_of_range)
    return weight


def dense_grad(grad_output, input, num_rows, padding_idx=None,
               scale_grad_by_freq=False, *, allow_nondeterministic=False,
               out_of_range="check"):
    """The gradient of `weight`, [num_rows, D], from that of the output."""
    grad_output, input = prepare(grad_output, input)
    if operators := _watched_operators(grad_output, input):
        return operators.dense_grad(grad_output, input, num_rows, padding_idx,
                                    scale_grad_by_freq, out_of_range)
    return _core.dense_grad(grad_output, input, num_rows, padding_idx, scale_grad_by_freq,
                            allow_nondeterministic, out_of_range)


def sparse_grad(grad_output, input, num_rows, padding_idx=None,
                scale_grad_by_freq=False, *, out_of_range="check"):
    """The entries of the sparse gradient of `weight`: rows [nnz], int64, and values
    [nnz, D], one for each position that is not `padding_idx`, in order."""
    grad_output, input = prepare(grad_output, input)
    _refuse_watched("sparse_grad", grad_output, input)
    return _core.sparse_grad(grad_output, input, num_rows, padding_idx, scale_grad_by_freq,
                             out_of_range)


def coalesce(input, values, num_rows, *, out_of_range="check"):
    """The distinct rows of `input` [N], ascending, and the sums of `values` [N, D] of
    each."""
    input, values = prepare(input, values)
    _refuse_watched("coalesce", values, input)
    return _core.coalesce(input, values, num_rows, out_of_range)


def double_backward(grad_grad_weight, input, padding_idx=None, scale_grad_by_freq=False,
                    *, out_of_range="check"):
    """The derivative of `dense_grad`, applied to `grad_grad_weight`."""
    grad_grad_weight, input = prepare(grad_grad_weight, input)
    if operators := _watched_operators(grad_grad_weight, input):
        return operators.double_backward(grad_grad_weight, input, padding_idx,
                                         scale_grad_by_freq, out_of_range)
    return _core.double_backward(grad_grad_weight, input, padding_idx, scale_grad_by_freq,
                                 out_of_range)


def _get_current_stream(device):
    """PyTorch's; the default one where PyTorch has no such GPU, which the runtime refuses."""
    torch = sys.modules.get("torch")
    if (torch is None or not hasattr(device, "__index__")
            or not 0 <= operator.index(device) < torch.cuda.device_count()):
        return 0
    return torch.cuda.current_stream(operator.index(device)).cuda_stream


def synchronize(device=0, stream=None):
    """Waits for `stream` of GPU `device`, PyTorch's current one if None, and raises
    OutOfRangeError if calls in it have met a bad index since it was last asked."""
    _core.synchronize(device, _get_current_stream(device) if stream is None else stream)


def set_num_threads(num_threads):
    """How many threads a call uses on the CPU, in place of PyTorch's (torch.get_num_threads)
    or, without PyTorch, of one for each CPU. Results have the same bits with any number.
    To be called before anything else is."""
    _core.set_num_threads(num_threads)


def set_memory_pool(max_idle_bytes=None):
    """How much memory is kept to be used again: that of results on the CPU that are large
    tensors, and workspace. None is the default, 1 GiB. With 0 results are in PyTorch's own
    memory, and what was kept is given back to the system. May be called at any time; the
    environment's EMBEDDING_MEMORY_POOL_BYTES says what it is at first."""
    _core.set_memory_pool(max_idle_bytes)


def _read_memory_pool(bytes):
    if not bytes.isdecimal():
        raise InvalidArgumentError("EMBEDDING_MEMORY_POOL_BYTES: expected an integer of at "
                                   f"least 0, but got {bytes!r}")
    set_memory_pool(int(bytes))


if "EMBEDDING_MEMORY_POOL_BYTES" in os.environ:
    _read_memory_pool(os.environ["EMBEDDING_MEMORY_POOL_BYTES"])
