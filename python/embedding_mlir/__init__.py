"""Embedding layers by an MLIR compiler: a drop-in for torch.nn.functional.embedding.

    out = embedding_mlir.embedding(input, weight, padding_idx=0)

`input` and `weight` are both tensors of PyTorch, or both arrays of NumPy or of any
library with DLPack's protocol; nothing is copied. Without PyTorch installed arrays
work the same. A kernel is compiled when it is first needed, and kept on disk.

`embedding`, `nn.Embedding` and `patch_torch` take gradients as PyTorch's do. The other
functions compute one thing each, on tensors and arrays, without autograd. All may be
called by several threads at once, and work in the children of a fork.
"""

import sys as _sys

from ._compile import Function, Module, compile
from ._errors import CompilerError, InvalidArgumentError, OutOfRangeError, UnsupportedError
from ._functions import (coalesce, dense_grad, double_backward, embedding, renorm_,
                         set_memory_pool, set_num_threads, sparse_grad, synchronize)

__all__ = ["embedding", "dense_grad", "sparse_grad", "coalesce", "double_backward",
           "renorm_", "synchronize", "set_num_threads", "set_memory_pool", "patch_torch",
           "nn", "compile", "Module", "Function",
           "OutOfRangeError", "InvalidArgumentError", "UnsupportedError",
           "CompilerError"]

if "torch" in _sys.modules:
    from . import _torch  # noqa: F401, so that torch.compile finds it loaded.


def __getattr__(name):
    # What needs PyTorch is imported when it is asked for.
    if name == "nn":
        import importlib
        return importlib.import_module(".nn", __name__)
    if name == "patch_torch":
        from ._torch import patch_torch
        return patch_torch
    if name == "__version__":
        from importlib.metadata import version
        return version("embedding-mlir")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return [*__all__, "__version__", *(name for name in globals() if name.startswith("__"))]
