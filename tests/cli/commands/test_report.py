"""`actcli evaluate --report`: one page that needs nothing else, with the numbers of the evaluation."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import scipy.special

from program import SAMPLES, Actcli, write_csv

if TYPE_CHECKING:
    from collections.abc import Sequence

DIGITS = (SAMPLES / "digits_logits.csv", "--truth", SAMPLES / "digits_truth.csv", "-q")
PROPERTIES = (SAMPLES / "properties_logits.csv", "--truth", SAMPLES / "properties_truth.csv", "--task", "multilabel")
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


class Page(HTMLParser):
    """What is on a page: its elements with their attributes, its text, and the cells of its tables."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.tables: list[list[list[str]]] = []
        self._open: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take note of an element."""
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "br", "path", "rect"):
            self._open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_endtag(self, tag: str) -> None:
        """Every element ends where it should."""
        if tag not in ("path", "rect"):
            assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Take note of text."""
        if self._open and self._open[-1] in ("style", "script"):
            return
        self.text += data
        if self.tables and ("td" in self._open or "th" in self._open):
            self.tables[-1][-1][-1] += data


def report(actcli: Actcli, tmp_path: Path, *arguments: Any) -> tuple[Page, dict[str, Any]]:
    """Return the page of an evaluation, and its JSON."""
    path = tmp_path / "report.html"
    result = actcli("evaluate", *arguments, "--report", path, "--format", "json")
    assert result.code == 0, result.err
    return Page(path), json.loads(result.text)


@pytest.mark.parametrize("task", ["softmax", "multilabel"])
def test_the_numbers(task: str, actcli: Actcli, tmp_path: Path) -> None:
    """Are those of the evaluation: every metric, every class, every bin, the confusion."""
    page, found = report(actcli, tmp_path, *(DIGITS if task == "softmax" else PROPERTIES))
    metrics = next(table for table in page.tables if table[0][0] == "metric")
    assert {row[0]: row[1] for row in metrics[1:]} == {name: f"{value:.4f}" for name, value in found["metrics"].items()}
    classes = next(table for table in page.tables if table[0][0] == "class")
    assert [row[0] for row in classes[1:]] == found["classes"]
    names = classes[0][1:]
    for row in classes[1:]:
        numbers = [found["per_class"][row[0]][name] for name in names]
        assert row[1:] == [f"{value:,}" if isinstance(value, int) else f"{value:.4f}" for value in numbers]
    assert page.text.count(": 28 rows; share correct 1.0000") == (1 if task == "softmax" else 0)
    if task == "softmax":
        matrix = next(table for table in page.tables if table[0][0] == "")
        counts = [[int(cell or 0) for cell in row[1:]] for row in matrix[1:]]
        assert counts == found["confusion_matrix"]


@pytest.mark.usefixtures("chunk_bytes")
def test_the_worst_mistakes(actcli: Actcli, tmp_path: Path) -> None:
    """Are the wrong rows with the highest probability, by id (NumPy, SciPy)."""
    page, _ = report(actcli, tmp_path, *DIGITS)
    lines = [line.split(",") for line in DIGITS[0].read_text().splitlines()]
    shares = scipy.special.softmax(np.array([line[1:] for line in lines[1:]], dtype=np.float64), axis=1)
    names = lines[0][1:]
    truth = [line.split(",")[1] for line in (SAMPLES / "digits_truth.csv").read_text().splitlines()[1:]]
    labels = [names[code] for code in shares.argmax(axis=1)]
    wrong = [row for row, label in enumerate(labels) if label != truth[row]]
    worst = sorted(wrong, key=lambda row: -shares[row].max())[:20]
    expected = [[lines[row + 1][0], labels[row], truth[row], f"{shares[row].max():.4f}"] for row in worst]
    table = next(table for table in page.tables if table[0] == ["id", "predicted", "truth", "probability"])
    assert table[1:] == expected


@pytest.mark.usefixtures("chunk_bytes")
def test_the_worst_cells(actcli: Actcli, tmp_path: Path) -> None:
    """Of a multi-label table are labels given for sure, or surely not (SciPy)."""
    logits = np.array([[5.0, -4.0], [1.0, -3.0], [-2.0, 0.5]])
    path = write_csv(tmp_path / "x.csv", logits, ["a", "b"])
    (tmp_path / "t.csv").write_text("a,b\n0,1\n1,0\n1,1\n")
    page, _ = report(actcli, tmp_path, path, "--truth", tmp_path / "t.csv", "--task", "multilabel", "-q")
    table = next(table for table in page.tables if table[0][1:] == ["predicted", "truth", "probability"])
    sure = scipy.special.expit([5, 4, 2])
    assert [row[:3] for row in table[1:]] == [
        ["row 0", "a", "not a"],
        ["row 0", "not b", "b"],
        ["row 2", "not a", "a"],
    ]
    assert [row[3] for row in table[1:]] == [f"{value:.4f}" for value in sure]


def test_equal_mistakes(actcli: Actcli, tmp_path: Path) -> None:
    """Are those of the first rows; where nothing is wrong, the page says so."""
    path = write_csv(tmp_path / "x.csv", np.tile([1.0, 0.0], (50, 1)), ["a", "b"])
    (tmp_path / "t.csv").write_text("b\n" * 50)
    page, _ = report(actcli, tmp_path, path, "--truth", tmp_path / "t.csv", "-q")
    table = next(table for table in page.tables if "predicted" in table[0])
    assert [row[0] for row in table[1:]] == [f"row {row}" for row in range(20)]
    (tmp_path / "t.csv").write_text("a\n" * 50)
    page, _ = report(actcli, tmp_path, path, "--truth", tmp_path / "t.csv", "-q")
    assert "No prediction is wrong." in page.text


HOSTILE = ["<script>alert(1)</script>", 'a"onmouseover="x', "[red]", "\x1b[31m", "&amp;", "\u202egnp"]


def hostile(actcli: Actcli, tmp_path: Path) -> Page:
    """Return the page of a table whose ids and classes are hostile."""
    random = np.random.default_rng(0)
    quoted = ['"' + name.replace('"', '""') + '"' for name in HOSTILE]
    rows = [[quoted[row % 6], *random.normal(size=6).astype(str)] for row in range(30)]
    (tmp_path / "x.csv").write_text("\n".join(map(",".join, [["id2", *quoted], *rows])) + "\n")
    (tmp_path / "t.csv").write_text("label\n" + "\n".join(quoted[row * 5 % 6] for row in range(30)) + "\n")
    page, _ = report(actcli, tmp_path, tmp_path / "x.csv", "--id", "id2", "--truth", tmp_path / "t.csv", "-q")
    return page


def test_hostile_names(actcli: Actcli, tmp_path: Path) -> None:
    """Are text, never markup: there is one script, and no attribute that acts."""
    page = hostile(actcli, tmp_path)
    assert [tag for tag, _ in page.elements].count("script") == 1
    assert not any(name.startswith("on") for _, attributes in page.elements for name in attributes)
    for name in HOSTILE[:3]:
        assert name in page.text
    assert "\\x1b[31m" in page.text
    assert "\x1b" not in page.text
    assert "\u202e" not in page.text


def test_nothing_is_fetched(actcli: Actcli, tmp_path: Path) -> None:
    """There is no address on the page, and a policy forbids to use one."""
    page, _ = report(actcli, tmp_path, *DIGITS, "--bootstrap", "10")
    for tag, attributes in page.elements:
        assert not {"src", "href", "action", "srcset"} & set(attributes), tag
    policy = next(attributes["content"] for tag, attributes in page.elements if "http-equiv" in attributes)
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    source = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"url\(|@import|https?:", source)
    assert "prefers-color-scheme: dark" in source
    assert "@media print" in source


def test_the_command(actcli: Actcli, tmp_path: Path) -> None:
    """That made the page stands on it, as a shell takes it."""
    page, _ = report(actcli, tmp_path, *DIGITS, "--threshold-op", "ge")
    assert f"actcli evaluate {DIGITS[0]} --truth {DIGITS[2]} -q --threshold-op ge --report {tmp_path}" in page.text


def test_the_file_is_opened_first(actcli: Actcli, tmp_path: Path) -> None:
    """What cannot be written, or would be an input, is found before what is wrong with a row."""
    logits = tmp_path / "logits.html"
    logits.write_text("a,b\n1,2\n3,nan\n")
    (tmp_path / "truth.csv").write_text("truth\na\nb\n")
    given = (logits, "--input-format", "csv", "--truth", tmp_path / "truth.csv", "-o", tmp_path / "x.json")
    result = actcli("evaluate", *given, "--report", tmp_path / "missing" / "x.html")
    assert (result.code, result.err) == (1, f"actcli: error: {tmp_path / 'missing' / 'x.html'}: no such directory\n")
    result = actcli("evaluate", *given, "--report", logits)
    assert (result.code, "is one of the inputs" in result.err) == (2, True)
    assert actcli("evaluate", *given, "--report", tmp_path / "x.html").code == 1
    assert sorted(path.name for path in tmp_path.iterdir() if path.name[0] != ".") == ["logits.html", "truth.csv"]
    assert not list(tmp_path.glob(".actcli*"))


def test_the_file(actcli: Actcli, tmp_path: Path) -> None:
    """Appears whole or not at all, is a page, and no other file."""
    page = tmp_path / "x.html"
    assert actcli("evaluate", *DIGITS, "--report", tmp_path / "x.pdf").code == 2
    assert actcli("evaluate", *DIGITS, "-f", "json", "-o", page, "--report", page).code == 2
    (tmp_path / "t.csv").write_text("label\none\n")
    assert actcli("evaluate", DIGITS[0], "--truth", tmp_path / "t.csv", "--report", page).code == 1
    assert not page.exists()
    assert actcli("evaluate", *DIGITS, "--report", page, "-o", tmp_path / "x.json").code == 0
    assert actcli("evaluate", *DIGITS, "--report", page, "--no-clobber", "-o", tmp_path / "y.json").code == 1
    assert not (tmp_path / "y.json").exists()
    first = page.read_bytes()
    assert actcli("evaluate", *DIGITS, "--report", page, "-o", tmp_path / "x.json").code == 0
    assert page.read_bytes() == first
    assert actcli("evaluate", *DIGITS, "--report", page, "--no-clobber").code == 1
    assert actcli("evaluate", *DIGITS, "--report", tmp_path / "new.html", "--no-clobber").code == 0


def test_many_classes(actcli: Actcli, tmp_path: Path) -> None:
    """Are shown by their most frequent confusions instead of a matrix."""
    random = np.random.default_rng(0)
    np.save(tmp_path / "x.npy", random.normal(size=(300, 60)))
    np.save(tmp_path / "t.npy", random.integers(0, 60, 300))
    page, _ = report(actcli, tmp_path, tmp_path / "x.npy", "--truth", tmp_path / "t.npy", "-q")
    assert "The most frequent confusions of 60 classes." in page.text


def browse(page: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Return what Chromium makes of a page, and what it says on its console."""
    flags: Sequence[str] = (
        *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
        *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
        *("--enable-logging=stderr", "--dump-dom", f"--user-data-dir={folder}"),
    )
    return subprocess.run(
        [CHROMIUM or "", *flags, page.as_uri()], capture_output=True, text=True, timeout=60, check=True
    )


@pytest.mark.skipif(CHROMIUM is None and "CI" not in os.environ, reason="there is no Chromium")
def test_in_a_browser(actcli: Actcli, tmp_path: Path) -> None:
    """A click on a heading sorts; nothing goes wrong on the way, whatever the classes are called."""
    hostile(actcli, tmp_path)
    path = tmp_path / "report.html"
    click = 'document.querySelectorAll("table.sortable th button")[3].click()'
    source = path.read_text(encoding="utf-8")
    path.write_text(source.replace("</body>", f"<script>{click}</script></body>"), encoding="utf-8")
    shown = browse(path, tmp_path / "profile")
    assert "CONSOLE" not in shown.stderr
    sorted_page = tmp_path / "sorted.html"
    sorted_page.write_text(shown.stdout, encoding="utf-8")
    table = next(table for table in Page(sorted_page).tables if table[0][0] == "class")
    values = [float(row[3]) for row in table[1:] if row[3] != "-"]
    assert values == sorted(values, reverse=True)
