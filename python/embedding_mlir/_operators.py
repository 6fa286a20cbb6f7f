"""Operators of torch.library, for calls that something watches.

PyTorch composes them as it does its own: each has a kernel, the shape of its result, both
derivatives, and a batching rule, and each derivative is one of these operators again. So
torch.compile, torch.func, forward mode and dispatch modes nest in any order.
"""

import torch
from torch.autograd import forward_ad
from torch._functorch.pyfunctorch import retrieve_current_functorch_interpreter
from torch._functorch.utils import enable_single_level_autograd_function

from . import _core
from ._errors import InvalidArgumentError

_C = torch._C
_LIBRARY = torch.library.Library("embedding_mlir", "DEF")


def check_devices(tensor, input):
    """A meta tensor may have indices on any device. Meta indices name no rows of a tensor
    that has some: what is on its device would never be written."""
    if input.device != tensor.device and tensor.device.type != "meta":
        raise InvalidArgumentError(
            "Expected all tensors to be on the same device, but found at least two "
            f"devices, {tensor.device} and {input.device}!")


def _define(schema, compute, make_fake):
    """An operator, by what computes it and by what makes tensors like its results."""
    def make_checked(tensor, input, *arguments):
        check_devices(tensor, input)
        return make_fake(tensor, input, *arguments)

    name = schema.partition("(")[0]
    _LIBRARY.define(schema, tags=(torch.Tag.pt2_compliant_tag,))
    _LIBRARY.impl(name, compute, "CompositeExplicitAutograd")
    torch.library.register_fake(f"embedding_mlir::{name}", make_checked, lib=_LIBRARY)
    return getattr(torch.ops.embedding_mlir, name).default


def _fake_rows(weight, input, *_):
    return weight.new_empty((*input.shape, weight.shape[1]))


def _compute_lookup(weight, input, sparse, padding_idx, scale_grad_by_freq, out_of_range):
    return _core.lookup(weight, input, out_of_range)


lookup = _define(
    "lookup(Tensor weight, Tensor input, bool sparse, SymInt? padding_idx, "
    "bool scale_grad_by_freq, str out_of_range) -> Tensor",
    _compute_lookup, _fake_rows)


def _compute_dense_grad(grad, input, num_rows, padding_idx, scale_grad_by_freq,
                        out_of_range):
    return _core.dense_grad(grad, input, num_rows, padding_idx, scale_grad_by_freq, False,
                            out_of_range)


dense_grad = _define(
    "dense_grad(Tensor grad, Tensor input, SymInt num_rows, SymInt? padding_idx, "
    "bool scale_grad_by_freq, str out_of_range) -> Tensor",
    _compute_dense_grad,
    lambda grad, input, num_rows, *_: grad.new_empty((num_rows, grad.shape[-1])))

double_backward = _define(
    "double_backward(Tensor weight, Tensor input, SymInt? padding_idx, "
    "bool scale_grad_by_freq, str out_of_range) -> Tensor",
    _core.double_backward, _fake_rows)


def _compute_renorm(weight, input, max_norm, norm_type, out_of_range):
    if not weight.is_complex() and not weight.is_neg():
        return _core.renorm(weight, input, max_norm, norm_type, out_of_range)
    # The runtime's norms are of real numbers as they lie in memory, PyTorch's of magnitudes
    # and of views of negatives too.
    _core.lookup(weight.new_empty((weight.shape[0], 0)), input, out_of_range)
    if out_of_range == "clamp":
        input = input.clamp(0, weight.shape[0] - 1)
    elif out_of_range == "zero":
        input = input[(input >= 0) & (input < weight.shape[0])]
    torch.embedding_renorm_(weight, input.contiguous(), max_norm, norm_type)


renorm_ = _define(
    "renorm_(Tensor(a!) weight, Tensor input, float max_norm, float norm_type, "
    "str out_of_range) -> ()",
    _compute_renorm, lambda *_: None)


# ---------------------------------------------------------------------------
# Derivatives
# ---------------------------------------------------------------------------


def _register_derivatives(op, count, backward, jvp):
    """`op` is linear in its first tensor, the second is indices, and `count` arguments
    follow. `backward` and `jvp` take what `_Saved` keeps, and a tensor."""

    class Derivatives(torch.autograd.function._SingleLevelFunction):
        @staticmethod
        def forward(ctx, keyset, modes, tensor, input, *arguments):
            ctx.save_for_backward(input)
            ctx.save_for_forward(input)
            ctx.num_rows, ctx.arguments = tensor.shape[0], arguments
            # Other levels of torch.func's are to come, for which nothing is switched off.
            takes_gradient, takes_tangent = modes
            with _C._AutoDispatchBelowAutograd(), torch.set_grad_enabled(takes_gradient), \
                    forward_ad._set_fwd_grad_enabled(takes_tangent):
                return op.redispatch(keyset & _C._after_autograd_keyset, tensor, input,
                                     *arguments)

        @staticmethod
        def backward(ctx, grad):
            gradient = backward(ctx, *ctx.saved_tensors, grad)
            return None, None, gradient, *(None,) * (count + 1)

        @staticmethod
        def jvp(ctx, keyset, modes, tangent, *_):
            return jvp(ctx, *ctx.saved_for_forward, tangent)

    def derive(keyset, *arguments):
        modes = torch.is_grad_enabled(), _C._is_fwd_grad_enabled()
        with enable_single_level_autograd_function():
            return Derivatives.apply(keyset, modes, *arguments)

    _LIBRARY.impl(op._schema.name, derive, "Autograd", with_keyset=True)


def _jvp_of(op):
    return lambda ctx, input, tangent: op(tangent, input, *ctx.arguments)


def _lookup_backward(ctx, input, grad):
    sparse, *arguments = ctx.arguments
    if sparse:
        return make_sparse(grad, input, ctx.num_rows, *arguments)
    return dense_grad(grad, input, ctx.num_rows, *arguments)


_register_derivatives(lookup, 4, _lookup_backward, _jvp_of(lookup))
_register_derivatives(
    dense_grad, 4,
    lambda ctx, input, grad: double_backward(grad, input, *ctx.arguments[1:]),
    _jvp_of(dense_grad))
_register_derivatives(
    double_backward, 3,
    lambda ctx, input, grad: dense_grad(grad, input, ctx.num_rows, *ctx.arguments),
    _jvp_of(double_backward))


def make_sparse(grad, input, num_rows, padding_idx, scale_grad_by_freq, out_of_range):
    """The sparse gradient of a lookup whose indices were checked, by operators of PyTorch's,
    which derive it: an entry for each position that takes a gradient."""
    # Copied, since indices may be written before an optimizer reads the gradient's.
    rows = input.reshape(-1).to(torch.int64, copy=True)
    values = grad.reshape(rows.shape[0], grad.shape[-1])
    if scale_grad_by_freq:
        real = grad.real.dtype if grad.is_complex() else grad.dtype
        scales = double_backward(grad.new_ones((num_rows, 1), dtype=real), input, None, True,
                                 out_of_range)
        values = values * scales.reshape(-1, 1)
    if out_of_range == "clamp":
        rows = rows.clamp(0, num_rows - 1)
    is_taken = (rows >= 0) & (rows < num_rows) if out_of_range == "zero" else None
    if padding_idx is not None:
        is_other = rows != padding_idx
        is_taken = is_other if is_taken is None else is_taken & is_other
    if is_taken is not None:
        rows, values = rows[is_taken], values[is_taken]
    return torch.sparse_coo_tensor(rows[None], values, (num_rows, values.shape[-1]),
                                   check_invariants=False)


def check_writable(tensor, function, name):
    """What PyTorch asks of a tensor that is written: a version, which inference tensors have
    not, but what was detached from one outside of inference mode has. F.embedding detaches
    its table, so max_norm writes it."""
    if tensor.is_inference() and not torch.is_inference_mode_enabled():
        try:
            tensor._version
        except RuntimeError:
            raise InvalidArgumentError(
                "Inplace update to inference tensor outside InferenceMode is not allowed: "
                f"{function} writes {name}") from None


def _write_renorm(keyset, weight, *arguments):
    check_writable(weight, "renorm_", "weight")
    with _C._AutoDispatchBelowADInplaceOrView():
        renorm_.redispatch(keyset & _C._after_ADInplaceOrView_keyset, weight, *arguments)
    torch.autograd.graph.increment_version(weight)


# The gradient ignores what max_norm does.
_LIBRARY.impl("renorm_", torch.library.fallthrough_kernel, "Autograd")
# What resolves views for operators that write wants them to return what they wrote.
for _key in "Conjugate", "Negative":
    _LIBRARY.impl("renorm_", torch.library.fallthrough_kernel, _key)
_LIBRARY.impl("renorm_", _write_renorm, "ADInplaceOrView", with_keyset=True)


# ---------------------------------------------------------------------------
# Batching rules
# ---------------------------------------------------------------------------


def _batch(op):
    """Registers a rule for `op` under vmap: of the number of samples, the dimensions of
    the samples in the first two arguments (or None), and all arguments, the result and
    its dimension."""
    def register(rule):
        def apply(keyset, *arguments):
            interpreter = retrieve_current_functorch_interpreter()
            level, size = interpreter.level(), interpreter.batch_size()
            tensor, tensor_dim = _C._functorch._unwrap_batched(arguments[0], level)
            input, input_dim = _C._functorch._unwrap_batched(arguments[1], level)
            batched = _C.DispatchKeySet(_C.DispatchKey.FuncTorchBatched)
            with _C._ExcludeDispatchKeyGuard(batched):
                if tensor_dim is None and input_dim is None:
                    return op(tensor, input, *arguments[2:])
                result, dim = rule(size, tensor_dim, input_dim, tensor, input,
                                   *arguments[2:])
            if result is None:
                return None
            return _C._functorch._add_batch_dim(result, dim, level)

        _LIBRARY.impl(op._schema.name, apply, "FuncTorchBatched", with_keyset=True)
    return register


def _to_columns(tensor, dim, before):
    """Samples of rows beside each other: [..., B, D] with B at `before`, as [..., B * D]."""
    return tensor.movedim(dim, before).flatten(-2)


def _split_columns(rows, size):
    return rows.unflatten(-1, (size, rows.shape[-1] // size))


def _expand(tensor, dim, size):
    """The samples first, all the same if it has none."""
    return tensor.expand(size, *tensor.shape) if dim is None else tensor.movedim(dim, 0)


def _may_be_derived(tensor):
    """Whether a derivative is taken outside of this vmap."""
    return (tensor.requires_grad or forward_ad._current_level >= 0
            or _C._functorch.maybe_get_level(tensor) != -1)


def _number_rows(input, dim, size, num_rows, padding_idx, out_of_range):
    """The indices [B, ...] of tables below each other, and what to do where they are out of
    range: an index must not name a row of another sample's, and no sample's padding row
    takes a gradient, so those become -1."""
    input = _expand(input, dim, size).to(torch.int64)
    if out_of_range == "check":
        # A lookup of rows of no elements says which index it is.
        lookup(input.new_empty((num_rows, 0)), input, False, None, False, "check")
    elif out_of_range == "clamp":
        input = input.clamp(0, num_rows - 1)
    offsets = torch.arange(size, device=input.device) * num_rows
    numbers = input + offsets.reshape(size, *(1,) * (input.dim() - 1))
    is_in = (input >= 0) & (input < num_rows)
    if padding_idx is not None:
        is_in = is_in & (input != padding_idx)
        out_of_range = "zero"
    elif out_of_range != "check":
        out_of_range = "zero"
    return torch.where(is_in, numbers, -1), out_of_range


@_batch(lookup)
def _(size, weight_dim, input_dim, weight, input, sparse, padding_idx, *options):
    scale_grad_by_freq, out_of_range = options
    if weight_dim is None:
        return lookup(weight, input, sparse, padding_idx, *options), input_dim
    if input_dim is None:
        out = lookup(_to_columns(weight, weight_dim, 1), input, sparse, padding_idx,
                     *options)
        return _split_columns(out, size), input.dim()
    tables = weight.movedim(weight_dim, 0)
    if padding_idx is not None and _may_be_derived(tables):
        # Each sample has a padding row of its own.
        rows = [lookup(table, indices, sparse, padding_idx, *options) for table, indices
                in zip(tables, input.movedim(input_dim, 0))]
        return torch.stack(rows), 0
    numbers, out_of_range = _number_rows(input, input_dim, size, tables.shape[1], None,
                                         out_of_range)
    return lookup(tables.flatten(0, 1), numbers, sparse, None, scale_grad_by_freq,
                  out_of_range), 0


@_batch(dense_grad)
def _(size, grad_dim, input_dim, grad, input, num_rows, padding_idx, scale_grad_by_freq,
      out_of_range):
    if input_dim is None:
        sums = dense_grad(_to_columns(grad, grad_dim, -2), input, num_rows, padding_idx,
                          scale_grad_by_freq, out_of_range)
        return _split_columns(sums, size), 1
    numbers, out_of_range = _number_rows(input, input_dim, size, num_rows, padding_idx,
                                         out_of_range)
    sums = dense_grad(_expand(grad, grad_dim, size), numbers, size * num_rows, None,
                      scale_grad_by_freq, out_of_range)
    return sums.unflatten(0, (size, num_rows)), 0


@_batch(double_backward)
def _(size, weight_dim, input_dim, weight, input, padding_idx, scale_grad_by_freq,
      out_of_range):
    if input_dim is None:
        out = double_backward(_to_columns(weight, weight_dim, 1), input, padding_idx,
                              scale_grad_by_freq, out_of_range)
        return _split_columns(out, size), input.dim()
    if weight_dim is None and not scale_grad_by_freq:
        return double_backward(weight, input, padding_idx, False, out_of_range), input_dim
    tables = _expand(weight, weight_dim, size)
    numbers, out_of_range = _number_rows(input, input_dim, size, tables.shape[1],
                                         padding_idx, out_of_range)
    return double_backward(tables.flatten(0, 1), numbers, None, scale_grad_by_freq,
                           out_of_range), 0


@_batch(renorm_)
def _(size, weight_dim, input_dim, weight, input, max_norm, norm_type, out_of_range):
    if weight_dim is None:
        renorm_(weight, input, max_norm, norm_type, out_of_range)
        return None, None
    tables = weight.movedim(weight_dim, 0)
    numbers, out_of_range = _number_rows(input, input_dim, size, tables.shape[1], None,
                                         out_of_range)
    rows = tables.flatten(0, 1).clone()
    renorm_(rows, numbers, max_norm, norm_type, out_of_range)
    tables.copy_(rows.unflatten(0, tables.shape[:2]))
    return None, None
