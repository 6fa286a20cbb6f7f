"""What a step costs in PyTorch: lookups, gradients and SGD, by F.embedding and by the
drop-in.

    python_training.py [--threads 1] [--rounds 15] [--table 1000000x64] [--output FILE]

Both take turns in one process; of the times the median counts, and of the ratios of each
round too, since other work on the machine slows both. Memory of theirs may be what ours has
given back, and the other way round: nothing else is shared.
"""

import argparse
import json
import platform
import statistics
import time

import torch
import torch.nn.functional as F

import embedding_mlir

BATCHES = (256, 8192, 131072)


def make_steps(weight, indices, embed):
    """From a name to a function: a part of a step, and whole ones."""
    parameter = torch.nn.Parameter(weight)
    optimizer = torch.optim.SGD([parameter], lr=1e-6)
    grad = torch.ones(*indices.shape, weight.shape[1])

    def forward():
        embed(indices, weight)

    def backward():
        parameter.grad = None
        embed(indices, parameter).backward(grad)

    def step():
        optimizer.zero_grad()
        embed(indices, parameter).backward(grad)
        optimizer.step()

    return {"forward": forward, "forward + backward": backward, "that + SGD": step}


def measure(steps, rounds):
    """The seconds of each of `steps`, in turns. The first round does not count."""
    times = [[] for _ in steps]
    for round in range(rounds + 1):
        # Neither is always the first.
        for i in range(len(steps))[::1 if round % 2 else -1]:
            start = time.perf_counter()
            steps[i]()
            times[i].append(time.perf_counter() - start)
    return [part[1:] for part in times]


def name_cpu():
    with open("/proc/cpuinfo") as file:
        fields = dict(line.split(":", 1) for line in file if ":" in line)
    return " ".join(value.strip() for key, value in fields.items()
                    if key.strip() in ("vendor_id", "model name"))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--table", action="append")
    parser.add_argument("--output")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    results = []
    print(f"{name_cpu()}, {arguments.threads} thread(s), PyTorch {torch.__version__}")
    for table in arguments.table or ("1000000x64", "50000x768"):
        num_rows, length = (int(size) for size in table.split("x"))
        weight = torch.randn(num_rows, length)
        for batch in BATCHES:
            indices = torch.randint(num_rows, (batch,))
            sides = [make_steps(weight, indices, embed)
                     for embed in (F.embedding, embedding_mlir.embedding)]
            for name in sides[0]:
                theirs, ours = measure([side[name] for side in sides], arguments.rounds)
                ratio = statistics.median(t / o for t, o in zip(theirs, ours))
                theirs, ours = (1e3 * statistics.median(part) for part in (theirs, ours))
                print(f"{table:12} {batch:7} ids  {name:20} F.embedding {theirs:8.2f} ms, "
                      f"embedding_mlir {ours:8.2f} ms, {ratio:5.2f} x", flush=True)
                results.append({"table": table, "ids": batch, "case": name,
                                "torch_ms": theirs, "ours_ms": ours, "ratio": ratio})
    if arguments.output:
        with open(arguments.output, "w") as file:
            json.dump({"cpu": name_cpu(), "threads": arguments.threads,
                       "torch": torch.__version__, "python": platform.python_version(),
                       "rounds": arguments.rounds, "results": results}, file, indent=1)


if __name__ == "__main__":
    main()
