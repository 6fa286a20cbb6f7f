"""What a call from Python costs: one row, by F.embedding and by the drop-in.

    python_overhead.py [--device cuda] [--rounds 200] [--output FILE]

Calls take turns, a hundred at a time; of the rounds the median counts. On a GPU it is
the time until the call returns, with the queue drained between rounds.
"""

import argparse
import json
import platform
import statistics
import time

import torch
import torch.nn.functional as F

import embedding_mlir

CALLS = 100


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--output")
    arguments = parser.parse_args()
    weight = torch.randn(1000, 64, device=arguments.device)
    parameter = torch.nn.Parameter(weight.clone())
    indices = torch.tensor([5], device=arguments.device)
    grad = torch.randn(1, 64, device=arguments.device)
    sides = {"F.embedding": F.embedding, "embedding_mlir": embedding_mlir.embedding}

    def lookup(embed):
        return lambda: embed(indices, weight)

    def recorded(embed):
        return lambda: embed(indices, parameter)

    def backward(embed):
        def step():
            parameter.grad = None
            embed(indices, parameter).backward(grad)
        return step

    cases = {"lookup": lookup, "lookup that takes a gradient": recorded,
             "that and its backward pass": backward}
    calls = {(name, side): make(embed) for name, make in cases.items()
             for side, embed in sides.items()}
    times = {key: [] for key in calls}
    for call in calls.values():
        call()
    for _ in range(arguments.rounds):
        for key, call in calls.items():
            start = time.perf_counter()
            for _ in range(CALLS):
                call()
            times[key].append((time.perf_counter() - start) / CALLS * 1e6)
            if arguments.device != "cpu":
                torch.cuda.synchronize()

    results = []
    for name in cases:
        theirs, ours = (statistics.median(times[name, side]) for side in sides)
        results.append({"case": name, "torch_us": theirs, "ours_us": ours})
        print(f"{name:30} F.embedding {theirs:6.2f} us, embedding_mlir {ours:6.2f} us, "
              f"{ours - theirs:+.2f} us")
    if arguments.output:
        with open(arguments.output, "w") as file:
            json.dump({"torch": torch.__version__, "python": platform.python_version(),
                       "device": arguments.device, "calls": CALLS,
                       "rounds": arguments.rounds, "results": results}, file, indent=1)


if __name__ == "__main__":
    main()
