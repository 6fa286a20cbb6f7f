"""Whether Dynamo traces a call: the first question of all, since nothing else is to be
traced. A module of its own, which needs no PyTorch."""

import sys


def is_compiling():
    """torch.compiler.is_dynamo_compiling, which takes this one's place when PyTorch is
    there."""
    global is_compiling
    torch = sys.modules.get("torch")
    if torch is None or not hasattr(torch, "compiler"):
        return False
    is_compiling = torch.compiler.is_dynamo_compiling
    return is_compiling()
