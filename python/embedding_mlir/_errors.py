"""Exceptions, by the codes of the runtime's EmbeddingStatus."""

from . import _core


class OutOfRangeError(IndexError):
    """An index names no row.

    position: where the first one is, counted over all indices in row-major order.
    index: its value. count: how many there are.
    """

    def __init__(self, message, position=-1, index=-1, count=0):
        super().__init__(message)
        self.position, self.index, self.count = position, index, count

    def __reduce__(self):
        return type(self), (str(self), self.position, self.index, self.count)


class InvalidArgumentError(ValueError, RuntimeError):
    """An argument is wrong; PyTorch would raise a RuntimeError."""


class UnsupportedError(NotImplementedError):
    """This machine, or this library, cannot do it."""


class CompilerError(ValueError, RuntimeError):
    """The compiler is missing, or IR is not right: the message says where."""


def _make_error(code, message, position, index, count):
    # EMBEDDING_INVALID_ARGUMENT, EMBEDDING_OUT_OF_RANGE and so on, of Status.h.
    if code == 1:
        return InvalidArgumentError(message)
    if code == 2:
        return OutOfRangeError(message, position, index, count)
    if code == 3:
        return MemoryError(message)
    if code == 4:
        return UnsupportedError(message)
    if code == 6:
        return CompilerError(message)
    return RuntimeError(message)


_core.set_error_factory(_make_error)
