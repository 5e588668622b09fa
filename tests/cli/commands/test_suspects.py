"""`actcli suspects`: the definition in plain Python, and what cleanlab 2.9 lists."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import scipy.special

from program import SAMPLES, Actcli, Result

if TYPE_CHECKING:
    from pathlib import Path

    Array = np.ndarray[Any, np.dtype[Any]]

FOUND_BY_CLEANLAB = (
    *(741, 1005, 1221, 1697, 1770, 1733, 197, 1397, 772, 1053, 21, 702, 374, 1505),
    *(1634, 911, 1262, 1297, 132, 1574, 876, 403, 328, 1138, 1532, 430, 1098, 649),
    *(1024, 1351, 830, 945, 511, 220, 298, 1264, 254, 1660, 556, 96, 1327),
)
"""The numbers of the digits that find_label_issues(filter_by="confident_learning") of cleanlab 2.9 lists, ranked by
normalized_margin, when every ninth label is three classes too high."""


def table(result: Result) -> list[dict[str, str]]:
    """Return the lines of a result."""
    assert result.code == 0, result.err
    return list(csv.DictReader(io.StringIO(result.text)))


def rows_of(name: str) -> list[list[str]]:
    """Return the rows of a sample."""
    return list(csv.reader(io.StringIO((SAMPLES / name).read_text(encoding="utf-8"))))


@pytest.mark.usefixtures("chunk_bytes")
def test_what_cleanlab_finds(actcli: Actcli, tmp_path: Path) -> None:
    """Is found, in the same order."""
    names = rows_of("digits_logits.csv")[0][1:]
    order = {row[0]: position for position, row in enumerate(rows_of("digits_logits.csv")[1:])}
    header, *truth = rows_of("digits_truth.csv")
    for row in truth:
        if order[row[0]] % 9 == 0:
            row[1] = names[(names.index(row[1]) + 3) % 10]
    (tmp_path / "truth.csv").write_text("\n".join(map(",".join, [header, *truth])) + "\n", encoding="utf-8")
    found = table(actcli("suspects", SAMPLES / "digits_logits.csv", "--truth", tmp_path / "truth.csv"))
    assert [row["id"] for row in found] == [f"digit-{number:04}" for number in FOUND_BY_CLEANLAB]
    assert list(found[0]) == ["id", "truth", "suggested_label", "truth_probability", "suggested_probability"]


def listed(probabilities: Array, labels: list[int]) -> list[tuple[float, int, int]]:
    """Return the margin, the row and the suggestion of each suspect, by the definition, class by class."""
    classes = range(probabilities.shape[1])
    thresholds = []
    for code in classes:
        own = [row[code] for row, label in zip(probabilities, labels, strict=True) if label == code]
        thresholds.append(max(sum(own) / len(own), 2e-6) if own else 2.0)
    found = []
    for number, (row, label) in enumerate(zip(probabilities.tolist(), labels, strict=True)):
        confident = [code for code in classes if row[code] >= thresholds[code] - 1e-6]
        if not confident:
            continue
        suggested = confident[0] if len(confident) == 1 else row.index(max(row))
        raised = [value + (1e-6 if code == label else 0) for code, value in enumerate(row)]
        if suggested != label and raised.index(max(raised)) != label:
            others = [value for code, value in enumerate(row) if code != label]
            found.append((row[label] - max(others), number, suggested))
    return sorted(found)


def example(seed: int, rows: int = 120, classes: int = 4) -> tuple[Array, Array]:
    """Return logits and labels of which a quarter is random; some rows have ties."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, classes, rows)
    logits = generator.normal(0, 1, (rows, classes)).round(seed % 3)
    logits[np.arange(rows), labels] += 1.5
    wrong = generator.random(rows) < 0.25
    labels[wrong] = generator.integers(0, classes, int(wrong.sum()))
    if seed % 2:
        labels[labels == 0] = 1  # no row has the first class
    return logits, labels


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.usefixtures("chunk_bytes")
def test_the_definition(seed: int, actcli: Actcli, tmp_path: Path) -> None:
    """Holds for exclusive classes: which rows, in which order, and which label instead."""
    logits, labels = example(seed)
    np.save(tmp_path / "x.npy", logits)
    np.save(tmp_path / "y.npy", labels)
    found = table(actcli("suspects", tmp_path / "x.npy", "--truth", tmp_path / "y.npy"))
    probabilities = scipy.special.softmax(logits, axis=1)
    expected = listed(probabilities, labels.tolist())
    assert expected
    assert {(int(row["row"]), int(row["suggested_label"])) for row in found} == {each[1:] for each in expected}
    rows = [int(row["row"]) for row in found]
    margins = {row: margin for margin, row, _ in expected}
    assert [margins[row] for row in rows] == pytest.approx([margin for margin, _, _ in expected], abs=1e-12)
    for row in found:
        number = int(row["row"])
        assert int(row["truth"]) == labels[number]
        assert float(row["truth_probability"]) == pytest.approx(probabilities[number, labels[number]])
        assert float(row["suggested_probability"]) == pytest.approx(probabilities[number, int(row["suggested_label"])])


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.usefixtures("chunk_bytes")
def test_each_label_on_its_own(seed: int, actcli: Actcli, tmp_path: Path) -> None:
    """Of a multi-label task is a decision between no and yes."""
    logits, _ = example(seed)
    generator = np.random.default_rng(seed)
    truth = (generator.random(logits.shape) < scipy.special.expit(logits)).astype(np.int64)
    truth[generator.random(logits.shape) < 0.1] ^= 1
    if seed == 1:
        truth[:, 2] = 0
    np.save(tmp_path / "x.npy", logits)
    np.save(tmp_path / "y.npy", truth)
    line: list[str | Path] = ["suspects", tmp_path / "x.npy", "--truth", tmp_path / "y.npy", "--task", "multilabel"]
    found = table(actcli(*line))
    cells = scipy.special.expit(logits)
    expected = set()
    for code in range(4):
        pairs = np.stack([1 - cells[:, code], cells[:, code]], axis=1)
        expected |= {(row, code, suggested) for _, row, suggested in listed(pairs, truth[:, code].tolist())}
    word = {"no": 0, "yes": 1}
    assert {(int(row["row"]), int(row["class"]), word[row["suggested_label"]]) for row in found} == expected
    assert all(word[row["truth"]] == truth[int(row["row"]), int(row["class"])] for row in found)


def test_binary(actcli: Actcli) -> None:
    """Has the two names of the classes."""
    line: list[str | Path] = ["suspects", SAMPLES / "cancer_logits.csv", "--truth", SAMPLES / "cancer_truth.csv"]
    result = actcli(*line, "--task", "binary", "--positive", "malignant", "--negative", "benign")
    found = table(result)
    assert {row["suggested_label"] for row in found} <= {"malignant", "benign"}
    assert all(row["truth"] != row["suggested_label"] for row in found)


def test_notes_and_formats(actcli: Actcli, tmp_path: Path) -> None:
    """The scores must be out of sample; every format of tables can be written."""
    line: list[str | Path] = ["suspects", SAMPLES / "digits_logits.csv", "--truth", SAMPLES / "digits_truth.csv"]
    result = actcli(*line)
    assert "2 of 450 rows have a label that is probably wrong" in result.err
    assert "out of sample" in result.err
    assert actcli(*line, "-q").err == ""
    assert [json.loads(each)["id"] for each in actcli(*line, "-f", "jsonl").text.splitlines()] == [
        row["id"] for row in table(result)
    ]
    assert actcli(*line, "-o", tmp_path / "x.parquet").code == 0
    assert pq.read_table(tmp_path / "x.parquet").column_names == list(table(result)[0])
    assert actcli(*line, "-o", tmp_path / "x.npy").code == 2
    shown = actcli(*line, "-f", "table", "--rows", "1").text
    assert "digit-1264" in shown
    assert "1 more row" in shown


def test_no_suspects(actcli: Actcli, tmp_path: Path) -> None:
    """Give a header alone; an input without rows is an error."""
    np.save(tmp_path / "x.npy", np.eye(3) * 9)
    np.save(tmp_path / "y.npy", np.arange(3))
    assert len(actcli("suspects", tmp_path / "x.npy", "--truth", tmp_path / "y.npy").text.splitlines()) == 1
    np.save(tmp_path / "x.npy", np.zeros((0, 3)))
    np.save(tmp_path / "y.npy", np.arange(0))
    result = actcli("suspects", tmp_path / "x.npy", "--truth", tmp_path / "y.npy", "-o", tmp_path / "out.csv")
    assert (result.code, (tmp_path / "out.csv").exists()) == (1, False)


def test_with_a_policy(actcli: Actcli, tmp_path: Path) -> None:
    """Its calibration comes first: the same as of the probabilities that it gives."""
    files: list[str | Path] = [SAMPLES / "digits_logits.csv", "--truth", SAMPLES / "digits_truth.csv"]
    assert actcli("calibrate", *files, "--policy", tmp_path / "p.json", "-q").code == 0
    found = actcli("suspects", *files, "--policy", tmp_path / "p.json")
    line: list[str | Path] = [
        "softmax",
        SAMPLES / "digits_logits.csv",
        "--policy",
        tmp_path / "p.json",
        "--dtype",
        "float64",
    ]
    assert actcli(*line, "--columns", "id,probabilities", "-o", tmp_path / "q.csv").code == 0
    again = actcli("suspects", tmp_path / "q.csv", "--truth", SAMPLES / "digits_truth.csv")
    assert table(found) == table(again)


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ([], 2),
        (["--truth", "missing.csv"], 1),
        (["--truth", SAMPLES / "digits_truth.csv", "--positive", "one"], 2),
        (["--truth", SAMPLES / "digits_truth.csv", "--label-separator", ";"], 2),
        (["--truth", SAMPLES / "cancer_truth.csv"], 1),
    ],
)
def test_errors(options: list[str | Path], code: int, actcli: Actcli, tmp_path: Path) -> None:
    """Are one line, and nothing is written."""
    result = actcli("suspects", SAMPLES / "digits_logits.csv", *options, "-o", tmp_path / "out.csv")
    assert (result.code, (tmp_path / "out.csv").exists()) == (code, False), result.err
    assert result.err.count("error:") == 1
