"""`--weight`, `--ordered` and `aurc` on the command line: where weights are read from, and what they change."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
import scipy.special
import sklearn.metrics
from pyarrow import parquet

import actcli as package
from program import SAMPLES, Actcli, without_escapes

if TYPE_CHECKING:
    from pathlib import Path

Array = np.ndarray[Any, np.dtype[Any]]

ROWS = 40
CLASSES = ("cat", "dog", "bird")


class Table:
    """Random scores of three classes, with an id, a truth and a weight in each row."""

    def __init__(self, folder: Path) -> None:
        rng = np.random.default_rng(4)
        self.folder = folder
        self.logits = rng.normal(size=(ROWS, len(CLASSES))).round(3)
        self.codes = rng.integers(0, len(CLASSES), ROWS)
        self.weights = (rng.random(ROWS) * (rng.random(ROWS) < 0.8)).round(4)
        self.columns: dict[str, list[Any]] = {
            "id": [f"row {number}" for number in range(ROWS)],
            **{name: self.logits[:, code].tolist() for code, name in enumerate(CLASSES)},
            "label": [CLASSES[code] for code in self.codes],
            "w": self.weights.tolist(),
        }

    def csv(self, name: str, *columns: str, order: Array | None = None) -> Path:
        """Write some of the columns, and return the path of the file."""
        rows = range(ROWS) if order is None else order.tolist()
        lines = [",".join(str(self.columns[column][row]) for column in columns) for row in rows]
        path = self.folder / name
        path.write_text("\n".join([",".join(columns), *lines]) + "\n")
        return path

    def parquet(self, name: str, *columns: str, types: dict[str, Any]) -> Path:
        """Write some of the columns, some of them as other types, and return the path of the file."""
        arrays = {column: pa.array(self.columns[column], types.get(column)) for column in columns}
        path = self.folder / name
        parquet.write_table(pa.table(arrays), path)
        return path

    def json_lines(self, name: str, *columns: str) -> Path:
        """Write some of the columns, and return the path of the file."""
        path = self.folder / name
        rows = ({column: self.columns[column][row] for column in columns} for row in range(ROWS))
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path


@pytest.fixture
def table(tmp_path: Path) -> Table:
    """Return a table."""
    return Table(tmp_path)


def found(result: Any) -> dict[str, Any]:
    """Return the JSON that a run has written."""
    assert result.code == 0, result.err
    return json.loads(result.out)  # type: ignore[no-any-return]


@pytest.mark.usefixtures("chunk_bytes")
def test_where_weights_are(actcli: Actcli, table: Table) -> None:
    """In the input, anywhere among its columns, or in the truth file, in any format: always the same evaluation."""
    expected = package.evaluate(
        table.logits, table.codes, classes=CLASSES, weights=table.weights, ordered=True, bootstrap=5, equal_mass=True
    )
    document = json.loads(json.dumps(expected.as_json()))
    truth = table.csv("truth.csv", "id", "label")
    shuffled = table.csv("shuffled.csv", "w", "label", "id", order=np.random.default_rng(1).permutation(ROWS))
    scores = table.csv("scores.csv", "id", *CLASSES)
    cases: list[tuple[str | Path, ...]] = [
        (table.csv("middle.csv", "id", "cat", "w", "dog", "bird"), "--truth", truth),
        (table.csv("first.csv", "w", "id", *CLASSES), "--truth", truth, "--id", "id"),
        (table.csv("all.csv", "id", *CLASSES, "w", "label"), "--truth-column", "label"),
        (table.json_lines("all.jsonl", "w", *CLASSES, "id"), "--id", "id", "--truth", truth),
        (table.parquet("number.parquet", *CLASSES, "w", "id", types={}), "--id", "id", "--truth", truth),
        (scores, "--truth", shuffled),
        (scores, "--truth", table.json_lines("truth.jsonl", "w", "id", "label")),
        (scores, "--truth", table.parquet("truth.parquet", "id", "label", "w", types={"w": pa.float64()})),
    ]
    for case in cases:
        result = actcli(
            *("evaluate", *case, "--weight", "w", "--ordered", "--bootstrap", "5", "--binning", "equal-mass", "-q")
        )
        assert found(result) == document


def test_types_of_weights(actcli: Actcli, table: Table) -> None:
    """Whole numbers, texts and decimals are weights as their numbers are."""
    table.columns["w"] = [row % 4 for row in range(ROWS)]
    scores = table.csv("scores.csv", "id", *CLASSES)
    expected = None
    for type_ in (pa.int8(), pa.uint64(), pa.float32(), pa.float64(), pa.decimal128(10, 2)):
        truth = table.parquet("truth.parquet", "id", "label", "w", types={"w": type_})
        result = found(actcli("evaluate", scores, "--truth", truth, "--weight", "w", "-q"))
        expected = expected or result
        assert result == expected
    table.columns["w"] = [f"{row % 4}.0" if row % 2 else f" +{row % 4} " for row in range(ROWS)]
    for path in (table.csv("truth.csv", "id", "label", "w"), table.json_lines("truth.jsonl", "id", "label", "w")):
        assert found(actcli("evaluate", scores, "--truth", path, "--weight", "w", "-q")) == expected


def test_weights_follow_the_order_of_rows_and_of_files(actcli: Actcli, table: Table) -> None:
    """By position, and over several inputs."""
    truth = table.csv("truth.csv", "label", "w")
    order = np.arange(ROWS)
    first, second = (
        table.csv(f"{name}.csv", *CLASSES, order=part) for name, part in (("a", order[:13]), ("b", order[13:]))
    )
    whole = table.csv("scores.csv", *CLASSES)
    expected = found(actcli("evaluate", whole, "--truth", truth, "--weight", "w", "-q"))
    assert found(actcli("evaluate", first, second, "--truth", truth, "--weight", "w", "-q", "--jobs", "2")) == expected
    plain = package.evaluate(table.logits, table.codes, classes=CLASSES, weights=table.weights)
    assert expected == json.loads(json.dumps(plain.as_json()))


WRONG: list[tuple[str, str, int, list[str]]] = [
    ("-1", "--weight w", 1, ["scores.csv:3:", 'column "w": -1 is negative', "hint: a weight is 0 or more"]),
    ("nan", "--weight w", 1, ["scores.csv:3:", "nan is no weight", "hint: a weight is a finite number"]),
    ("inf", "--weight w", 1, ["scores.csv:3:", "inf is no weight"]),
    ("1e999", "--weight w", 1, ["scores.csv:3:", "1e999 is no weight"]),
    ("", "--weight w", 1, ["scores.csv:3:", 'column "w": is empty']),
    ("heavy\x1b[31m", "--weight w", 1, ["scores.csv:3:", '"heavy\\x1b[31m" is not a number']),
    ("1_000", "--weight w", 1, ["scores.csv:3:", '"1_000" is not a number']),
    ("1e300", "--weight w", 1, ["the sum of the weights is above 1e+300"]),
    ("1", "--weight v", 2, ["--weight: neither the input nor", "has a column 'v'"]),
    ("1", "--weight label", 2, ["--weight: neither the input nor", "has a column 'label'"]),
    ("1", "--weight w --truth-column w", 2, ["--weight and --truth-column are both 'w'"]),
    ("1", "--weight w --classes w,cat,dog", 2, ['"w" is named by --weight and by --classes']),
    ("1", "--weight", 2, ["--weight"]),
    ("1", "--weight w --weight w", 2, ["--weight"]),
]


@pytest.mark.parametrize(("weight", "options", "code", "words"), WRONG, ids=lambda value: str(value)[:30])
def test_what_is_no_weight(
    weight: str, options: str, code: int, words: list[str], actcli: Actcli, tmp_path: Path
) -> None:
    """Is refused in one line, with its place."""
    scores, truth = tmp_path / "scores.csv", tmp_path / "truth.csv"
    scores.write_text(f"id,w,cat,dog\na,1e300,1,2\nb,{weight},2,1\n")
    truth.write_text("id,is\na,cat\nb,dog\n")
    out = tmp_path / "out.json"
    result = actcli("evaluate", scores, "--truth", truth, "-o", out, *options.split())
    assert result.code == code, result.err
    assert all(word in result.err for word in words), result.err
    assert result.err.count("actcli: error:") == 1
    assert not out.exists()


def test_weights_of_0_only(actcli: Actcli, tmp_path: Path) -> None:
    """Leave nothing to evaluate, to draw or to fit."""
    scores, truth, policy = tmp_path / "scores.csv", tmp_path / "truth.csv", tmp_path / "policy.json"
    scores.write_text("id,cat,dog\na,1,2\nb,2,1\n")
    truth.write_text("id,is,w\na,cat,0\nb,dog,0\n")
    for command in (("evaluate",), ("plot", "roc"), ("calibrate", "--policy", policy), ("tune", "--policy", policy)):
        task = () if command[0] != "tune" else ("--task", "binary")
        result = actcli(*command, scores, "--truth", truth, "--weight", "w", *task)
        assert result.code == 1
        assert "every row has the weight 0" in result.err
    assert not policy.exists()


def test_weights_that_are_nowhere_or_in_two_places(actcli: Actcli, table: Table) -> None:
    """Are errors; so is an array of truths, which has no columns."""
    scores = table.csv("scores.csv", "id", *CLASSES, "w")
    result = actcli("evaluate", scores, "--truth", table.csv("truth.csv", "id", "label", "w"), "--weight", "w")
    assert result.code == 2
    assert "both have a column 'w'" in result.err
    plain = table.csv("plain.csv", *CLASSES)
    np.save(table.folder / "truth.npy", table.codes)
    result = actcli("evaluate", plain, "--truth", table.folder / "truth.npy", "--weight", "w")
    assert result.code == 2
    assert "neither the input nor" in result.err
    result = actcli("evaluate", plain, "--truth", table.csv("only.csv", "w"), "--weight", "w")
    assert result.code == 1
    assert "has no column beside that of the weights" in result.err
    result = actcli("plot", "confidence", plain, "--weight", "w")
    assert result.code == 2
    assert "the input carries no column 'w'" in result.err
    truth = table.parquet("null.parquet", "id", "label", types={})
    nulls = pa.table({"id": table.columns["id"], "label": table.columns["label"], "w": [None] + [1.0] * (ROWS - 1)})
    parquet.write_table(nulls, truth)
    result = actcli("evaluate", table.csv("ids.csv", "id", *CLASSES), "--truth", truth, "--weight", "w")
    assert result.code == 1
    assert 'column "w"' in result.err


def test_conformal_has_no_weights(actcli: Actcli, table: Table, tmp_path: Path) -> None:
    """Its promise is about rows."""
    scores, truth = table.csv("scores.csv", "id", *CLASSES, "w"), table.csv("truth.csv", "id", "label")
    policy = tmp_path / "policy.json"
    result = actcli("conformal", scores, "--truth", truth, "--weight", "w", "--policy", policy)
    assert result.code == 2
    assert "--weight: the promise of conformal is about rows that count equally" in result.err
    assert not policy.exists()
    assert "--weight" not in actcli("conformal", "--help").text
    assert "--weight" in actcli("calibrate", "--help").text


@pytest.mark.usefixtures("chunk_bytes")
@pytest.mark.parametrize("method", ["temperature", "vector", "platt", "isotonic"])
def test_calibrate(method: str, actcli: Actcli, table: Table, tmp_path: Path) -> None:
    """Fits as the function that can be imported does, and reports the weighted losses; a weight of 0 is no row."""
    scores, truth = table.csv("scores.csv", "id", *CLASSES), table.csv("truth.csv", "id", "label", "w")
    policy = tmp_path / "policy.json"
    arguments = (scores, "--truth", truth, "--weight", "w", "--policy", policy, "--method", method, "-q")
    report = found(actcli("calibrate", *arguments, "--format", "json"))
    fitted = {"temperature": package.fit_temperature, "vector": package.fit_vector_scaling, "platt": package.fit_platt}
    fit = fitted.get(method, package.fit_isotonic)
    calibration = fit(table.logits, table.codes, weights=table.weights)
    probabilities = calibration.probabilities(table.logits)
    applied: Any = found(
        actcli("softmax", scores, "--policy", policy, "--format", "json", "--columns", "probabilities")
    )
    for row, expected in zip(applied, probabilities.tolist(), strict=True):
        assert list(row["probabilities"].values()) == pytest.approx(expected, rel=1e-6)
    log_loss = sklearn.metrics.log_loss(
        table.codes, scipy.special.softmax(table.logits, axis=1), sample_weight=table.weights
    )
    assert report["fitted_on"]["before"]["log_loss"] == pytest.approx(log_loss, rel=1e-10)
    after = sklearn.metrics.log_loss(table.codes, probabilities, sample_weight=table.weights, labels=[0, 1, 2])
    if method != "isotonic":  # whose zeros are not clipped here
        assert report["fitted_on"]["after"]["log_loss"] == pytest.approx(after, rel=1e-6)
    record = json.loads(policy.read_text())["fitted"]["calibration"]
    assert record["rows"] == np.count_nonzero(table.weights)
    sums = [table.weights[table.codes == code].sum() for code in range(3)]
    assert list(record["truth"].values()) == pytest.approx(sums, rel=1e-12)


@pytest.mark.usefixtures("chunk_bytes")
@pytest.mark.parametrize("scope", ["class", "global"])
def test_tune(scope: str, actcli: Actcli, tmp_path: Path) -> None:
    """Chooses the thresholds of the function that can be imported; held-out rows keep their weights."""
    logits = np.loadtxt(SAMPLES / "properties_logits.csv", delimiter=",", skiprows=1, usecols=range(1, 6))[:120]
    truth = np.loadtxt(SAMPLES / "properties_truth.csv", delimiter=",", skiprows=1, usecols=range(1, 6))[:120]
    weights = np.random.default_rng(3).integers(0, 3, 120)
    names = (SAMPLES / "properties_truth.csv").read_text().splitlines()[0].split(",")[1:]
    for name, values in (("scores.csv", logits), ("truth.csv", truth.astype(int))):
        lines = [",".join(map(str, row)) for row in values.tolist()]
        if name == "truth.csv":
            lines = [f"{line},{weight}" for line, weight in zip(lines, weights, strict=True)]
        head = ",".join([*names, *(["weight"] if name == "truth.csv" else [])])
        (tmp_path / name).write_text("\n".join([head, *lines]) + "\n")
    arguments = ("tune", tmp_path / "scores.csv", "--truth", tmp_path / "truth.csv", "--weight", "weight")
    policy = tmp_path / "policy.json"
    report = found(actcli(*arguments, "--policy", policy, "--scope", scope, "--format", "json"))
    expected = package.tune_thresholds(package.sigmoid(logits), truth, weights=weights, scope=scope)
    chosen = [each.threshold for each in expected] * (5 if scope == "global" else 1)
    assert list(json.loads(policy.read_text())["thresholds"].values()) == pytest.approx(chosen, rel=1e-12)
    for number, row in enumerate(report["fitted_on"]["per_class"].values()):
        assert row["support"] == weights[truth[:, number] == 1].sum()
        decided = package.sigmoid(logits[:, number]) >= row["after"]["threshold"]
        f1 = sklearn.metrics.f1_score(truth[:, number], decided, sample_weight=weights)
        assert row["after"]["f1"] == pytest.approx(f1, rel=1e-12)
    held = found(actcli(*arguments, "--policy", tmp_path / "other.json", "--holdout", "0.3", "--format", "json"))
    rows = np.count_nonzero(weights)
    assert held["fitted_on"]["rows"] + held["held_out"]["rows"] == rows
    supports = [part["per_class"][names[0]]["support"] for part in (held["fitted_on"], held["held_out"])]
    assert sum(supports) == weights[truth[:, 0] == 1].sum()


def test_charts(actcli: Actcli, table: Table) -> None:
    """Every chart with a truth has the weighted numbers (scikit-learn, and the weights of the rows of a bin)."""
    scores, truth = table.csv("scores.csv", "id", *CLASSES), table.csv("truth.csv", "id", "label", "w")
    arguments = (scores, "--truth", truth, "--weight", "w", "--format", "json", "-q")
    probabilities = scipy.special.softmax(table.logits, axis=1)
    evaluation = found(actcli("evaluate", *arguments))

    def chart(kind: str) -> dict[str, Any]:
        return found(actcli("plot", kind, *arguments))

    predicted = table.logits.argmax(axis=1)
    matrix = sklearn.metrics.confusion_matrix(table.codes, predicted, sample_weight=table.weights)
    np.testing.assert_allclose(chart("confusion")["confusion_matrix"], matrix, rtol=1e-12)
    for kind in ("reliability", "confidence"):
        assert chart(kind)["bins"] == evaluation["calibration_bins"]
    assert chart("risk-coverage")["aurc"] == evaluation["metrics"]["aurc"]
    assert chart("risk-coverage")["total_weight"] == evaluation["total_weight"]
    thresholds = chart("thresholds")
    onehot = np.eye(3)[table.codes]
    for place in (20, 50):
        precision = sklearn.metrics.precision_score(
            onehot.ravel(), probabilities.ravel() >= place / 100, sample_weight=np.repeat(table.weights, 3)
        )
        assert thresholds["precision"][place] == pytest.approx(precision, rel=1e-12)
    for code, name in enumerate(CLASSES):
        positive, values = table.codes == code, probabilities[:, code]
        roc, curve, gain = (chart(kind)["curves"][name] for kind in ("roc", "precision-recall", "gain"))
        area = sklearn.metrics.auc(roc["false_positive_rate"], roc["true_positive_rate"])
        auc = sklearn.metrics.roc_auc_score(positive, values, sample_weight=table.weights)
        assert roc["roc_auc"] == pytest.approx(auc, rel=1e-12)
        assert area == pytest.approx(auc, rel=1e-2)
        average = sklearn.metrics.average_precision_score(positive, values, sample_weight=table.weights)
        assert curve["average_precision"] == pytest.approx(average, rel=1e-12)
        for place, threshold in list(enumerate(gain["threshold"]))[1:]:
            chosen = values >= threshold
            share = table.weights[chosen].sum() / table.weights.sum()
            hits = table.weights[chosen & positive].sum() / table.weights[positive].sum()
            assert gain["share_of_rows"][place] == pytest.approx(share, rel=1e-12)
            assert gain["share_of_positives"][place] == pytest.approx(hits, rel=1e-12)
            assert gain["lift"][place] == pytest.approx(hits / share, rel=1e-12)


def test_gain_and_risk_coverage_of_classes(actcli: Actcli) -> None:
    """`--class` chooses a gain; the risk is of the labels, and label sets have none."""
    digits = (SAMPLES / "digits_logits.csv", "--truth", SAMPLES / "digits_truth.csv", "-q")
    assert list(found(actcli("plot", "gain", *digits, "--class", "one"))["curves"]) == ["one"]
    result = actcli("plot", "risk-coverage", *digits, "--class", "one")
    assert result.code == 2
    assert "--class means nothing to risk-coverage" in result.err
    properties = (SAMPLES / "properties_logits.csv", "--truth", SAMPLES / "properties_truth.csv")
    assert len(found(actcli("plot", "gain", *properties, "--task", "multilabel", "-q"))["curves"]) == 5
    result = actcli("plot", "risk-coverage", *properties, "--task", "multilabel")
    assert result.code == 2
    assert "risk-coverage is of classes that exclude each other" in result.err


def test_tables_and_the_page(actcli: Actcli, table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    """Show sums of weights in few digits, at every width."""
    scores, truth = table.csv("scores.csv", "id", *CLASSES), table.csv("truth.csv", "id", "label", "w")
    page = table.folder / "page.html"
    for width in ("60", "80", "200"):
        monkeypatch.setenv("COLUMNS", width)
        arguments = (scores, "--truth", truth, "--weight", "w", "--ordered", "--format", "table", "-q")
        result = actcli("evaluate", *arguments, "--report", page)
        assert result.code == 0, result.err
        text = without_escapes(result.text)
        assert f"total weight {table.weights.sum():.5g}" in text
        assert all(name in text for name in ("aurc", "mae", "kappa_quadratic"))
        assert f"{table.weights[table.codes == 0].sum():.5g}" in text
    assert f"total weight {table.weights.sum():.5g}" in page.read_text()
    assert "kappa_quadratic" in page.read_text()


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        ("--ordered --fail-over mae=0", 3, "mae is 1.33333, over the bound of 0"),
        ("--ordered --fail-over mae=9 --fail-under kappa_quadratic=-1", 0, ""),
        ("--ordered --fail-under mae=9", 2, "mae is better small"),
        ("--ordered --fail-over kappa_quadratic=0", 2, "kappa_quadratic is better large"),
        ("--fail-over mae=1", 2, "hint: add --ordered"),
        ("--fail-over aurc=0.1", 3, "over the bound of 0.1"),
        ("--fail-over aurc=1", 0, ""),
        ("--fail-over aurc=1 --no-ranking", 2, "hint: leave --no-ranking out"),
        ("--fail-over aurc=1 --task multilabel", 2, "'aurc' is no metric of multilabel"),
        ("--ordered --task multilabel", 2, "--ordered means nothing to multilabel"),
    ],
)
def test_gates(options: str, code: int, words: str, actcli: Actcli, tmp_path: Path) -> None:
    """Know the new metrics."""
    (tmp_path / "truth.csv").write_text("label\nc\na\na\n")
    result = actcli(
        "evaluate", "--truth", tmp_path / "truth.csv", *options.split(), stdin=b"a,b,c\n3,1,0\n0,2,1\n0,2,1\n"
    )
    assert result.code == code, result.err
    assert words in result.err


def test_gates_of_what_is_undefined(actcli: Actcli, tmp_path: Path) -> None:
    """Fail with the reason."""
    (tmp_path / "truth.csv").write_text("label\na\na\n")
    arguments = ("evaluate", "--truth", tmp_path / "truth.csv", "--ordered")
    result = actcli(*arguments, "--fail-under", "kappa_quadratic=0", stdin=b"a,b,c\n3,1,0\n3,2,1\n")
    assert result.code == 3
    assert "kappa_quadratic is undefined, and --fail-under asks for 0" in result.err
    withheld = b"id,label,probability,reason,p_a,p_b\nx,abstain,0.6,below_confidence,0.6,0.4\n"
    (tmp_path / "one.csv").write_text("id,is\nx,a\n")
    result = actcli("evaluate", "--truth", tmp_path / "one.csv", "--fail-over", "aurc=0.5", stdin=withheld)
    assert result.code == 3
    assert "aurc is undefined, and --fail-over asks for 0.5" in result.err


@pytest.mark.usefixtures("chunk_bytes")
def test_ordered_classes(actcli: Actcli) -> None:
    """Have the distances of their columns (scikit-learn, with labels that do not occur)."""
    digits = (SAMPLES / "digits_logits.csv", "--truth", SAMPLES / "digits_truth.csv")
    metrics = found(actcli("evaluate", *digits, "--ordered", "-q"))["metrics"]
    logits = np.loadtxt(digits[0], delimiter=",", skiprows=1, usecols=range(1, 11))
    names = str(digits[0].read_text().splitlines()[0]).split(",")[1:]
    truth = np.array([names.index(line.split(",")[1]) for line in digits[2].read_text().splitlines()[1:]])
    predicted = logits.argmax(axis=1)
    assert metrics["mae"] == pytest.approx(sklearn.metrics.mean_absolute_error(truth, predicted), rel=1e-12)
    kappa = sklearn.metrics.cohen_kappa_score(truth, predicted, labels=range(10), weights="quadratic")
    assert metrics["kappa_quadratic"] == pytest.approx(kappa, rel=1e-12)


@pytest.mark.usefixtures("chunk_bytes")
def test_labels_without_probabilities(actcli: Actcli, tmp_path: Path) -> None:
    """Have weights, from either file, and an order if their names are given (scikit-learn)."""
    predicted, truth, weights = ["a", "b", "c", "b"], ["a", "c", "a", "b"], [1.0, 0.5, 2.0, 0.0]
    rows = [*zip("wxyz", predicted, weights, strict=True)]
    scores, labels = tmp_path / "labels.csv", tmp_path / "truth.csv"
    labels.write_text("id,is\n" + "".join(f"{id},{name}\n" for id, name in zip("wxyz", truth, strict=True)))
    scores.write_text("id,weight,label\n" + "".join(f"{id},{weight},{label}\n" for id, label, weight in rows))
    names = ("--class-names", "a,b,c", "--ordered")
    first = found(actcli("evaluate", scores, "--truth", labels, "--weight", "weight", *names, "-q"))
    assert first["total_weight"] == 3.5
    accuracy = sklearn.metrics.accuracy_score(truth, predicted, sample_weight=weights)
    assert first["metrics"]["accuracy"] == pytest.approx(accuracy, rel=1e-12)
    codes = [["abc".index(name) for name in part] for part in (truth, predicted)]
    kappa = sklearn.metrics.cohen_kappa_score(*codes, labels=range(3), weights="quadratic", sample_weight=weights)
    assert first["metrics"]["kappa_quadratic"] == pytest.approx(kappa, rel=1e-12)
    scores.write_text("id,label\n" + "".join(f"{id},{label}\n" for id, label, _ in rows))
    labels.write_text(
        "id,weight,is\n" + "".join(f"{row[0]},{row[2]},{name}\n" for row, name in zip(rows, truth, strict=True))
    )
    assert found(actcli("evaluate", scores, "--truth", labels, "--weight", "weight", *names, "-q")) == first
    plain = found(actcli("evaluate", scores, "--truth", labels, "--weight", "weight", "-q"))
    assert plain["metrics"]["accuracy"] == first["metrics"]["accuracy"]
    result = actcli("evaluate", scores, "--truth", labels, "--weight", "weight", "--ordered")
    assert result.code == 2
    assert "--ordered: nothing says the order of the classes" in result.err


@pytest.mark.usefixtures("chunk_bytes")
def test_rows_that_are_left_out_have_no_weight(actcli: Actcli, tmp_path: Path) -> None:
    """By an inner join, or by the truth that is ignored; weights stay with their rows."""
    scores, truth = tmp_path / "scores.csv", tmp_path / "truth.csv"
    scores.write_text("id,a,b\nw,1,0\nx,0,1\ny,2,1\nz,0,3\n")
    truth.write_text("id,is,weight\nz,a,4\nother,b,9\nw,a,1\ny,b,2\n")
    joined = found(actcli("evaluate", scores, "--truth", truth, "--weight", "weight", "--join", "inner", "-q"))
    assert (joined["rows"], joined["total_weight"]) == (3, 7)
    assert joined["metrics"]["accuracy"] == pytest.approx(1 / 7)
    scores.write_text("id,weight,a,b\nw,1,1,0\nx,9,0,1\ny,2,2,1\nz,4,0,3\n")
    truth.write_text("id,is\nz,0\nx,-1\nw,0\ny,1\n")
    ignored = found(actcli("evaluate", scores, "--truth", truth, "--weight", "weight", "--ignore-index", "-1", "-q"))
    assert (ignored["rows"], ignored["total_weight"]) == (3, 7)
    assert ignored["metrics"] == joined["metrics"]
