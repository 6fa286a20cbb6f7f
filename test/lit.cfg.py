# What lit needs to know of the tests of embedding-mlir.

import os
import shutil
import subprocess
import time

import lit.formats

config.name = "embedding-mlir"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test"]
config.excludes = ["PTXInterpreter", "Linker", "Runtime", "Install", "Inputs"]
config.test_source_root = os.path.dirname(__file__)

config.environment["PATH"] = os.pathsep.join(
    [config.embedding_tools_dir, config.llvm_tools_dir, os.environ["PATH"]]
)

# The Python that has NumPy and PyTorch: Debian's, whatever comes first in PATH.
# Without them tests that need them are unsupported; those of the compiler are not.
def find_python():
    for packages in (["numpy", "torch"], ["numpy"], []):
        for name in ("/usr/bin/python3", "python3"):
            path = shutil.which(name)
            program = "".join(f"import {package};" for package in packages)
            if path and subprocess.run([path, "-c", program],
                                       capture_output=True).returncode == 0:
                return path, packages

python, packages = find_python()
config.available_features.update(packages)
config.substitutions.append(("%python", python))
# Of tests that draw cases; a failure prints it.
seed = os.environ.get("EMBEDDING_TEST_SEED") or str(int(time.time()))
config.substitutions.append(("%seed", seed))
config.substitutions.append(("%src_root", config.embedding_src_root))
config.substitutions.append(("%obj_root", config.embedding_obj_root))
config.substitutions.append(("%interpreted_cuda", config.interpreted_cuda))
config.substitutions.append(("%mlir_include", config.mlir_include))
config.substitutions.append(("%lit", config.lit_command))

if config.host_arch in ("x86_64", "AMD64"):
    config.available_features.add("x86_64")
    with open("/proc/cpuinfo") as cpuinfo:
        if " avx2 " in cpuinfo.read():
            config.available_features.add("avx2")

# Of the CUDA toolkit.
if shutil.which("ptxas"):
    config.available_features.add("ptxas")

# A feature that is gone takes its tests along silently. Who needs them says so.
required = os.environ.get("EMBEDDING_REQUIRED_FEATURES", "").split()
missing = [name for name in required if name not in config.available_features]
if missing:
    lit_config.fatal("EMBEDDING_REQUIRED_FEATURES: missing: " + ", ".join(missing))
