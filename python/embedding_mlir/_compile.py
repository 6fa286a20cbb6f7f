"""Functions of the dialect, from text."""

import sys

import numpy as np

from . import _core
from ._errors import InvalidArgumentError
from ._functions import prepare


def _parse_device(device):
    """DLPack's type and number of a device."""
    kind, _, number = str(device).partition(":")
    if kind not in ("cpu", "cuda") or number and not number.isdigit():
        raise InvalidArgumentError("device: expected cpu, cuda or cuda:N, but got "
                                   f"{device!r}")
    if kind == "cpu":
        return 1, 0
    if number:
        return 2, int(number)
    torch = sys.modules.get("torch")
    is_usable = torch is not None and torch.cuda.is_available()
    return 2, torch.cuda.current_device() if is_usable else 0


def _is_number(x):
    return isinstance(x, (int, float, np.number))


class Function:
    """A compiled function. Arguments are tensors of PyTorch, arrays of NumPy, whatever
    else has DLPack's protocol, or numbers; compact, unless their type is a memref of
    other strides. They go by position or by the names that the IR gives them. Results are
    of the kind of the arguments: None, one, or a tuple.

    A memref is read and written in place, which autograd is told: one that requires grad
    is refused, unless grad mode is off. Results take no gradient. An index out of range,
    where it is checked, raises OutOfRangeError.

    What traces or transforms operators of PyTorch (torch.jit.trace, torch.export, make_fx,
    torch.func, dual levels, dispatch modes) cannot see into a call: it is a RuntimeError
    there. torch.compile breaks its graph, and types and modes with __torch_function__ are
    asked.
    """

    def __init__(self, module, name):
        self._module, self.__name__ = module, name

    def _bind(self, arguments, named):
        """All arguments by position."""
        def refuse(what, name):
            raise TypeError(f"{self._module.signature(self.__name__)}: {what} '{name}'")

        names = self._module.argument_names(self.__name__)
        for name in named:
            if name not in names:
                refuse("got an unexpected argument", name)
            if name in names[:len(arguments)]:
                refuse("got multiple values for argument", name)
        for name in names[len(arguments):]:
            if name not in named:
                refuse("missing argument", name)
        return *arguments, *(named[name] for name in names[len(arguments):])

    def __call__(self, *arguments, **named):
        if named:
            arguments = self._bind(arguments, named)
        shaped = iter(prepare(*(x for x in arguments if not _is_number(x))))
        # Who watches is asked behind this call, which Dynamo does not trace.
        return self._module.call(self, *(x if _is_number(x) else next(shaped)
                                         for x in arguments))

    def __repr__(self):
        return f"<function {self._module.signature(self.__name__)}>"


class Module:
    """The public functions of an MLIR module, as attributes and by name."""

    def __init__(self, compiled):
        self._functions = {name: Function(compiled, name) for name in compiled.names}

    def __getitem__(self, name):
        return self._functions[name]

    def __getattr__(self, name):
        try:
            return self.__dict__["_functions"][name]
        except KeyError:
            raise AttributeError(f"module has no function {name!r}") from None

    def __iter__(self):
        return iter(self._functions)

    def __len__(self):
        return len(self._functions)

    def __dir__(self):
        return [*super().__dir__(), *self._functions]

    def __repr__(self):
        lines = "".join(f"\n  {function!r}" for function in self._functions.values())
        return f"<embedding_mlir.Module of{lines}>"


def compile(ir, *, device="cpu", assume_sizes=False):
    """Compiles the public functions of `ir`, MLIR as text, for `device`: "cpu", "cuda",
    "cuda:1" or a torch.device.

        module = embedding_mlir.compile('''
            func.func @rows(%weight: tensor<?x64xf32>, %input: tensor<?xi64>,
                            %init: tensor<?x64xf32>) -> tensor<?x64xf32> {
              ...
            }''')
        rows = module.rows(weight, input, init)

    With `assume_sizes` the caller promises that the dynamic sizes of each call fit each
    other; by default they are checked.

    What does not parse or verify, or cannot be lowered, raises ValueError, which says
    where.
    """
    return Module(_core.Module(ir, *_parse_device(device), assume_sizes))
