# What lit needs to know of the tests of embedding-mlir.

import os
import shutil
import subprocess

import lit.formats

config.name = "embedding-mlir"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test"]
config.excludes = ["PTXInterpreter", "Runtime", "Install", "Inputs"]
config.test_source_root = os.path.dirname(__file__)

config.environment["PATH"] = os.pathsep.join(
    [config.embedding_tools_dir, config.llvm_tools_dir, os.environ["PATH"]]
)

# The Python that has NumPy and PyTorch: Debian's, whatever comes first in PATH.
def find_python():
    for name in ("/usr/bin/python3", "python3"):
        path = shutil.which(name)
        if path and subprocess.run([path, "-c", "import numpy, torch"],
                                   capture_output=True).returncode == 0:
            return path
    lit_config.fatal("no Python with NumPy and PyTorch: install python3-numpy and python3-torch")

config.substitutions.append(("%python", find_python()))
config.substitutions.append(("%src_root", config.embedding_src_root))
config.substitutions.append(("%obj_root", config.embedding_obj_root))
config.substitutions.append(("%interpreted_cuda", config.interpreted_cuda))
config.substitutions.append(("%mlir_include", config.mlir_include))

if config.host_arch in ("x86_64", "AMD64"):
    config.available_features.add("x86_64")
    with open("/proc/cpuinfo") as cpuinfo:
        if " avx2 " in cpuinfo.read():
            config.available_features.add("avx2")

# Of the CUDA toolkit.
if shutil.which("ptxas"):
    config.available_features.add("ptxas")
