#!/usr/bin/env bash
# Shows what the project does: from a bare Debian 12 to numbers.
set -euo pipefail
cd "$(dirname "$0")"

tools/install-dependencies.sh
[ -f build/build.ninja ] || cmake --preset release >/dev/null
cmake --build build --target embedding-run

examples=docs/examples
run=build/bin/embedding-run
work=build/demo
mkdir -p "$work"

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }

say "F.embedding, first example: a batch of 2x4 indices into a 10x3 table"
$run $examples/batch.mlir \
  --input="10x3xf32=0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29" \
  --input="2x4xi64=1 2 4 5 4 3 2 9"

say "F.embedding, second example: padding_idx=0, and its row zeroed"
$run $examples/padding.mlir \
  --input="10x3xf32=1" --input="1x4xi64=0 2 0 5"

say "An index that is out of range"
$run $examples/padding.mlir \
  --input="10x3xf32=1" --input="1x4xi64=0 2 10 5" || true

say "A realistic table: 50,000 x 768 floats, 8 x 512 indices, from .npy files"
[ -f $work/weight.npy ] || /usr/bin/python3 - "$work" <<'PYTHON'
import sys
import numpy as np
rng = np.random.default_rng(0)
np.save(sys.argv[1] + "/weight.npy", rng.standard_normal((50000, 768), dtype=np.float32))
np.save(sys.argv[1] + "/input.npy", rng.integers(0, 50000, (8, 512)))
PYTHON
$run $examples/realistic.mlir --input=@$work/weight.npy --input=@$work/input.npy \
  --input=8x512x768xf32 --output=@$work/output.npy --benchmark=100
/usr/bin/python3 - "$work" <<'PYTHON'
import sys
import numpy as np
weight, indices, output = (np.load(f"{sys.argv[1]}/{name}.npy") for name in ("weight", "input", "output"))
same = output.tobytes() == weight[indices].tobytes()
print("The same bits as NumPy's weight[input]:", same)
sys.exit(not same)
PYTHON
