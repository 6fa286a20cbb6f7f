from typing import Any, Callable, Literal, Protocol, TypeVar

from . import nn as nn
from ._compile import Function as Function
from ._compile import Module as Module
from ._compile import compile as compile
from ._errors import CompilerError as CompilerError
from ._errors import InvalidArgumentError as InvalidArgumentError
from ._errors import OutOfRangeError as OutOfRangeError
from ._errors import UnsupportedError as UnsupportedError

__version__: str

class _DLPack(Protocol):
    """A tensor of PyTorch, an array of NumPy, or whatever else has DLPack's protocol."""

    def __dlpack__(self, *args: Any, **kwargs: Any) -> Any: ...
    def __dlpack_device__(self) -> tuple[Any, Any]: ...

# Results are of the kind of the arguments: tensors for tensors, arrays for arrays.
_T = TypeVar("_T", bound=_DLPack)
_Mode = Literal["check", "assume", "clamp", "zero"]

__all__ = ["embedding", "dense_grad", "sparse_grad", "coalesce", "double_backward",
           "renorm_", "synchronize", "set_num_threads", "set_memory_pool", "patch_torch",
           "nn", "compile", "Module", "Function",
           "OutOfRangeError", "InvalidArgumentError", "UnsupportedError",
           "CompilerError"]

def embedding(input: _DLPack, weight: _T, padding_idx: int | None = None,
              max_norm: float | None = None, norm_type: float = 2.0,
              scale_grad_by_freq: bool = False, sparse: bool = False, *,
              out_of_range: _Mode = "check") -> _T: ...
def renorm_(weight: _T, input: _DLPack, max_norm: float, norm_type: float = 2.0, *,
            out_of_range: _Mode = "check") -> _T: ...
def dense_grad(grad_output: _T, input: _DLPack, num_rows: int,
               padding_idx: int | None = None, scale_grad_by_freq: bool = False, *,
               allow_nondeterministic: bool = False,
               out_of_range: _Mode = "check") -> _T: ...
def sparse_grad(grad_output: _T, input: _DLPack, num_rows: int,
                padding_idx: int | None = None, scale_grad_by_freq: bool = False, *,
                out_of_range: _Mode = "check") -> tuple[_T, _T]: ...
def coalesce(input: _DLPack, values: _T, num_rows: int, *,
             out_of_range: _Mode = "check") -> tuple[_T, _T]: ...
def double_backward(grad_grad_weight: _T, input: _DLPack, padding_idx: int | None = None,
                    scale_grad_by_freq: bool = False, *,
                    out_of_range: _Mode = "check") -> _T: ...
def synchronize(device: int = 0, stream: int | None = None) -> None: ...
def set_num_threads(num_threads: int) -> None: ...
def set_memory_pool(max_idle_bytes: int | None = None) -> None: ...

_F = TypeVar("_F", bound=Callable[..., Any])

class patch_torch:
    def __enter__(self) -> None: ...
    def __exit__(self, *exception: object) -> None: ...
    def __call__(self, function: _F) -> _F: ...
