"""The runtime's C API by ctypes, on torch tensors."""

import ctypes

import torch

from runtime_structs import (CoalesceOptions, DLTensor, EngineOptions, GradOptions,
                             LookupOptions, MODES, RenormOptions, Status)

TYPES = {
    torch.float16: (2, 16),
    torch.bfloat16: (4, 16),
    torch.float32: (2, 32),
    torch.float64: (2, 64),
    torch.int8: (0, 8),
    torch.int32: (0, 32),
    torch.int64: (0, 64),
}


class Error(Exception):
    def __init__(self, status):
        super().__init__(status.message.decode())
        self.code = status.code
        self.position, self.index, self.count = (
            status.position,
            status.index,
            status.count,
        )


def view(tensor):
    """A DLTensor that borrows everything from `tensor`, of the CPU or of GPU 0."""
    code, bits = TYPES[tensor.dtype]
    size = tensor.dim()
    device = 2 if tensor.is_cuda else 1
    return DLTensor(
        tensor.data_ptr(), device, 0, size, code, bits, 1,
        (ctypes.c_int64 * max(size, 1))(*tensor.shape),
        (ctypes.c_int64 * max(size, 1))(*tensor.stride()), 0,
    )


class Engine:
    """Work on a GPU goes to `stream`, a CUstream."""

    stream = None

    def __init__(self, library, num_threads=1, cache_dir="", lowering=0, cpu=None):
        self.library = ctypes.CDLL(library)
        options = EngineOptions()
        self.library.embedding_engine_options_init(
            ctypes.byref(options), ctypes.c_size_t(ctypes.sizeof(options))
        )
        options.num_threads = num_threads
        # Without one, the environment's.
        options.cache_dir = None if cache_dir is None else cache_dir.encode()
        options.lowering = lowering
        options.cpu = cpu.encode() if cpu else None
        self.engine = ctypes.c_void_p()
        self._check(
            self.library.embedding_engine_create,
            ctypes.byref(options), ctypes.byref(self.engine),
        )

    def __del__(self):
        if getattr(self, "engine", None):
            self.library.embedding_engine_destroy(self.engine)

    def _check(self, function, *arguments):
        status = Status()
        if function(*arguments, ctypes.byref(status)) != 0:
            raise Error(status)

    def _call(self, name, *arguments):
        arguments = [
            ctypes.byref(view(a)) if hasattr(a, "data_ptr") else a
            for a in arguments
        ]
        self._check(getattr(self.library, name), self.engine, *arguments)

    def _options(self, type, init, mode, **fields):
        options = type()
        getattr(self.library, init)(
            ctypes.byref(options), ctypes.c_size_t(ctypes.sizeof(options))
        )
        options.out_of_range = MODES[mode]
        options.stream = self.stream
        for name, value in fields.items():
            setattr(options, name, value)
        return ctypes.byref(options)

    def _grad_options(self, padding_idx, scale_grad_by_freq, mode,
                      allow_nondeterministic=False):
        fields = {"scale_grad_by_freq": int(scale_grad_by_freq),
                  "allow_nondeterministic": int(allow_nondeterministic)}
        if padding_idx is not None:
            fields.update(has_padding_idx=1, padding_idx=padding_idx)
        return self._options(
            GradOptions, "embedding_grad_options_init", mode, **fields
        )

    def synchronize(self):
        self._check(
            self.library.embedding_synchronize, self.engine, ctypes.c_int32(0),
            ctypes.c_void_p(self.stream),
        )

    def lookup(self, table, indices, out, mode="check", max_norm=None, norm_type=2.0):
        fields = {}
        if max_norm is not None:
            fields = dict(has_max_norm=1, max_norm=max_norm, norm_type=norm_type)
        options = self._options(
            LookupOptions, "embedding_lookup_options_init", mode, **fields
        )
        self._call("embedding_lookup", table, indices, options, out)

    def renorm(self, table, indices, max_norm, norm_type=2.0, mode="check"):
        options = self._options(
            RenormOptions, "embedding_renorm_options_init", mode, norm_type=norm_type
        )
        self._call(
            "embedding_renorm", table, indices, ctypes.c_double(max_norm), options
        )

    def dense_grad(self, grad_output, indices, grad_table, padding_idx=None,
                   scale_grad_by_freq=False, mode="check",
                   allow_nondeterministic=False):
        options = self._grad_options(
            padding_idx, scale_grad_by_freq, mode, allow_nondeterministic)
        self._call("embedding_dense_grad", grad_output, indices, options, grad_table)

    @staticmethod
    def _count(nnz):
        """Where a count goes: to the tensor `nnz`, or into an integer that there is."""
        count = ctypes.c_int64()
        return count, (ctypes.byref(count) if nnz is None
                       else ctypes.c_void_p(nnz.data_ptr()))

    def sparse_grad(self, grad_output, indices, num_rows, rows, values,
                    padding_idx=None, scale_grad_by_freq=False, mode="check", nnz=None):
        options = self._grad_options(padding_idx, scale_grad_by_freq, mode)
        count, nnz_pointer = self._count(nnz)
        self._call(
            "embedding_sparse_grad", grad_output, indices, ctypes.c_int64(num_rows),
            options, rows, values, nnz_pointer,
        )
        return count.value

    def coalesce(self, indices, values, num_rows, rows, sums, mode="check", nnz=None):
        options = self._options(
            CoalesceOptions, "embedding_coalesce_options_init", mode
        )
        count, nnz_pointer = self._count(nnz)
        self._call(
            "embedding_coalesce", indices, values, ctypes.c_int64(num_rows), options,
            rows, sums, nnz_pointer,
        )
        return count.value

    def double_backward(self, grad_grad_table, indices, out, padding_idx=None,
                        scale_grad_by_freq=False, mode="check"):
        options = self._grad_options(padding_idx, scale_grad_by_freq, mode)
        self._call(
            "embedding_double_backward", grad_grad_table, indices, options, out
        )
