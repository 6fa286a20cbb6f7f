"""Runs test files of PyTorch's with F.embedding swapped for the drop-in:

    python test/Python/run_pytorch_tests.py PYTORCH/test/nn/test_embedding.py [ARGUMENT...]

The files are those of a checkout of the PyTorch that is installed; arguments are
pytest's, such as -k 'not bag'.
"""

import sys

import pytest

import embedding_mlir


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    with embedding_mlir.patch_torch():
        return pytest.main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
