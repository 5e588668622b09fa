"""The sample data are what their script makes, and the models behind them are as good as their README says."""

from __future__ import annotations

import csv
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np

from program import ROOT, SAMPLES, Actcli


def test_the_script_makes_the_files(tmp_path: Path) -> None:
    """The same names, and the same numbers but for the last digit that was kept."""
    subprocess.run([sys.executable, SAMPLES / "make.py", tmp_path], check=True)
    made = sorted(path.name for path in tmp_path.iterdir())
    assert made == sorted(path.name for path in SAMPLES.iterdir() if path.suffix in {".csv", ".npy", ".txt"})
    for name in made:
        if name.endswith(".npy"):
            np.testing.assert_allclose(np.load(tmp_path / name), np.load(SAMPLES / name), atol=0.0021)
            continue
        for new, old in zip(cells(tmp_path / name), cells(SAMPLES / name), strict=True):
            for one, other in zip(new, old, strict=True):
                assert one == other or abs(float(one) - float(other)) < 0.0021


def cells(path: Path) -> list[list[str]]:
    """Return the cells of a CSV file."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_digits(actcli: Actcli) -> None:
    """As many labels are right as the README says."""
    labels = actcli("softmax", SAMPLES / "digits_logits.csv", "--columns", "label", "--no-output-header").text.split()
    truth = [row[1] for row in cells(SAMPLES / "digits_truth.csv")[1:]]
    right = sum(one == other for one, other in zip(labels, truth, strict=True))
    assert f" {right} of 450" in (SAMPLES / "README.md").read_text(encoding="utf-8")


def test_cancer(actcli: Actcli) -> None:
    """As many labels are right as the README says."""
    run = ("binary", SAMPLES / "cancer_logits.csv", "--positive", "malignant", "--negative", "benign")
    labels = actcli(*run, "--columns", "label", "--no-output-header").text.split()
    truth = [row[1] for row in cells(SAMPLES / "cancer_truth.csv")[1:]]
    right = sum(one == other for one, other in zip(labels, truth, strict=True))
    assert f" {right} of 228" in (SAMPLES / "README.md").read_text(encoding="utf-8")


def test_properties(actcli: Actcli) -> None:
    """As many cells are right as the README says."""
    rows = actcli("multilabel", SAMPLES / "properties_logits.csv", "--columns", "multihot", "-f", "jsonl").rows
    truth = [[int(cell) for cell in row[1:]] for row in cells(SAMPLES / "properties_truth.csv")[1:]]
    right = sum(
        found == cell
        for row, line in zip(rows, truth, strict=True)
        for found, cell in zip(row["multihot"].values(), line, strict=True)
    )
    assert f" {right:,} of 2,250" in (SAMPLES / "README.md").read_text(encoding="utf-8")


def texts(path: Path) -> list[str]:
    """Return the texts in a chart: titles, labels, numbers, captions."""
    return sorted(filter(None, (text.strip() for text in ET.parse(path).getroot().itertext())))  # noqa: S314  ours


def test_the_gallery_is_what_its_script_makes(tmp_path: Path) -> None:
    """The same charts, with the same words and numbers; how they are drawn depends on the version of matplotlib."""
    subprocess.run([sys.executable, SAMPLES / "make_gallery.py", tmp_path], check=True, capture_output=True)
    made = sorted(path.name for path in tmp_path.iterdir())
    assert made == sorted(path.name for path in (SAMPLES / "gallery").iterdir())
    for name in made:
        assert texts(tmp_path / name) == texts(SAMPLES / "gallery" / name)


def test_the_pages_show_the_gallery() -> None:
    """The README and the pages in docs/ show each chart, and no other."""
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    texts = [page.read_text(encoding="utf-8") for page in pages]
    shown = {name for text in texts for name in re.findall(r"\]\([./]*sample_data/gallery/([\w-]+\.svg)\)", text)}
    assert shown == {path.name for path in (SAMPLES / "gallery").iterdir()}
