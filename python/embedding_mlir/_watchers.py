"""Who watches a call, and which way it goes for that.

| watcher                                            | way      |
|----------------------------------------------------|----------|
| export: torch.export, ONNX                         | PORTABLE |
| compile: torch.compile of a type with              |          |
| __torch_dispatch__ of its own, as DTensor          | PORTABLE |
| compile: torch.compile                             | OPERATOR |
| type or mode with __torch_function__               | ASK      |
| tracer: torch.jit.trace, the older ONNX exporter   | PORTABLE |
| type with __torch_dispatch__ of its own            | PORTABLE |
| layout: nested, sparse, MKL-DNN; quantised         | PORTABLE |
| torch.func.functionalize                           | PORTABLE |
| make_fx, of max_norm without torch.func            | PORTABLE |
| fake, functional and meta tensors, dispatch modes, |          |
| levels of torch.func, dual levels                  | OPERATOR |
| nobody, inference mode                             | PLAIN    |

The first row that fits counts. All derivatives, nested ones and max_norm go the way of the
call. PORTABLE is PyTorch's own function: where a graph leaves this process, or a type
or transform knows PyTorch's operators, ours would not be known. OPERATOR is one of `_operators`; ASK is
for handle_torch_function; PLAIN is the runtime without anything between. Graphs of make_fx
may be functionalized, by which torch.func knows no operators that write but PyTorch's.
"""

import enum

import torch
from torch._C._functorch import TransformType
from torch._subclasses.fake_tensor import FakeTensor
from torch._subclasses.functional_tensor import FunctionalTensor
from torch.autograd import forward_ad
from torch.overrides import has_torch_function_variadic

Way = enum.Enum("Way", ("PLAIN", "OPERATOR", "PORTABLE", "ASK"))

is_compiling = torch.compiler.is_compiling
_is_transformed = torch._C._are_functorch_transforms_active
_is_recorded = torch._C._is_tracing
_count_dispatch_modes = torch._C._len_torch_dispatch_stack
_no_dispatch = torch.Tensor.__torch_dispatch__
_get_mode, _PROXY = torch._C._get_dispatch_mode, torch._C._TorchDispatchModeKey.PROXY

# What the quick way asks, without arguments, and the answers if nobody watches. A dual
# level is an attribute: FORWARD_AD._current_level.
QUESTIONS = ((_count_dispatch_modes, 0), (_is_transformed, False), (_is_recorded, False),
             (torch._C._is_torch_function_mode_enabled, False))
FORWARD_AD = forward_ad


def _is_exporting():
    """torch.compiler.is_exporting, for PyTorch before 2.7."""
    from torch._dynamo.symbolic_convert import InstructionTranslator, tls
    if getattr(tls, "current_tx", None) is not None:
        return InstructionTranslator.current_tx().export
    return torch.compiler._is_compiling_flag


# torch.compiler.assume_constant_result, without importing Dynamo: it runs such a function
# while it traces.
setattr(_is_exporting, "_dynamo_marked_constant", True)
is_exporting = getattr(torch.compiler, "is_exporting", _is_exporting)


def _dispatches(x):
    """Whether the type of `x` knows operators of PyTorch's by name."""
    return (type(x).__torch_dispatch__ is not _no_dispatch
            and not isinstance(x, (FakeTensor, FunctionalTensor)))


def _has_other_layout(x):
    return x.is_nested or x.layout is not torch.strided or x.is_quantized


def _is_functionalized():
    levels = torch._C._functorch.get_interpreter_stack() or ()
    return any(level.key() == TransformType.Functionalize for level in levels)


def _is_recorded_by_make_fx():
    return _get_mode(_PROXY) is not None


def choose(input, weight, writes=False):
    """The way of a call with at least one tensor, or type that overrides functions; `writes`
    says whether it has max_norm."""
    if is_compiling():
        # Dynamo traces this much.
        return (Way.PORTABLE if is_exporting() or _dispatches(input) or _dispatches(weight)
                else Way.OPERATOR)
    if has_torch_function_variadic(input, weight):
        return Way.ASK
    tensors = [x for x in (input, weight) if isinstance(x, torch.Tensor)]
    if (_is_recorded() or any(map(_dispatches, tensors))
            or any(map(_has_other_layout, tensors)) or _is_functionalized()
            or writes and _is_recorded_by_make_fx() and not _is_transformed()):
        return Way.PORTABLE
    if (any(ask() is not quiet for ask, quiet in QUESTIONS)
            or forward_ad._current_level >= 0
            or not all(type(x).__torch_dispatch__ is _no_dispatch and x.device.type in
                       ("cpu", "cuda") for x in tensors)):
        return Way.OPERATOR
    return Way.PLAIN
