"""Functions on tensors and arrays.

Shapes: `weight` [V, D], `input` any, int32 or int64; V rows of D elements each.
`out_of_range` says what an index outside [0, V) does: "check" raises OutOfRangeError
(on a GPU, `synchronize` does), "assume" promises that there is none, "clamp" takes the
nearest row, "zero" gives zeros and takes no gradient.
"""

import os
import sys

import numpy as np

from . import _core

OUT_OF_RANGE = {"check": 0, "assume": 1, "clamp": 2, "zero": 3}

os.register_at_fork(after_in_child=_core.forget_engine)


def _is_torch(x):
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(x, torch.Tensor)


def _mode(out_of_range):
    try:
        return OUT_OF_RANGE[out_of_range]
    except (KeyError, TypeError):
        raise ValueError(f"out_of_range: expected one of {', '.join(OUT_OF_RANGE)}, "
                         f"but got {out_of_range!r}") from None


def _as_arrays(*arguments):
    """Arrays of NumPy as they are; what has DLPack's protocol without a copy: as an
    array if it is on the CPU, else as a tensor of PyTorch."""
    converted = []
    for x in arguments:
        if isinstance(x, np.ndarray) or _is_torch(x):
            converted.append(x)
        elif hasattr(x, "__dlpack__"):
            if x.__dlpack_device__()[0] == 1:
                converted.append(np.from_dlpack(x))
            else:
                import torch
                converted.append(torch.from_dlpack(x))
        else:
            converted.append(np.asarray(x))
    kinds = {_is_torch(x) for x in converted}
    if len(kinds) > 1:
        raise TypeError("expected tensors of PyTorch or arrays, but not both")
    return converted


def _empty(like, shape, dtype=None):
    """A new tensor or array beside `like`, of its type if `dtype` is None."""
    if isinstance(like, np.ndarray):
        return np.empty(shape, like.dtype if dtype is None else np.int64)
    import torch
    return like.new_empty(shape, dtype=None if dtype is None else torch.int64)


def _stream(x):
    """The current stream of the GPU that `x` is on."""
    if isinstance(x, np.ndarray) or not x.is_cuda:
        return 0
    import torch
    return torch.cuda.current_stream(x.device).cuda_stream


def _prepare(*arguments):
    arguments = _as_arrays(*arguments)
    if _is_torch(arguments[0]):
        from . import _torch  # Says what its types are.
        arguments = [_torch.plain(x) for x in arguments]
    return arguments


def embedding(input, weight, padding_idx=None, max_norm=None, norm_type=2.0,
              scale_grad_by_freq=False, sparse=False, *, out_of_range="check"):
    """Rows of `weight` at `input`: input.shape + [D].

    The arguments of torch.nn.functional.embedding, which also says what they mean. With
    tensors of PyTorch it is differentiable. With arrays of NumPy `padding_idx`,
    `scale_grad_by_freq` and `sparse` change nothing: they are for the functions that
    compute gradients. `max_norm` writes `weight`.
    """
    if _is_torch(weight):
        from ._torch import embedding as embed
        return embed(input, weight, padding_idx, max_norm, norm_type,
                     scale_grad_by_freq, sparse, out_of_range=out_of_range)
    input, weight = _prepare(input, weight)
    if weight.ndim != 2:
        raise ValueError(f"weight: expected shape [V, D], but got {list(weight.shape)}")
    if padding_idx is not None and not -weight.shape[0] <= padding_idx < weight.shape[0]:
        raise AssertionError("Padding_idx must be within num_embeddings")
    if max_norm is not None and isinstance(weight, np.ndarray) and not weight.flags.writeable:
        raise ValueError("weight: expected a writeable array, for max_norm")
    out = _empty(weight, (*input.shape, weight.shape[1]))
    _core.lookup(weight, input, out, _mode(out_of_range), max_norm, norm_type,
                 _stream(weight))
    return out


def renorm_(weight, input, max_norm, norm_type=2.0, *, out_of_range="check"):
    """Shortens, in place, the rows of `weight` that `input` names and whose p-norm
    exceeds `max_norm`; p is `norm_type`."""
    weight, input = _prepare(weight, input)
    _core.renorm(weight, input, max_norm, norm_type, _mode(out_of_range),
                 _stream(weight))
    return weight


def dense_grad(grad_output, input, num_rows, padding_idx=None,
               scale_grad_by_freq=False, *, allow_nondeterministic=False,
               out_of_range="check"):
    """The gradient of `weight`, [num_rows, D], from that of the output."""
    grad_output, input = _prepare(grad_output, input)
    out = _empty(grad_output, (num_rows, grad_output.shape[-1]))
    _core.dense_grad(grad_output, input, out, padding_idx, scale_grad_by_freq,
                     allow_nondeterministic, _mode(out_of_range), _stream(grad_output))
    return out


def sparse_grad(grad_output, input, num_rows, padding_idx=None,
                scale_grad_by_freq=False, *, out_of_range="check"):
    """The entries of the sparse gradient of `weight`: rows [nnz], int64, and values
    [nnz, D], one for each position that is not `padding_idx`, in order."""
    grad_output, input = _prepare(grad_output, input)
    size = int(np.prod(input.shape))
    rows = _empty(grad_output, (size,), dtype=True)
    values = _empty(grad_output, (size, grad_output.shape[-1]))
    nnz = _empty(grad_output, (), dtype=True)
    _core.sparse_grad(grad_output, input, num_rows, rows, values, nnz, padding_idx,
                      scale_grad_by_freq, _mode(out_of_range), _stream(grad_output))
    # How many there are is known without a look, unless some may be left out.
    if padding_idx is not None or out_of_range == "zero":
        size = int(nnz)
    return rows[:size], values[:size]


def coalesce(input, values, num_rows, *, out_of_range="check"):
    """The distinct rows of `input` [N], ascending, and the sums of `values` [N, D] of
    each."""
    input, values = _prepare(input, values)
    rows = _empty(values, input.shape, dtype=True)
    sums = _empty(values, values.shape)
    nnz = _empty(values, (), dtype=True)
    _core.coalesce(input, values, num_rows, rows, sums, nnz, _mode(out_of_range),
                   _stream(values))
    return rows[:int(nnz)], sums[:int(nnz)]


def double_backward(grad_grad_weight, input, padding_idx=None, scale_grad_by_freq=False,
                    *, out_of_range="check"):
    """The derivative of `dense_grad`, applied to `grad_grad_weight`."""
    grad_grad_weight, input = _prepare(grad_grad_weight, input)
    out = _empty(grad_grad_weight, (*input.shape, grad_grad_weight.shape[1]))
    _core.double_backward(grad_grad_weight, input, out, padding_idx, scale_grad_by_freq,
                          _mode(out_of_range), _stream(grad_grad_weight))
    return out


def synchronize(device=0, stream=None):
    """Waits for `stream` of GPU `device`, PyTorch's current one if None, and raises
    OutOfRangeError if calls in it have met a bad index since it was last asked."""
    if stream is None:
        import torch
        stream = torch.cuda.current_stream(device).cuda_stream
    _core.synchronize(device, stream)


def set_num_threads(num_threads):
    """How many threads a call uses on the CPU; 0 is as many as there are CPUs. Results
    have the same bits with any number. To be called before anything else is."""
    _core.set_num_threads(num_threads)
