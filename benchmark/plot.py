#!/usr/bin/env python3
"""Plots results of embedding-bench, or of gpu.py.

    plot.py RESULTS.json OUT_DIRECTORY

writes lookup.svg and dense_grad.svg: ratios to the ceiling kernels and to PyTorch,
above 1 where ours is faster. Of gpu.py's results, gpu.svg. Needs matplotlib
(python3-matplotlib, or from pip).
"""

import json
import pathlib
import sys

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams["svg.fonttype"] = "none"
matplotlib.rcParams["svg.hashsalt"] = "embedding-mlir"
import matplotlib.pyplot as plt

PLACES = [(2**19, "L2"), (2**25, "L3"), (2**31, "memory")]


def plot_lookups(results, axes, threads):
    """One line for each place of the table: f32, uniform indices, small pages."""
    for table_bytes, place in PLACES:
        cases = {}  # By bytes of a row.
        for r in results:
            if (r["benchmark"] == "lookup" and r["element"] == "f32"
                    and r["distribution"] == "uniform" and r["page_bytes"] == 4096
                    and r["threads"] == threads and r["table_bytes"] == table_bytes):
                known = cases.get(r["row_length"] * 4)
                # The cases that vary the number of indices come last.
                cases[r["row_length"] * 4] = known or r
        cases = sorted(cases.items(), key=lambda case: case[0])
        row_bytes = [b for b, _ in cases]
        for key, style in (("ratio_to_ceiling", "-"), ("ratio_to_index_select", "--")):
            axes.plot(row_bytes, [r.get(key) for _, r in cases], style,
                      color=f"C{PLACES.index((table_bytes, place))}",
                      label=f"{place}: {key.removeprefix('ratio_to_')}")
    axes.set_xscale("log", base=2)
    axes.set_xlabel("bytes of a row")


def plot_dense_grads(results, axes, threads):
    """One group of bars for each case."""
    cases = [r for r in results if r["benchmark"] == "dense_grad" and r["threads"] == threads]
    cases.sort(key=lambda r: (r["row_length"], r["num_rows"], r["indices"], r["distribution"]))
    for offset, key in ((-0.2, "ratio_to_ceiling"), (0.2, "ratio_to_torch")):
        axes.bar([i + offset for i in range(len(cases))],
                 [r.get(key, 0) for r in cases], width=0.4, label=key.removeprefix("ratio_to_"))
    axes.set_xticks(range(len(cases)), [
        f"D={r['row_length']} V={r['num_rows'] // 1000}k N={r['indices'] // 1000}k "
        f"{r['distribution']}" for r in cases], rotation=90, fontsize=6)


def plot_gpu(document, path):
    """Lookups as shares of the copy rate, and gradients as ratios of times."""
    figure, all_axes = plt.subplots(1, 3, figsize=(14, 5), layout="constrained")
    for axes, operation in zip(all_axes, ("lookup", "lookup with max_norm")):
        cases = [r for r in document["results"] if r["operation"] == operation
                 and r["element"] == "f32" and r["distribution"] == "uniform"]
        for name in cases[0]["milliseconds"]:
            axes.plot([r["row_bytes"] for r in cases],
                      [r["ratio_to_copy"][name] for r in cases], marker=".", label=name)
        axes.set_xscale("log", base=2)
        axes.set_xlabel("bytes of a row")
        axes.set_ylabel("share of the copy rate")
        axes.set_title(f"{operation}, f32, uniform")
    cases = [r for r in document["results"]
             if r["operation"] == "dense_grad" and r["element"] == "f32"]
    others = [name for name in cases[0]["milliseconds"] if name != "ours"]
    axes = all_axes[2]
    for i, name in enumerate(others):
        axes.bar([c + 0.27 * (i - 1) for c in range(len(cases))],
                 [r["milliseconds"][name] / r["milliseconds"]["ours"] for r in cases],
                 width=0.27, label=name.removeprefix("ours, "))
    axes.set_xticks(range(len(cases)), [
        f"D={r['row_length']} V={r['num_rows'] >> 10}Ki N={r['num_indices'] >> 10}Ki "
        f"{r['distribution']}" for r in cases], rotation=90, fontsize=6)
    axes.set_yscale("log", base=2)
    axes.axhline(1, color="black", linewidth=0.8)
    axes.set_ylabel("time of the other / ours")
    axes.set_title("dense_grad, f32")
    for axes in all_axes:
        axes.grid(alpha=0.3)
        axes.legend(fontsize=7)
    figure.suptitle(f"{document['device']}, copies at "
                    f"{document['copy_gigabytes_per_second']:.0f} GB/s; "
                    f"torch {document['torch']}", fontsize=8)
    figure.savefig(path, metadata={"Date": None})


def main():
    document = json.loads(pathlib.Path(sys.argv[1]).read_text())
    directory = pathlib.Path(sys.argv[2])
    directory.mkdir(parents=True, exist_ok=True)
    if "device" in document:
        plot_gpu(document, directory / "gpu.svg")
        return
    results = document["results"]
    threads = sorted({r["threads"] for r in results if "threads" in r})
    for name, plot, size in (("lookup", plot_lookups, (10, 4)),
                             ("dense_grad", plot_dense_grads, (12, 5))):
        figure, all_axes = plt.subplots(1, len(threads), figsize=size, sharey=True,
                                        squeeze=False, layout="constrained")
        for axes, count in zip(all_axes[0], threads):
            plot(results, axes, count)
            axes.set_yscale("log", base=2)
            axes.axhline(1, color="black", linewidth=0.8)
            axes.grid(alpha=0.3)
            axes.set_title(f"{name}, {count} thread{'s' if count > 1 else ''}")
        all_axes[0][0].set_ylabel("time of the other / ours")
        all_axes[0][-1].legend(fontsize=7)
        figure.suptitle(f"{document['processor']}; ceiling kernels for {document['ceiling']}; "
                        f"torch {document['torch']}", fontsize=8)
        figure.savefig(directory / f"{name}.svg", metadata={"Date": None})


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main()
