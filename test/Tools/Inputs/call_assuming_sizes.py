"""Calls a library whose sizes are not checked: call_assuming_sizes.py LIBRARY"""

import sys

import numpy as np

from compiled_library import Library

table = np.arange(32, dtype=np.float32).reshape(4, 8)
indices = np.array([3, 1])
# A row more than there are indices: the same call is refused where sizes are checked.
out = np.full((3, 8), -1, np.float32)
Library(sys.argv[1]).succeed("lookup", table, indices, out)
assert np.array_equal(out[:2], table[indices])
assert (out[2] == -1).all()
