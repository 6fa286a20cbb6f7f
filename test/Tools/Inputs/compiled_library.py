"""What calls libraries that embedding-compile has made, on NumPy arrays."""

import ctypes
import pathlib
import sys

import numpy as np

# Where files are packed for a GPU it is beside this one.
sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "PyTorch"))
from runtime_structs import DLTensor, Status  # noqa: E402

OK, INVALID_ARGUMENT, OUT_OF_RANGE, UNSUPPORTED = 0, 1, 2, 4
CODES = {"f": 2, "i": 0, "u": 1}


class Host:
    """Arrays as they are."""

    def tensor(self, array, shape=None):
        shape = array.shape if shape is None else shape
        strides = [stride // array.itemsize for stride in array.strides]
        tensor = DLTensor(
            data=array.ctypes.data, device_type=1, ndim=len(shape),
            code=CODES[array.dtype.kind], bits=8 * array.itemsize, lanes=1,
            shape=(ctypes.c_int64 * len(shape))(*shape))
        if len(strides) == len(shape):
            tensor.strides = (ctypes.c_int64 * len(shape))(*strides)
        return tensor

    def finish(self):
        pass

    stream = ()


class Device:
    """Copies of arrays on GPU 0, which go back at the end of a call."""

    stream = (None,)

    def __init__(self, driver):
        self.driver = ctypes.CDLL(driver)
        self.copies = []
        context = ctypes.c_void_p()
        self.check("cuInit", 0)
        self.check("cuDevicePrimaryCtxRetain", ctypes.byref(context), 0)
        self.check("cuCtxPushCurrent_v2", context)

    def check(self, name, *arguments):
        code = getattr(self.driver, name)(*arguments)
        assert code == 0, (name, code)

    def tensor(self, array, shape=None):
        address = ctypes.c_uint64()
        self.check("cuMemAlloc_v2", ctypes.byref(address),
                   ctypes.c_size_t(max(array.nbytes, 1)))
        tensor = Host().tensor(array, shape)
        if array.nbytes:
            self.check("cuMemcpyHtoDAsync_v2", address,
                       ctypes.c_void_p(array.ctypes.data),
                       ctypes.c_size_t(array.nbytes), None)
        self.copies.append((address, array))
        tensor.data = address.value
        tensor.device_type = 2
        return tensor

    def finish(self):
        for address, array in self.copies:
            if array.nbytes:
                self.check("cuMemcpyDtoHAsync_v2",
                           ctypes.c_void_p(array.ctypes.data), address,
                           ctypes.c_size_t(array.nbytes), None)
            self.check("cuMemFree_v2", address)
        self.copies = []


class Library:
    """A library for the CPU or, through `driver`, for a GPU."""

    def __init__(self, path, driver=None):
        self.functions = ctypes.CDLL(path)
        self.machine = Device(driver) if driver else Host()
        self.on_device = driver is not None

    def call(self, name, *arguments):
        """The status of a call; arrays are written in place."""
        status = Status()
        converted = []
        for argument in arguments:
            if isinstance(argument, np.ndarray):
                converted.append(ctypes.byref(self.machine.tensor(argument)))
            elif isinstance(argument, DLTensor):
                converted.append(ctypes.byref(argument))
            else:
                converted.append(argument)
        code = getattr(self.functions, name)(
            *converted, *self.machine.stream, ctypes.byref(status))
        if code == OK and self.on_device:
            code = self.functions.compiled_synchronize(
                0, None, ctypes.byref(status))
        assert code == status.code
        self.machine.finish()
        return status

    def succeed(self, name, *arguments):
        status = self.call(name, *arguments)
        assert status.code == OK, (name, status.message)
        assert status.message == b"" and status.position == -1

    def fail(self, code, message, name, *arguments):
        status = self.call(name, *arguments)
        assert status.code == code, (name, status.code, status.message)
        assert message in status.message.decode(), status.message
        return status
