"""The examples that every help begins with run, in a terminal, on files of those names."""

from __future__ import annotations

import os
import re
import sysconfig
from pathlib import Path

import numpy as np
import pytest

from actcli.cli.registry import COMMANDS
from actcli.tasks import ChartKind
from program import SAMPLES, Actcli, terminal

EXAMPLE = re.compile(r"^    ((?:actcli|\.\.\.) .*)$", re.MULTILINE)
MULTILABEL = {"multilabel", "tune"}


def rows_of(name: str) -> list[list[str]]:
    """Return the cells of a sample."""
    return [line.split(",") for line in (SAMPLES / name).read_text(encoding="utf-8").splitlines()]


def write(path: Path, rows: list[list[str]]) -> None:
    """Write cells."""
    path.write_text("".join(",".join(row) + "\n" for row in rows), encoding="utf-8")


def exclusive_files(folder: Path) -> None:
    """Make the files of a softmax: handwritten digits, called by their number."""
    logits, truth = rows_of("digits_logits.csv"), rows_of("digits_truth.csv")
    number = {name: str(code) for code, name in enumerate(logits[0][1:])}
    logits[0] = ["id", *number.values()]
    labels = [["id", "label"], *([id, number[name]] for id, name in truth[1:])]
    for name in ("logits.csv", "more.csv"):
        write(folder / name, logits)
    for name in ("truth.csv", "labels.csv"):
        write(folder / name, labels)
    for name in ("logits.npy", "scores.npy"):
        np.save(folder / name, np.array([row[1:] for row in logits[1:]], dtype=np.float32))
    for name in ("truth.npy", "labels.npy"):
        np.save(folder / name, np.array([row[1] for row in labels[1:]], dtype=np.int64))


def multilabel_files(folder: Path) -> None:
    """Make the files of several labels, the first of which is called cat."""
    logits, truth = rows_of("properties_logits.csv"), rows_of("properties_truth.csv")
    for rows, tables in ((logits, ("logits.csv", "more.csv")), (truth, ("truth.csv", "labels.csv"))):
        rows[0][1] = "cat"
        for name in tables:
            write(folder / name, rows)
    np.save(folder / "logits.npy", np.array([row[1:] for row in logits[1:]], dtype=np.float32))
    np.save(folder / "truth.npy", np.array([row[1:] for row in truth[1:]], dtype=np.int64))


def binary_files(folder: Path) -> None:
    """Make the files of a yes-or-no question."""
    logits = rows_of("cancer_logits.csv")
    for name in ("scores.csv", "logits.csv"):
        write(folder / name, logits)
    np.save(folder / "logit.npy", np.array([row[1] for row in logits[1:]], dtype=np.float32))


def files_for(command: str, line: str, folder: Path) -> None:
    """Make the files that an example is about; those of the examples before stay."""
    if command in MULTILABEL or "--task multilabel" in line:
        multilabel_files(folder)
    elif command == "binary":
        binary_files(folder)
    else:
        exclusive_files(folder)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_examples_of_help(command: str, actcli: Actcli, tmp_path: Path) -> None:
    """Two to four of them stand there; each does what it should, one after the other."""
    text = actcli(command, "--help").text
    examples = EXAMPLE.findall(text)
    assert 2 <= len(examples) <= 4
    assert text.index(examples[0]) < text.index("Arguments:")
    path = sysconfig.get_path("scripts") + os.pathsep + os.environ["PATH"]
    for example in examples:
        files_for(command, example, tmp_path)
        typed = "tr , ';' < logits.csv" if "semicolon" in example else "cat logits.csv"
        line = "set -o pipefail; " + example.replace("...", typed)
        code, shown = terminal(["bash", "-c", line], width=100, cwd=tmp_path, PATH=path)
        assert code == 0, (example, shown)
        assert "actcli: error" not in shown, example
        for name in re.findall(r"(?:-o|--report|--policy) (\S+)", example):
            assert (tmp_path / name).stat().st_size, example


@pytest.mark.parametrize("command", COMMANDS)
def test_help_names_the_next_command(command: str, actcli: Actcli) -> None:
    """Help ends with another command that exists, and the page of the documentation."""
    *_, following, page = actcli(command, "--help").text.rstrip().split("\n\n")
    named = re.findall(r"\bactcli ([a-z]+)\b", following)
    assert following.lstrip().startswith("Next: ")
    assert named
    assert set(named) <= set(COMMANDS) - {command}
    assert page == f"  Docs: docs/{COMMANDS[command].page}.md"


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("--bogus",), "actcli --help lists the options"),
        (("bogus",), "actcli --help lists the commands"),
        (("evaluete",), "did you mean actcli evaluate?"),
        (("softmx", "x.csv"), "did you mean actcli softmax?"),
        (("MULTI-LABEL",), "did you mean actcli multilabel?"),
        (("sigmoid",), "actcli multilabel takes the sigmoid of each class, actcli binary that of one column"),
        (("README.md",), "a command comes before its file: actcli inspect FILE says which one fits"),
        (("softmax", "--bogus"), "actcli softmax --help lists the options"),
        (("softmax", "-f"), "actcli softmax --help lists the options"),
        (("softmax", "--dtype", "int8"), "actcli softmax --help lists the options"),
        (("plot",), "choose from " + ", ".join(kind.value for kind in ChartKind)),
    ],
)
def test_what_the_command_line_does_not_take(arguments: tuple[str, ...], hint: str, actcli: Actcli) -> None:
    """Is a usage error whose hint leads to the help of that very command, or lists what can be chosen."""
    result = actcli(*arguments)
    assert (result.code, result.out) == (2, b"")
    error, *more = result.err.splitlines()
    assert error.startswith("actcli: error: ")
    assert more == [f"hint: {hint}"]


def test_help_names_the_index_of_the_documentation(actcli: Actcli) -> None:
    """The help of the program ends with it."""
    assert actcli("--help").text.rstrip().endswith("\n\n  Docs: docs/README.md")


def test_the_program_alone(actcli: Actcli) -> None:
    """Shows a help that fits a terminal, with every command in a group."""
    result = actcli()
    assert (result.code, result.out) == (2, b"")
    lines = result.err.splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    named = [name for line in lines for name in re.findall(r"^  (?:Decide|Judge|Fit|Understand) +(.*)$", line)]
    assert sorted(", ".join(named).split(", ")) == sorted(COMMANDS)


@pytest.mark.parametrize("arguments", [("softmax",), ()])
def test_help_as_a_command(arguments: tuple[str, ...], actcli: Actcli) -> None:
    """Is the same as the option."""
    assert actcli("help", *arguments).out == actcli(*arguments, "--help").out != b""
    assert actcli("help", "softmx").err.endswith("hint: did you mean actcli softmax?\n")
