"""Prints C that compiles if and only if the structs that tests copy for ctypes are those
of Runtime.h: each has the same fields, at the same places, of the same sizes."""

import ctypes

import compiled_library
import runtime_structs

# ctypes has the parts of a DLTensor's structs as fields of its own.
PARTS = {"device_type": "device.device_type", "device_id": "device.device_id",
         "code": "dtype.code", "bits": "dtype.bits", "lanes": "dtype.lanes"}
OPTIONS = ("EngineOptions", "LookupOptions", "RenormOptions", "GradOptions",
           "CoalesceOptions")
CODES = ("OK", "INVALID_ARGUMENT", "OUT_OF_RANGE", "UNSUPPORTED")


def check(condition):
    print(f'_Static_assert({condition}, "");')


def check_struct(struct, name, number):
    check(f"sizeof({name}) == {ctypes.sizeof(struct)}")
    for field, _ in struct._fields_:
        place = getattr(struct, field)
        path = PARTS.get(field, field) if name == "DLTensor" else field
        check(f"offsetof({name}, {path}) == {place.offset}")
        check(f"sizeof((({name} *)0)->{path}) == {place.size}")
    # Too many are an error, too few a warning that is one.
    values = ", ".join('""' if field == "message" else "0" for field, _ in struct._fields_)
    print(f"{name} value{number} = {{{values}}};")


print("#include <embedding-runtime/Runtime.h>\n#include <stddef.h>")
structs = [(getattr(runtime_structs, name), "Embedding" + name) for name in OPTIONS]
for module in (runtime_structs, compiled_library):
    structs += [(module.DLTensor, "DLTensor"), (module.Status, "EmbeddingStatus")]
for number, (struct, name) in enumerate(structs):
    check_struct(struct, name, number)
for mode, value in runtime_structs.MODES.items():
    check(f"EMBEDDING_OUT_OF_RANGE_{mode.upper()} == {value}")
for code in CODES:
    check(f"EMBEDDING_{code} == {getattr(compiled_library, code)}")
