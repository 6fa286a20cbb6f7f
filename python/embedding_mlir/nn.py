"""Modules."""

import torch

from . import _torch  # noqa: F401, which tells _core of PyTorch.
from ._functions import embedding

__all__ = ["Embedding"]


def __dir__():
    return [*__all__, *(name for name in globals() if name.startswith("__"))]


class Embedding(torch.nn.Embedding):
    """A torch.nn.Embedding, of the same arguments and state, whose forward pass and
    gradients are embedding_mlir's."""

    def forward(self, input):
        return embedding(input, self.weight, self.padding_idx, self.max_norm,
                         self.norm_type, self.scale_grad_by_freq, self.sparse)
