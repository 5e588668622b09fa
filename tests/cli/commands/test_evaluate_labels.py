"""`actcli evaluate` of labels without probabilities: the numbers are scikit-learn's."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest
from sklearn import metrics as sklearn_metrics

from actcli.metrics.definitions import METRICS, names_of_probabilities
from actcli.tasks import Task
from program import SAMPLES, Actcli, Result, process

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

whatever_the_chunks = pytest.mark.usefixtures("chunk_bytes")

NAMES = ("ant", "bee", "cat", "dog")
ROWS = 60


def found(result: Result) -> dict[str, Any]:
    """Return the JSON that a run has written."""
    assert result.code == 0, result.err
    return json.loads(result.out)  # type: ignore[no-any-return]


def write(path: Path, table: dict[str, Sequence[Any]]) -> Path:
    """Write a table in the format of its suffix, with other libraries than actcli."""
    arrow = pa.table(table)
    match path.suffix:
        case ".csv" | ".tsv":
            mark = "," if path.suffix == ".csv" else "\t"
            lines = [table, *zip(*table.values(), strict=True)]
            path.write_text("".join(mark.join(map(str, line)) + "\n" for line in lines))
        case ".json":
            path.write_text(json.dumps(arrow.to_pylist()))
        case ".jsonl":
            path.write_text("".join(json.dumps(row) + "\n" for row in arrow.to_pylist()))
        case ".parquet":
            pa.parquet.write_table(arrow, path)
        case ".arrow":
            pa.feather.write_feather(arrow, path, compression="uncompressed")
    return path


def drawn(rows: int = ROWS, classes: int = len(NAMES)) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return the indices of true and of predicted classes."""
    rng = np.random.default_rng(3)
    truth = rng.integers(0, classes, rows)
    return truth, np.where(rng.random(rows) < 0.7, truth, rng.integers(0, classes, rows))


def exclusive(truth: Sequence[Any], predicted: Sequence[Any]) -> dict[str, float]:
    """Return what scikit-learn says about exclusive classes."""
    expected = {
        "accuracy": sklearn_metrics.accuracy_score(truth, predicted),
        "balanced_accuracy": sklearn_metrics.balanced_accuracy_score(truth, predicted),
        "mcc": sklearn_metrics.matthews_corrcoef(truth, predicted),
        "cohen_kappa": sklearn_metrics.cohen_kappa_score(truth, predicted),
    }
    for mean in ("macro", "micro", "weighted"):
        values = sklearn_metrics.precision_recall_fscore_support(truth, predicted, average=mean, zero_division=0)
        expected |= dict(zip((f"precision_{mean}", f"recall_{mean}", f"f1_{mean}"), values[:3], strict=True))
    return expected


def agree(metrics: dict[str, Any], expected: dict[str, float]) -> None:
    """Assert that the numbers agree."""
    assert {name: metrics[name] for name in expected} == pytest.approx(expected, abs=1e-12)


@whatever_the_chunks
@pytest.mark.parametrize("suffix", ["csv", "tsv", "json", "jsonl", "parquet", "arrow"])
@pytest.mark.parametrize("named", [True, False], ids=["class names", "no class names"])
def test_labels_by_id(suffix: str, named: bool, actcli: Actcli, tmp_path: Path) -> None:
    """In every format, with the truth in another order; scikit-learn's numbers, and no metric of probabilities."""
    truth, predicted = ([NAMES[code] for code in codes] for codes in drawn())
    order = np.random.default_rng(0).permutation(ROWS)
    ids = [f"row {number}" for number in range(ROWS)]
    table = write(tmp_path / f"predictions.{suffix}", {"id": ids, "label": predicted})
    right = write(
        tmp_path / f"truth.{suffix}", {"id": [ids[row] for row in order], "label": [truth[row] for row in order]}
    )
    names = ("--class-names", ",".join(NAMES)) if named else ()
    result = actcli("evaluate", table, "--truth", right, *names)
    evaluation = found(result)
    agree(evaluation["metrics"], exclusive(truth, predicted))
    matrix = sklearn_metrics.confusion_matrix(truth, predicted, labels=NAMES)
    assert evaluation["confusion_matrix"] == matrix.tolist()
    assert (evaluation["classes"], evaluation["calibration_bins"]) == (list(NAMES), [])
    absent = names_of_probabilities(Task.SOFTMAX)
    assert not set(absent) & set(evaluation["metrics"])
    assert ", ".join(absent) in result.err
    expected = {metric.name for metric in METRICS[Task.SOFTMAX]} - {*absent, "top_k_accuracy"}
    assert set(evaluation["metrics"]) == expected
    assert set(evaluation["per_class"]["ant"]) == {"precision", "recall", "f1", "support"}


@pytest.mark.parametrize("columns", ["id,label", "id,label,probability", "id,index", "id,onehot", "carried,label,row"])
@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_what_softmax_writes(columns: str, suffix: str, actcli: Actcli, tmp_path: Path) -> None:
    """Labels in any of these columns are worth the same as the scores they are from."""
    if suffix == "jsonl" and "onehot" in columns:
        pytest.skip("an object with a key for each class is no column of labels")
    scores, truth = SAMPLES / "digits_logits.csv", SAMPLES / "digits_truth.csv"
    table = tmp_path / f"predictions.{suffix}"
    assert actcli("softmax", scores, "--id", "id", "--columns", columns, "-o", table).code == 0
    expected = found(actcli("evaluate", scores, "--id", "id", "--truth", truth))
    names = SAMPLES / "digits_classes.txt"
    evaluation = found(actcli("evaluate", table, "--truth", truth, "--class-names", names))
    assert evaluation["confusion_matrix"] == expected["confusion_matrix"]
    assert evaluation["metrics"].pop("coverage") == 1
    assert evaluation["metrics"].items() <= expected["metrics"].items()


@pytest.mark.parametrize("format", ["csv", "json", "parquet"])
def test_rankings(format: str, actcli: Actcli, tmp_path: Path) -> None:
    """The K best labels give the top-K accuracy that the scores give; there must be so many."""
    scores, truth = SAMPLES / "digits_logits.csv", SAMPLES / "digits_truth.csv"
    table = tmp_path / f"best.{format}"
    assert actcli("softmax", scores, "--id", "id", "--top-k", "3", "-o", table).code == 0
    for most in ("2", "3"):
        expected = found(actcli("evaluate", scores, "--id", "id", "--truth", truth, "--top-k", most))["metrics"]
        metrics = found(actcli("evaluate", table, "--truth", truth, "--top-k", most))["metrics"]
        for name in ("accuracy", "top_k_accuracy", "f1_micro"):
            assert metrics[name] == expected[name]
    wrong = actcli("evaluate", table, "--truth", truth, "--top-k", "4")
    assert (wrong.code, "4" in wrong.err) == ((1, True) if format == "json" else (2, True))


def test_withheld_labels(actcli: Actcli) -> None:
    """They count in the coverage only."""
    scores, truth = SAMPLES / "digits_logits.csv", SAMPLES / "digits_truth.csv"
    for columns, more in (("id,label", ()), ("id,index", ("--class-names", SAMPLES / "digits_classes.txt"))):
        options = ("--abstain-below", "0.5", "--columns")
        labels = actcli("softmax", scores, *options, columns).out
        everything = actcli("softmax", scores, *options, "id,label,probability,probabilities").out
        metrics = found(actcli("evaluate", "--truth", truth, *more, stdin=labels))["metrics"]
        expected = found(actcli("evaluate", "--truth", truth, stdin=everything))["metrics"]
        assert metrics["coverage"] == expected["coverage"] < 1
        assert metrics["accuracy"] == expected["accuracy"]


def test_intervals(actcli: Actcli) -> None:
    """Intervals of labels are those of the same labels with their probabilities."""
    scores, truth = SAMPLES / "digits_logits.csv", SAMPLES / "digits_truth.csv"
    labels = actcli("softmax", scores, "--columns", "id,label").out
    names = ("--class-names", SAMPLES / "digits_classes.txt", "--bootstrap", "20")
    found_ = found(actcli("evaluate", "--truth", truth, *names, stdin=labels))["intervals"]
    expected = found(actcli("evaluate", scores, "--truth", truth, "--bootstrap", "20"))["intervals"]
    assert found_["metrics"]["f1_macro"] == expected["metrics"]["f1_macro"]


MULTILABEL = ("even", "prime", "square", "multiple of 3", "above 4")


@pytest.mark.parametrize("columns", ["labels", "indices", "multihot"])
@pytest.mark.parametrize("suffix", ["csv", "json", "jsonl", "parquet", "arrow"])
@pytest.mark.parametrize("named", [True, False], ids=["class names", "no class names"])
def test_label_sets(columns: str, suffix: str, named: bool, actcli: Actcli, tmp_path: Path) -> None:
    """Sets of names, sets of indices and 0/1 tables; the truth, a 0/1 table, names the classes if nothing else does."""
    scores, truth = SAMPLES / "properties_logits.csv", SAMPLES / "properties_truth.csv"
    table = tmp_path / f"predictions.{suffix}"
    columns = f"id,{columns}"
    assert actcli("multilabel", scores, "--id", "id", "--columns", columns, "-o", table).code == 0
    chosen = np.loadtxt(scores, delimiter=",", skiprows=1, usecols=range(1, 6)) >= 0
    right = np.loadtxt(truth, delimiter=",", skiprows=1, usecols=range(1, 6)) == 1
    names = ("--class-names", ",".join(MULTILABEL)) if named else ()
    evaluation = found(actcli("evaluate", table, "--truth", truth, "--task", "multilabel", *names))
    expected = {
        "subset_accuracy": sklearn_metrics.accuracy_score(right, chosen),
        "hamming_loss": sklearn_metrics.hamming_loss(right, chosen),
        "jaccard_samples": sklearn_metrics.jaccard_score(right, chosen, average="samples", zero_division=0),
        **{
            f"f1_{mean}": sklearn_metrics.f1_score(right, chosen, average=mean, zero_division=0)
            for mean in ("micro", "macro", "weighted", "samples")
        },
    }
    agree(evaluation["metrics"], expected)
    assert evaluation["classes"] == list(MULTILABEL)
    assert not set(names_of_probabilities(Task.MULTILABEL)) & set(evaluation["metrics"])


@whatever_the_chunks
def test_label_sets_without_names(actcli: Actcli, tmp_path: Path) -> None:
    """The classes are the labels of both sides, in order; scikit-learn's binarizer finds the same."""
    (tmp_path / "truth.csv").write_text("id,labels\n3,b|a\n1,\n2,c\n")
    table = b"id,labels\n1,\n2,c|b\n3,a\n"
    evaluation = found(actcli("evaluate", "--task", "multilabel", "--truth", tmp_path / "truth.csv", stdin=table))
    right, chosen = np.array([[0, 0, 0], [0, 0, 1], [1, 1, 0]]), np.array([[0, 0, 0], [0, 1, 1], [1, 0, 0]])
    assert evaluation["classes"] == ["a", "b", "c"]
    assert evaluation["metrics"]["hamming_loss"] == pytest.approx(sklearn_metrics.hamming_loss(right, chosen))
    assert evaluation["metrics"]["f1_macro"] == pytest.approx(sklearn_metrics.f1_score(right, chosen, average="macro"))


@whatever_the_chunks
@pytest.mark.parametrize(
    ("positive", "right", "guesses"),
    [
        (("--positive", "spam"), ["ham", "spam"], ["ham", "spam"]),
        (("--positive", "spam", "--negative", "ham"), ["ham", "spam"], ["ham", "spam"]),
        (("--class-names", "ham,spam"), ["0", "1"], ["ham", "spam"]),
        (("--class-names", "ham,spam"), ["False", "True"], ["ham", "spam"]),
        (("--positive", "spam"), ["-1", "+1"], ["ham", "spam"]),
        (("--positive", "spam"), ["-1.0", "1e0"], ["0", "1.0"]),
        ((), ["false", "true"], ["0", "1"]),
        ((), ["negative", "positive"], ["0", "1"]),
    ],
)
def test_binary(
    positive: Sequence[str], right: Sequence[str], guesses: Sequence[str], actcli: Actcli, tmp_path: Path
) -> None:
    """Two classes, however either side calls them."""
    truth, predicted = drawn(classes=2)
    write(tmp_path / "truth.csv", {"label": [right[code] for code in truth]})
    write(tmp_path / "predictions.csv", {"guess": [guesses[code] for code in predicted]})
    options: list[str | Path] = ["--truth", tmp_path / "truth.csv", "--task", "binary", *positive]
    options += ["--prediction-column", "guess"]
    metrics = found(actcli("evaluate", tmp_path / "predictions.csv", *options))["metrics"]
    expected = dict(
        zip(
            ("precision", "recall", "f1"),
            sklearn_metrics.precision_recall_fscore_support(truth, predicted, average="binary")[:3],
            strict=True,
        )
    )
    agree(metrics, exclusive(list(truth), list(predicted)) | expected)


def test_one_column_of_bits(actcli: Actcli, tmp_path: Path) -> None:
    """Of two classes it says both."""
    (tmp_path / "truth.csv").write_text("id,label\na,spam\nb,ham\nc,spam\n")
    options = ("--truth", tmp_path / "truth.csv", "--task", "binary", "--positive", "spam", "--negative", "ham")
    metrics = found(actcli("evaluate", *options, stdin=b"id,is_spam\na,1\nb,1\nc,1\n"))["metrics"]
    assert (metrics["precision"], metrics["recall"]) == (pytest.approx(2 / 3), 1)


def test_arrays(actcli: Actcli, tmp_path: Path) -> None:
    """An array of indices, or of 0 and 1."""
    truth, predicted = drawn()
    np.save(tmp_path / "truth.npy", truth)
    np.save(tmp_path / "predicted.npy", predicted)
    np.savez(tmp_path / "both.npz", guess=predicted, right=truth.astype(float))
    onehot = np.eye(4, dtype=np.uint8)
    np.save(tmp_path / "onehot.npy", onehot[predicted])
    expected = exclusive(list(truth), list(predicted))
    for options in (
        (tmp_path / "predicted.npy", "--prediction-column", "0", "--truth", tmp_path / "truth.npy"),
        (tmp_path / "onehot.npy", "--prediction-column", "*", "--truth", tmp_path / "truth.npy"),
        (
            *(tmp_path / "both.npz", "--key", "guess", "--prediction-column", "0"),
            *("--truth", tmp_path / "both.npz", "--truth-key", "right"),
        ),
    ):
        agree(found(actcli("evaluate", *options))["metrics"], expected)
    sets = ("--prediction-column", "0:3", "--truth", tmp_path / "onehot.npy", "--task", "multilabel")
    assert found(actcli("evaluate", tmp_path / "onehot.npy", *sets))["metrics"]["subset_accuracy"] == 1
    np.save(tmp_path / "one.npy", np.array([[0], [1], [1]]))
    np.save(tmp_path / "other.npy", np.array([[0], [1], [0]]))
    single = (tmp_path / "one.npy", "--prediction-column", "0", "--truth", tmp_path / "other.npy", "--task")
    metrics = found(actcli("evaluate", *single, "multilabel"))["metrics"]
    assert metrics["hamming_loss"] == pytest.approx(1 / 3)
    assert found(actcli("evaluate", *single, "binary"))["metrics"]["precision"] == 0.5


@whatever_the_chunks
def test_numbers_are_in_the_order_of_numbers(actcli: Actcli, tmp_path: Path) -> None:
    """2 comes before 10, and 2.0 is 2; the truth may be a column of the same table."""
    table = b"id,guess,gold\na,10,10\nb,2.0,2\nc,2,10\n"
    options = ("--prediction-column", "guess", "--truth-column", "gold")
    result = actcli("evaluate", *options, stdin=table)
    assert found(result)["classes"] == ["2", "10"]
    assert found(result)["confusion_matrix"] == [[1, 0], [1, 1]]
    (tmp_path / "bare.txt").write_text("10\n2\n2\n")
    (tmp_path / "truth.csv").write_text("10\n2\n10\n")
    bare = ("--prediction-column", "0", "--no-header", "--input-format", "csv", "--truth", tmp_path / "truth.csv")
    assert found(actcli("evaluate", tmp_path / "bare.txt", *bare))["confusion_matrix"] == [[1, 0], [1, 1]]


PREDICTIONS = b"id,label\na,cat\nb,dog\nc,cat\n"


@whatever_the_chunks
@pytest.mark.parametrize(
    ("table", "truth", "options", "code", "message"),
    [
        (PREDICTIONS, "id,label\na,0\nb,1\nc,1\n", (), 1, "names on one side, numbers on the other"),
        (PREDICTIONS, "id,label\na,Cat\nb,dog\nc,cat\n", (), 1, "differ only in upper and lower case"),
        (PREDICTIONS, "id,label\na,cat\nb,dog\n", (), 1, "which is not in"),
        (PREDICTIONS, "id,label\na,cat\nb,dog\nc,cat\nd,cat\n", (), 1, "1 of its 4 rows is not in the input"),
        (PREDICTIONS + b"a,cat\n", "id,label\na,cat\nb,dog\nc,cat\n", (), 1, "as it is of another row before"),
        (b"id,label\na,cat\nb,\nc,cat\n", "id,label\na,cat\nb,dog\nc,cat\n", (), 1, 'column "label": is empty'),
        (PREDICTIONS, "id,label\na,cat\nb,dog\nc,\n", (), 1, 'truth.csv:4: column "label": is empty'),
        (PREDICTIONS, "id,label\na,cat\nb,dog\nc,cow\n", ("--class-names", "cat,dog"), 1, '"cow" is no class'),
        (
            PREDICTIONS.replace(b"dog", b"cow"),
            "id,label\na,cat\nb,dog\nc,cat\n",
            ("--class-names", "cat,dog"),
            1,
            '<stdin>:3: column "label": "cow" is no class',
        ),
        (PREDICTIONS, "id,label\na,cat\n", ("--prediction-column", "guess"), 2, "no column 'guess'"),
        (PREDICTIONS, "id,label\na,cat\n", ("--threshold", "0.4", "--task", "binary"), 2, "--threshold"),
        (PREDICTIONS, "id,label\na,cat\n", ("--bins", "3"), 2, "--bins"),
        (PREDICTIONS, "id,label\na,cat\n", ("--fail-over", "log_loss=1", "--class-names", "cat,dog"), 2, "log_loss"),
        (PREDICTIONS, "id,label\na,cat\n", ("--prediction-column", "label", "--from", "logits"), 2, "--from"),
        (PREDICTIONS, "id,label\na,cat\n", ("--task", "multilabel"), 1, "one label a row"),
        (b"id,labels\na,cat\n", "id,label\na,cat\n", (), 1, "sets of labels"),
        (b"id,guess\na,cat\n", "id,label\na,cat\n", (), 1, "no column of numbers"),
        (b"id,label\n", "id,label\na,cat\n", (), 1, ""),
        (
            b"id,indices\na,0|7\n",
            "id,a,b\na,1,0\n",
            ("--task", "multilabel", "--class-names", "a,b"),
            1,
            "out of range",
        ),
        (b"id,is_a,is_b\na,1,1\n", "id,label\na,b\n", (), 1, "2 classes are 1, but a row has one label"),
        (b"id,is_a,is_b\na,1,2\n", "id,label\na,b\n", (), 1, '"2" is neither 0 nor 1'),
    ],
)
def test_what_is_wrong(
    table: bytes, truth: str, options: Sequence[str], code: int, message: str, actcli: Actcli, tmp_path: Path
) -> None:
    """Each is one error, and nothing is written."""
    (tmp_path / "truth.csv").write_text(truth)
    result = actcli("evaluate", "--truth", tmp_path / "truth.csv", *options, stdin=table)
    assert (result.code, result.out) == (code, b"")
    assert message in result.err
    assert result.err.count("actcli: error: ") == 1


@whatever_the_chunks
def test_bad_rows(actcli: Actcli, tmp_path: Path) -> None:
    """A row that cannot be read can be left out."""
    (tmp_path / "truth.csv").write_text("id,label\na,cat\nb,dog\nc,cat\n")
    table = b"id,label\na,cat\nb,dog,1\nc,cat\n"
    options = ("--truth", tmp_path / "truth.csv")
    assert actcli("evaluate", *options, stdin=table).code == 1
    for more in ((), ("--class-names", "cat,dog")):
        result = actcli("evaluate", *options, "--on-bad-row", "skip", *more, stdin=table)
        assert found(result)["rows"] == 2
        assert "1 row was left out" in result.err


def test_reports(actcli: Actcli, tmp_path: Path) -> None:
    """The table, the page and the confusion matrix show what there is; other charts need probabilities."""
    (tmp_path / "truth.csv").write_text("id,label\na,cat\nb,dog\nc,cat\n")
    options = ("--truth", tmp_path / "truth.csv")
    page = tmp_path / "report.html"
    result = actcli("evaluate", *options, "-f", "table", "--report", page, stdin=PREDICTIONS)
    assert result.code == 0
    assert "accuracy" in result.text
    assert "Calibration" not in page.read_text()
    assert "Worst" not in page.read_text()
    chart = actcli("plot", "confusion", *options, stdin=PREDICTIONS)
    assert chart.code == 0
    wrong = actcli("plot", "reliability", *options, stdin=PREDICTIONS)
    assert (wrong.code, "needs probabilities" in wrong.err) == (2, True)


def test_gates(actcli: Actcli, tmp_path: Path) -> None:
    """A bound on a class whose name only the labels give is checked as any other."""
    (tmp_path / "truth.csv").write_text("id,label\na,cat\nb,dog\nc,dog\n")
    options = ("--truth", tmp_path / "truth.csv", "--fail-under")
    assert actcli("evaluate", *options, "recall[dog]=0.5", stdin=PREDICTIONS).code == 0
    assert actcli("evaluate", *options, "recall[dog]=0.6", stdin=PREDICTIONS).code == 3
    assert actcli("evaluate", *options, "recall[cow]=0.5", stdin=PREDICTIONS).code == 2


def test_jobs(tmp_path: Path) -> None:
    """The result does not depend on them."""
    truth, predicted = drawn(5000)
    write(tmp_path / "truth.csv", {"label": [NAMES[code] for code in truth]})
    write(tmp_path / "predictions.csv", {"label": [NAMES[code] for code in predicted]})
    options = ("evaluate", tmp_path / "predictions.csv", "--truth", tmp_path / "truth.csv", "--jobs")
    assert process(*options, "1").out == process(*options, "2").out
