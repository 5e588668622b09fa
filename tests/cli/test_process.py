"""The program as a process: pipes, signals, terminals."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest

import actcli
from program import SAMPLES, command, environment, process, started, terminal

if TYPE_CHECKING:
    from pathlib import Path


def test_a_row_that_arrives_is_answered_at_once() -> None:
    """Before the next one, and before the input ends."""
    running = started("softmax", "-q", "--columns", "id,label")
    running.send(b"id,cat,dog\na,1,2\n")
    assert running.line() == b"id,label\n"
    assert running.line() == b"a,dog\n"
    for number in range(3):
        running.send(b"b,3,")
        running.send(b"%d\n" % number)
        assert running.line() == b"b,cat\n"
    assert running.end() == b""


def test_a_first_row_that_can_only_be_data_waits_for_nothing() -> None:
    """Not even without --no-header: numbers that do not count 0, 1, 2 are no header."""
    running = started("softmax", "--columns", "index", "--no-output-header")
    running.send(b"1.5,2.25\n")
    assert running.line() == b"1\n"
    assert running.end() == b""


def test_standard_streams_that_are_closed() -> None:
    """Are no files of ours: reading and writing them fails, in one line."""
    script = " ".join(command("softmax", SAMPLES / "digits_logits.csv", "-q"))
    for closed, message in ((">&-", b"standard output: cannot be written"), ("2>&-", b"")):
        done = subprocess.run(
            ["bash", "-c", f"{script} {closed}"], capture_output=True, check=False, env=environment(), timeout=60
        )
        assert (done.returncode == 0) is (closed == "2>&-")
        assert message in done.stderr
    script = " ".join(command("softmax", "-q"))
    done = subprocess.run(
        ["bash", "-c", f"{script} <&-"], capture_output=True, check=False, env=environment(), timeout=60
    )
    assert done.returncode == 1
    assert done.stderr.startswith(b"actcli: error: <stdin>: cannot be")


def test_interrupts_at_any_moment(tmp_path: Path) -> None:
    """While it reads, works or writes: exit 130 or done, no traceback, no temporary file."""
    path = tmp_path / "scores.npy"
    np.save(path, np.zeros((200_000, 10), dtype=np.float32))
    folder = tmp_path / "out"
    folder.mkdir()
    for delay in np.linspace(0, 0.3, 10):
        running = started("softmax", path, "-o", folder / "out.csv")
        while (
            not any(entry.name.startswith(".actcli-") for entry in folder.iterdir()) and running.process.poll() is None
        ):
            time.sleep(0.001)
        time.sleep(delay)
        for _ in range(3):
            running.process.send_signal(signal.SIGINT)
        _, err = running.process.communicate(timeout=30)
        assert running.process.returncode in (0, 130)
        assert err == b""
        assert {entry.name for entry in folder.iterdir()} <= {"out.csv"}


@pytest.mark.parametrize(
    ("task", "row", "answer"), [("softmax", b"1,2\n", b"1\n"), ("binary", b"1\n", b"1\n"), ("binary", b"-1\n", b"0\n")]
)
def test_the_first_row_waits_for_nothing(task: str, row: bytes, answer: bytes) -> None:
    """However short it is, when there is no header to look for."""
    running = started(task, "--no-header", "--columns", "index", "--no-output-header")
    for _ in range(3):
        running.send(row)
        assert running.line() == answer
    assert running.end() == b""


def test_the_last_row_of_an_array_waits_for_nothing() -> None:
    """Not for the end of the pipe, which comes later."""
    running = started("softmax", "--columns", "index", "--no-output-header")
    running.send((SAMPLES / "digits_logits.npy").read_bytes())
    for _ in range(450):
        running.line()
    assert running.end() == b""


def test_a_row_of_an_array_is_answered_at_once() -> None:
    """NPY streams too."""
    import io

    file = io.BytesIO()
    np.save(file, np.array([[1.0, 2.0], [4.0, 3.0]]))
    data = file.getvalue()
    running = started("softmax", "--columns", "index", "--no-output-header")
    running.send(data[:-20])
    time.sleep(0.1)
    running.send(data[-20:-10])
    assert running.line() == b"1\n"
    running.send(data[-10:])
    assert running.line() == b"0\n"
    assert running.end() == b""


def test_a_reader_that_goes_away_ends_it_silently(tmp_path: Path) -> None:
    """By SIGPIPE, which a shell reports as 141."""
    path = tmp_path / "scores.npy"
    np.save(path, np.zeros((100_000, 10), dtype=np.float32))
    line = " ".join(command("softmax", path)) + ' | head -n 1; echo "${PIPESTATUS[0]}"'
    done = subprocess.run(["bash", "-c", line], capture_output=True, check=True, env=environment())
    assert done.stdout.splitlines()[0].startswith(b"label,probability,p_0")
    assert done.stdout.splitlines()[1:] == [b"141"]
    assert done.stderr == b""


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("plot", "--help")])
def test_help_that_nobody_reads_ends_silently(arguments: tuple[str, ...]) -> None:
    """By SIGPIPE too."""
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "wb") as pipe:
        done = subprocess.run(command(*arguments), stdout=pipe, stderr=subprocess.PIPE, check=False, env=environment())
    assert (done.returncode, done.stderr) == (-signal.SIGPIPE, b"")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM)])
def test_a_signal_while_waiting_for_input(number: signal.Signals, code: int, tmp_path: Path) -> None:
    """Ends it at once, and leaves neither the output nor a temporary file."""
    target = tmp_path / "out.csv"
    running = started("softmax", "-q", "-o", target)
    running.send(b"cat,dog\n1,2\n")
    while not list(tmp_path.iterdir()):
        time.sleep(0.01)
    running.process.send_signal(number)
    assert running.process.wait(timeout=30) == code
    assert list(tmp_path.iterdir()) == []
    _, err = running.process.communicate()
    assert b"Traceback" not in err


def test_an_ignored_interrupt_stays_ignored() -> None:
    """A shell without job control starts what is behind "&" so: Ctrl-C is for the program in front."""
    with subprocess.Popen(
        ["bash", "-c", "trap '' INT; exec \"$@\"", "bash", *command("softmax", "-q", "--columns", "label")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(),
        bufsize=0,
    ) as run:
        assert run.stdin is not None
        assert run.stdout is not None
        run.stdin.write(b"cat,dog\n1,2\n")
        assert run.stdout.read(len(b"label\ndog\n"))
        run.send_signal(signal.SIGINT)
        time.sleep(0.1)
        run.stdin.write(b"3,2\n")
        run.stdin.close()
        assert run.stdout.read().endswith(b"cat\n")
        assert run.wait(timeout=30) == 0


def test_an_interrupt_before_the_program_handles_signals() -> None:
    """During the imports too it ends with 130, and without a traceback."""
    code = "import os, signal; import actcli.__main__; os.kill(os.getpid(), signal.SIGINT); print('went on')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, env=environment())
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


def test_the_same_as_a_module_and_as_a_script() -> None:
    """`python -m actcli` is the same program as `actcli`."""
    script = os.path.join(os.path.dirname(sys.executable), "actcli")
    done = subprocess.run([script, "--version"], capture_output=True, check=True, text=True, env=environment())
    assert done.stdout == process("--version").text == f"actcli {actcli.__version__}\n"


def test_the_exit_code_of_a_process() -> None:
    """Is that of `main`."""
    assert process("softmax", SAMPLES / "digits_logits.csv").code == 0
    assert process("softmax", "none.csv").code == 1
    assert process("softmax", "--fish").code == 2


def test_no_file_at_a_terminal_shows_short_help() -> None:
    """Instead of waiting for somebody to type a table."""
    code, shown = terminal(command("softmax"))
    assert code == 2
    assert "Usage: actcli softmax" in shown
    assert "actcli softmax logits.npy" in shown


def test_a_table_typed_at_a_terminal() -> None:
    """Is read when `-` asks for it."""
    code, shown = terminal(command("softmax", "-", "-q"), typed=b"cat,dog\n1,2\n\x04")
    assert code == 0
    assert "0.7311" in shown


def test_binary_formats_do_not_go_to_a_terminal() -> None:
    """A usage error says what to do."""
    code, shown = terminal(command("softmax", SAMPLES / "digits_logits.npy", "-f", "npy"))
    assert code == 2
    assert "hint: write it to a file: -o FILE.npy" in shown


def test_text_formats_do() -> None:
    """When they are asked for."""
    code, shown = terminal(command("softmax", SAMPLES / "article_softmax.csv", "-f", "csv", "--columns", "label"))
    assert (code, shown) == (0, "label\n2\n")


@pytest.mark.parametrize(
    ("start", "endless"),
    [
        *itertools.product(
            ["", "echo a,b;", "echo a,b; echo 1,2;"],
            ["yes 1, | tr -d '\\n'", "yes '\"' | tr -d '\\n'", "cat /dev/zero"],
        ),
        # Blank lines behind rows are passed over for as long as they come; before any, they are as good as no input.
        ("", "yes ''"),
        ("echo a,b;", "yes ''"),
    ],
)
def test_an_input_without_end_or_rows(start: str, endless: str) -> None:
    """Ends in an error within a gigabyte of memory."""
    line = f"ulimit -v {6 << 20}; ({start} {endless}) | {' '.join(command('softmax', '-q'))}"
    done = subprocess.run(["bash", "-c", line], capture_output=True, check=False, env=environment(), timeout=120)
    assert done.returncode == 1
    assert done.stderr.startswith(b"actcli: error: <stdin>")
    assert b"Traceback" not in done.stderr


def test_progress_on_a_terminal(tmp_path: Path) -> None:
    """A bar appears when the work takes long, and leaves no trace; not with --quiet."""
    path = tmp_path / "scores.npy"
    np.save(path, np.zeros((300_000, 10), dtype=np.float32))
    script = (
        "import sys; from actcli.cli import progress; from actcli.cli.app import main; "
        "progress.PATIENCE = 0; sys.exit(main(sys.argv[1:]))"
    )
    run = [sys.executable, "-c", script, "softmax", str(path), "-o", str(tmp_path / "out.csv")]
    code, shown = terminal(run, TERM="xterm-256color")
    assert code == 0
    assert " rows" in shown
    assert shown.endswith("\x1b[2K") or "\x1b[?25h" in shown
    code, shown = terminal([*run, "-q"], TERM="xterm-256color")
    assert (code, shown) == (0, "")


def test_a_small_input_starts_no_thread_pool() -> None:
    """Nothing of concurrent.futures is loaded for a few rows."""
    code = (
        "import sys; from actcli.cli.app import main; "
        f"main(['softmax', {str(SAMPLES / 'digits_logits.npy')!r}, '-q']); "
        "sys.exit('concurrent.futures.thread' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, env=environment(), timeout=60)
    assert done.returncode == 0


def test_threads_of_numpy() -> None:
    """NumPy starts none of its own, which would wait by spinning; the user can ask for them."""
    code = (
        "import os, actcli.cli.app as app; from actcli.__main__ import run; "
        "app.main = lambda: print(os.environ['OPENBLAS_NUM_THREADS']) or 0; run()"
    )
    for given, expected in (({}, "1\n"), ({"OPENBLAS_NUM_THREADS": "3"}, "3\n")):
        variables = {name: value for name, value in environment().items() if name != "OPENBLAS_NUM_THREADS"} | given
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, check=True, text=True, env=variables, timeout=60
        )
        assert done.stdout == expected
