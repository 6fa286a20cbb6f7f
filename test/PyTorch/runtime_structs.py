"""The structs of Runtime.h for ctypes; structs.test compares them with it."""

import ctypes

MODES = {"check": 0, "assume": 1, "clamp": 2, "zero": 3}


class DLTensor(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.c_void_p),
        ("device_type", ctypes.c_int32),
        ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    ]


class Status(ctypes.Structure):
    _fields_ = [
        ("code", ctypes.c_int),
        ("position", ctypes.c_int64),
        ("index", ctypes.c_int64),
        ("count", ctypes.c_int64),
        ("message", ctypes.c_char * 488),
    ]


class EngineOptions(ctypes.Structure):
    _fields_ = [
        ("struct_size", ctypes.c_size_t),
        ("cpu", ctypes.c_char_p),
        ("lowering", ctypes.c_int32),
        ("cache_dir", ctypes.c_char_p),
        ("cache_max_bytes", ctypes.c_uint64),
        ("num_threads", ctypes.c_int32),
        ("parallel_for", ctypes.c_void_p),
        ("parallel_for_context", ctypes.c_void_p),
        ("allocate", ctypes.c_void_p),
        ("deallocate", ctypes.c_void_p),
        ("allocator_context", ctypes.c_void_p),
        ("compiler_library", ctypes.c_char_p),
        ("max_idle_buffer_bytes", ctypes.c_uint64),
        ("cuda_library", ctypes.c_char_p),
        ("device_allocate", ctypes.c_void_p),
        ("device_deallocate", ctypes.c_void_p),
        ("device_allocator_context", ctypes.c_void_p),
    ]


class LookupOptions(ctypes.Structure):
    _fields_ = [
        ("struct_size", ctypes.c_size_t),
        ("out_of_range", ctypes.c_int32),
        ("has_padding_idx", ctypes.c_int32),
        ("padding_idx", ctypes.c_int64),
        ("has_max_norm", ctypes.c_int32),
        ("max_norm", ctypes.c_double),
        ("norm_type", ctypes.c_double),
        ("stream", ctypes.c_void_p),
    ]


class RenormOptions(ctypes.Structure):
    _fields_ = [
        ("struct_size", ctypes.c_size_t),
        ("out_of_range", ctypes.c_int32),
        ("norm_type", ctypes.c_double),
        ("stream", ctypes.c_void_p),
    ]


class GradOptions(ctypes.Structure):
    _fields_ = [
        ("struct_size", ctypes.c_size_t),
        ("out_of_range", ctypes.c_int32),
        ("has_padding_idx", ctypes.c_int32),
        ("padding_idx", ctypes.c_int64),
        ("scale_grad_by_freq", ctypes.c_int32),
        ("allow_nondeterministic", ctypes.c_int32),
        ("stream", ctypes.c_void_p),
    ]


class CoalesceOptions(ctypes.Structure):
    _fields_ = [
        ("struct_size", ctypes.c_size_t),
        ("out_of_range", ctypes.c_int32),
        ("stream", ctypes.c_void_p),
    ]
