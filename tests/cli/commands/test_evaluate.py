"""`actcli evaluate`: what is read, joined and measured, what it says and how it ends."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import actcli as package
from actcli.streaming import spooled_scores
from program import SAMPLES, Actcli, process

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("chunk_bytes")

DIGITS = (SAMPLES / "digits_logits.csv", "--truth", SAMPLES / "digits_truth.csv")
PROPERTIES = (
    *(SAMPLES / "properties_logits.csv", "--truth", SAMPLES / "properties_truth.csv"),
    *("--task", "multilabel"),
)
CANCER = (
    *(SAMPLES / "cancer_logits.csv", "--truth", SAMPLES / "cancer_truth.csv", "--task", "binary"),
    *("--positive", "malignant", "--negative", "benign"),
)
TABLE = b"id,cat,dog,bird\na,3,1,0\nb,0,2,1\nc,1,0,4\n"
TRUTH = "id,label\na,cat\nb,bird\nc,bird\n"


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    """Return a file of truths for `TABLE`."""
    path = tmp_path / "truth.csv"
    path.write_text(TRUTH)
    return path


def found(result: Any) -> dict[str, Any]:
    """Return the JSON that a run has written."""
    assert result.code == 0, result.err
    return json.loads(result.out)  # type: ignore[no-any-return]


@pytest.mark.parametrize(("options", "task"), [(DIGITS, "softmax"), (PROPERTIES, "multilabel"), (CANCER, "binary")])
def test_the_samples(options: tuple[str | Path, ...], task: str, actcli: Actcli) -> None:
    """Whatever the chunks, every digit is that of the functions that can be imported, intervals too."""
    result = found(actcli("evaluate", *options, "--bootstrap", "20", "--seed", "3"))
    scores = np.loadtxt(
        options[0], delimiter=",", skiprows=1, usecols=range(1, len(result["classes"]) + (task != "binary")), ndmin=2
    )
    rows = [line.split(",")[1:] for line in (options[2]).read_text().splitlines()[1:]]  # type: ignore[union-attr]
    right: Any = np.array(rows, dtype=float) if task == "multilabel" else [row[0] for row in rows]
    expected = package.evaluate(scores, right, task=task, classes=result["classes"], bootstrap=20, seed=3)
    assert result == json.loads(json.dumps(expected.as_json()))


def test_json_keys(actcli: Actcli) -> None:
    """Are those that the README lists; intervals only where they are asked for."""
    result = found(actcli("evaluate", *DIGITS))
    keys = ["task", "rows", "classes", "metrics", "per_class", "confusion_matrix", "calibration_bins"]
    assert list(result) == keys
    assert (result["task"], result["rows"], result["metrics"]["accuracy"]) == ("softmax", 450, 428 / 450)
    assert np.sum(result["confusion_matrix"]) == 450


@pytest.mark.parametrize("format", ["csv", "tsv", "json", "jsonl", "parquet", "arrow"])
@pytest.mark.parametrize(
    ("name", "task"),
    [("softmax", DIGITS), ("multilabel", PROPERTIES), ("binary", CANCER)],
    ids=lambda value: str(value)[:10],
)
def test_what_actcli_wrote(
    name: str, task: tuple[str | Path, ...], format: str, tmp_path: Path, actcli: Actcli
) -> None:
    """Is evaluated as it is, and gives what its logits give, but for what logits know better."""
    scores, truth = (tmp_path / name for name in ("scores.csv", "truth.csv"))
    for source, part in ((task[0], scores), (task[2], truth)):
        lines = source.read_text().splitlines(keepends=True)  # type: ignore[union-attr]
        part.write_text("".join(lines[:61]))
    path = tmp_path / f"decided.{format}"
    names = task[5:] if name == "binary" else ()
    assert actcli(name, scores, *names, "-o", path, "-q").code == 0
    result = found(actcli("evaluate", path, "--truth", truth, "--task", name))
    expected = found(actcli("evaluate", scores, "--truth", truth, *task[3:]))
    coverage = result["metrics"].pop("coverage", None)
    assert coverage == (None if name == "multilabel" else 1)
    assert result["classes"] == expected["classes"]
    assert result["metrics"] == pytest.approx(expected["metrics"], rel=1e-12)
    assert result["confusion_matrix"] == expected["confusion_matrix"]


def test_recorded_labels_are_used_as_they_are(truth: Path, actcli: Actcli) -> None:
    """Whatever the probabilities beside them say; without any, the probabilities decide."""
    text = b"id,label,p_cat,p_dog,p_bird\na,dog,0.5,0.3,0.2\nb,bird,0.1,0.2,0.7\nc,bird,0.1,0.2,0.7\n"
    assert found(actcli("evaluate", "--truth", truth, stdin=text))["metrics"]["accuracy"] == 2 / 3
    bare = b"id,p_cat,p_dog,p_bird\na,0.5,0.3,0.2\nb,0.1,0.2,0.7\nc,0.1,0.2,0.7\n"
    result = found(actcli("evaluate", "--truth", truth, stdin=bare))
    assert result["classes"] == ["cat", "dog", "bird"]
    assert result["metrics"]["accuracy"] == 1
    assert "coverage" not in result["metrics"]


@pytest.mark.parametrize(
    ("text", "classes"),
    [
        (b"p_cat,p_dog\n1,2\n", ["p_cat", "p_dog"]),
        (b"label,p_value,q_value\nq_value,1,2\n", ["p_value", "q_value"]),
        (b"cat,dog\n1,2\n", ["cat", "dog"]),
    ],
)
def test_what_actcli_did_not_write(text: bytes, classes: list[str], actcli: Actcli, tmp_path: Path) -> None:
    """Holds logits; where names could mislead, --from says so."""
    (tmp_path / "t.csv").write_text("1\n")
    result = found(actcli("evaluate", "--from", "logits", "--truth", tmp_path / "t.csv", stdin=text))
    assert result["classes"] == classes
    assert result["metrics"]["accuracy"] == 1


@pytest.mark.parametrize("more", [(), ("--bootstrap", "20"), ("--bootstrap", "20", "--binning", "equal-mass")])
def test_every_label_was_withheld(more: tuple[str, ...], actcli: Actcli) -> None:
    """Then there is a coverage of 0, and nothing else is known, with or without intervals."""
    decided = actcli("softmax", DIGITS[0], "--abstain-below", "1", "--abstain-margin", "1", "-q")
    lines = [line.split(",", 2) for line in decided.text.splitlines()]
    text = "\n".join([",".join(lines[0]), *(f"{id},abstain,{rest}" for id, _, rest in lines[1:])])
    result = found(actcli("evaluate", *DIGITS[1:], *more, stdin=text.encode()))
    metrics = result["metrics"]
    assert metrics.pop("coverage") == 0
    assert set(metrics.values()) == {None}
    if more:
        assert result["intervals"]["metrics"] == dict.fromkeys(metrics) | {"coverage": [0, 0]}


def test_labels_that_were_withheld(tmp_path: Path, actcli: Actcli) -> None:
    """Count in the coverage, and nowhere else."""
    for label in ("abstain", "dunno"):
        decided = actcli(
            *("softmax", DIGITS[0], "--abstain-below", "0.5", "--columns", "id,label,reason,probabilities", "-q"),
            *("--abstain-label", label),
        )
        options = () if label == "abstain" else ("--abstain-label", label)
        result = found(actcli("evaluate", *DIGITS[1:], *options, stdin=decided.out))
        lines = decided.text.splitlines()
        kept = [line for line in lines if line.split(",")[1] != label]
        assert result["rows"] == 450
        assert result["metrics"].pop("coverage") == (len(kept) - 1) / 450
        ids = {line.split(",")[0] for line in kept}
        part = tmp_path / "part.csv"
        part.write_text(
            "".join(
                line + "\n"
                for line in (SAMPLES / "digits_truth.csv").read_text().splitlines()
                if line.split(",")[0] in ids
            )
        )
        rest = found(actcli("evaluate", "--truth", part, stdin="\n".join(kept).encode()))
        rest["metrics"].pop("coverage")
        assert result["metrics"] == pytest.approx(rest["metrics"], rel=1e-12)
        assert np.sum(result["confusion_matrix"]) == len(kept) - 1
    unknown = actcli("evaluate", *DIGITS[1:], stdin=decided.out)
    assert (unknown.code, '"dunno" is no class' in unknown.err) == (1, True)


@pytest.mark.parametrize(
    "option", [("--temperature", "2"), ("--top-k", "2"), ("--threshold", "0.3"), ("--at-least-one",)]
)
def test_what_is_decided_is_not_decided_anew(option: tuple[str, ...], actcli: Actcli) -> None:
    """Options that decide are refused for labels that stand there."""
    decided = actcli("multilabel", PROPERTIES[0], "-q").out
    result = actcli("evaluate", *PROPERTIES[1:], *option, stdin=decided)
    assert (result.code, result.out) == (2, b"")
    assert f"actcli: error: {option[0]}: the input holds the labels that were decided" in result.err


def test_the_truth_in_a_column(actcli: Actcli) -> None:
    """Of the same input, text or number, and for what actcli wrote also its label."""
    text = b"id,right,cat,dog\na,cat,2,1\nb,dog,2,1\n"
    assert found(actcli("evaluate", "--truth-column", "right", stdin=text))["metrics"]["accuracy"] == 0.5
    text = b"cat,dog,y\n2,1,0\n2,1,0\n"
    assert found(actcli("evaluate", "--truth-column", "y", stdin=text))["metrics"]["accuracy"] == 1
    text = b'{"logits": {"cat": 1, "dog": 0}, "tags": ["cat"]}\n{"logits": {"cat": 1, "dog": -1}, "tags": []}\n'
    result = found(actcli("evaluate", "--truth-column", "tags", "--task", "multilabel", stdin=text))
    assert result["metrics"]["precision_micro"] == 1 / 3
    text = b"label,p_cat,p_dog\ncat,0.9,0.1\ndog,0.8,0.2\n"
    assert found(actcli("evaluate", "--truth-column", "label", stdin=text))["metrics"]["accuracy"] == 0.5
    npy = actcli("evaluate", SAMPLES / "digits_logits.npy", "--truth-column", "y")
    assert (npy.code, "--truth-column does not apply to" in npy.err) == (2, True)


def test_arrays(actcli: Actcli, tmp_path: Path) -> None:
    """NPY, joined by position, with a note; class names from a file make the truth's names known."""
    result = actcli(
        *("evaluate", SAMPLES / "digits_logits.npy", "--class-names", SAMPLES / "digits_classes.txt"),
        *("--truth", SAMPLES / "digits_truth.csv"),
    )
    assert found(result)["metrics"]["accuracy"] == 428 / 450
    assert "note: " in result.err
    assert "is joined by position" in result.err
    codes = np.array(
        [
            found(result)["classes"].index(row.split(",")[1])
            for row in (SAMPLES / "digits_truth.csv").read_text().splitlines()[1:]
        ]
    )
    np.save(tmp_path / "truth.npy", codes)
    plain = actcli("evaluate", SAMPLES / "digits_logits.npy", "--truth", tmp_path / "truth.npy", "-q")
    assert found(plain)["metrics"] == found(result)["metrics"]
    assert plain.err == ""


def test_what_ranks_goes_to_a_file(actcli: Actcli, monkeypatch: pytest.MonkeyPatch) -> None:
    """When it does not fit into memory, and the numbers stay the same."""
    expected = found(actcli("evaluate", *DIGITS))
    monkeypatch.setattr(spooled_scores, "MEMORY_BYTES", 20_000)
    monkeypatch.setattr(spooled_scores, "_BLOCK_BYTES", 8_000)
    assert found(actcli("evaluate", *DIGITS)) == expected


def test_rows_that_are_left_out(truth: Path, actcli: Actcli) -> None:
    """Have no truth to be measured against."""
    text = TABLE.replace(b"b,0,2,1", b"b,0,x,1")
    assert actcli("evaluate", "--truth", truth, stdin=text).code == 1
    result = actcli("evaluate", "--truth", truth, "--on-bad-row", "skip", stdin=text)
    assert found(result)["metrics"]["accuracy"] == 1
    assert found(result)["rows"] == 2
    none = actcli(
        "evaluate", "--truth", truth, "--on-bad-row", "skip", stdin=b"id,cat,dog,bird\na,x,1,1\nb,x,1,1\nc,x,1,1\n"
    )
    assert none.code == 1


@pytest.mark.parametrize(
    ("truth_text", "message", "hint"),
    [
        ("id,label\na,cat\nb,bird\n", '<stdin>:4: "id" is "c", which is not in', None),
        ("id,label\na,cat\nb,bird\nc,bird\nd,cat\n", '1 of its 4 rows is not in the input, by "id": "d"', None),
        ("id,label\na,cat\nb,bird\nc,bird\nc,cat\n", '"id" is "c" twice, in rows 3 and 4', None),
        ("id,label\na,cat\nb,bird\n\nc,bird\n", "truth.csv:4: is a blank line", None),
        ("cat\nbird\nfish\n", 'truth.csv:3: "fish" is no class', 'there is "cat", "dog", "bird"'),
        ("cat\nbird\nDOG\n", 'truth.csv:3: "DOG" is no class', 'upper and lower case count: there is "dog"'),
        ("1\n3\n2\n", "truth.csv:2: the index 3 is out of range", "if these count from 1"),
        ("cat\nbird\n", "has 2 rows, but the input has", None),
    ],
)
def test_bad_truth(truth_text: str, message: str, hint: str | None, truth: Path, actcli: Actcli) -> None:
    """Is one line that says where and what, and exit code 1."""
    truth.write_text(truth_text)
    result = actcli("evaluate", "--truth", truth, stdin=TABLE)
    assert (result.code, result.out) == (1, b"")
    first, *rest = result.err.splitlines()
    assert first.startswith("actcli: error: ")
    assert message in first
    assert hint is None or hint in rest[0]


def test_names_that_a_question_of_yes_or_no_does_not_know(truth: Path, actcli: Actcli) -> None:
    """Can be given: the error says how, unless they are known."""
    truth.write_text("spam\nham\n")
    unknown = actcli("evaluate", "--truth", truth, "--task", "binary", stdin=b"x\n1\n-1\n")
    assert (unknown.code, "--positive and --negative name them" in unknown.err) == (1, True)
    names = ("--positive", "spam", "--negative", "ham")
    assert actcli("evaluate", "--truth", truth, "--task", "binary", *names, stdin=b"x\n1\n-1\n").code == 0
    truth.write_text("spam\nfish\n")
    unknown = actcli("evaluate", "--truth", truth, "--task", "binary", *names, stdin=b"x\n1\n-1\n")
    assert (unknown.code, "--positive" in unknown.err) == (1, False)


def test_the_same_class_in_every_row(truth: Path, actcli: Actcli) -> None:
    """Is said, and what compares classes is undefined."""
    truth.write_text("cat\ncat\ncat\n")
    result = actcli("evaluate", "--truth", truth, stdin=TABLE)
    assert 'actcli: warning: the truth is "cat" in every row' in result.err
    assert found(result)["metrics"]["roc_auc_ovr_macro"] is None
    assert found(result)["per_class"]["dog"]["recall"] is None


@pytest.mark.parametrize("text", [b"id,cat,dog\n", b""])
def test_no_rows(text: bytes, tmp_path: Path, actcli: Actcli) -> None:
    """Are an error."""
    (tmp_path / "truth.csv").write_text("id,label\n")
    result = actcli("evaluate", "--truth", tmp_path / "truth.csv", stdin=text)
    assert (result.code, result.out) == (1, b"")


@pytest.mark.parametrize(
    ("checks", "code", "said"),
    [
        (("--fail-under", "accuracy=0.6"), 0, ""),
        (("--fail-under", "accuracy=0.6666666666666666"), 0, ""),
        (("--fail-under", "accuracy=0.7"), 3, "accuracy is 0.666667, under the bound of 0.7"),
        (("--fail-over", "log_loss=0.1"), 3, "log_loss is 0."),
        (("--fail-over", "ece=0.9"), 0, ""),
        (("--fail-under", "recall[bird]=0.6"), 3, "recall[bird] is 0.5, under the bound of 0.6"),
        (("--fail-under", "precision[bird]=1"), 0, ""),
        (("--fail-under", "recall[dog]=0"), 3, "recall[dog] is undefined"),
        (("--fail-under", "accuracy=0.7", "--fail-over", "log_loss=0.1"), 3, "; log_loss is"),
    ],
)
def test_bounds(checks: tuple[str, ...], code: int, said: str, truth: Path, actcli: Actcli) -> None:
    """Exit code 3 where one is passed, or there is nothing to compare with; the result is written all the same."""
    result = actcli("evaluate", "--truth", truth, *checks, "-q", stdin=TABLE)
    assert result.code == code
    assert json.loads(result.out)["metrics"]["accuracy"] == 2 / 3
    assert said in result.err
    assert result.err.startswith("actcli: error: ") is (code == 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "nothing says what is right"),
        (("--truth", "-"), "standard input can be read only once"),
        (("--fail-under", "accuracy"), "'accuracy' is not NAME=VALUE"),
        (("--fail-under", "accuracy=high"), "is not NAME=VALUE"),
        (("--fail-under", "accuracy=nan"), "is not NAME=VALUE"),
        (("--fail-under", "acuracy=0.5"), "'acuracy' is no metric of softmax"),
        (("--fail-under", "support[cat]=x"), "is not NAME=VALUE"),
        (("--fail-under", "f1[fish]=0.5"), "'fish' is no class"),
        (("--fail-under", "mcc[cat]=0.5"), "'mcc' is no metric of a class"),
        (("--fail-under", "log_loss=0.5"), "log_loss is better small"),
        (("--fail-over", "accuracy=0.5"), "accuracy is better large"),
        (("--fail-under", "roc_auc_ovr_macro=0.5", "--no-ranking"), "'roc_auc_ovr_macro' is no metric of softmax"),
        (("--fail-under", "top_k_accuracy=0.5"), "'top_k_accuracy' is no metric of softmax"),
        (("--threshold", "0.5"), "--threshold means nothing to softmax"),
        (("--positive", "cat"), "--positive means nothing to softmax"),
        (("--task", "multilabel", "--negative", "cat"), "--negative means nothing to multilabel"),
        (("--task", "binary", "--top-k", "1"), "--top-k means nothing to binary"),
        (("--task", "multilabel", "--threshold", "fish=0.5"), "'fish' is not a class"),
        (("--abstain-label", "x"), "--abstain-label is for labels that actcli wrote"),
        (("--format", "csv"), "'csv' is not one of"),
        (("-o", "x.csv"), "its suffix does not say that it is JSON"),
        (("--rows", "3"), "--rows is for the table"),
        (("--bins", "0"), "--bins"),
        (("--seed", "1"), "--seed is for the random numbers of --bootstrap"),
        (("--renormalize",), "--renormalize is for probabilities"),
        (("--task", "regression"), "regression"),
    ],
)
def test_usage(options: tuple[str, ...], message: str, truth: Path, actcli: Actcli) -> None:
    """What does not fit is a usage error, and nothing is written."""
    given: tuple[str | Path, ...] = options
    if options and "--truth" not in options:
        given = ("--truth", truth, *options)
    result = actcli("evaluate", *given, stdin=TABLE)
    assert (result.code, result.out) == (2, b"")
    assert message in result.err


def test_files(truth: Path, tmp_path: Path, actcli: Actcli) -> None:
    """-o writes JSON, compressed by its suffix, and refuses its inputs; a table goes there when it is asked for."""
    path = tmp_path / "result.json"
    assert actcli("evaluate", "--truth", truth, "-o", path, stdin=TABLE).out == b""
    packed = tmp_path / "result.json.gz"
    actcli("evaluate", "--truth", truth, "-o", packed, stdin=TABLE)
    assert gzip.decompress(packed.read_bytes()) == path.read_bytes()
    assert actcli("evaluate", "--truth", truth, "-o", path, "--no-clobber", stdin=TABLE).code == 1
    text = tmp_path / "report.txt"
    assert actcli("evaluate", "--truth", truth, "-o", text, "-f", "table", stdin=TABLE).code == 0
    assert "accuracy" in text.read_text()
    again = tmp_path / "truth.json"
    again.write_text('[{"id": "a", "label": "cat"}, {"id": "b", "label": "dog"}, {"id": "c", "label": "dog"}]')
    refused = actcli("evaluate", "--truth", again, "-o", again, stdin=TABLE)
    assert (refused.code, "is one of the inputs" in refused.err) == (2, True)


def test_multilabel_thresholds(actcli: Actcli, tmp_path: Path) -> None:
    """Are those of the command."""
    (tmp_path / "t.csv").write_text("cat,dog\n1,0\n1,1\n")
    given = ("evaluate", "--truth", tmp_path / "t.csv", "--task", "multilabel", "--from", "probabilities")
    text = b"cat,dog\n0.3,0.4\n0.5,0.45\n"
    for options, exact in (
        ((), 0),
        (("--threshold", "0.4"), 0.5),
        (("--threshold", "cat=0.3", "--threshold", "dog=0.45"), 1),
        (("--threshold", "cat=0.3", "--threshold", "dog=0.45", "--threshold-op", "gt"), 0),
        (("--threshold", "0.3", "--top-k", "1"), 0),
        (("--threshold", "0.9", "--at-least-one"), 0),
    ):
        assert found(actcli(*given, *options, stdin=text))["metrics"]["subset_accuracy"] == exact


def test_a_policy(tmp_path: Path, actcli: Actcli) -> None:
    """Says the task, the temperature and the thresholds; an option for what it holds is refused."""
    path = tmp_path / "policy.json"
    policy = {
        "actcli": 1,
        "task": "multilabel",
        "from": "logits",
        "classes": ["even", "prime", "square", "multiple of 3", "above 4"],
        "calibration": {"method": "temperature", "temperature": 2.0},
        "thresholds": {"even": 0.3, "prime": 0.3, "square": 0.3, "multiple of 3": 0.3, "above 4": 0.3},
    }
    path.write_text(json.dumps(policy))
    by_policy = found(actcli("evaluate", *PROPERTIES[:3], "--policy", path))
    assert by_policy == found(actcli("evaluate", *PROPERTIES, "--temperature", "2", "--threshold", "0.3"))
    for options in (("--temperature", "2"), ("--threshold", "0.3"), ("--task", "softmax")):
        assert actcli("evaluate", *PROPERTIES[:3], "--policy", path, *options).code == 2


def test_sets_may_be_joined_otherwise(tmp_path: Path, actcli: Actcli) -> None:
    """In the truth and in what actcli wrote; where there are no sets, the option is refused."""
    truth = tmp_path / "truth.csv"
    truth.write_text("labels\ncat;dog\ndog\n", encoding="utf-8")
    scores = b"cat,dog\n2,1\n-3,4\n"
    written = actcli("multilabel", "--label-separator", ";", stdin=scores).out
    options = ("--truth", truth, "--label-separator", ";", "-q", "-f", "json")
    for stdin in (scores, written):
        result = actcli("evaluate", "--task", "multilabel", *options, stdin=stdin)
        assert result.code == 0, result.err
        assert json.loads(result.text)["metrics"]["subset_accuracy"] == 1
    refused = actcli("evaluate", *options, stdin=scores)
    assert refused.code == 2
    assert "--label-separator means nothing to softmax" in refused.err


def test_log_probabilities_that_actcli_wrote(tmp_path: Path, actcli: Actcli) -> None:
    """Are evaluated as the probabilities are, with their recorded labels."""
    (tmp_path / "truth.csv").write_text("id,label\na,cat\nb,dog\nc,cat\n")
    found = []
    for column in ("probabilities", "log_probabilities"):
        written = actcli("softmax", "--columns", f"id,label,{column}", stdin=TABLE)
        result = actcli("evaluate", "-", "--truth", tmp_path / "truth.csv", stdin=written.out)
        assert result.code == 0
        found.append(json.loads(result.out)["metrics"])
    assert found[1] == {name: pytest.approx(value, rel=1e-12) for name, value in found[0].items()}


def test_one_column(truth: Path, actcli: Actcli) -> None:
    """The hint is an option of this command."""
    result = actcli("evaluate", "--truth", truth, stdin=b"id,x\na,1\nb,2\nc,3\n")
    assert (result.code, "hint: a single class takes the sigmoid: --task binary" in result.err) == (1, True)


@pytest.mark.parametrize("names", [("-", "/dev/stdin"), ("/dev/stdin", "-"), ("/dev/stdin", "/dev/stdin")])
def test_a_pipe_is_read_once(names: tuple[str, str]) -> None:
    """Under two names, each reader would get a part of it."""
    result = process("evaluate", names[0], "--truth", names[1], stdin=TABLE)
    assert (result.code, "are the same pipe" in result.err) == (2, True)


def test_numbers_as_names_in_csv_and_npy(tmp_path: Path, actcli: Actcli) -> None:
    """With --positive 0 the truth 0 is the class "0" in every format; the accuracy is counted with NumPy."""
    scores = np.random.default_rng(0).normal(size=(40, 2))
    right = (scores[:, 1] + scores[::-1, 0] > 0).astype(np.int64)
    np.save(tmp_path / "scores.npy", scores)
    np.save(tmp_path / "truth.npy", right)
    np.savetxt(tmp_path / "truth.csv", right, fmt="%d")
    for suffix in ("npy", "csv"):
        options = ("--truth", tmp_path / f"truth.{suffix}", "--task", "binary", "--positive", "0", "-q")
        result = found(actcli("evaluate", tmp_path / "scores.npy", *options))
        assert result["metrics"]["accuracy"] == (scores.argmax(axis=1) == right).mean()
