"""The benchmarks run, and find out who disagrees. Their times are not looked at."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import agreement
import measure
import peers
import run
import scaling
import shapes
from program import ROOT, environment

FOLDER = ROOT / "benchmarks"
PROGRAM = Path(sys.executable).with_name("actcli")


def options(folder: Path) -> list[str]:
    """Return what makes a benchmark quick, in this environment, which has only some of the peers."""
    return ["--quick", "--work", str(folder), "--peers", sys.prefix, "--actcli", str(PROGRAM)]


def test_the_command(tmp_path: Path) -> None:
    """Makes its inputs, finds that all agree, prints a table of those who are here, and names the others."""
    done = subprocess.run(
        [sys.executable, FOLDER / "run.py", *options(tmp_path), "--only", "npy", "--only", "pipe"],
        capture_output=True,
        text=True,
        check=False,
        env=environment(),
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    for name in ("actcli", "numpy", "scipy", "*cp*", "*import, copy*", "awk"):
        assert f"\n| {name} | " in done.stdout
    assert "Not installed, so not measured: " in done.stdout
    assert "SMOKE TEST" in done.stdout
    assert [path.suffix for path in tmp_path.iterdir() if not path.name.startswith("logits-")] == []


def test_memory_of_ten_times_the_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Is shown for both."""
    assert run.main([*options(tmp_path), "--only", "memory-jsonl"]) == 0
    assert "| peak, MiB, 200 rows | peak, MiB, 2,000 rows | ratio |" in capsys.readouterr().out


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system has no affinity")
def test_scaling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Measures over rows and over processors, and shows stages and a model."""
    monkeypatch.setattr(scaling, "_ROWS", (1_000_000,))
    assert scaling.main([*options(tmp_path), "--processors", "1"]) == 0
    shown = capsys.readouterr().out
    for text in ("### CSV of 10 classes to CSV, over rows", "### NPY, 10,000 x 10, over processors", "\n| encode | "):
        assert text in shown


def test_a_peer_that_disagrees(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Is named, and so is one that fails, and the exit code tells."""
    entrants_of = run._entrants

    def entrants(*arguments: Any) -> list[run.Entrant]:
        made = {each.name: each for each in entrants_of(*arguments)}
        made["numpy"].command = ["cp", made["numpy"].command[-2], made["numpy"].command[-1]]
        made["scipy"].command = [sys.executable, "-c", "raise SystemExit('out of luck')"]
        return list(made.values())

    monkeypatch.setattr(run, "_entrants", entrants)
    assert run.main([*options(tmp_path), "--only", "ten-rows-npy"]) == 1
    captured = capsys.readouterr()
    assert "\n| numpy | **disagrees: the array of row 1 is " in captured.out
    assert "\n| scipy | **exit code 1: out of luck** |" in captured.out
    assert "run.py: error: ten-rows-npy: numpy: disagrees" in captured.err


@pytest.mark.parametrize(
    ("label", "probability", "reason"),
    [
        ("b", 0.75, None),
        ("a", 0.75, "label of row 2 is a, not b"),
        ("b", 0.7501, "probability of row 2 is "),
        ("b", float("nan"), "probability of row 2 is "),
        ("b", None, "it ends about row "),
    ],
)
def test_agreement(tmp_path: Path, label: str, probability: float | None, reason: str | None) -> None:
    """Of tables: of the labels, where scores are not as good as equal, of the probabilities and of the rows."""
    (tmp_path / "input.csv").write_text("id,a,b\nx,1,1.0000000001\ny,0,1\n")
    (tmp_path / "ours.csv").write_text("id,label,probability\nx,b,0.5\ny,b,0.75\n")
    last = "" if probability is None else f"y,{label},{probability}\n"
    (tmp_path / "theirs.csv").write_text(f"id,label,probability\nx,a,0.5\n{last}")
    input, ours, theirs = (str(tmp_path / name) for name in ("input.csv", "ours.csv", "theirs.csv"))
    if reason is None:
        assert agreement.compared(input, ours, theirs, "softmax", 1e-9) == {"rows": 2, "difference": 0.0, "close": 1}
    else:
        with pytest.raises(agreement.DisagreementError, match=reason):
            agreement.compared(input, ours, theirs, "softmax", 1e-9)


@pytest.mark.parametrize(("labels", "agrees"), [("1", True), ("0|1", False), ("", False)])
def test_agreement_of_sets(tmp_path: Path, labels: str, agrees: bool) -> None:
    """But for labels whose score is as good as at the threshold."""
    np.save(tmp_path / "input.npy", np.array([[-3.0, 2.0, 1e-9]]))
    (tmp_path / "ours.csv").write_text("labels\n1|2\n")
    (tmp_path / "theirs.csv").write_text(f"labels\n{labels or chr(34) * 2}\n")
    input, ours, theirs = (str(tmp_path / name) for name in ("input.npy", "ours.csv", "theirs.csv"))
    if agrees:
        assert agreement.compared(input, ours, theirs, "sets", 0.0)["close"] == 1
    else:
        with pytest.raises(agreement.DisagreementError):
            agreement.compared(input, ours, theirs, "sets", 0.0)


def test_measured_memory() -> None:
    """Is that of the program; a small process measures, since its own memory would count."""
    holding = [sys.executable, "-c", "x = bytearray(200 << 20); sum(range(10**6))"]
    code = f"import measure; found = measure.measured({holding!r}); print(found.peak, found.processor, found.failure)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=FOLDER)
    peak, processor, failure = done.stdout.split()
    assert failure == "None"
    assert 200 << 20 < int(peak) < 300 << 20
    assert float(processor) > 0


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell the memory of several processes")
def test_measured_memory_of_several_processes() -> None:
    """Is their sum; what a forked process shares with its parent counts once."""
    parts = ["import os, time", "x = bytearray(100 << 20)", "if not os.fork():", "    y = bytearray(150 << 20)"]
    holding = [sys.executable, "-c", "\n".join([*parts, "    time.sleep(1)", "else:", "    os.wait()"])]
    code = f"import measure; print(measure.measured({holding!r}).peak)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=FOLDER)
    assert 250 << 20 < int(done.stdout) < 290 << 20


def test_measured_failures() -> None:
    """Say the exit code and the last line; a program that takes too long is stopped."""
    failing = measure.measured([sys.executable, "-c", "import sys; sys.exit('one\\ntwo')"])
    assert failing.failure == "exit code 1: two"
    late = measure.measured([sys.executable, "-c", "import time; time.sleep(60)"], limit=0.2)
    assert late.failure == "not done after 0.2 s"


def test_measured_pipe(tmp_path: Path) -> None:
    """Goes from file to file through the program."""
    (tmp_path / "in").write_bytes(b"x" * 300_000)
    found = measure.measured(["tr", "x", "y"], feed=tmp_path / "in", output=tmp_path / "out")
    assert found.failure is None
    assert (tmp_path / "out").read_bytes() == b"y" * 300_000


def test_ratios() -> None:
    """Are of rounds, not of medians."""
    assert str(measure.Ratio.of([1.0, 2.0, 9.0], [2.0, 2.0, 3.0])) == "1.00 (0.50 to 3.00)"


def test_rewrite(tmp_path: Path) -> None:
    """Replaces what is between two comments, as often as one likes."""
    page = tmp_path / "page.md"
    page.write_text("above\n<!-- x: begin -->\n\nold\n\n<!-- x: end -->\nbelow\n")
    for _ in range(2):
        measure.rewrite("x", ["new", "", "lines"], page)
        assert page.read_text() == "above\n<!-- x: begin -->\n\nnew\n\nlines\n\n<!-- x: end -->\nbelow\n"
    with pytest.raises(SystemExit, match="there must be one"):
        measure.rewrite("y", [], page)


def test_the_page_has_a_place_for_the_tables() -> None:
    """Of both benchmarks, and names every peer."""
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    for name in ("run.py", "scaling.py"):
        assert text.count(f"<!-- {name}: begin -->") == text.count(f"<!-- {name}: end -->") == 1
    for shape in shapes.SHAPES:
        for peer in shape.peers:
            assert f"\n| {peer} |" in text


def test_peers() -> None:
    """Are there for every shape that names them, and so are those that aims compare with."""
    for shape in shapes.SHAPES:
        assert {(peer, shape.task) for peer in shape.peers if peer != "awk"} <= set(peers.PEERS)
        assert {aim.peer for aim in shape.aims} <= {*shape.peers, *shape.floors, None}
    assert {peer for peer, _ in peers.PEERS} == set(peers.NEEDS)
    assert {package for needs in peers.NEEDS.values() for package in needs} <= set(measure.PACKAGES)


@pytest.mark.parametrize("share", [0.0, 0.2])
def test_the_model_finds_what_it_was_made_from(share: float) -> None:
    """The times of two and of three processors, made by the formula, give the share back, and so every other time."""
    main, work, moved, start = 0.5, 9.0, 1.0, 0.001
    runs = {1: scaling.Stages(1.0, 0.3, work - 0.3, work, 0.0, 10.0, {})}
    for count in (2, 3):
        loop = start * (count - 1) + (work + moved) / count * (1 + share * (count - 1))
        runs[count] = scaling.Stages(1.0, main, 1.0, loop, start, 10.0 + moved, {})
    model = scaling.Model.fitted(runs)
    assert model.share == pytest.approx(share)
    assert model.time(1) == pytest.approx(10.0)
    assert model.time(100) == pytest.approx(1.099 + (0.5 if share == 0 else 10 / 100 * (1 + 0.2 * 99)))
    assert model.bound(100) == ("the main process" if share == 0 else "the work")
    assert model.time(model.best()) <= min(model.time(count) for count in (1, 2, 20, 100))


@pytest.mark.parametrize("loop", [10.0, 30.0])
def test_a_model_of_a_busy_machine(loop: float) -> None:
    """Says that it is not to be believed: the time by the clock is not what the stages took."""
    rounds = [{1: scaling.Stages(1.0, 0.5, 9.5, loop, 0.0, 11.0, {})}]
    assert any("Not to be believed" in line for line in scaling._predictions(rounds, [1])) == (loop > 20)
