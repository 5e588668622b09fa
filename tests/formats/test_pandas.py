"""pandas stays out: its import takes longer than most commands, and nothing needs it."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from program import SAMPLES, environment
from readers import BOTH, WRITTEN

if TYPE_CHECKING:
    from pathlib import Path

    from program import Actcli

RUN = """
import sys
from actcli.cli.app import main
for arguments in {!r}:
    assert main(arguments) == 0, arguments
    assert "pandas" not in sys.modules, arguments
"""


def commands(source: str, table: str, truth: str, folder: Path) -> list[list[str]]:
    """Return command lines that read a file: to every format, and by every kind of command."""
    arrays = source in ("npy", "npz")
    first = ["row"] if arrays else ["row", "carried"]
    right = ["--truth", truth, "--class-names", str(SAMPLES / "digits_classes.txt")]
    found = []
    for sink in WRITTEN:
        columns = ["probabilities"] if sink == "npy" else [*first, "label", "probabilities"]
        output = str(folder / f"out.{sink}")
        found.append(["softmax", table, "-o", output, "--columns", ",".join(columns)])
        if sink != "npy":
            columns = [*first, "labels", "probabilities"]
            found.append(["multilabel", table, "-o", output, "--columns", ",".join(columns)])
            found.append(["softmax", table, "-o", output, "--top-k", "2"])
    policy = str(folder / "policy.json")
    return [
        *found,
        ["softmax", table, "--format", "table"],
        ["evaluate", table, *right, "--format", "json"],
        ["calibrate", table, *right, "--policy", policy],
        ["softmax", table, *right[2:], "--policy", policy, "-o", str(folder / "decided.csv")],
        ["inspect", table, "--format", "json"],
        ["compare", table, "-o", str(folder / "compared.jsonl")],
        ["plot", "reliability", table, *right, "--format", "json"],
    ]


@pytest.mark.parametrize("source", BOTH)
def test_pandas_is_not_imported(source: str, actcli: Actcli, tmp_path: Path) -> None:
    """Where it is installed, here by a stand-in that cannot be imported, commands run as they do without it."""
    table = tmp_path / f"scores.{source}"
    columns = ["logits"] if source in ("npy", "npz") else ["carried", "logits"]
    samples = SAMPLES / "digits_logits.csv"
    if source in ("csv", "tsv"):
        text = samples.read_text(encoding="utf-8")
        table.write_text(text.replace(",", "\t") if source == "tsv" else text, encoding="utf-8")
    else:
        made = actcli("softmax", samples, "-o", table, "--columns", ",".join(columns))
        assert made.code == 0, made.err
    truth = SAMPLES / "digits_truth.csv"
    if source in ("npy", "npz"):
        labels = [line.partition(",")[2] for line in truth.read_text(encoding="utf-8").splitlines()]
        truth = tmp_path / "truth.csv"
        truth.write_text("\n".join(labels) + "\n", encoding="utf-8")
    stand_in = tmp_path / "path" / "pandas"
    stand_in.mkdir(parents=True)
    (stand_in / "__init__.py").write_text("raise RuntimeError('pandas is imported')\n", encoding="utf-8")
    lines = commands(source, str(table), str(truth), tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", RUN.format(lines)],
        capture_output=True,
        check=False,
        env=environment(PYTHONPATH=str(stand_in.parent)),
        timeout=120,
    )
    assert done.returncode == 0, done.stderr.decode()
