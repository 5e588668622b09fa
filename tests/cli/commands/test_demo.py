"""`actcli demo`: the sample data, and the commands of its README."""

from __future__ import annotations

import os
import re
import sysconfig
from typing import TYPE_CHECKING

import pytest

from actcli.cli.commands import demo
from program import SAMPLES, Actcli, terminal

if TYPE_CHECKING:
    from pathlib import Path


def test_what_is_written(actcli: Actcli, tmp_path: Path) -> None:
    """Is the sample data of the project, and a README; an empty folder is taken."""
    (tmp_path / "empty").mkdir()
    for name in ("new/samples", "empty"):
        result = actcli("demo", tmp_path / name)
        assert (result.code, result.out) == (0, b"")
        assert "a README with commands to try" in result.err
        assert sorted(os.listdir(tmp_path / name)) == sorted(["README.md", *demo.FILES])
        for file in demo.FILES:
            assert (tmp_path / name / file).read_bytes() == (SAMPLES / file).read_bytes()


def test_the_commands_of_the_readme(actcli: Actcli, tmp_path: Path) -> None:
    """All work in the folder, one after the other."""
    folder = tmp_path / "samples"
    assert actcli("demo", folder).code == 0
    commands = re.findall(r"^\$ (.*)$", (folder / "README.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert len(commands) > 5
    path = sysconfig.get_path("scripts") + os.pathsep + os.environ["PATH"]
    for command in commands:
        code, shown = terminal(["bash", "-c", command], cwd=folder, PATH=path)
        assert code == 0, (command, shown)


def test_what_exists_is_kept(actcli: Actcli, tmp_path: Path) -> None:
    """A file, a folder that is not empty, and a link that leads nowhere."""
    (tmp_path / "file").write_text("x", encoding="utf-8")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_text("x", encoding="utf-8")
    (tmp_path / "link").symlink_to("nowhere")
    before = sorted(os.listdir(tmp_path))
    for name in before:
        result = actcli("demo", tmp_path / name)
        assert result.code == 2
        assert "exists" in result.err
    assert sorted(each for each in os.listdir(tmp_path) if each != ".stdin") == before


def test_a_folder_that_cannot_be_made(actcli: Actcli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is one line, and leaves nothing."""
    (tmp_path / "file").write_text("x", encoding="utf-8")
    result = actcli("demo", tmp_path / "file" / "samples")
    assert result.code == 1
    assert "cannot be written" in result.err
    monkeypatch.setattr(demo, "FILES", (*demo.FILES, "missing.csv"))
    assert actcli("demo", tmp_path / "samples").code == 1
    assert [each for each in os.listdir(tmp_path) if each != ".stdin"] == ["file"]
