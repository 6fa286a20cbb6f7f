#!/bin/sh
# Packs the tests for GPU machines and runs them elsewhere, without the compiler,
# on the interpreter. gpu-bundle.sh SOURCE BUILD WORK
set -eu
rm -rf "$3"
mkdir -p "$3"
BUILD_DIR=$2 "$1/tools/pack-gpu-tests.sh" "$3/packed"
mv "$3/packed" "$3/elsewhere"
export EMBEDDING_CUDA_LIBRARY="$2/lib/libembedding-interpreted-cuda.so"
export EMBEDDING_CACHE_DIR="$3/elsewhere/cache"
export LD_LIBRARY_PATH="$3/elsewhere"
export EMBEDDING_INTERPRETER_ORDER=interleaved
"$3/elsewhere/embedding-device-tests" --gtest_brief=1
export EMBEDDING_INTERPRETER_CAPABILITY=9.0
cd "$3/elsewhere"
/usr/bin/python3 call_operations.py cpu/libcompiled.so gpu/libcompiled.so \
  "$EMBEDDING_CUDA_LIBRARY"
/usr/bin/python3 compare_gpu_with_cpu.py ./libembedding-runtime.so --interpreted
/usr/bin/python3 "$3/elsewhere/gpu.py" "$3/elsewhere/libembedding-runtime.so" --compile
test "$(du -sm "$3/elsewhere" | cut -f1)" -lt 60
