"""Tensors of a GPU, which is one of PyTorch's or the project's interpreter."""

import ctypes
import os

import torch


class GPU:
    """PyTorch's GPU 0."""

    has_streams = True

    def __init__(self):
        self.stream = torch.cuda.current_stream().cuda_stream

    def upload(self, tensor):
        return tensor.cuda()

    def download(self, tensor):
        return tensor.cpu()


class InterpretedTensor:
    """Memory of the interpreter that looks like a contiguous CUDA tensor."""

    is_cuda = True

    def __init__(self, driver, tensor):
        self.driver, self.shape, self.dtype = driver, tensor.shape, tensor.dtype
        self.strides = tensor.contiguous().stride()
        self.bytes = tensor.numel() * tensor.element_size()
        address = ctypes.c_uint64()
        size = ctypes.c_size_t(max(self.bytes, 1))
        assert driver.cuMemAlloc_v2(ctypes.byref(address), size) == 0
        self.address = address.value
        self.copy(driver.cuMemcpyHtoDAsync_v2, ctypes.c_uint64(self.address),
                  ctypes.c_void_p(tensor.contiguous().data_ptr()))

    def __del__(self):
        self.driver.cuMemFree_v2(ctypes.c_uint64(self.address))

    def copy(self, function, to, source):
        assert function(to, source, ctypes.c_size_t(self.bytes), None) == 0

    def to_tensor(self):
        tensor = torch.empty(self.shape, dtype=self.dtype)
        self.copy(self.driver.cuMemcpyDtoHAsync_v2,
                  ctypes.c_void_p(tensor.data_ptr()), ctypes.c_uint64(self.address))
        return tensor

    def data_ptr(self):
        return self.address

    def dim(self):
        return len(self.shape)

    def stride(self):
        return self.strides


class Interpreter:
    """The interpreter that EMBEDDING_CUDA_LIBRARY names, as a GPU."""

    has_streams = False
    stream = None

    def __init__(self):
        self.driver = ctypes.CDLL(os.environ["EMBEDDING_CUDA_LIBRARY"])
        context = ctypes.c_void_p()
        self.driver.cuInit(0)
        self.driver.cuDevicePrimaryCtxRetain(ctypes.byref(context), 0)
        self.driver.cuCtxPushCurrent_v2(context)

    def upload(self, tensor):
        return InterpretedTensor(self.driver, tensor)

    def download(self, tensor):
        return tensor.to_tensor()
