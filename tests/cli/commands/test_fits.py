"""`actcli calibrate`, `tune` and `conformal`, and what the other commands make of the policy that they write."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.special
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import f1_score, log_loss

import actcli as library
from actcli.calibration.methods import METHODS
from program import SAMPLES, Actcli, environment, terminal, write_csv
from program import command as program

Array = np.ndarray[Any, np.dtype[Any]]
DIGITS = ("sample_data/digits_logits.csv", "sample_data/digits_truth.csv")
CLASSES = (SAMPLES / "digits_classes.txt").read_text(encoding="utf-8").split()


def table(name: str) -> Array:
    """Return the numbers of a sample."""
    return np.loadtxt(SAMPLES / name, delimiter=",", skiprows=1, usecols=range(1, 1 + columns(name)), ndmin=2)


def columns(name: str) -> int:
    """Return how many columns a sample has, without its ids."""
    with (SAMPLES / name).open(encoding="utf-8") as file:
        return file.readline().count(",")


def digits() -> tuple[Array, Array]:
    """Return the logits of the digits, and what they are."""
    names = np.loadtxt(SAMPLES / "digits_truth.csv", delimiter=",", skiprows=1, usecols=1, dtype=str)
    return table("digits_logits.csv"), np.array([CLASSES.index(name) for name in names])


def fit(command: str, sample: str, actcli: Actcli, policy: Path, *more: str | Path) -> dict[str, Any]:
    """Run a fit on a sample; return its report."""
    result = actcli(
        *(command, SAMPLES / f"{sample}_logits.csv", "--truth", SAMPLES / f"{sample}_truth.csv", "--policy", policy),
        *more,
    )
    assert result.code == 0, result.err
    report: dict[str, Any] = json.loads(result.text)
    return report


def held(policy: Path) -> dict[str, Any]:
    """Return the content of a policy file."""
    document: dict[str, Any] = json.loads(policy.read_text(encoding="utf-8"))
    return document


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    """Return where a policy may be written."""
    return tmp_path / "policy.json"


def test_calibrate(actcli: Actcli, policy: Path) -> None:
    """The temperature is that of the library; the losses are scikit-learn's; the file says what it was fitted on."""
    logits, truth = digits()
    result = actcli(
        "calibrate", SAMPLES / "digits_logits.csv", "--truth", SAMPLES / "digits_truth.csv", "--policy", policy
    )
    report, document = json.loads(result.text), held(policy)
    temperature = library.fit_temperature(logits, truth).temperature
    assert document["calibration"] == report["calibration"] == {"method": "temperature", "temperature": temperature}
    assert document["classes"] == CLASSES
    assert (document["task"], document["from"]) == ("softmax", "logits")
    for when, scale in (("before", 1), ("after", temperature)):
        exact = log_loss(truth, scipy.special.softmax(logits / scale, axis=1))
        assert report["fitted_on"][when]["log_loss"] == pytest.approx(exact, rel=1e-12)
        assert document["fitted"]["calibration"]["loss"][when] == pytest.approx(exact, rel=1e-12)
    record = document["fitted"]["calibration"]
    assert record["truth"] == dict(zip(CLASSES, np.bincount(truth).tolist(), strict=True))
    assert (record["rows"], record["actcli"]) == (450, library.__version__)
    assert "note: these numbers are of the very rows that were fitted" in result.err
    assert report["held_out"] is None


def test_a_policy_is_on_the_disk_before_it_replaces_another(
    actcli: Actcli, policy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power failure leaves the old one or the new one."""
    fit("calibrate", "digits", actcli, policy)
    stood: list[bytes] = []
    monkeypatch.setattr("os.fsync", lambda descriptor: stood.append(policy.read_bytes()))  # noqa: ARG005
    before = policy.read_bytes()
    fit("conformal", "digits", actcli, policy, "--alpha", "0.1")
    assert stood == [before] != [policy.read_bytes()]


def test_the_size_of_chunks_changes_nothing(actcli: Actcli, policy: Path, chunk_bytes: int) -> None:
    """To the last bit, from text and from an array."""
    assert chunk_bytes
    fit("calibrate", "digits", actcli, policy, "--method", "vector")
    fit("conformal", "digits", actcli, policy, "--alpha", "0.1", "--score", "aps")
    logits, truth = digits()
    found = library.fit_vector_scaling(logits, truth)
    assert list(held(policy)["calibration"]["scale"].values()) == list(found.scale)
    rule = library.fit_conformal(found.probabilities(logits), truth, alpha=0.1, score="aps")
    assert held(policy)["conformal"]["quantile"] == rule.quantile


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("task", ["softmax", "multilabel", "binary"])
def test_what_is_fitted_is_applied(task: str, method: str, actcli: Actcli, policy: Path) -> None:
    """The commands give the probabilities that the library gives, to the last digits."""
    sample = {"softmax": "digits", "multilabel": "properties", "binary": "cancer"}[task]
    names = ["--positive", "malignant", "--negative", "benign"] if task == "binary" else []
    fit("calibrate", sample, actcli, policy, "--task", task, "--method", method, *names)
    logits = table(f"{sample}_logits.csv")
    if task == "softmax":
        truth: Array = digits()[1]
    elif task == "multilabel":
        truth = table("properties_truth.csv").astype(int)
    else:
        path = SAMPLES / "cancer_truth.csv"
        truth = np.loadtxt(path, delimiter=",", skiprows=1, usecols=1, dtype=str) == "malignant"
        truth = truth.astype(int)
    expected = METHODS[method](logits, truth, task=task).probabilities(logits, task=task)
    result = actcli(task, SAMPLES / f"{sample}_logits.csv", "--policy", policy, "-f", "jsonl", "-q")
    found = np.array([list(row["probabilities"].values()) for row in result.rows])
    assert (found[:, 1:] if task == "binary" else found) == pytest.approx(expected, rel=1e-12, abs=1e-300)


def test_ids_join_and_rows_are_held_out(actcli: Actcli, policy: Path, tmp_path: Path) -> None:
    """Truth in another order is the same truth; a third of the rows is kept out of the fit, the same for each seed."""
    lines = (SAMPLES / "digits_truth.csv").read_text(encoding="utf-8").splitlines()
    shuffled = tmp_path / "truth.csv"
    shuffled.write_text("\n".join([lines[0], *reversed(lines[1:])]) + "\n", encoding="utf-8")
    quiet = ("calibrate", SAMPLES / "digits_logits.csv", "--policy", policy, "-q", "-f", "json")
    run = (*quiet, "--holdout", "0.3", "--seed", "7")
    first = json.loads(actcli(*run, "--truth", SAMPLES / "digits_truth.csv").text)
    second = actcli(*run, "--truth", shuffled)
    assert json.loads(second.text) == first
    assert second.err == ""
    assert (first["fitted_on"]["rows"], first["held_out"]["rows"]) == (315, 135)
    order = np.random.default_rng(7).permutation(450)
    logits, truth = digits()
    temperature = library.fit_temperature(logits[order[135:]], truth[order[135:]]).temperature
    assert first["calibration"]["temperature"] == pytest.approx(temperature, rel=1e-12)
    apart = scipy.special.softmax(logits[order[:135]] / temperature, axis=1)
    assert first["held_out"]["after"]["log_loss"] == pytest.approx(
        log_loss(truth[order[:135]], apart, labels=range(10))
    )
    other = json.loads(actcli(*run[:-1], "8", "--truth", shuffled).text)
    assert other["calibration"] != first["calibration"]


def test_tune(actcli: Actcli, policy: Path) -> None:
    """Thresholds of the library, F1 of scikit-learn; multilabel decides by them."""
    report = fit("tune", "properties", actcli, policy)
    probabilities = library.sigmoid(table("properties_logits.csv"))
    truth = table("properties_truth.csv").astype(bool)
    expected = [tuned.threshold for tuned in library.tune_thresholds(probabilities, truth)]
    document = held(policy)
    assert list(document["thresholds"].values()) == expected
    chosen = probabilities >= np.array(expected)
    assert report["fitted_on"]["after"]["macro"]["f1"] == pytest.approx(f1_score(truth, chosen, average="macro"))
    assert report["fitted_on"]["after"]["micro"]["f1"] == pytest.approx(f1_score(truth, chosen, average="micro"))
    assert report["fitted_on"]["before"]["macro"]["f1"] == pytest.approx(
        f1_score(truth, probabilities >= 0.5, average="macro")
    )
    assert report["fitted_on"]["per_class"]["even"]["after"]["threshold"] == document["thresholds"]["even"]
    run = ("multilabel", SAMPLES / "properties_logits.csv", "--policy", policy, "--columns", "multihot", "-f", "jsonl")
    rows = actcli(*run, "-q").rows
    assert [list(row["multihot"].values()) for row in rows] == chosen.astype(int).tolist()


def test_tune_one_threshold_for_all(actcli: Actcli, policy: Path) -> None:
    """By the counts of all cells together."""
    fit("tune", "properties", actcli, policy, "--scope", "global", "--metric", "youden")
    probabilities = library.sigmoid(table("properties_logits.csv"))
    (best,) = library.tune_thresholds(probabilities, table("properties_truth.csv"), metric="youden", scope="global")
    assert set(held(policy)["thresholds"].values()) == {best.threshold}
    assert held(policy)["fitted"]["thresholds"]["aim"] == "youden, global"


RARE = b"a,b,c\n2,-1,0.5\n-3,1,0.1\n1,2,-1\n0,-2,-2\n"


def test_tune_says_which_labels_are_hard(actcli: Actcli, policy: Path, tmp_path: Path) -> None:
    """Few rows to choose by; never right; an aim that nothing reaches. What is not found stays as it was."""
    truth = tmp_path / "truth.csv"
    truth.write_text("a,b,c\n0,0,0\n0,1,0\n1,1,0\n1,0,0\n", encoding="utf-8")
    run = ("tune", "--truth", truth, "--policy", policy, "-q", "-f", "json")
    result = actcli(*run, "--at-precision", "1", stdin=RARE)
    assert result.code == 0, result.err
    assert 'warning: never right in these rows, so the threshold stays 0.5: "c"' in result.err
    assert 'no threshold reaches recall at a precision of at least 1, so the threshold stays 0.5: "a"' in result.err
    assert 'under 10 rows to choose by, so the threshold may be far off: "a (2)", "b (2)"' in result.err
    thresholds = held(policy)["thresholds"]
    assert (thresholds["a"], thresholds["c"]) == (0.5, 0.5)
    assert json.loads(result.text)["fitted_on"]["per_class"]["c"]["after"]["recall"] is None
    assert json.loads(result.text)["warnings"] == [
        line.removeprefix("actcli: warning: ") for line in result.err.splitlines()
    ]


def test_conformal(actcli: Actcli, policy: Path) -> None:
    """The sets that softmax writes are those of the library, and cover what the report says."""
    report = fit("conformal", "digits", actcli, policy, "--alpha", "0.2", "--score", "raps", "--raps-k", "1")
    logits, truth = digits()
    rule = library.fit_conformal(library.softmax(logits), truth, alpha=0.2, score="raps", free=1)
    assert held(policy)["conformal"] == {
        "score": "raps",
        "alpha": 0.2,
        "quantile": rule.quantile,
        "lambda": 0.01,
        "k": 1,
    }
    members = rule.sets(library.softmax(logits))
    rows = actcli("softmax", SAMPLES / "digits_logits.csv", "--policy", policy, "-f", "jsonl", "-q").rows
    assert [row["prediction_set"] for row in rows] == [
        [name for name, inside in zip(CLASSES, row, strict=True) if inside] for row in members
    ]
    assert list(rows[0]) == ["id", "label", "probability", "prediction_set", "probabilities"]
    after = report["fitted_on"]["after"]
    assert after["coverage"] == np.mean(members[np.arange(450), truth])
    assert (after["empty"], after["single"]) == ((members.sum(axis=1) == 0).sum(), (members.sum(axis=1) == 1).sum())
    assert after["mean_size"] == pytest.approx(members.sum(axis=1).mean())


def test_prediction_sets_do_not_depend_on_the_precision(actcli: Actcli, policy: Path) -> None:
    """From float32 they are those that float64 gives."""
    fit("conformal", "digits", actcli, policy, "--alpha", "0.05", "--score", "aps")
    run = ("softmax", SAMPLES / "digits_logits.npy", "--policy", policy, "--columns", "prediction_set", "-q")
    assert actcli(*run).text == actcli(*run, "--dtype", "float64").text
    assert "|" in actcli(*run).text


def test_what_stands_between_the_classes_of_a_set(actcli: Actcli, policy: Path) -> None:
    """Is what was asked for; where no set is written, asking is a usage error."""
    fit("conformal", "digits", actcli, policy, "--alpha", "0.02")
    run = ("softmax", SAMPLES / "digits_logits.csv", "--policy", policy, "--columns", "prediction_set", "-q")
    usual, asked = actcli(*run).text, actcli(*run, "--label-separator", " or ").text
    assert "|" in usual
    assert asked == usual.replace("|", " or ")
    result = actcli("softmax", SAMPLES / "digits_logits.csv", "--label-separator", ";")
    assert (result.code, "no set is written" in result.err) == (2, True)


def test_prediction_sets_of_two_classes(actcli: Actcli, policy: Path) -> None:
    """Binary has them too, and the rank is exact: of 24 rows with alpha 0.44 the 14th."""
    logits = np.linspace(-3, 3, 24)
    truth = b"".join(b"%d\n" % (number % 2) for number in range(24))
    path = policy.with_name("truth.csv")
    path.write_bytes(truth)
    stdin = b"x\n" + b"".join(b"%r\n" % value for value in logits.tolist())
    result = actcli("conformal", "--truth", path, "--policy", policy, "--alpha", "0.44", stdin=stdin)
    assert result.code == 0, result.err
    scores = np.sort(1 - scipy.special.expit(np.where(np.arange(24) % 2, logits, -logits)))
    assert held(policy)["conformal"]["quantile"] == pytest.approx(scores[13], rel=1e-14)
    sets = actcli("binary", "--policy", policy, "--columns", "prediction_set", "-f", "jsonl", stdin=b"x\n0\n9\n").rows
    assert [row["prediction_set"] for row in sets] == [["negative", "positive"], ["positive"]]


def test_too_few_rows_for_a_promise(actcli: Actcli, policy: Path) -> None:
    """Of 90 % if none is asked for: every class is in every set, which is said; a masked class is in none."""
    path = policy.with_name("truth.csv")
    path.write_text("a\nb\n", encoding="utf-8")
    result = actcli("conformal", "--truth", path, "--policy", policy, stdin=b"a,b\n1,0\n0,2\n")
    assert "2 rows are too few to promise anything with alpha 0.1: every class is in every set" in result.err
    assert held(policy)["conformal"]["quantile"] is None
    run = ("softmax", "--policy", policy, "--columns", "prediction_set", "--no-output-header")
    assert actcli(*run, stdin=b"a,b\n1,0\n-inf,2\n").text == "a|b\nb\n"


def test_conformal_of_labels_is_a_threshold(actcli: Actcli, policy: Path) -> None:
    """That of the library; it replaces the tuned ones, and says so."""
    fit("tune", "properties", actcli, policy)
    report = fit("conformal", "properties", actcli, policy, "--alpha", "0.1")
    probabilities, truth = library.sigmoid(table("properties_logits.csv")), table("properties_truth.csv").astype(int)
    rule = library.fit_risk_control(probabilities, truth, alpha=0.1)
    document = held(policy)
    assert document["conformal"] == {"score": "missed-labels", "alpha": 0.1, "threshold": rule.threshold}
    assert set(document["thresholds"].values()) == {rule.threshold}
    assert (report["removed"], list(document["fitted"])) == (["thresholds"], ["conformal"])
    missed = (truth * (probabilities < rule.threshold)).sum(axis=1)[truth.any(axis=1)]
    assert report["fitted_on"]["after"]["missed_labels"] == pytest.approx(
        np.mean(missed / truth.sum(axis=1)[truth.any(axis=1)])
    )


def test_later_steps_stand_on_earlier_ones(actcli: Actcli, policy: Path) -> None:
    """Thresholds are for calibrated probabilities; a new calibration removes them, and says so."""
    fit("calibrate", "properties", actcli, policy, "--task", "multilabel")
    temperature = held(policy)["calibration"]["temperature"]
    fit("tune", "properties", actcli, policy)
    probabilities = library.sigmoid(table("properties_logits.csv"), temperature=temperature)
    found = library.tune_thresholds(probabilities, table("properties_truth.csv"))
    assert list(held(policy)["thresholds"].values()) == [tuned.threshold for tuned in found]
    assert held(policy)["calibration"]["temperature"] == temperature
    run = ("calibrate", SAMPLES / "properties_logits.csv", "--truth", SAMPLES / "properties_truth.csv")
    result = actcli(*run, "--policy", policy, "--method", "platt")
    assert "removed, because this step changes what they depend on: thresholds\n" in result.err
    assert json.loads(result.text)["removed"] == ["thresholds"]
    assert "thresholds" not in held(policy)


def test_a_temperature_at_its_bound_is_warned_about(actcli: Actcli, policy: Path) -> None:
    """Rows that are all right, as those a classifier was trained on tend to be."""
    path = policy.with_name("truth.csv")
    path.write_text("a\nb\n", encoding="utf-8")
    result = actcli("calibrate", "--truth", path, "--policy", policy, "-q", "-f", "json", stdin=b"a,b\n3,0\n0,2\n")
    assert result.code == 0
    assert result.err.startswith(
        "actcli: warning: the loss has no lowest point: the temperature ran to its bound, 0.00"
    )
    assert "was not trained on" in json.loads(result.text)["warnings"][0]


def test_an_infinite_loss_is_null(actcli: Actcli, policy: Path) -> None:
    """A true class with a probability of 0 cannot be mended; the fit leaves the row out."""
    path = policy.with_name("truth.csv")
    path.write_text("a\nb\nb\n", encoding="utf-8")
    stdin = b"a,b\n0.6,0.4\n0.7,0.3\n1,0\n"
    result = actcli("calibrate", "--from", "probabilities", "--truth", path, "--policy", policy, stdin=stdin)
    assert result.code == 0, result.err
    assert json.loads(result.text)["fitted_on"]["after"]["log_loss"] is None
    assert held(policy)["fitted"]["calibration"]["loss"]["before"] is None
    assert held(policy)["from"] == "probabilities"


@pytest.mark.parametrize("reverse", [False, True])
def test_two_columns_give_the_policy_of_one(reverse: bool, actcli: Actcli, policy: Path, tmp_path: Path) -> None:
    """And keep which column is which: the classes in the order of the columns, and the positive one by name."""
    logit = table("cancer_logits.csv")
    names = ["malignant", "benign"] if reverse else ["benign", "malignant"]
    both = np.concatenate([logit, np.zeros_like(logit)] if reverse else [np.zeros_like(logit), logit], axis=1)
    path = write_csv(tmp_path / "two.csv", both, names)
    truth = tmp_path / "truth.csv"
    lines = (SAMPLES / "cancer_truth.csv").read_text(encoding="utf-8").splitlines()[1:]
    truth.write_text("\n".join(line.split(",")[1] for line in lines) + "\n", encoding="utf-8")
    fitting = ("--policy", policy, "-q", "--task", "binary", "--positive", "malignant")
    assert actcli("calibrate", path, *fitting, "--truth", truth, "--method", "platt").code == 0
    assert actcli("tune", path, *fitting, "--truth", truth).code == 0
    two = held(policy)
    policy.unlink()
    one = SAMPLES / "cancer_logits.csv"
    truth = SAMPLES / "cancer_truth.csv"
    assert actcli("calibrate", one, *fitting, "--truth", truth, "--negative", "benign", "--method", "platt").code == 0
    assert actcli("tune", one, *fitting, "--truth", truth).code == 0
    assert held(policy)["calibration"] == two["calibration"]
    assert held(policy)["thresholds"] == two["thresholds"]
    assert (two["classes"], two["positive"]) == (names, "malignant")
    # Either policy decides either input.
    policy.write_text(json.dumps(two), encoding="utf-8")
    run = ("--policy", policy, "--columns", "label,probabilities", "-f", "jsonl", "-q")
    np.save(tmp_path / "two.npy", both)
    assert actcli("binary", one, *run).text == actcli("binary", path, *run).text
    assert actcli("binary", path, *run).text == actcli("binary", tmp_path / "two.npy", *run).text


@pytest.mark.parametrize(
    ("sample", "task", "steps"),
    [
        ("digits", "softmax", [("calibrate", "--method", "vector"), ("conformal", "--alpha", "0.1")]),
        ("properties", "multilabel", [("calibrate", "--method", "isotonic"), ("tune", "--metric", "youden")]),
        ("cancer", "binary", [("calibrate", "--method", "platt"), ("tune", "--at-recall", "0.9")]),
    ],
)
def test_evaluate_reads_a_policy(
    sample: str, task: str, steps: list[tuple[str, ...]], actcli: Actcli, policy: Path
) -> None:
    """And says of its decisions what the fits said, and what it says of those that the other commands wrote."""
    names = ("--positive", "malignant", "--negative", "benign") if task == "binary" else ()
    for step in steps:
        report = fit(step[0], sample, actcli, policy, "--task", task, *names, *step[1:])
    files = (SAMPLES / f"{sample}_logits.csv", "--truth", SAMPLES / f"{sample}_truth.csv", "-q")
    result = actcli("evaluate", *files[:3], "--policy", policy, "-q")
    assert result.code == 0, result.err
    found = json.loads(result.text)
    assert found["task"] == task
    loss = held(policy)["fitted"]["calibration"]["loss"]
    expected = pytest.approx(loss["after"], rel=1e-12) if loss["after"] is not None else None
    assert found["metrics"]["log_loss"] == expected
    if "thresholds" in held(policy):
        macro = "f1" if task == "binary" else "f1_macro"
        assert found["metrics"][macro] == pytest.approx(report["fitted_on"]["after"]["macro"]["f1"])
    written = policy.with_name("written.csv")
    assert actcli(task, SAMPLES / f"{sample}_logits.csv", "--policy", policy, "-q", "-o", written).code == 0
    result = actcli("evaluate", written, *files[1:3], "--task", task, "--no-ranking", "-q")
    again = json.loads(result.text)["metrics"] if result.code == 0 else {}
    assert {name: value for name, value in again.items() if name != "coverage"} == {
        name: pytest.approx(found["metrics"][name], rel=1e-9) if found["metrics"][name] is not None else None
        for name in again
        if name != "coverage"
    }, result.err
    assert actcli("evaluate", *files, "--policy", policy, "--threshold", "0.5", "--task", task).code == 2


SOFTMAX = {"actcli": 1, "task": "softmax", "from": "logits", "classes": ["a", "b"]}
LABELS = SOFTMAX | {"task": "multilabel", "thresholds": {"a": 0.3, "b": 0.6}}
COOLED = {"calibration": {"method": "temperature", "temperature": 2.0}}


@pytest.mark.parametrize("method", ["temperature", "vector", "platt", "isotonic"])
@pytest.mark.parametrize("origin", ["logits", "probabilities"])
def test_one_of_two_classes_is_impossible(
    method: str, origin: str, actcli: Actcli, policy: Path, tmp_path: Path
) -> None:
    """Then the other one is certain, also after calibration, and the loss is a number."""
    rng = np.random.default_rng(3)
    truth = np.arange(60) % 2
    scores = rng.normal(size=(60, 2)) + np.eye(2)[truth]
    scores[:4] = [[-np.inf, 1.5], [0.5, -np.inf], [-np.inf, -2], [-3, -np.inf]]
    truth[:4] = 1, 0, 1, 0
    np.save(tmp_path / "x.npy", scores if origin == "logits" else scipy.special.softmax(scores, axis=1))
    np.save(tmp_path / "y.npy", truth)
    given = (
        tmp_path / "x.npy",
        "--task",
        "binary",
        "--truth",
        tmp_path / "y.npy",
        "--policy",
        policy,
        "-q",
        "-f",
        "json",
    )
    options = ("--from", origin) if origin != "logits" else ()
    fitted = actcli("calibrate", *given, *options, "--method", method)
    assert fitted.code == 0, fitted.err
    assert 0 < json.loads(fitted.text)["fitted_on"]["after"]["log_loss"] < 1
    result = actcli("binary", tmp_path / "x.npy", "--policy", policy, "-f", "jsonl", "-q")
    assert result.code == 0, result.err
    table = np.array([list(row["probabilities"].values()) for row in result.rows])
    np.testing.assert_allclose(table.sum(axis=1), 1)
    # Of a probability of 0 an isotonic function says what it says of others.
    if (method, origin) != ("isotonic", "probabilities"):
        np.testing.assert_array_equal(table[:4, 1], [1, 0, 1, 0])


@pytest.mark.parametrize(
    ("document", "arguments", "code", "message"),
    [
        (SOFTMAX, ("multilabel",), 2, "is a policy for softmax, not for multilabel"),
        (SOFTMAX, ("softmax", "--from", "probabilities"), 2, "--from: 'probabilities' is not what"),
        (SOFTMAX, ("softmax", "--class-names", "b,a"), 2, "--class-names: these are not the classes of"),
        (SOFTMAX, ("softmax", "--columns", "prediction_set"), 2, "needs a --policy that actcli conformal"),
        (SOFTMAX | {"classes": ["a", "c"]}, ("softmax",), 1, 'number 2 is "c", but "b" in the input'),
        (SOFTMAX | {"classes": ["b", "a"]}, ("softmax",), 1, "--classes selects columns"),
        (SOFTMAX | {"classes": ["a", "b", "c"]}, ("softmax",), 1, "3 class names, but there are 2 classes"),
        (SOFTMAX | {"colour": 1}, ("softmax",), 1, "colour: is no known key"),
        (SOFTMAX | {"actcli": 9}, ("softmax",), 1, "is a policy of version 9"),
        (SOFTMAX | COOLED, ("softmax", "--temperature", "1"), 2, "holds a calibration"),
        (LABELS, ("multilabel", "--temperature", "2"), 2, "holds what was fitted without it"),
        (LABELS, ("multilabel", "--threshold", "0.5"), 2, "holds the thresholds"),
        (LABELS, ("multilabel", "--thresholds", "nowhere.csv"), 1, "nowhere.csv: no such file"),
        (SOFTMAX | {"task": "binary"}, ("binary", "--positive", "a"), 2, "--positive: 'a' is not what"),
    ],
)
def test_policies_that_do_not_fit(
    document: dict[str, Any], arguments: tuple[str, ...], code: int, message: str, actcli: Actcli, policy: Path
) -> None:
    """The input, or another option."""
    policy.write_text(json.dumps(document), encoding="utf-8")
    result = actcli(*arguments, "--policy", policy, stdin=b"a,b\n1,2\n")
    assert (result.code, result.out) == (code, b"")
    assert message in result.err


def test_a_policy_names_the_classes(actcli: Actcli, policy: Path) -> None:
    """Of an input that has no names, and agrees with options that say the same."""
    policy.write_text(json.dumps(SOFTMAX | COOLED), encoding="utf-8")
    run = ("softmax", "--policy", policy, "--columns", "label,probability", "-f", "jsonl")
    expected = [{"label": "b", "probability": pytest.approx(scipy.special.expit(1.0))}]
    assert actcli(*run, stdin=b"1,3\n").rows == expected
    assert actcli(*run, "--from", "logits", "--class-names", "a,b", stdin=b"x,y\n1,3\n").rows == expected


def test_a_temperature_of_one_changes_nothing(actcli: Actcli, policy: Path) -> None:
    """Probabilities come out as they are, bit for bit."""
    document = SOFTMAX | {"from": "probabilities", "calibration": {"method": "temperature", "temperature": 1}}
    policy.write_text(json.dumps(document), encoding="utf-8")
    stdin = b"a,b\n0.1,0.9\n"
    assert actcli("softmax", "--policy", policy, "--columns", "probabilities", stdin=stdin).text == "p_a,p_b\n0.1,0.9\n"


TRUTH = SAMPLES / "digits_truth.csv"
RENORMALIZE = ("--from", "probabilities", "--renormalize")
RAPS = ("conformal", "--policy", "p.json", "--truth", TRUTH, "--alpha", "0.1", "--score", "raps")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("calibrate",), 2, "Missing option '--policy'"),
        (("conformal",), 2, "Missing option '--policy'"),
        (("calibrate", "--policy", "p.json"), 2, "nothing says what is right"),
        (("calibrate", "--policy", "-", "--truth", TRUTH), 2, "is no file that can be read again"),
        (("calibrate", "--policy", "p.json", "--truth", TRUTH, "--seed", "1"), 2, "--seed says which rows"),
        (
            ("calibrate", "--policy", "p.json", "--truth", TRUTH, "--holdout", "1"),
            2,
            "not a number above 0 and below 1",
        ),
        (("calibrate", "--policy", "p.json", "--truth", TRUTH, "--holdout", "x"), 2, "--holdout: 'x' is not"),
        (("calibrate", "--policy", "p.json", "--truth", TRUTH, "-o", "p.json"), 2, "are the same file"),
        (("calibrate", "--policy", "p.json", "--truth", TRUTH, "-o", "p.csv"), 2, "does not say that it is JSON"),
        (("calibrate", "--policy", TRUTH, "--truth", TRUTH), 1, "is not JSON"),
        (("calibrate", "--policy", "p.json", "--truth", TRUTH, "--renormalize"), 2, "--renormalize is for"),
        (
            (*("calibrate", "--policy", "p.json", "--truth", TRUTH, "--task", "multilabel"), *RENORMALIZE),
            2,
            "--renormalize divides",
        ),
        (("calibrate", "--policy", "p.json", "--truth", TRUTH, "--positive", "one"), 2, "are for --task binary"),
        (("tune", "--policy", "p.json", "--truth", TRUTH, "--task", "softmax"), 2, "softmax has no threshold"),
        (("tune", "--policy", "p.json", "--truth", TRUTH, "--beta", "2"), 2, "--beta is for --metric fbeta"),
        (("tune", "--policy", "p.json", "--truth", TRUTH, "--metric", "fbeta", "--beta", "0"), 2, "--beta: 0"),
        (("tune", "--policy", "p.json", "--truth", TRUTH, "--metric", "f1", "--at-fpr", "0.1"), 2, "together"),
        (("tune", "--policy", "p.json", "--truth", TRUTH, "--at-recall", "nan"), 2, "--at-recall: nan"),
        (("conformal", "--policy", "p.json", "--truth", TRUTH, "--alpha", "0"), 2, "--alpha: '0' is not"),
        (("conformal", "--policy", "p.json", "--truth", TRUTH, "--alpha", "1/10"), 2, "--alpha: '1/10' is not"),
        (("conformal", "--policy", "p.json", "--truth", TRUTH, "--alpha", "0.1", "--raps-k", "1"), 2, "--score raps"),
        (
            ("calibrate", "--policy", "p.json", "--truth", TRUTH, "--holdout", "0." + "1" * 5000),
            2,
            "--holdout: has 5,002 characters, more than 1,000",
        ),
        (
            ("conformal", "--policy", "p.json", "--truth", TRUTH, "--alpha", "0." + "1" * 5000),
            2,
            "--alpha: has 5,002 characters, more than 1,000",
        ),
        (("tune", "--policy", "p.json", "--truth", TRUTH, "--metric", "fbeta", "--beta", "1e308"), 2, "up to 1e+150"),
        ((*RAPS, "--raps-lambda", "nan"), 2, "--raps-lambda: nan is not a finite number"),
        ((*RAPS, "--raps-lambda", "inf"), 2, "--raps-lambda: inf is not a finite number"),
    ],
)
def test_options_of_fits_that_are_wrong(
    arguments: tuple[str, ...], code: int, message: str, actcli: Actcli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Are refused before anything is written."""
    monkeypatch.chdir(tmp_path)
    result = actcli(arguments[0], SAMPLES / "digits_logits.csv", *arguments[1:])
    assert (result.code, result.out) == (code, b"")
    assert message in result.err
    assert not (tmp_path / "p.json").exists()


def test_a_penalty_beyond_all_measure(actcli: Actcli, policy: Path) -> None:
    """Is no fault: what is never reached penalises nothing (as with as many free ranks as there are classes)."""
    quantiles = [
        fit("conformal", "digits", actcli, policy, *RAPS[5:], *options)["conformal"]["quantile"]
        for options in (("--raps-k", "1" + 30 * "0", "--raps-lambda", "1e308"), ("--raps-k", "10"))
    ]
    assert quantiles[0] == quantiles[1]
    beyond = fit("conformal", "digits", actcli, policy, *RAPS[5:], "--raps-k", "1", "--raps-lambda", "1e308")
    assert 0 < beyond["conformal"]["quantile"] <= 1


def test_a_fit_that_fails_leaves_the_policy_alone(actcli: Actcli, policy: Path) -> None:
    """Another task, other classes, an input without rows, truth of one class only, a truth that is an input."""
    fit("calibrate", "digits", actcli, policy)
    before = policy.read_bytes()
    truth = policy.with_name("truth.csv")
    truth.write_text("label\nzero\n", encoding="utf-8")
    header = ",".join(CLASSES).encode() + b"\n"
    row = b"1,2,3,4,5,6,7,8,9,0\n"
    for arguments, stdin, code, message in (
        (("--task", "binary"), header + row, 2, "is a policy for softmax"),
        (("--from", "probabilities"), header + row, 2, "--from"),
        ((), b"a,b\n1,2\n", 1, "class names"),
        ((), header, 1, "truth.csv"),
        ((), header + row, 1, '"zero" is the true class of every row'),
    ):
        result = actcli("calibrate", "--truth", truth, "--policy", policy, *arguments, stdin=stdin)
        assert (result.code, message in result.err) == (code, True), result.err
        assert policy.read_bytes() == before
    truth.write_text("label\n", encoding="utf-8")
    result = actcli("calibrate", "--truth", truth, "--policy", policy, stdin=header)
    assert (result.code, "<stdin>: has no rows, so there is nothing to fit" in result.err) == (1, True)
    assert sorted(path.name for path in policy.parent.iterdir()) == [".stdin", "policy.json", "truth.csv"]


@pytest.mark.parametrize("first", [True, False], ids=["a new file", "a file that exists"])
@pytest.mark.parametrize("in_place", [True, False], ids=["in place", "replaced"])
def test_a_policy_that_changes_during_a_fit(
    first: bool, in_place: bool, actcli: Actcli, policy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Is left as the other program wrote it: exit 1, and no result is lost."""
    from actcli.fitting import steps

    if not first:
        fit("calibrate", "digits", actcli, policy)
    kept, other = steps.calibrate, policy.parent / "other.json"

    def interrupted(context: Any, method: Any) -> Any:
        other.write_text("another result", encoding="utf-8")
        if in_place:
            policy.write_bytes(other.read_bytes())
        else:
            other.replace(policy)
        return kept(context, method)

    monkeypatch.setattr(steps, "calibrate", interrupted)
    result = actcli("calibrate", *(DIGITS[0], "--truth", DIGITS[1]), "--policy", policy, "-q")
    assert result.code == 1
    assert result.err == (
        f"actcli: error: {policy}: has changed since it was read, and was left as it is\nhint: run the command again\n"
    )
    assert policy.read_text(encoding="utf-8") == "another result"
    assert not [path for path in policy.parent.iterdir() if path.suffix == ".tmp"]


def test_a_new_policy_where_there_are_no_hard_links(
    actcli: Actcli, policy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a FAT disk: it is written all the same."""

    def refused(*paths: object) -> None:
        raise PermissionError(1, "Operation not permitted", *paths[:1])

    monkeypatch.setattr("os.link", refused)
    fit("calibrate", "digits", actcli, policy)
    assert held(policy)["calibration"]["method"] == "temperature"
    assert [path.name for path in policy.parent.iterdir() if path.name != ".stdin"] == [policy.name]


def test_fits_at_the_same_time_lose_nothing(policy: Path) -> None:
    """Of each round, one at least succeeds, and what succeeded last is in the file."""
    steps = {"calibrate": "calibration", "conformal": "conformal"}
    for _ in range(3):
        runs = {
            name: subprocess.Popen(
                program(
                    name, SAMPLES / "digits_logits.csv", "--truth", SAMPLES / "digits_truth.csv", "--policy", policy
                ),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env=environment(),
            )
            for name in steps
        }
        errors = {name: run.communicate(timeout=60)[1].decode() for name, run in runs.items()}
        succeeded = [name for name, run in runs.items() if run.returncode == 0]
        assert succeeded
        for name in set(steps) - set(succeeded):
            assert runs[name].returncode == 1
            assert "has changed since it was read" in errors[name]
        # A calibration makes the conformal rule stale, so both are there if conformal came last.
        assert all(steps[name] in held(policy) for name in succeeded) or "removed, because" in errors["calibrate"]
        policy.unlink()


def test_a_report_that_cannot_be_written_leaves_the_policy(actcli: Actcli, policy: Path) -> None:
    """The disk is full: exit 1, so nothing was done. A reader that has seen enough is no failure."""
    fit("calibrate", "digits", actcli, policy)
    before = policy.read_bytes()
    files = (SAMPLES / "digits_logits.csv", "--truth", SAMPLES / "digits_truth.csv")
    line = program("calibrate", *files, "--policy", policy, "--method", "platt")
    with open("/dev/full", "wb") as full:
        done = subprocess.run(line, stdout=full, check=False, env=environment())
    assert (done.returncode, policy.read_bytes()) == (1, before)
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(line, stdout=write, check=False, env=environment())
    os.close(write)
    assert done.returncode == -signal.SIGPIPE
    assert held(policy)["calibration"]["method"] == "platt"


def test_a_quiet_fit_in_a_pipe_writes_the_policy_alone(actcli: Actcli, policy: Path) -> None:
    """The report is written where it was asked for, and on a terminal."""
    arguments = ("calibrate", DIGITS[0], "--truth", DIGITS[1], "--policy", str(policy), "-q")
    assert actcli(*arguments) == (0, b"", "")
    assert held(policy)["calibration"]["method"] == "temperature"
    report = json.loads(actcli(*arguments, "-f", "json").text)
    assert report["calibration"] == held(policy)["calibration"]
    assert json.loads(actcli(*arguments, "-o", "-").text) == report
    code, shown = terminal(program(*arguments))
    assert code == 0
    assert "log loss" in shown


def test_wrong_rows_can_be_left_out(actcli: Actcli, policy: Path) -> None:
    """Their truth is left out with them."""
    truth = policy.with_name("truth.csv")
    truth.write_text("a\nb\nb\na\n", encoding="utf-8")
    stdin = b"a,b\n1,0\nnan,0\n1,0.5\n0,3\n"
    result = actcli("calibrate", "--truth", truth, "--policy", policy, "--on-bad-row", "skip", stdin=stdin)
    assert result.code == 0, result.err
    assert "1 row was left out" in result.err
    assert held(policy)["fitted"]["calibration"]["truth"] == {"a": 2, "b": 1}


def test_truth_in_a_column(actcli: Actcli, policy: Path) -> None:
    """Of the input itself."""
    stdin = b"a,b,label\n1,0,a\n0,2,a\n0,1,b\n"
    result = actcli("calibrate", "--truth-column", "label", "--policy", policy, stdin=stdin)
    assert result.code == 0, result.err
    assert held(policy)["classes"] == ["a", "b"]


@pytest.mark.parametrize("width", [60, 80, 200])
@pytest.mark.parametrize(
    ("command", "sample", "more"),
    [
        ("calibrate", "digits", ["--holdout", "0.3"]),
        ("tune", "properties", ["--metric", "fbeta", "--holdout", "0.3"]),
        ("conformal", "digits", ["--alpha", "0.1"]),
        ("conformal", "properties", ["--task", "multilabel", "--alpha", "0.1"]),
    ],
)
def test_reports_on_a_terminal(command: str, sample: str, more: list[str], width: int, policy: Path) -> None:
    """Are tables that fit, in which no number is cut."""
    arguments = [*program(command), f"sample_data/{sample}_logits.csv", "--truth", f"sample_data/{sample}_truth.csv"]
    code, shown = terminal([*arguments, "--policy", str(policy), "-q", *more], width=width)
    assert code == 0
    assert "written to" in shown
    assert "…" not in shown.replace(str(policy), "")
    assert max(map(len, shown.splitlines()[:-1])) <= width


def test_a_report_in_a_file(actcli: Actcli, policy: Path) -> None:
    """As JSON by its suffix, and nothing on standard output."""
    path = policy.with_name("report.json")
    result = actcli(
        "calibrate", *(SAMPLES.parent / name for name in DIGITS[:1]), "--truth", TRUTH, "--policy", policy, "-o", path
    )
    assert (result.code, result.out) == (0, b"")
    assert json.loads(path.read_text(encoding="utf-8"))["command"] == "calibrate"


def test_a_threshold_just_below_1_holds_for_float32(actcli: Actcli, policy: Path) -> None:
    """The policy is applied in float64, in which it was fitted; scikit-learn's F1 of the written labels is 1."""
    logits = np.linspace(10, 40, 61, dtype=np.float32)[:, np.newaxis]
    right = (logits >= 30).astype(np.int64)
    for name, array in (("x", logits), ("t", right)):
        np.save(policy.with_name(f"{name}.npy"), array)
    x, truth = policy.with_name("x.npy"), policy.with_name("t.npy")
    found = actcli("tune", x, "--truth", truth, "--task", "multilabel", "--policy", policy)
    assert json.loads(found.text)["fitted_on"]["after"]["macro"]["f1"] == 1
    for more, agrees in (([], True), (["--dtype", "float32"], False)):
        result = actcli("multilabel", x, "--policy", policy, "--columns", "count", "--no-output-header", *more)
        counts = [int(line) for line in result.text.split()]
        assert (f1_score(right[:, 0], counts) == 1) == agrees
    path = policy.with_name("p.npy")
    assert actcli("multilabel", x, "--policy", policy, "-o", path).code == 0
    assert np.load(path).dtype == np.float64


@pytest.mark.parametrize("task", ["softmax", "binary", "multilabel"])
def test_isotonic_of_probabilities_is_that_of_scikit_learn(actcli: Actcli, policy: Path, task: str) -> None:
    """Exactly 0 and 1 included, and linear between probabilities, not between their logarithms."""
    generator = np.random.default_rng(4)
    known = np.repeat([0.0, 0.1, 0.25, 0.5, 0.8, 1.0], 15)
    right = (generator.random(len(known)) < 0.2 + 0.6 * known).astype(np.int64)
    new = np.array([0.0, 0.03, 0.1, 0.3, 0.6, 0.97, 1.0])
    folder = policy.parent
    for name, values in (("x", known), ("new", new)):
        table = values[:, np.newaxis] if task == "multilabel" else np.column_stack([1 - values, values])
        np.save(folder / f"{name}.npy", table)
    np.save(folder / "t.npy", right[:, np.newaxis] if task == "multilabel" else right)
    arguments: list[str | Path] = [
        "calibrate",
        folder / "x.npy",
        "--truth",
        folder / "t.npy",
        "--from",
        "probabilities",
        "--task",
        task,
    ]
    result = actcli(*arguments, "--method", "isotonic", "--policy", policy)
    assert result.code == 0, result.err
    assert actcli(task, folder / "new.npy", "--policy", policy, "-o", folder / "out.npy").code == 0
    model = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(known, right)
    expected = model.predict(new)
    if task == "softmax":
        others = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(1 - known, 1 - right).predict(1 - new)
        expected = expected / (expected + others)
    assert np.load(folder / "out.npy")[:, -1] == pytest.approx(expected, abs=1e-12)


def test_a_masked_class_stays_masked_where_a_probability_of_0_does_not(actcli: Actcli, policy: Path) -> None:
    """Only -inf is a mask: of logits and of log-probabilities."""
    logits, truth = digits()
    masked = np.where(np.arange(10) == (truth[:, np.newaxis] + 1) % 10, -np.inf, logits)
    np.save(policy.with_name("t.npy"), truth)
    for origin, table in (("logits", masked), ("log-probabilities", scipy.special.log_softmax(masked, axis=1))):
        path = policy.with_name("x.npy")
        np.save(path, table)
        policy.unlink(missing_ok=True)
        arguments: list[str | Path] = ["--from", origin, "--method", "isotonic", "--policy", policy]
        assert actcli("calibrate", path, "--truth", policy.with_name("t.npy"), *arguments).code == 0
        result = actcli("softmax", path, "--policy", policy, "-o", policy.with_name("p.npy"))
        assert result.code == 0, result.err
        found = np.load(policy.with_name("p.npy"))
        assert ((found == 0) | np.isfinite(masked)).all()
        steps = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip")
        given = scipy.special.softmax(masked, axis=1)
        expected = np.zeros_like(given)
        for column in range(10):
            kept = np.isfinite(masked[:, column])
            expected[kept, column] = steps.fit(given[kept, column], truth[kept] == column).predict(given[kept, column])
        assert found == pytest.approx(expected / expected.sum(axis=1, keepdims=True), abs=1e-9)


def test_a_calibration_that_is_worse_is_warned_about(actcli: Actcli, policy: Path) -> None:
    """On the rows held out: two rows cannot teach isotonic regression what ten are."""
    generator = np.random.default_rng(0)
    logits = generator.normal(size=(12, 2))
    np.save(policy.with_name("x.npy"), logits)
    np.save(policy.with_name("t.npy"), (logits[:, 1] - logits[:, 0] + generator.logistic(size=12) > 0).astype(int))
    arguments: list[str | Path] = [
        "calibrate",
        policy.with_name("x.npy"),
        "--truth",
        policy.with_name("t.npy"),
        "--policy",
        policy,
    ]
    result = actcli(*arguments, "--method", "isotonic", "--holdout", "0.8")
    report = json.loads(result.text)
    assert "the calibration is worse than none on the rows held out: the log loss rises" in result.err
    assert report["held_out"]["after"]["log_loss"] is None
    assert "worse" not in actcli(*arguments, "--method", "platt").err


@pytest.mark.parametrize("task", ["softmax", "multilabel"])
def test_masked_truths_are_named_as_the_cause(actcli: Actcli, policy: Path, task: str) -> None:
    """Of sets that hold every class: 3 of 40 true classes can be in no set, and alpha is 0.05."""
    logits = np.random.default_rng(0).normal(size=(40, 3))
    logits[:3, 0] = -np.inf
    codes = np.zeros(40, dtype=np.int64)
    np.save(policy.with_name("x.npy"), logits)
    np.save(policy.with_name("t.npy"), np.eye(3, dtype=np.int64)[codes] if task == "multilabel" else codes)
    arguments: list[str | Path] = [
        "conformal",
        policy.with_name("x.npy"),
        "--truth",
        policy.with_name("t.npy"),
        "--task",
        task,
    ]
    result = actcli(*arguments, "--policy", policy, "--alpha", "0.05")
    assert result.code == 0, result.err
    what = "the true class is masked (-inf) in 3 of 40 rows" if task == "softmax" else "3 of the true labels are masked"
    assert what in result.err
    assert "too few" not in result.err
    assert "(-inf)" not in actcli(*arguments, "--policy", policy, "--alpha", "0.01").err


def test_a_policy_without_names_takes_those_of_the_columns(actcli: Actcli, tmp_path: Path) -> None:
    """By position, with a note; it decides as one that was fitted with these names."""
    names = "even,prime,square,multiple of 3,above 4"
    array, table = SAMPLES / "properties_logits.npy", SAMPLES / "properties_logits.csv"
    truth = SAMPLES / "properties_truth.csv"
    bits = np.loadtxt(truth, delimiter=",", skiprows=1, usecols=range(1, 6))
    np.save(tmp_path / "truth.npy", bits)
    named, unnamed = tmp_path / "named.json", tmp_path / "unnamed.json"
    assert actcli("tune", array, "--truth", truth, "--class-names", names, "--policy", named).code == 0
    assert actcli("tune", array, "--truth", tmp_path / "truth.npy", "--policy", unnamed).code == 0
    expected = actcli("multilabel", table, "--policy", named)
    result = actcli("multilabel", table, "--policy", unnamed)
    assert result.out == expected.out
    assert "was fitted without class names; its classes take those of the columns, by position" in result.err
    assert actcli("evaluate", table, "--truth", truth, "--policy", unnamed).code == 0
    # A further step writes the names.
    options = ("--truth", truth, "--policy")
    assert actcli("calibrate", table, *options, unnamed).code == 0
    assert actcli("calibrate", table, *options, named).code == 0
    assert unnamed.read_bytes() == named.read_bytes()
    # The number of classes must fit.
    wrong = actcli("multilabel", "--policy", unnamed, stdin=b"a,b\n1,2\n")
    assert wrong.code == 1


def test_fits_of_joined_rows(actcli: Actcli, tmp_path: Path) -> None:
    """Of the rows that both have, or whose truth counts: as on a table of these rows alone."""
    scores, truth = SAMPLES / "digits_logits.csv", SAMPLES / "digits_truth.csv"
    lines, right = scores.read_text().splitlines(), truth.read_text().splitlines()
    (tmp_path / "part.csv").write_text("\n".join([lines[0], *lines[1:200]]) + "\n")
    (tmp_path / "right.csv").write_text("\n".join([right[0], *right[1:200]]) + "\n")
    ignored = [f"{line.rpartition(',')[0]},-100" for line in right[200:]]
    (tmp_path / "ignored.csv").write_text("\n".join([*right[:200], *ignored]) + "\n")
    fits = []
    for number, (table, *options) in enumerate(
        (
            (tmp_path / "part.csv", tmp_path / "right.csv"),
            (tmp_path / "part.csv", truth, "--join", "left"),
            (scores, tmp_path / "right.csv", "--join", "inner"),
            (scores, tmp_path / "ignored.csv", "--ignore-index", "-100"),
        )
    ):
        policy = tmp_path / f"{number}.json"
        for command in (("calibrate",), ("conformal",)):
            assert actcli(*command, table, "--policy", policy, "--truth", *options).code == 0
        fits.append(policy.read_text())
    assert len(set(fits)) == 1
    assert actcli("conformal", scores, "--truth", tmp_path / "ignored.csv", "--policy", policy).code == 1
