"""Asks every tool that writes files for one that can or cannot be written.

Whatever happens, the earlier file is whole until the new one is.
"""

import contextlib
import os
import pathlib
import resource
import shutil
import signal
import stat
import subprocess
import sys
import time

import numpy as np

WORK = pathlib.Path(sys.argv[1])
OLD = b"what was there before\n" * 1000
TABLE = np.arange(1 << 18, dtype="<f4").reshape(-1, 4)

IR = """
func.func @twice(%a: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %0 = linalg.add ins(%a, %a : tensor<?x4xf32>, tensor<?x4xf32>)
         outs(%a : tensor<?x4xf32>) -> tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}
func.func @two(%a: tensor<?x4xf32>) -> (tensor<?x4xf32>, tensor<?x4xf32>) {
  %0 = linalg.add ins(%a, %a : tensor<?x4xf32>, tensor<?x4xf32>)
         outs(%a : tensor<?x4xf32>) -> tensor<?x4xf32>
  return %a, %0 : tensor<?x4xf32>, tensor<?x4xf32>
}
func.func private @pause() -> i32
func.func @forever(%a: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %0 = func.call @pause() : () -> i32
  return %a : tensor<?x4xf32>
}
"""


def run(*command, limit=None, **options):
    def prepare():
        os.umask(0o027)
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.run([str(word) for word in command], preexec_fn=prepare,
                          timeout=120, check=False, **options)


def succeed(*command, **options):
    done = run(*command, **options)
    assert done.returncode == 0, (command, done)
    return done


def fail(message, *command, **options):
    done = run(*command, **options)
    # An error of ours: no signal, and none of LLVM's fatal errors.
    assert done.returncode == 1, (command, done)
    assert b"error: " in done.stderr and message in done.stderr.decode(), (command, done)
    assert b"LLVM ERROR" not in done.stderr, done


class Tool:
    """A tool that is asked for one file, and what that must hold."""

    def __init__(self, suffix, command, is_good):
        self.suffix, self.command, self.is_good = suffix, command, is_good


def is_table(path):
    return np.array_equal(np.load(path), TABLE * 2)


def starts_with(start):
    return lambda path: path.read_bytes().startswith(start)


INPUT, TABLE_FILE = WORK / "in.mlir", WORK / "table.npy"
SMALL = WORK / "small.mlir"
TOOLS = [
    Tool(".npy", lambda path: ["embedding-run", INPUT, "--function=twice",
                               f"--input=@{TABLE_FILE}", f"--output=@{path}"], is_table),
    Tool(".so", lambda path: ["embedding-compile", SMALL, "-o", path, "--header=/dev/null"],
         starts_with(b"\x7fELF")),
    Tool(".h", lambda path: ["embedding-compile", SMALL, "-o", "/dev/null",
                             f"--header={path}"],
         starts_with(b"/* Written by embedding-compile.")),
    Tool(".mlir", lambda path: ["embedding-opt", SMALL, "-o", path],
         starts_with(b"module {\n  func.func @identity")),
    Tool(".json", lambda path: ["embedding-bench", "--filter=nothing", f"--json={path}"],
         starts_with(b"{\n")),
]


@contextlib.contextmanager
def folder(name):
    path = WORK / name
    path.mkdir()
    yield path
    shutil.rmtree(path)


def names(path):
    return sorted(entry.name for entry in path.iterdir())


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_files(tool):
    """New ones, earlier ones, and links to them."""
    with folder("100%%files") as work:
        new = work / f"new{tool.suffix}"
        succeed(*tool.command(new))
        assert tool.is_good(new) and mode(new) == 0o640

        for bits in 0o600, 0o755:
            earlier, link = work / f"earlier{tool.suffix}", work / "hard"
            earlier.write_bytes(OLD)
            earlier.chmod(bits)
            os.link(earlier, link)
            succeed(*tool.command(earlier))
            assert tool.is_good(earlier) and mode(earlier) == bits
            assert link.read_bytes() == OLD
            link.unlink()
            earlier.unlink()

        # To a file elsewhere, by way of another link, and to none.
        (work / "there").mkdir()
        target, link = work / "there" / "target", work / f"link{tool.suffix}"
        target.symlink_to("second")
        link.symlink_to("there/target")
        for _ in range(2):
            succeed(*tool.command(link))
            assert link.is_symlink() and target.is_symlink()
            assert tool.is_good(work / "there" / "second")
        assert names(work / "there") == ["second", "target"]
        assert names(work) == sorted([link.name, new.name, "there"])


def test_refused(tool):
    """What cannot be written is said, and nothing is changed."""
    with folder("refused") as work:
        earlier = work / f"earlier{tool.suffix}"
        earlier.write_bytes(OLD)
        earlier.chmod(0o604)
        directory = work / f"directory{tool.suffix}"
        directory.mkdir()
        full = work / f"full{tool.suffix}"
        full.symlink_to("/dev/full")
        loop = work / f"loop{tool.suffix}"
        loop.symlink_to(loop.name)
        before = names(work)
        fail(f"{directory}: Is a directory", *tool.command(directory))
        fail("No such file or directory", *tool.command(work / f"no/x{tool.suffix}"))
        fail("Not a directory", *tool.command(earlier / f"x{tool.suffix}"))
        fail("File name too long", *tool.command(work / ("x" * 300 + tool.suffix)))
        fail(f"{full}: No space left on device", *tool.command(full))
        fail("Too many levels of symbolic links", *tool.command(loop))
        # Objects are files in memory, which meet the limit before a header does.
        limit = 1 << 16 if tool.suffix in (".npy", ".so") else 0
        message = (b"expected the limit of the size of files" if tool.suffix == ".h"
                   else b"File too large")
        done = run(*tool.command(earlier), limit=limit)
        assert done.returncode == 1 and message in done.stderr, done
        assert earlier.read_bytes() == OLD and mode(earlier) == 0o604
        assert names(work) == before


def test_permissions(tool):
    """Of a user who is not root: of a file that is not to be written, and of a
    folder."""
    user = {"user": 12345, "group": 12345, "extra_groups": []} if os.geteuid() == 0 else {}
    if user and subprocess.run([tool.command("")[0], "--version"], check=False,
                               capture_output=True, **user).returncode != 0:
        return
    user["env"] = dict(os.environ, TMPDIR="/tmp")
    with folder("permissions") as work:
        work.chmod(0o755)
        earlier = work / f"earlier{tool.suffix}"
        earlier.write_bytes(OLD)
        if user:
            os.chown(work, 12345, 12345)
        earlier.chmod(0o444)
        fail(f"{earlier}: Permission denied", *tool.command(earlier), **user)
        earlier.chmod(0o666)
        if user:
            os.chown(work, 0, 0)
        work.chmod(0o555)
        fail(f"{earlier}: Permission denied", *tool.command(earlier), **user)
        work.chmod(0o1777)
        if user:
            # May be written, but not renamed.
            fail(f"{earlier}: Operation not permitted", *tool.command(earlier), **user)
        assert earlier.read_bytes() == OLD and names(work) == [earlier.name]


def test_streams(tool):
    """What is no file of its own is written where it is."""
    with folder("streams") as work:
        null, out = work / f"null{tool.suffix}", work / f"out{tool.suffix}"
        null.symlink_to("/dev/null")
        out.symlink_to("/dev/stdout")
        succeed(*tool.command(null))
        assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
        copy = work / f"copy{tool.suffix}"
        if tool.suffix != ".json":  # It prints, too.
            copy.write_bytes(succeed(*tool.command(out)).stdout)
            assert tool.is_good(copy)
            with open(copy, "wb") as file:
                inode = copy.stat().st_ino
                succeed(*tool.command(out), stdout=file)
            assert tool.is_good(copy) and copy.stat().st_ino == inode
        fifo = work / f"fifo{tool.suffix}"
        os.mkfifo(fifo)
        with open(copy, "wb") as file, subprocess.Popen(["cat", fifo], stdout=file):
            succeed(*tool.command(fifo))
        assert tool.is_good(copy) and stat.S_ISFIFO(fifo.stat().st_mode)
        assert names(work) == sorted([null.name, out.name, copy.name, fifo.name])


def test_full_disk(tool):
    shell = ["unshare", "-rm", "sh", "-c"]
    if run(*shell, "mount -t tmpfs none /mnt").returncode != 0:
        return
    with folder("disk") as work:
        path = work / f"earlier{tool.suffix}"
        command = " ".join(f"'{word}'" for word in tool.command(path))
        done = run(*shell, f"mount -t tmpfs -o size=8k none {work} && echo old > {path} && "
                   f"{{ head -c 1M /dev/zero > {work}/other 2>/dev/null; {command} >&2; "
                   f"echo $?; cat {path}; ls -A {work}; mount -o remount,ro {work}; "
                   f"{command} >&2; echo $?; }}")
        assert done.stdout.decode() == f"1\nold\n{path.name}\nother\n1\n", done
        assert f"{path}: No space left on device" in done.stderr.decode(), done
        assert f"{path}: Read-only file system" in done.stderr.decode(), done


def test_table_in_place():
    """The output is the input, which is mapped."""
    with folder("in-place") as work:
        table, hard, soft = work / "w.npy", work / "hard.npy", work / "soft.npy"
        for output in table, hard, soft:
            np.save(table, TABLE)
            os.link(table, hard)
            soft.symlink_to(table.name)
            succeed("embedding-run", INPUT, "--function=twice", f"--input=@{table}",
                    f"--output=@{output}")
            for path in table, hard, soft:
                is_new = (path == hard) == (output == hard)
                assert np.array_equal(np.load(path), TABLE * 2 if is_new else TABLE), \
                    (output, path)
            for path in table, hard, soft:
                path.unlink()


def test_source_is_kept():
    """A source is no place for what is compiled of it."""
    with folder("source") as work:
        source, hard, soft = work / "m.mlir", work / "hard", work / "soft"
        text = SMALL.read_bytes()
        source.write_bytes(text)
        os.link(source, hard)
        soft.symlink_to(source)
        for output in source, hard, soft:
            fail(f"-o: {output}: expected another file than the input",
                 "embedding-compile", source, "-o", output)
            fail(f"--header: {output}: expected another file than the input",
                 "embedding-compile", source, "-o", work / "x.o", f"--header={output}")
        source = source.rename(work / "m.npy")
        fail("--output 0: ", "embedding-run", source, "--input=1x4xf32",
             f"--output=@{source}")
        assert source.read_bytes() == text
        assert names(work) == ["hard", "m.npy", "soft"]


def test_opt_in_place():
    """embedding-opt reads all of a mapped file before it writes the same."""
    with folder("opt") as work:
        path = work / "large.mlir"
        path.write_text("".join(f"func.func private @f{i}(memref<?x4xf32>)\n"
                                for i in range(10000)))
        succeed("embedding-opt", path, "-o", path)
        assert path.read_text().count("func.func private @f") == 10000
        text = path.read_bytes()
        fail("nothing is written", "embedding-opt", path, "-o", path,
             "--embedding-to-cpu-pipeline=vector-bytes=-1")
        path.write_bytes(text + b"not IR")
        fail("nothing is written", "embedding-opt", path, "-o", path)
        assert path.read_bytes() == text + b"not IR" and names(work) == [path.name]


def test_all_or_none():
    """Of two outputs, the first is not written unless the second is."""
    with folder("two") as work:
        first = work / "first.npy"
        first.write_bytes(OLD)
        (work / "folder.npy").mkdir()
        (work / "full.npy").symlink_to("/dev/full")
        before = names(work)
        two = ["embedding-run", INPUT, "--function=two", f"--input=@{TABLE_FILE}"]
        for second, message in [("folder.npy", "Is a directory"),
                                ("no/x.npy", "No such file or directory"),
                                ("full.npy", "No space left on device"),
                                ("first.npy", "expected another file than that of output 0")]:
            for outputs in ([first, work / second], [work / second, first]):
                fail(message, *two, *(f"--output=@{path}" for path in outputs))
                assert first.read_bytes() == OLD and names(work) == before
        # Printing is an output like others.
        small = [*two[:3], "--input=2x4xf32=1"]
        with open("/dev/full", "wb") as full:
            for outputs in ["-", f"@{first}"], [f"@{first}", "-"], [f"@{first}"]:
                fail("standard output: No space left on device", *small,
                     *(f"--output={output}" for output in outputs), stdout=full)
            fail("standard output: No space left on device", *small[:3], "--emit=llvm",
                 stdout=full)
        # And nothing is printed if a file cannot be written.
        for outputs in ["-", f"@{first}"], [f"@{first}", "-"]:
            done = run(*small, *(f"--output={output}" for output in outputs), limit=64)
            assert done.returncode == 1 and done.stdout == b"", done
        assert first.read_bytes() == OLD and names(work) == before
        second = work / "second.npy"
        succeed(*two, f"--output=@{first}", f"--output=@{second}")
        assert np.array_equal(np.load(first), TABLE) and is_table(second)

        for outputs in ["-o", work / "x.h"], ["-o", work / "a.o", f"--header={work}/a.o"]:
            fail("expected another file than that of output 0",
                 "embedding-compile", SMALL, *outputs)
        library = work / "liby.so"
        library.write_bytes(OLD)
        fail("--header: ", "embedding-compile", SMALL, "-o", library,
             f"--header={work}/no/y.h")
        fail("-o: ", "embedding-compile", SMALL, "-o", work / "no/liby.so",
             f"--header={library}")
        assert library.read_bytes() == OLD


def test_signals():
    """Whoever ends the tool leaves the earlier file."""
    with folder("signals") as work:
        path = work / "earlier.npy"
        path.write_bytes(OLD)
        for number in signal.SIGINT, signal.SIGTERM, signal.SIGKILL:
            with subprocess.Popen(["embedding-run", INPUT, "--function=forever",
                                   "--input=1x4xf32", f"--output=@{path}"],
                                  stderr=subprocess.DEVNULL) as process:
                while len(names(work)) < 2:
                    assert process.poll() is None
                    time.sleep(0.01)
                time.sleep(0.1)
                process.send_signal(number)
                assert process.wait(timeout=60) != 0
            assert path.read_bytes() == OLD
            # What is killed cannot remove its file.
            assert len(names(work)) == (2 if number == signal.SIGKILL else 1)


def test_scratch():
    """embedding-compile has no other files, but for those in memory."""
    with folder("scratch") as work:
        library = work / "libx.so"
        command = ["embedding-compile", SMALL, "-o", library, "--header=/dev/null"]
        succeed(*command, env=dict(os.environ, TMPDIR="/nowhere"))
        library.write_bytes(OLD)
        done = run(*command, limit=100)
        assert done.returncode == 1, done
        assert b"cannot link: expected the limit of the size of files" in done.stderr, done
        assert library.read_bytes() == OLD and names(work) == [library.name]


def main():
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    INPUT.write_text(IR)
    SMALL.write_text("func.func @identity(%a: tensor<?x4xf32>) -> tensor<?x4xf32> {\n"
                     "  return %a : tensor<?x4xf32>\n}\n")
    np.save(TABLE_FILE, TABLE)
    for tool in TOOLS:
        for test in (test_files, test_refused, test_permissions, test_streams,
                     test_full_disk):
            test(tool)
    for test in (test_table_in_place, test_source_is_kept, test_opt_in_place,
                 test_all_or_none, test_signals, test_scratch):
        test()
    shutil.rmtree(WORK)


main()
