"""Every console block of the README runs, in a terminal of 80 columns, and shows what the README shows.

``python tests/test_readme.py`` writes the output of every command anew; read what it changes before you keep it.
"""

from __future__ import annotations

import os
import re
import shutil
import sysconfig
import tempfile
from pathlib import Path

import pytest

from program import ROOT, terminal

README = ROOT / "README.md"
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def commands_of(block: str) -> list[tuple[str, str]]:
    """Return the commands of a block, each with the output that stands under it."""
    parts = re.split(r"^\$ (.*)\n", block, flags=re.MULTILINE)
    assert not parts[0]
    return list(zip(parts[1::2], parts[2::2], strict=True))


def shown_by(line: str, folder: Path) -> str:
    """Return what a command shows in a terminal of 80 columns."""
    path = sysconfig.get_path("scripts") + os.pathsep + os.environ["PATH"]
    _, shown = terminal(["bash", "-c", line], width=80, cwd=folder, PATH=path)
    return "".join(text.rstrip() + "\n" for text in shown.splitlines())


BLOCKS = [commands_of(block[1]) for block in BLOCK.finditer(README.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("commands", BLOCKS, ids=[commands[0][0] for commands in BLOCKS])
def test_a_block(commands: list[tuple[str, str]], tmp_path: Path) -> None:
    """Shows what the README shows; a command finds the files that those before it in the block have written."""
    shutil.copytree(ROOT / "sample_data", tmp_path / "sample_data")
    for line, expected in commands:
        assert shown_by(line, tmp_path) == expected, line


def test_every_command_has_an_example() -> None:
    """In the README."""
    from actcli.cli.registry import COMMANDS

    for command in COMMANDS:
        assert any(f"actcli {command} " in line for commands in BLOCKS for line, _ in commands)


def test_the_two_set_up_commands() -> None:
    """Are one line each, and the first runs the main job on the samples."""
    lines = [line for line in README.read_text(encoding="utf-8").splitlines() if line.startswith("python3 -m venv")]
    assert len(lines) == 2
    assert "actcli softmax sample_data/" in lines[0]
    assert lines[1] in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def rewrite() -> None:
    """Write the README with the output that its commands have now."""

    def run(match: re.Match[str]) -> str:
        with tempfile.TemporaryDirectory() as folder:
            shutil.copytree(ROOT / "sample_data", Path(folder) / "sample_data")
            parts = [f"$ {line}\n{shown_by(line, Path(folder))}" for line, _ in commands_of(match[1])]
        return f"```console\n{''.join(parts)}```"

    README.write_text(BLOCK.sub(run, README.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    rewrite()
