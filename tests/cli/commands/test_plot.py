"""`actcli plot`: the same numbers in every form, those of evaluate, at every width, with and without colour."""

from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.special
import sklearn.metrics
from rich.cells import cell_len

from program import SAMPLES, Actcli, command, environment, terminal, without_escapes, write_csv

DIGITS = (SAMPLES / "digits_logits.csv", "--truth", SAMPLES / "digits_truth.csv")
PROPERTIES = (SAMPLES / "properties_logits.csv", "--truth", SAMPLES / "properties_truth.csv", "--task", "multilabel")
CANCER: tuple[Any, ...] = (
    *(SAMPLES / "cancer_logits.csv", "--truth", SAMPLES / "cancer_truth.csv", "--task", "binary"),
    *("--positive", "malignant", "--negative", "benign"),
)
FUNCTIONS = ("sigmoid", "softmax")
MEASURED = ("reliability", "confidence", "roc", "precision-recall", "thresholds", "gain", "risk-coverage", "confusion")
CHARTS: list[tuple[Any, ...]] = [(kind,) for kind in FUNCTIONS] + [(kind, *DIGITS) for kind in MEASURED]


def numbers(actcli: Actcli, *arguments: str | Path) -> dict[str, Any]:
    """Return the numbers behind a chart."""
    result = actcli("plot", *arguments, "--format", "json", "-q")
    assert result.code == 0, result.err
    found: dict[str, Any] = json.loads(result.text)
    return found


def test_the_functions(actcli: Actcli) -> None:
    """Are the sigmoid with its derivative, and a softmax of which one logit moves (SciPy)."""
    found = numbers(actcli, "sigmoid")
    x = np.array(found["x"])
    np.testing.assert_allclose(found["sigmoid"], scipy.special.expit(x), rtol=1e-14)
    np.testing.assert_allclose(found["derivative"], scipy.special.expit(x) * scipy.special.expit(-x), rtol=1e-14)
    assert max(found["derivative"]) == 0.25
    found = numbers(actcli, "softmax", "--temperature", "2")
    logits = np.column_stack([found["x"], *(np.full(len(x), logit) for logit in found["logits"][1:])])
    expected = scipy.special.softmax(logits / 2, axis=1)
    np.testing.assert_allclose(np.column_stack(list(found["softmax"].values())), expected, rtol=1e-13)


@pytest.mark.usefixtures("chunk_bytes")
@pytest.mark.parametrize("inputs", [DIGITS, PROPERTIES, CANCER], ids=["softmax", "multilabel", "binary"])
def test_numbers_of_evaluate(actcli: Actcli, inputs: tuple[Any, ...]) -> None:
    """The numbers behind every chart."""
    expected = json.loads(actcli("evaluate", *inputs, "-q", "--format", "json").text)
    found = numbers(actcli, "reliability", *inputs)
    assert found["bins"] == expected["calibration_bins"]
    assert found["ece"] == expected["metrics"]["ece"]
    assert all(found[key] == expected[key] for key in ("task", "rows", "classes"))
    assert numbers(actcli, "confidence", *inputs)["bins"] == expected["calibration_bins"]
    for kind, area in (("roc", "roc_auc"), ("precision-recall", "average_precision")):
        for name, curve in numbers(actcli, kind, *inputs)["curves"].items():
            assert curve[area] == expected["per_class"][name][area]
    if inputs is not PROPERTIES:
        assert numbers(actcli, "confusion", *inputs)["confusion_matrix"] == expected["confusion_matrix"]


@pytest.mark.usefixtures("chunk_bytes")
def test_curves_have_their_area(actcli: Actcli) -> None:
    """The points of the ROC enclose the AUC that stands beside them (scikit-learn)."""
    for curve in numbers(actcli, "roc", *DIGITS)["curves"].values():
        assert sklearn.metrics.auc(curve["false_positive_rate"], curve["true_positive_rate"]) == pytest.approx(
            curve["roc_auc"]
        )


def test_thresholds(actcli: Actcli) -> None:
    """At one half, F1 is the micro F1 of evaluate; of one class its own."""
    found = numbers(actcli, "thresholds", *PROPERTIES)
    expected = json.loads(actcli("evaluate", *PROPERTIES, "-q").text)
    assert found["threshold"][50] == 0.5
    assert found["f1"][50] == pytest.approx(expected["metrics"]["f1_micro"])
    one = numbers(actcli, "thresholds", *PROPERTIES, "--class", "prime")
    assert one["of"] == ["prime"]
    for name in ("precision", "recall", "f1"):
        assert one[name][50] == pytest.approx(expected["per_class"]["prime"][name])


def test_confidence_without_truth(actcli: Actcli) -> None:
    """Is a histogram of the probabilities of the labels (NumPy)."""
    found = numbers(actcli, "confidence", DIGITS[0])
    scores = np.loadtxt(DIGITS[0], delimiter=",", skiprows=1, usecols=range(1, 11))
    highest = scipy.special.softmax(scores, axis=1).max(axis=1)
    counts = np.histogram(-highest, bins=-np.linspace(0, 1, 16)[::-1])[0][::-1]
    assert [each["count"] for each in found["bins"]] == counts.tolist()
    assert found["mean"] == pytest.approx(highest.mean())
    assert "accuracy" not in found["bins"][0]
    assert actcli("plot", "confidence", *PROPERTIES[:1], "--task", "multilabel", "-q").code == 0


@pytest.mark.parametrize(("width", "locale"), [(60, "C"), (80, "C.UTF-8"), (200, "C.UTF-8")])
@pytest.mark.parametrize("chart", CHARTS, ids=[chart[0] for chart in CHARTS])
def test_in_a_terminal(chart: tuple[Any, ...], width: int, locale: str) -> None:
    """It fits, says what it shows and of how much, and is ASCII where it must be."""
    run = command("plot", *chart, "-q")
    code, shown = terminal(run, width=width, LC_ALL=locale, PYTHONCOERCECLOCALE="0", PYTHONUTF8="0")
    lines = shown.splitlines()
    assert code == 0
    assert max(map(cell_len, lines)) <= width
    assert len(lines) < 40
    assert shown.isascii() if locale == "C" else True
    assert "\x1b" not in shown
    assert chart[0] in FUNCTIONS or "450 rows, 10 classes" in shown


@pytest.mark.parametrize("kind", ["sigmoid", "thresholds"])
def test_colours(kind: str) -> None:
    """Tell curves apart where there are colours; where there are none, marks do."""
    inputs = () if kind == "sigmoid" else DIGITS
    code, coloured = terminal(command("plot", kind, *inputs, "-q"), TERM="xterm-256color")
    assert code == 0
    assert len({part.split("m")[0] for part in coloured.split("\x1b[")} - {"0"}) > 3
    assert any("\u2801" <= character <= "\u28ff" for character in coloured)
    _, plain = terminal(command("plot", kind, *inputs, "-q"), TERM="xterm-256color", NO_COLOR="1")
    assert not any("\u2801" <= character <= "\u28ff" for character in plain)
    assert "o " in without_escapes(plain)
    assert "x " in without_escapes(plain)


@pytest.mark.parametrize(
    ("chart", "suffix"),
    [*((chart, "svg") for chart in CHARTS), (CHARTS[0], "png"), (CHARTS[-1], "pdf")],
    ids=[*(chart[0] for chart in CHARTS), "png", "pdf"],
)
def test_figures(chart: tuple[Any, ...], suffix: str, actcli: Actcli, tmp_path: Path) -> None:
    """Are files of their kind."""
    path = tmp_path / f"x.{suffix}"
    assert actcli("plot", *chart, "-q", "-o", path) == (0, b"", "")
    magic = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[suffix]
    assert path.read_bytes().startswith(magic)
    if suffix == "svg":
        texts = "".join(ET.parse(path).getroot().itertext())  # noqa: S314  our own file
        assert chart[0] in FUNCTIONS or "450 rows, 10 classes" in texts


def test_figures_are_the_same_each_time(actcli: Actcli, tmp_path: Path) -> None:
    """In bytes: no date, no random names."""
    for suffix in ("svg", "png", "pdf"):
        for name in ("a", "b"):
            actcli("plot", "reliability", *DIGITS, "-q", "-o", tmp_path / f"{name}.{suffix}")
        assert (tmp_path / f"a.{suffix}").read_bytes() == (tmp_path / f"b.{suffix}").read_bytes()


def test_hostile_names(actcli: Actcli, tmp_path: Path) -> None:
    """Are drawn literally: no formulas, no markup, no escapes."""
    names = ["$\\frac{1}{$", "_hidden", "[red]x[/red]", "<b>&amp;</b>", "\x1b[31mred", "dog 🐶"]
    scores = np.random.default_rng(0).normal(size=(40, len(names)))
    header = [f'"{name}"' for name in names]
    path = write_csv(tmp_path / "x.csv", scores, header)
    truth = tmp_path / "truth.csv"
    truth.write_text("label\n" + "\n".join(f'"{names[row % len(names)]}"' for row in range(40)) + "\n")
    for kind in ("roc", "confusion", "reliability"):
        inputs = (path, "--truth", truth, "-q")
        text = actcli("plot", kind, *inputs, "-f", "table").text
        assert "\x1b" not in text
        assert kind == "reliability" or "[red]x[/red]" in text
        assert actcli("plot", kind, *inputs, "-o", tmp_path / "x.svg").code == 0
        drawn = "".join(ET.parse(tmp_path / "x.svg").getroot().itertext())  # noqa: S314  our own file
        assert kind == "reliability" or ("$\\frac{1}{$" in drawn and "<b>&amp;</b>" in drawn)


def test_classes_to_draw(actcli: Actcli) -> None:
    """Are those with the smallest areas, unless they are named."""
    text = actcli("plot", "roc", *DIGITS, "-q", "-f", "table").text
    areas = {name: curve["roc_auc"] for name, curve in numbers(actcli, "roc", *DIGITS)["curves"].items()}
    for name in areas:
        assert (f" {name}  AUC" in text) == (name in sorted(areas, key=areas.__getitem__)[:6])
    text = actcli("plot", "roc", *DIGITS, "-q", "-f", "table", "--class", "zero").text
    assert text.count("AUC ") == 2
    assert "zero  AUC 1.0000" in text
    assert actcli("plot", "roc", *DIGITS, "--class", "fish").code == 2
    assert actcli("plot", "confusion", *DIGITS, "--class", "zero").code == 2


def test_many_classes(actcli: Actcli, tmp_path: Path) -> None:
    """A matrix that does not fit is replaced by the most frequent confusions."""
    random = np.random.default_rng(0)
    np.save(tmp_path / "x.npy", random.normal(size=(500, 60)))
    np.save(tmp_path / "y.npy", random.integers(0, 60, 500))
    inputs = ("confusion", tmp_path / "x.npy", "--truth", tmp_path / "y.npy", "-q")
    code, shown = terminal(command("plot", *inputs), width=80)
    assert code == 0
    assert "most frequent confusions" in shown
    assert actcli("plot", *inputs, "-o", tmp_path / "x.svg").code == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("fish",),
        (),
        ("sigmoid", DIGITS[0]),
        ("sigmoid", "--class", "zero"),
        ("sigmoid", "--no-header"),
        ("softmax", "--bins", "15"),
        ("roc", *DIGITS, "--bins", "15"),
        ("confusion", *DIGITS, "--binning", "equal-mass"),
        ("confusion", *PROPERTIES),
        ("reliability", DIGITS[0]),
        ("sigmoid", "-o", "x.gif"),
        ("sigmoid", "-f", "csv"),
        ("sigmoid", "--no-clobber"),
        ("sigmoid", "--temperature", "0"),
        ("roc", "--truth", "-"),
    ],
)
def test_usage(arguments: tuple[Any, ...], actcli: Actcli) -> None:
    """What does not fit together is a usage error."""
    result = actcli("plot", *arguments)
    assert result.code == 2
    assert "Traceback" not in result.err


def test_without_matplotlib(tmp_path: Path) -> None:
    """One line says what to install; nothing else needs it."""
    code = (
        "import sys; sys.modules['matplotlib'] = None; import importlib.util as util; real = util.find_spec\n"
        "util.find_spec = lambda name, *more: None if name == 'matplotlib' else real(name, *more)\n"
        "from actcli.cli.app import main; sys.exit(main(sys.argv[1:]))"
    )
    run = [sys.executable, "-c", code, "plot", "sigmoid"]
    done = subprocess.run([*run, "-o", str(tmp_path / "x.png")], capture_output=True, env=environment(), check=False)
    assert done.returncode == 2
    assert done.stderr.decode().splitlines()[1] == "hint: install it: pip install 'matplotlib>=3.9'"
    assert subprocess.run([*run, "-f", "table"], capture_output=True, env=environment(), check=False).returncode == 0
