"""The documentation is true: its commands run and show what the pages show, and it covers every command and option.

``python tests/test_docs.py [PAGE]...`` writes the output of every command anew. Read the difference before you keep it.
"""

from __future__ import annotations

import doctest
import os
import re
import shlex
import shutil
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import NamedTuple

import pytest

from actcli.cli.app import main
from actcli.cli.registry import COMMANDS
from program import ROOT, terminal

DOCS = ROOT / "docs"
README = ROOT / "README.md"
INDEX = DOCS / "README.md"
PAGES = [
    README,
    *sorted(DOCS.glob("*.md")),
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    ROOT / "sample_data" / "README.md",
    ROOT / "benchmarks" / "README.md",
]
NAMES = [path.relative_to(ROOT).as_posix() for path in PAGES]

CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^\$ (.*(?:\n> .*)*)\n", re.MULTILINE)
PYTHON = re.compile(r"^```pycon\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
GENERATED = re.compile(r"^<!-- [\w.]+: begin -->$.*?^<!-- [\w.]+: end -->$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")


def text_of(page: Path) -> str:
    """Return the text of a page."""
    return page.read_text(encoding="utf-8")


def line_of(match: re.Match[str]) -> int:
    """Return the number of the line on which a match begins, from 1."""
    return match.string.count("\n", 0, match.start()) + 1


class Block(NamedTuple):
    """A console block of a page."""

    place: str
    commands: list[tuple[str, str]]
    """Each command as the page writes it, and the output below it."""


def commands_of(block: str) -> list[tuple[str, str]]:
    """Return the commands of a console block, each with its output.

    A command begins with ``$``, and continues on lines that begin with ``>``.
    """
    parts = COMMAND.split(block)
    assert not parts[0]
    return list(zip(parts[1::2], parts[2::2], strict=True))


BLOCKS = [
    Block(f"{name}:{line_of(match)}", commands_of(match[1]))
    for name, page in zip(NAMES, PAGES, strict=True)
    for match in CONSOLE.finditer(text_of(page))
]


def copy_samples(folder: Path) -> None:
    """Copy the sample data, without the gallery, into `folder`."""
    shutil.copytree(ROOT / "sample_data", folder / "sample_data", ignore=shutil.ignore_patterns("gallery"))


def shown_by(command: str, folder: Path) -> str:
    """Return what a command shows in a terminal of 80 columns."""
    path = sysconfig.get_path("scripts") + os.pathsep + os.environ["PATH"]
    _, shown = terminal(["bash", "-c", command.replace("\n> ", "\n")], width=80, cwd=folder, PATH=path)
    return "".join(text.rstrip() + "\n" for text in shown.splitlines())


@pytest.mark.parametrize("block", BLOCKS, ids=[block.place for block in BLOCKS])
def test_a_console_block(block: Block, tmp_path: Path) -> None:
    """Shows what the page shows. The commands of a block share a folder, with the sample data in it."""
    copy_samples(tmp_path)
    for command, expected in block.commands:
        assert shown_by(command, tmp_path) == expected, command


@pytest.mark.parametrize("page", [page for page in PAGES if PYTHON.search(text_of(page))], ids=lambda page: page.name)
def test_the_python_blocks(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Print what the page shows. The blocks of a page share their variables."""
    copy_samples(tmp_path)
    monkeypatch.chdir(tmp_path)
    blocks = "\n".join(match[1] for match in PYTHON.finditer(text_of(page)))
    test = doctest.DocTestParser().get_doctest(blocks, {}, page.name, str(page), 0)
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    report: list[str] = []
    runner.run(test, out=report.append)
    assert not runner.failures, "".join(report)


def test_the_examples_in_the_tables_of_the_readme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run, if they name a file of the sample data; the table of commands has one for each command."""
    copy_samples(tmp_path)
    monkeypatch.chdir(tmp_path)
    examples = re.findall(
        r"^\|.*`actcli ([^`]*sample_data/[^`]*|plot sigmoid|demo samples)`", text_of(README), flags=re.MULTILINE
    )
    assert {example.split()[0] for example in examples} == set(COMMANDS)
    for example in examples:
        quiet = [] if example.startswith("demo") else ["--quiet"]
        assert main([*shlex.split(example), *quiet]) == 0, example


def test_the_readme_is_short() -> None:
    """So that it is read in one sitting."""
    assert len(text_of(README).splitlines()) <= 250


def test_the_two_set_up_commands() -> None:
    """Are one line each; the first runs the main job on the samples, the second is what CI runs."""
    lines = [line for line in text_of(README).splitlines() if line.startswith("python3 -m venv")]
    assert len(lines) == 2
    assert "actcli softmax sample_data/" in lines[0]
    assert lines[1] in text_of(ROOT / ".ci" / "run")


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_lines_are_wrapped(page: Path) -> None:
    """At 100 characters, outside code, tables, the targets of links, and what a program writes into the page."""
    prose = GENERATED.sub("", FENCED.sub("", text_of(page)))
    for line in prose.splitlines():
        assert line.startswith("|") or len(LINK.sub("]()", line)) <= 100, line


def anchors_of(page: Path) -> set[str]:
    """Return the anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", FENCED.sub("", text_of(page)), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_links_lead_somewhere(page: Path) -> None:
    """Each relative link names a file or a folder of the project, and a heading in it where it names one."""
    for target in LINK.findall(FENCED.sub("", text_of(page))):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), target
        assert not anchor or anchor in anchors_of(linked), target


def test_the_index_lists_every_page() -> None:
    """Once, and the README links to the index."""
    listed = re.findall(r"^\| \[[^\]]*\]\(([\w-]+\.md)\)", text_of(INDEX), flags=re.MULTILINE)
    assert sorted(listed) == sorted(page.name for page in DOCS.glob("*.md") if page != INDEX)
    assert "(docs/README.md)" in text_of(README)


def test_each_page_begins_with_what_the_reader_wants() -> None:
    """In its first sentence, below the title."""
    for page in set(DOCS.glob("*.md")) - {INDEX}:
        assert re.match(r"# .+\n\nYou (have|want) ", text_of(page)), page


@pytest.mark.parametrize("command", COMMANDS)
def test_the_page_of_a_command(command: str) -> None:
    """Exists, and runs the command in an example."""
    page = f"docs/{COMMANDS[command].page}.md"
    assert page in NAMES
    assert any(
        f"actcli {command} " in line for place, commands in BLOCKS if place.startswith(page) for line, _ in commands
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_documented(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """By its long name, on a page in docs/."""
    main([command, "--help"])
    options = re.findall(r"^  (?:-\w, )?(--[a-z-]+)", capsys.readouterr().out, flags=re.MULTILINE)
    assert "--help" in options
    documented = {option for page in DOCS.glob("*.md") for option in re.findall(r"--[a-z-]+", text_of(page))}
    assert set(options) <= documented


def rewrite(page: Path) -> None:
    """Write the page with the output that its commands have now."""

    def run(match: re.Match[str]) -> str:
        with tempfile.TemporaryDirectory() as folder:
            copy_samples(Path(folder))
            parts = [f"$ {command}\n{shown_by(command, Path(folder))}" for command, _ in commands_of(match[1])]
        return f"```console\n{''.join(parts)}```"

    page.write_text(CONSOLE.sub(run, text_of(page)), encoding="utf-8")


if __name__ == "__main__":
    for one in [Path(name).resolve() for name in sys.argv[1:]] or PAGES:
        rewrite(one)
