"""Functions of IR through the runtime's C API, by ctypes, on NumPy's arrays."""

import ctypes
import pathlib
import sys

# Whose structs are compared with the header.
sys.path.append(str(pathlib.Path(__file__).parents[2] / "Tools" / "Inputs"))
from compiled_library import DLTensor, Status  # noqa: E402

COMPILER_ERROR = 6


class Error(Exception):
    def __init__(self, status):
        super().__init__(status.message.decode(errors="replace"))
        self.status = status


def check(function, *arguments):
    status = Status()
    if function(*arguments, ctypes.byref(status)) != 0:
        raise Error(status)


def view(array):
    """A DLTensor that borrows the memory of `array`."""
    code = {"i": 0, "u": 1, "f": 2}[array.dtype.kind]
    sizes = ctypes.c_int64 * max(array.ndim, 1)
    return DLTensor(
        array.ctypes.data, 1, 0, array.ndim, code, 8 * array.itemsize, 1,
        sizes(*array.shape), sizes(*(s // array.itemsize for s in array.strides)), 0,
    )


class Engine:
    """One without a cache, as its default options have it."""

    def __init__(self, library):
        self.library = ctypes.CDLL(library)
        self.engine = ctypes.c_void_p()
        check(self.library.embedding_engine_create, None, ctypes.byref(self.engine))

    def __del__(self):
        if getattr(self, "engine", None):
            self.library.embedding_engine_destroy(self.engine)


class Module:
    """The functions of `ir`, bytes."""

    def __init__(self, engine, ir):
        self.engine = engine
        self.module = ctypes.c_void_p()
        check(engine.library.embedding_module_compile, engine.engine, ir,
              ctypes.c_size_t(len(ir)), None, ctypes.byref(self.module))

    def __del__(self):
        if self.module:
            self.engine.library.embedding_module_destroy(self.module)

    def call(self, name, *arguments):
        """Calls a function on its arguments, arrays and numbers of type `index`, and
        memory for its results."""
        operands = [ctypes.c_int64(argument) if isinstance(argument, int) else view(argument)
                    for argument in arguments]
        pointers = (ctypes.c_void_p * len(operands))(
            *(ctypes.addressof(operand) for operand in operands))
        check(self.engine.library.embedding_module_call, self.module, name.encode(),
              pointers, None)
