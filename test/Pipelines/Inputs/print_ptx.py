"""Prints the PTX in the output of embedding-to-nvvm-pipeline=launch=callback."""

import re
import sys

constant = re.search(r'@embedding_kernels_image\("((?:[^"\\]|\\.)*)"', sys.stdin.read())
text = re.sub(r"\\([0-9A-F]{2})", lambda byte: chr(int(byte[1], 16)), constant[1])
sys.stdout.write(text.rstrip("\0"))
