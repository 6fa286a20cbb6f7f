"""Checks the hand-written pages under the folder that it is given.

- README.md shows docs/examples/batch.mlir and lookup.cpp verbatim.
- Every relative link of every page leads to a file.
"""

import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
errors = []

readme = (root / "README.md").read_text()
for example in ("batch.mlir", "lookup.cpp"):
    if (root / "docs/examples" / example).read_text().strip() not in readme:
        errors.append(f"README.md does not show docs/examples/{example} as it is")

pages = [*root.glob("*.md"), *(root / "docs").glob("*.md")]
for page in pages:
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text()):
        if "://" not in target and not (page.parent / target).exists():
            errors.append(f"{page.relative_to(root)}: no file {target}")

print("\n".join(errors))
sys.exit(bool(errors))
