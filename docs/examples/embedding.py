"""embedding_mlir from Python: compile, run, train, err, and measure. Cells are those of a
notebook; as a script, it also draws what it measured:

    python embedding.py [PLOT.svg]

Needs PyTorch, and matplotlib for the plot.
"""

# %% A lookup, of arrays and of tensors
import statistics
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F

import embedding_mlir

table = np.arange(12, dtype=np.float32).reshape(4, 3)
print(embedding_mlir.embedding(np.array([2, 0]), table))

weight = torch.nn.Parameter(torch.randn(1000, 64))
input = torch.randint(1000, (32, 16))
out = embedding_mlir.embedding(input, weight, padding_idx=0)
assert torch.equal(out, F.embedding(input, weight, padding_idx=0))
out.sum().backward()
print("gradient of row 0, the padding:", weight.grad[0].abs().sum().item())

# %% A bad index
try:
    embedding_mlir.embedding(torch.tensor([[3, 1000], [-1, 5]]), weight)
except IndexError as error:
    print(f"{type(error).__name__}: {error}")
    print("position", error.position, "index", error.index, "of", error.count)

# %% The dialect: functions of IR, compiled and called
module = embedding_mlir.compile("""
    func.func @score(%weight: tensor<?x64xf32>, %input: tensor<?xi64>,
                     %query: tensor<64xf32>) -> tensor<?xf32> {
      %c0 = arith.constant 0 : index
      %zero = arith.constant 0.0 : f32
      %size = tensor.dim %input, %c0 : tensor<?xi64>
      %init = tensor.empty(%size) : tensor<?x64xf32>
      %rows = embedding.lookup ins(%weight, %input : tensor<?x64xf32>, tensor<?xi64>)
          outs(%init : tensor<?x64xf32>) -> tensor<?x64xf32>
      %scores = tensor.empty(%size) : tensor<?xf32>
      %zeros = linalg.fill ins(%zero : f32) outs(%scores : tensor<?xf32>) -> tensor<?xf32>
      %out = linalg.matvec ins(%rows, %query : tensor<?x64xf32>, tensor<64xf32>)
          outs(%zeros : tensor<?xf32>) -> tensor<?xf32>
      return %out : tensor<?xf32>
    }""")
print(module)
query = torch.randn(64)
scores = module.score(weight.detach(), input[0], query)
assert torch.allclose(scores, weight.detach()[input[0]] @ query, atol=1e-4)

# %% Training: any model that calls F.embedding, with it swapped
torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Embedding(100, 16, padding_idx=0),
                            torch.nn.Flatten(), torch.nn.Linear(8 * 16, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
tokens = torch.randint(100, (256, 8))
target = (tokens % 7 == 0).sum(1, keepdim=True).float()
with embedding_mlir.patch_torch():
    for step in range(201):
        loss = F.mse_loss(model(tokens), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 100 == 0:
            print(f"step {step}: loss {loss.item():.4f}")


# %% Timing against F.embedding: calls take turns, indices are drawn uniformly
def measure(call, *arguments, rounds=100):
    """Median milliseconds of each of the two, in one process."""
    times = {F.embedding: [], embedding_mlir.embedding: []}
    for embed in times:
        call(embed, *arguments)
    for _ in range(rounds):
        for embed, measured in times.items():
            start = time.perf_counter()
            call(embed, *arguments)
            measured.append((time.perf_counter() - start) * 1e3)
    return [statistics.median(measured) for measured in times.values()]


def lookup(embed, weight, input):
    with torch.no_grad():
        embed(input, weight)


def train(embed, weight, input, **options):
    weight.grad = None
    embed(input, weight, **options).backward(GRADIENTS[input.shape[0], weight.shape[1]])


def train_sparse(embed, weight, input):
    train(embed, weight, input, sparse=True)


def renorm(embed, weight, input):
    with torch.no_grad():
        embed(input, weight, max_norm=1.0)


GRADIENTS = {(8192, width): torch.randn(8192, width) for width in (64, 256)}
results = {}
for rows, width in ((10_000, 64), (100_000, 64), (100_000, 256)):
    weight = torch.nn.Parameter(torch.randn(rows, width))
    input = torch.randint(rows, (8192,))
    for case in (lookup, train, train_sparse, renorm):
        theirs, ours = measure(case, weight, input)
        results[f"{case.__name__.replace('_', ', ')}\n{rows // 1000}k x {width}"] = theirs / ours
        print(f"{case.__name__:12} V = {rows:6}, D = {width:3}: F.embedding {theirs:6.2f} ms, "
              f"embedding_mlir {ours:6.2f} ms, {theirs / ours:.2f} x")

# %% The plot
if len(sys.argv) > 1:
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    plt.figure(figsize=(9, 3.5), layout="constrained")
    plt.bar(list(results), list(results.values()))
    plt.axhline(1, color="black", linewidth=0.8)
    plt.yscale("log")
    plt.ylabel("times as fast as F.embedding")
    plt.xticks(fontsize=7)
    plt.title(f"8192 indices on {torch.get_num_threads()} threads, from Python")
    plt.savefig(sys.argv[1])
