"""Where large results lie: in memory that is used again, as storages that do all that
others do. F.embedding and tensors of PyTorch's own are the oracles."""

import copy
import io
import os
import pickle
import queue
import resource
import subprocess
import sys
import threading

import pytest
import torch
import torch.nn.functional as F

import embedding_mlir

V, D = 100_000, 64
PAGES = V * D * 4 // 4096  # Of the table, or its gradient.


@pytest.fixture(autouse=True)
def pool():
    embedding_mlir.set_memory_pool()
    yield
    embedding_mlir.set_memory_pool()


@pytest.fixture(scope="module")
def weight():
    torch.manual_seed(0)
    return torch.randn(V, D)


@pytest.fixture(scope="module")
def indices():
    torch.manual_seed(1)
    return torch.randint(V, (10_000,))


def count_faults(call):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    call()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def get_resident_bytes():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096


def run(program, **environment):
    program = "import torch, embedding_mlir\nimport torch.nn.functional as F\n" + program
    return subprocess.run([sys.executable, "-c", program], check=True, timeout=300,
                          capture_output=True, text=True,
                          env={**os.environ, **environment}).stdout


def test_pages_are_used_again():
    # More than the 32 MiB that malloc would use again too.
    rows = 200_000
    parameter = torch.nn.Parameter(torch.randn(rows, D))
    input = torch.randint(rows, (rows,))

    def step():
        parameter.grad = None
        embedding_mlir.embedding(input, parameter).sum().backward()

    for _ in range(3):
        step()
    # The output alone, and the gradient alone, have as many pages.
    assert count_faults(step) < rows * D * 4 // 4096 / 10


def test_memory_in_use_is_not_given_again(weight, indices):
    outs = [embedding_mlir.embedding(indices + i, weight, out_of_range="clamp")
            for i in range(4)]
    del outs[1]
    outs.append(embedding_mlir.embedding(indices, weight))
    for out, i in zip(outs, (0, 2, 3, 0)):
        assert torch.equal(out, weight[(indices + i).clamp(max=V - 1)])


@pytest.mark.parametrize("dtype", (torch.float16, torch.float64, torch.int64, torch.bool,
                                   torch.complex128))
def test_results(dtype, weight, indices):
    table = (weight * 4).to(dtype)
    input = indices.reshape(5, 40, 50)
    for _ in range(2):
        out = embedding_mlir.embedding(input, table)
        expected = F.embedding(input, table)
        assert torch.equal(out, expected) and out.stride() == expected.stride()


def test_gradients(weight, indices):
    grad = torch.randn(10_000, D)
    parameter = torch.nn.Parameter(weight)
    expected, = torch.autograd.grad(F.embedding(indices, parameter), parameter, grad)
    for _ in range(3):
        torch.testing.assert_close(embedding_mlir.dense_grad(grad, indices, V), expected)
    for _ in range(3):
        rows, values = embedding_mlir.sparse_grad(grad, indices, V, padding_idx=int(indices[7]))
        assert torch.equal(rows, indices[indices != indices[7]])
        assert torch.equal(values, grad[indices != indices[7]])
    for _ in range(3):
        rows, sums = embedding_mlir.coalesce(indices, grad, V)
        assert torch.equal(rows, indices.unique())
        torch.testing.assert_close(sums, expected[rows])


# What is done to an output, and what is compared: the same of a tensor of PyTorch's own.
def resize_storage(x):
    size = x.untyped_storage().nbytes()
    x.untyped_storage().resize_(0)
    empty = x.untyped_storage().nbytes(), x.untyped_storage().data_ptr()
    x.untyped_storage().resize_(size)
    return empty, x.zero_(), x.untyped_storage().nbytes()


def save(x):
    file = io.BytesIO()
    torch.save(x, file)
    file.seek(0)
    return torch.load(file, weights_only=True), file.getbuffer().nbytes


def write_through_numpy(x):
    x.numpy()[3] = 7
    return x


def resize_then_fill(x, *shape):
    old = x.numel()
    x.resize_(*shape)
    return x.reshape(-1)[:old], x.shape, x.stride(), x.untyped_storage().nbytes()


def share(x):
    is_shared = x.is_shared()
    x.share_memory_()
    return is_shared, x, x.is_shared(), x.untyped_storage().nbytes()


OPERATIONS = {
    "nbytes": lambda x: (x.untyped_storage().nbytes(), x.untyped_storage().resizable(),
                         x.storage().nbytes(), x.storage_offset(), x.is_leaf),
    "resize_ to more": lambda x: resize_then_fill(x, 20_000, D),
    "resize_ to less": lambda x: resize_then_fill(x, 10, 10)[1:],
    "resize_as_": lambda x: x.resize_as_(torch.empty(3, 4)).shape,
    "storage.resize_": resize_storage,
    "share_memory_": share,
    "pickle": lambda x: pickle.loads(pickle.dumps(x)),
    "deepcopy": lambda x: (copy.deepcopy(x), copy.copy(x)),
    "torch.save": save,
    "numpy": write_through_numpy,
    "set_": lambda x: (torch.empty(0).set_(x)[5], x.set_().shape),
    "data": lambda x: setattr(x, "data", torch.ones(3)) or x,
    "out=": lambda x: torch.add(torch.ones(12_000, D), 1, out=x.resize_(0)),
    "lazy clone": lambda x: torch._lazy_clone(x).add_(1),
    "storage copy": lambda x: torch.empty(0).set_(x.untyped_storage().clone(), 0, x.shape),
    "views": lambda x: (x[3:5].untyped_storage().nbytes(), x.t().contiguous(), x.view(-1)[7]),
    "DLPack": lambda x: torch.from_dlpack(x).add_(1),
    "in place": lambda x: x.mul_(2).requires_grad_().sum(),
    "pinned": lambda x: x.is_pinned(),
}


def flatten(x):
    return [y for part in x for y in flatten(part)] if isinstance(x, tuple) else [x]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("operation", OPERATIONS)
def test_storages_do_what_others_do(operation, weight, indices):
    for _ in range(2):
        ours, theirs = (flatten(OPERATIONS[operation](f(indices, weight)))
                        for f in (embedding_mlir.embedding, F.embedding))
        assert len(ours) == len(theirs)
        for mine, other in zip(ours, theirs):
            assert type(mine) is type(other)
            if isinstance(mine, torch.Tensor):
                assert torch.equal(mine, other) and mine.stride() == other.stride()
            else:
                assert mine == other


def test_storage_outlives_its_tensors(weight, indices):
    out = embedding_mlir.embedding(indices, weight)
    row, array, storage = out[9], out.numpy(), out.untyped_storage()
    del out
    others = [embedding_mlir.embedding(indices + 0, weight).zero_() for _ in range(3)]
    assert torch.equal(row, weight[indices[9]])
    assert torch.equal(torch.from_numpy(array), weight[indices])
    assert storage.nbytes() == array.nbytes and len(others) == 3


def test_inference_mode(weight, indices):
    with torch.inference_mode():
        assert embedding_mlir.embedding(indices, weight).is_inference()
    assert not embedding_mlir.embedding(indices, weight).is_inference()


def test_gradient_is_not_copied(weight, indices):
    parameter = torch.nn.Parameter(weight.clone())
    arrived = []
    parameter.register_hook(lambda grad: arrived.append(grad.data_ptr()))
    embedding_mlir.embedding(indices, parameter).sum().backward()
    assert parameter.grad.data_ptr() == arrived[0]
    first = parameter.grad.clone()
    # The second is added to it where it lies.
    embedding_mlir.embedding(indices, parameter).sum().backward()
    assert parameter.grad.data_ptr() == arrived[0] != arrived[1]
    assert torch.equal(parameter.grad, 2 * first)
    parameter.grad = None
    # Also of a graph that is kept, where others may hold it.
    embedding_mlir.embedding(indices, parameter).sum().backward(create_graph=True)
    assert torch.equal(parameter.grad, first)


def test_threads(weight, indices):
    made, failures = queue.Queue(maxsize=8), []

    def make(seed):
        generator = torch.Generator().manual_seed(seed)
        for _ in range(20):
            size = int(torch.randint(4_000, 12_000, (), generator=generator))
            made.put((embedding_mlir.embedding(indices[:size], weight), size))
        made.put(None)

    def check():
        while (item := made.get()) is not None:
            if not torch.equal(item[0], weight[indices[:item[1]]]):
                failures.append(item[1])

    threads = [threading.Thread(target=make, args=(i,)) for i in range(3)]
    threads += [threading.Thread(target=check) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_fork(weight, indices):
    """Of a process whose other threads are at it: the child frees what its parent made."""
    stop, expected = threading.Event(), weight[indices].numpy()

    def make():
        while not stop.is_set():
            embedding_mlir.embedding(indices, weight)

    thread = threading.Thread(target=make)
    thread.start()
    outs = [embedding_mlir.embedding(indices, weight) for _ in range(3)]
    codes = []
    for _ in range(10):
        child = os.fork()
        if child == 0:
            # By NumPy: PyTorch's own threads are not there.
            outs.clear()
            is_right = (embedding_mlir.embedding(indices, weight).numpy() == expected).all()
            os._exit(not is_right)
        codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    stop.set()
    thread.join()
    assert codes == [0] * 10
    assert all(torch.equal(out, weight[indices]) for out in outs)


def test_exit():
    """With tensors that live until the end, or longer."""
    run("""
weight, indices = torch.randn(10_000, 64), torch.arange(10_000)
class Cycle:
    pass
cycle = Cycle()
cycle.itself, cycle.out = cycle, embedding_mlir.embedding(indices, weight)
out = embedding_mlir.embedding(indices, weight)
torch.kept = embedding_mlir.embedding(indices, weight)
""")


HELD = """
def get_resident_bytes():
    return int(open("/proc/self/statm").read().split()[1]) * 4096
weight, indices = torch.randn(100_000, 64), torch.arange(100_000)
for _ in range(2):
    out = embedding_mlir.embedding(indices, weight)
with_out = get_resident_bytes()
del out
print((with_out - get_resident_bytes()) >> 20)
"""


@pytest.mark.parametrize("bytes,is_held", (("0", False), (str(8 << 20), False),
                                           (str(64 << 20), True)))
def test_environment(bytes, is_held):
    freed = int(run(HELD, EMBEDDING_MEMORY_POOL_BYTES=bytes))
    assert freed < 8 if is_held else freed > 16


def test_bad_environment():
    with pytest.raises(subprocess.CalledProcessError) as caught:
        run("", EMBEDDING_MEMORY_POOL_BYTES="much")
    assert "InvalidArgumentError" in caught.value.stderr


def test_turned_off(weight, indices):
    input = indices.repeat(10)
    out = embedding_mlir.embedding(input, weight)
    expected = out.clone()
    resident = get_resident_bytes()
    del out
    assert resident - get_resident_bytes() < PAGES * 4096 / 4
    embedding_mlir.set_memory_pool(0)
    assert resident - get_resident_bytes() > PAGES * 4096 / 2
    out = embedding_mlir.embedding(input, weight)
    assert torch.equal(out, expected)
    with pytest.raises(ValueError):
        embedding_mlir.set_memory_pool(-1)


def test_unknown_storages():
    """A PyTorch whose storages take no allocator: results are its own."""
    assert run("""
class Storage(torch.UntypedStorage):
    def __new__(cls, *args, allocator=None):
        if allocator is not None:
            raise TypeError
        return super().__new__(cls, *args)
torch.UntypedStorage = Storage
""" + HELD + """
assert torch.equal(embedding_mlir.embedding(indices, weight), weight)
""") > "16"


def test_unknown_storages_keep_nothing():
    """The buffers that no storage was made of go back."""
    assert int(run("""
class Storage(torch.UntypedStorage):
    def __new__(cls, *args, allocator=None):
        raise TypeError
torch.UntypedStorage = Storage
weight, indices = torch.randn(100_000, 64), torch.arange(100_000)
def get_mapped_bytes():
    return int(open("/proc/self/statm").read().split()[0]) * 4096
embedding_mlir.embedding(indices, weight)
before = get_mapped_bytes()
for _ in range(30):
    embedding_mlir.embedding(indices, weight)
print((get_mapped_bytes() - before) >> 20)
""")) < 400  # Of 730. Each thread may map an arena of 64.


@pytest.mark.parametrize("bytes", (1 << 20, (1 << 20) + 256, 3 << 19, 1 << 21, 5 << 20))
def test_sizes(bytes, weight):
    """From 1 MiB on, where PyTorch's own memory is aligned too; smaller results are there."""
    for missing in (1, 0) if bytes == 1 << 20 else (0,):
        input = torch.arange(bytes // (4 * D) - missing)
        out = embedding_mlir.embedding(input, weight)
        # A storage was set: it is ours.
        assert out._version == (0 if missing else 1)
        assert out.data_ptr() % 64 == 0 and torch.equal(out, weight[:len(input)])


def test_memory_of_many_results_is_used_again(weight):
    """Of less than a huge page too: what goes back is what was taken."""
    input = torch.arange(6_000)

    def look_up():
        outs = [embedding_mlir.embedding(input, weight) for _ in range(4)]
        return [out.data_ptr() for out in outs]

    look_up()
    resident, places = get_resident_bytes(), set()
    for _ in range(60):
        places.update(look_up())
    assert get_resident_bytes() - resident < 32 << 20 and len(places) < 30


def test_tensors_made_while_one_is():
    """As finalizers may: each storage has the buffer that was made for it."""
    run("""
weight, indices = torch.randn(20_000, 64), torch.arange(10_000)
smaller = embedding_mlir.embedding(indices[:5_000], weight)
others, is_nested = [], False
def make(cls, *arguments, **options):
    global is_nested
    if not is_nested and "allocator" in options:
        is_nested = True
        smaller.resize_(20_000, 64)[5_000:] = 7
        others.append(embedding_mlir.embedding(indices + 5_000, weight))
        others.append(embedding_mlir.embedding(indices + 9_000, weight))
        is_nested = False
    return torch._C.StorageBase.__new__(cls, *arguments, **options)
torch.UntypedStorage.__new__ = make
out = embedding_mlir.embedding(indices, weight)
assert out._version == others[0]._version == 1
assert torch.equal(out, weight[:10_000])
assert torch.equal(others[0], weight[5_000:15_000])
assert torch.equal(others[1], weight[9_000:19_000])
assert torch.equal(smaller[:5_000], weight[:5_000]) and smaller[5_000:].eq(7).all()
def get_mapped_bytes():
    return int(open("/proc/self/statm").read().split()[0]) * 4096
before = get_mapped_bytes()
for _ in range(40):
    others.clear()
    embedding_mlir.embedding(indices, weight)
assert get_mapped_bytes() - before < 40 << 20
""")


def test_too_large(weight, indices):
    grad = torch.randn(10_000, D)
    for num_rows in (2 ** 44, 2 ** 60):
        with pytest.raises(RuntimeError):
            embedding_mlir.dense_grad(grad, indices, num_rows)


PEAK = """
import sys
embed = {"ours": embedding_mlir.embedding, "theirs": F.embedding}[sys.argv[1]]
torch.manual_seed(0)
weight = torch.nn.Parameter(torch.randn(300_000, 64))
optimizer = torch.optim.SGD([weight], lr=0.1)
for step in range(12):
    input = torch.randint(300_000, (20_000 + 7_000 * (step * 5 % 12),))
    optimizer.zero_grad()
    embed(input, weight).square().sum().backward()
    optimizer.step()
print(next(line.split()[1] for line in open("/proc/self/status") if "VmHWM" in line))
"""


def test_peak_of_a_training_loop():
    """Batches of many lengths, so that nothing fits what was there before."""
    program = "import torch, embedding_mlir\nimport torch.nn.functional as F\n" + PEAK

    def measure(side):
        return int(subprocess.run([sys.executable, "-c", program, side], check=True,
                                  capture_output=True, timeout=300).stdout)

    # Pages of 2 MiB come and go with what else the machine does: either side varies by
    # a twentieth.
    ours, theirs = measure("ours"), measure("theirs")
    for _ in range(2):
        if ours <= 1.1 * theirs:
            break
        ours, theirs = min(ours, measure("ours")), max(theirs, measure("theirs"))
    assert ours <= 1.1 * theirs


def test_compiled(weight, indices):
    """Outputs and gradients of graphs lie in such memory too, and are used again."""
    results = []
    for embed in (F.embedding, embedding_mlir.embedding):
        torch._dynamo.reset()
        parameter = torch.nn.Parameter(weight.clone())
        function = torch.compile(lambda i, w: embed(i, w, padding_idx=3) * 2, fullgraph=True,
                                 backend="aot_eager")
        outs = []
        for i in range(3):
            parameter.grad = None
            outs.append(function(indices, parameter))
            (outs[-1] * (i + 1)).sum().backward()
        results.append((*outs, parameter.grad))
    for theirs, ours in zip(*results):
        torch.testing.assert_close(ours, theirs)


def test_pin_memory(weight, indices):
    """A copy where there is a GPU, PyTorch's own words where there is none."""
    outcomes = []
    for embed in (F.embedding, embedding_mlir.embedding):
        try:
            outcomes.append(embed(indices, weight).pin_memory())
        except Exception as error:  # noqa: BLE001, it is what is compared.
            outcomes.append((type(error), str(error)))
    theirs, ours = outcomes
    assert type(ours) is type(theirs)
    if isinstance(theirs, torch.Tensor):
        assert ours.is_pinned() and torch.equal(ours, theirs)
    else:
        assert ours == theirs


SHARDED = """
import sys
import torch.distributed as dist
from torch.distributed.fsdp import FullyShardedDataParallel
dist.init_process_group("gloo", init_method="file://" + sys.argv[1], rank=0, world_size=1)
input = torch.randint(20_000, (10_000,), generator=torch.Generator().manual_seed(0))
results = []
for embedding in (torch.nn.Embedding, embedding_mlir.nn.Embedding):
    torch.manual_seed(0)
    model = FullyShardedDataParallel(
        torch.nn.Sequential(embedding(20_000, 64, padding_idx=3), torch.nn.Linear(64, 64)),
        device_id=torch.device("cpu"), use_orig_params=True)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    losses = []
    for _ in range(3):
        optimizer.zero_grad()
        loss = model(input).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    results.append((losses, {name: x.clone() for name, x in model.state_dict().items()}))
(theirs, their_state), (ours, our_state) = results
assert theirs == ours and all(torch.equal(x, their_state[name]) for name, x in our_state.items())
dist.destroy_process_group()
"""


def test_sharded_data_parallel(tmp_path):
    """Which makes one parameter of all, resizes its storage, and views it."""
    program = "import torch, embedding_mlir, embedding_mlir.nn\n" + SHARDED
    subprocess.run([sys.executable, "-W", "ignore", "-c", program, str(tmp_path / "rendezvous")],
                   check=True, timeout=300)
