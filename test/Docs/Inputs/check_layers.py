# Part of embedding-mlir, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The directories of runtime/lib include only what is in themselves or below."""

import pathlib
import re
import sys

LAYERS = ["Support", "Host", "Device", "Code", "Call", "API"]
# At the top, side by side.
TOPS = ["Compiler", "Launcher"]

root = pathlib.Path(sys.argv[1]) / "runtime" / "lib"
rank = {name: number for number, name in enumerate(LAYERS)}
rank.update({name: len(LAYERS) for name in TOPS})
number = failures = 0
for path in sorted(root.rglob("*")):
    if path.suffix not in (".h", ".cpp"):
        continue
    layer = path.relative_to(root).parts[0]
    number += 1
    if layer not in rank:
        print(f"{path.relative_to(root)}: in no directory of runtime/lib")
        failures += 1
        continue
    for included in re.findall(r'#include "(\w+)/\w+\.h"', path.read_text()):
        if included in rank and included != layer and rank[included] >= rank[layer]:
            print(f"{path.relative_to(root)}: includes {included}, which is above")
            failures += 1
print(f"{number} files, {failures} failures")
sys.exit(failures != 0 or number < 30)
