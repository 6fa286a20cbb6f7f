#!/bin/sh
# Packs what tests and measures on a GPU machine, which needs no LLVM and no
# compiler: the runtime, its tests, the benchmark, and their kernels, which are
# compiled here through the interpreter; and libraries of embedding-compile. If
# tools/test-python.sh has built the Python package, that goes too: its extension
# module is compiled there, for the Python that is there, with nanobind.
#
#   tools/pack-gpu-tests.sh [FOLDER [CAPABILITY]]
#
# FOLDER is build/gpu-tests by default, CAPABILITY that of an H100 or H200, 9.0.
# There: FOLDER/run.sh, or FOLDER/run.sh RESULTS.json to keep what was measured.
set -eu
cd "$(dirname "$0")/.."
build=${BUILD_DIR:-$PWD/build}
folder=${1:-build/gpu-tests}
capability=${2:-9.0}
rm -rf "$folder"
mkdir -p "$folder/cache"
chmod 700 "$folder/cache"
cp -P "$build"/lib/libembedding-runtime.so* "$folder"
cp "$build"/bin/embedding-device-tests benchmark/gpu.py test/PyTorch/gpu_tensors.py \
   test/PyTorch/embedding_runtime.py test/PyTorch/runtime_structs.py \
   test/PyTorch/compare_gpu_with_cpu.py \
   test/Tools/Inputs/call_operations.py test/Tools/Inputs/compiled_library.py "$folder"

folder=$(cd "$folder" && pwd)
export EMBEDDING_CACHE_DIR="$folder/cache"
export EMBEDDING_INTERPRETER_CAPABILITY="$capability"
export EMBEDDING_CUDA_LIBRARY="$build/lib/libembedding-interpreted-cuda.so"
"$build"/bin/embedding-device-tests --gtest_brief=1
runtime="$build"/lib/libembedding-runtime.so
/usr/bin/python3 test/PyTorch/compare_gpu_with_cpu.py "$runtime" --interpreted
/usr/bin/python3 benchmark/gpu.py "$runtime" --compile
for machine in "cpu --cpu=x86-64-v3" "gpu --chips=sm_$(echo "$capability" | tr -d .)"; do
  mkdir "$folder/${machine%% *}"
  "$build"/bin/embedding-compile --index-type=i32 --index-rank=2 --row-length=12 \
    --op=lookup --op=renorm --op='renorm_lookup norm_type(2.0)' \
    --op='dense_grad padding_idx(7)' --op='double_backward padding_idx(7)' \
    --op='sparse_grad padding_idx(7)' "${machine#* }" \
    -o "$folder/${machine%% *}/libcompiled.so"
done

if [ -d "$build/python/site" ]; then
  venv=$(tools/install-python.sh --where)
  PYTHONPATH="$build/python/site:test/PyTorch" \
    "$venv/bin/python" test/Python/compile_gpu_kernels.py "$runtime"
  mkdir -p "$folder/python/include"
  cp -r python/embedding_mlir python/src test/Python/test_gpu.py \
    benchmark/python_overhead.py "$folder/python"
  cp -r runtime/include/embedding-runtime "$folder/python/include"
  cp -rL "$(echo '#include <dlpack/dlpack.h>' | clang-22 -E -x c - -M | tr ' ' '\n' |
    grep dlpack.h | xargs dirname)" "$folder/python/include"
fi

cat > "$folder/run.sh" <<'RUN'
#!/bin/sh
# Tests and measures on this machine's GPU: run.sh [RESULTS.json]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
chmod 700 "$here/cache"
export LD_LIBRARY_PATH="$here${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
export EMBEDDING_CACHE_DIR="$here/cache"
export EMBEDDING_CUDA_LIBRARY="${EMBEDDING_CUDA_LIBRARY:-libcuda.so.1}"
"$here/embedding-device-tests" --gtest_brief=1
python3 "$here/call_operations.py" "$here/cpu/libcompiled.so" \
  "$here/gpu/libcompiled.so" "$EMBEDDING_CUDA_LIBRARY"
python3 "$here/compare_gpu_with_cpu.py" "$here/libembedding-runtime.so"
if [ -d "$here/python" ]; then
  nanobind=$(python3 -c 'import nanobind; print(nanobind.include_dir())')
  cd "$here/python"
  c++ -std=c++17 -O2 -shared -fPIC -fvisibility=hidden -Iinclude -I"$nanobind" \
    -I"$nanobind/../ext/robin_map/include" \
    -I"$(python3 -c 'import sysconfig; print(sysconfig.get_path("include"))')" \
    src/*.cpp "$nanobind/../src/nb_combined.cpp" -L"$here" \
    -l:libembedding-runtime.so.0.1 -o embedding_mlir/_core.so
  export EMBEDDING_CPU=x86-64-v3 PYTHONPATH="$here/python"
  python3 -m pytest -q -W ignore test_gpu.py
  python3 python_overhead.py --device cuda
  cd - >/dev/null
fi
python3 "$here/gpu.py" "$here/libembedding-runtime.so" ${1:+--output "$1"}
RUN
chmod +x "$folder/run.sh"
du -sh "$folder"
