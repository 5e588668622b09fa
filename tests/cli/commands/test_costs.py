"""`--costs` and `--taxonomy` of softmax, binary, evaluate and plot."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet
import pytest
import scipy.special

from actcli import evaluate
from program import SAMPLES, Actcli, Result

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("chunk_bytes")

DIGITS = SAMPLES / "digits_logits.csv"
CANCER = ("binary", SAMPLES / "cancer_logits.csv", "--positive", "malignant", "--negative", "benign")
CANCER_TRUTH = ("--truth", SAMPLES / "cancer_truth.csv")
MISSED = b"truth,benign,malignant\nbenign,0,1\nmalignant,10,0\n"
REVIEW = b"truth,review,malignant,benign\nmalignant,1,0,10\nbenign,0.5,1,0\n"
COSTS = np.array([[0.0, 1.0, 0.5], [10.0, 0.0, 1.0]])
"""Those of `REVIEW`: rows benign and malignant, columns benign, malignant and review."""
NAMES = ("benign", "malignant", "review")

TABLE = b"id,cat,dog,ox\na,2,1,0\nb,0,0,-1\nc,-inf,5,5\nd,9,0,0\n"
PETS = b"name,parent\nanimal,\npet,animal\ncat,pet\ndog,pet\nox,animal\n"


@pytest.fixture
def costs(tmp_path: Path) -> Path:
    """Write the costs with a review."""
    path = tmp_path / "costs.csv"
    path.write_bytes(REVIEW)
    return path


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """Write a taxonomy."""
    path = tmp_path / "pets.csv"
    path.write_bytes(PETS)
    return path


def cells(result: Result) -> list[dict[str, str]]:
    """Return CSV output as rows by name."""
    return list(csv.DictReader(io.StringIO(result.text)))


def shares() -> np.ndarray[Any, Any]:
    """Return the probabilities of the cancer sample, shape (N, 2), by SciPy."""
    with (SAMPLES / "cancer_logits.csv").open(encoding="utf-8") as file:
        logits = np.array([float(row["malignant"]) for row in csv.DictReader(file)])
    return np.asarray(scipy.special.softmax(np.stack([np.zeros_like(logits), logits], axis=1), axis=1))


def test_decisions_of_the_smallest_expected_cost(actcli: Actcli, costs: Path) -> None:
    """Against NumPy: labels, indices, probabilities, expected costs, and the costs in the order of the file."""
    columns = "label,index,onehot,probability,expected_cost,costs"
    rows = actcli(*CANCER, "--costs", costs, "-f", "jsonl", "--columns", columns).rows
    p = shares()
    expected = p @ COSTS
    best = expected.argmin(axis=1)
    assert {row["label"] for row in rows} == set(NAMES)
    assert [row["label"] for row in rows] == [NAMES[code] for code in best]
    assert [row["index"] for row in rows] == np.where(best < 2, best, -1).tolist()
    assert [sum(row["onehot"].values()) for row in rows] == (best < 2).astype(int).tolist()
    np.testing.assert_allclose([row["expected_cost"] for row in rows], expected.min(axis=1), rtol=1e-9)
    assert list(rows[0]["costs"]) == ["review", "malignant", "benign"]
    np.testing.assert_allclose([[row["costs"][name] for name in NAMES] for row in rows], expected, rtol=1e-9)
    certain = np.where(best < 2, p[np.arange(len(p)), np.minimum(best, 1)], p.max(axis=1))
    np.testing.assert_allclose([row["probability"] for row in rows], certain, rtol=1e-12)


def test_default_columns(actcli: Actcli, costs: Path) -> None:
    """The expected cost joins them; `costs` is there on request."""
    assert actcli(*CANCER, "--costs", costs).text.split("\n")[0] == (
        "id,label,probability,expected_cost,p_benign,p_malignant"
    )
    header = actcli(*CANCER, "--costs", costs, "--columns", "costs").text.split("\n")[0]
    assert header == "cost_review,cost_malignant,cost_benign"
    header = actcli(*CANCER, "--costs", costs, "--abstain-below", "0.9").text.split("\n")[0]
    assert header == "id,label,probability,expected_cost,reason,p_benign,p_malignant"
    assert actcli(*CANCER, "--costs", costs, "-f", "table").text.split()[:4] == ["id", "label", "confidence", "cost"]


def test_costs_of_0_and_1_give_argmax(actcli: Actcli, tmp_path: Path) -> None:
    """On the digits, and where all classes tie."""
    names = (SAMPLES / "digits_classes.txt").read_text(encoding="utf-8").split()
    lines = [",".join(["truth", *names])]
    lines += [",".join([name, *("0" if name == other else "1" for other in names)]) for name in names]
    (tmp_path / "costs.csv").write_text("\n".join(lines), encoding="utf-8")
    options = ("--columns", "label,index,probability", "-q")
    plain = actcli("softmax", DIGITS, *options)
    assert actcli("softmax", DIGITS, *options, "--costs", tmp_path / "costs.csv").out == plain.out
    tied = (",".join(names) + "\n" + ",".join("0" * 10) + "\n").encode()
    rows = cells(actcli("softmax", *options, "--costs", tmp_path / "costs.csv", stdin=tied))
    assert [row["label"] for row in rows] == [names[0]]


def test_the_threshold_that_costs_stand_for(actcli: Actcli, tmp_path: Path) -> None:
    """A miss that costs ten times as much flips the decision at 1/11."""
    (tmp_path / "costs.csv").write_bytes(MISSED)
    stdin = b"p\n0.0909\n0.0910\n"
    options = ("--from", "probabilities", "--positive", "malignant", "--negative", "benign", "--columns", "label")
    assert actcli("binary", *options, "--costs", tmp_path / "costs.csv", stdin=stdin).text == (
        "label\nbenign\nmalignant\n"
    )


def test_a_masked_class_is_never_the_decision(actcli: Actcli, tmp_path: Path) -> None:
    """However cheap it is; a row without another decision is wrong."""
    (tmp_path / "costs.csv").write_text("truth,cat\ncat,-9\ndog,-9\nox,-9\n", encoding="utf-8")
    result = actcli("softmax", "--costs", tmp_path / "costs.csv", stdin=TABLE)
    assert result.code == 1
    assert ":4: every decision that has a cost is a masked class" in result.err
    skipped = actcli("softmax", "--costs", tmp_path / "costs.csv", "--on-bad-row", "skip", stdin=TABLE)
    assert [row["label"] for row in cells(skipped)] == ["cat"] * 3
    (tmp_path / "costs.csv").write_text("truth,cat,dog\ncat,-9,0\ndog,-9,0\nox,-9,0\n", encoding="utf-8")
    rows = cells(actcli("softmax", "--costs", tmp_path / "costs.csv", stdin=TABLE))
    assert [row["label"] for row in rows] == ["cat", "cat", "dog", "cat"]


def test_a_withheld_label(actcli: Actcli, costs: Path) -> None:
    """A decision that is no class stays: there is no label to withhold; another label is withheld as always."""
    options = (*CANCER, "--costs", costs, "--columns", "label,probability,reason")
    plain, withheld = cells(actcli(*options[:-1], "label,probability")), cells(actcli(*options, "--abstain-below", "1"))
    for before, after in zip(plain, withheld, strict=True):
        stays = before["label"] == "review" or before["probability"] == "1.0"
        assert after["label"] == (before["label"] if stays else "abstain")
        assert after["reason"] == ("ok" if stays else "below_confidence")
        assert after["probability"] == before["probability"]


FORMATS = ["csv", "tsv", "json", "jsonl", "npz", "parquet", "arrow"]


@pytest.mark.parametrize("jobs", ["1", "2"])
@pytest.mark.parametrize("name", FORMATS)
def test_every_format_has_the_same_labels(
    name: str, jobs: str, actcli: Actcli, costs: Path, pets: Path, tmp_path: Path
) -> None:
    """Costs and a taxonomy together: the roll-up begins at the class that the costs choose."""
    costs.write_text("truth,cat,dog,ox,ask\ncat,0,2,2,1\ndog,1,0,1,.1\nox,1,2,0,.8\n", encoding="utf-8")
    output = tmp_path / f"out.{name}"
    columns = "label,index,leaf,lineage,costs"
    options = ("--costs", costs, "--taxonomy", pets, "--rollup-at", "0.84", "--columns", columns, "--jobs", jobs)
    assert actcli("softmax", *options, "-o", output, stdin=TABLE).code == 0
    labels, lineages = ["pet", "pet", "ask", "cat"], [["animal", "pet"]] * 2 + [[], ["animal", "pet", "cat"]]
    leaves = ["cat", "cat", "dog", "cat"]
    match name:
        case "csv" | "tsv":
            rows = list(csv.DictReader(io.StringIO(output.read_text()), delimiter=",\t"[name == "tsv"]))
            assert [row["label"] for row in rows] == labels
            assert [row["lineage"] for row in rows] == [";".join(way) for way in lineages]
            assert [row["leaf"] for row in rows] == leaves
        case "json" | "jsonl":
            text = output.read_text()
            found = json.loads(text) if name == "json" else list(map(json.loads, text.splitlines()))
            assert [row["label"] for row in found] == labels
            assert [row["lineage"] for row in found] == lineages
            assert [row["index"] for row in found] == [-1, -1, -1, 0]
        case "npz":
            with np.load(output) as arrays:
                assert arrays["label"].tolist() == labels
                assert arrays["lineage"].tolist() == [";".join(way) for way in lineages]
                assert arrays["costs"].shape == (4, 4)
        case _:
            table = (
                pyarrow.parquet.read_table(output) if name == "parquet" else pyarrow.ipc.open_file(output).read_all()
            )
            assert table.column("label").to_pylist() == labels
            assert table.column("lineage").to_pylist() == lineages
            assert table.column("leaf").to_pylist() == leaves


def test_npy_of_costs(actcli: Actcli, costs: Path, tmp_path: Path) -> None:
    """A table of numbers, or a number a row."""
    for columns, shape in (("costs", (228, 3)), ("expected_cost", (228,)), ("onehot", (228, 2))):
        actcli(*CANCER, "--costs", costs, "--columns", columns, "-o", tmp_path / "out.npy")
        assert np.load(tmp_path / "out.npy").shape == shape


def test_a_taxonomy(actcli: Actcli, pets: Path) -> None:
    """Against probabilities of SciPy, by hand: the label is the lowest node of at least P."""
    options = ("--taxonomy", pets, "--rollup-at", "0.84", "--columns", "label,index,probability,leaf,lineage,onehot")
    rows = actcli("softmax", "-f", "jsonl", *options, stdin=TABLE).rows
    p = scipy.special.softmax([[2, 1, 0], [0, 0, -1], [-np.inf, 5, 5], [9, 0, 0]], axis=1)
    assert [row["label"] for row in rows] == ["pet", "pet", "animal", "cat"]
    assert [row["leaf"] for row in rows] == ["cat", "cat", "dog", "cat"]
    assert [row["index"] for row in rows] == [-1, -1, -1, 0]
    assert [row["lineage"] for row in rows] == [
        ["animal", "pet"],
        ["animal", "pet"],
        ["animal"],
        ["animal", "pet", "cat"],
    ]
    expected = [p[0, :2].sum(), p[1, :2].sum(), 1.0, p[3, 0]]
    np.testing.assert_allclose([row["probability"] for row in rows], expected, rtol=1e-14)
    assert [sum(row["onehot"].values()) for row in rows] == [0, 0, 0, 1]


def test_a_rolled_up_label_is_withheld_by_its_own_probability(actcli: Actcli, pets: Path) -> None:
    """Its confidence is that of the node; a withheld label has no lineage."""
    options = ("--taxonomy", pets, "--rollup-at", "0.6", "--abstain-below", "0.9", "--columns", "label,lineage,reason")
    rows = cells(actcli("softmax", *options, stdin=TABLE))
    assert [row["label"] for row in rows] == ["abstain", "abstain", "animal", "cat"]
    assert [row["lineage"] for row in rows] == ["", "", "animal", "animal;pet;cat"]


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("softmax", "--taxonomy", "PETS"), 2, "add --rollup-at P"),
        (("softmax", "--rollup-at", "0.5"), 2, "add --taxonomy FILE"),
        (("softmax", "--taxonomy", "PETS", "--rollup-at", "1.5"), 2, "--rollup-at: 1.5 is not a number from 0 to 1"),
        (("softmax", "--taxonomy", "PETS", "--rollup-at", "nan"), 2, "--rollup-at: nan is not a number"),
        (("softmax", "--taxonomy", "none.csv", "--rollup-at", "0.5"), 1, "none.csv: no such file"),
        (("softmax", "--costs", "none.csv"), 1, "none.csv: no such file"),
        (("softmax", "--costs", "COSTS"), 1, "costs.csv:2: 'malignant' is not a class"),
        (("softmax", "--columns", "costs"), 2, "--columns: costs needs --costs FILE"),
        (("softmax", "--columns", "lineage"), 2, "--columns: lineage needs --taxonomy FILE"),
        (("binary", "--classes", "cat,dog", "--columns", "leaf"), 2, "there is no column 'leaf'"),
        (("multilabel", "--costs", "COSTS"), 2, "--costs"),
        (("softmax", "--costs", "PETCOSTS", "--columns", "probabilities"), 2, "--costs changes no column"),
        (
            ("softmax", "--taxonomy", "PETS", "--rollup-at", "0.5", "--columns", "margin"),
            2,
            "--taxonomy changes no column",
        ),
        (
            ("softmax", "--costs", "PETCOSTS", "--abstain-below", "0.5", "--abstain-label", "ask"),
            2,
            "'ask' is a decision that has costs",
        ),
        (
            ("softmax", "--taxonomy", "PETS", "--rollup-at", "0.5", "--abstain-below", "0.5", "--abstain-label", "pet"),
            2,
            "'pet' is a node of the taxonomy",
        ),
        (
            ("softmax", "--costs", "NODECOSTS", "--taxonomy", "PETS", "--rollup-at", "0.5"),
            1,
            "'pet' is a decision that has costs and a node of the taxonomy",
        ),
        (("binary", "--classes", "cat,dog", "--costs", "BINARY", "--threshold", "0.5"), 2, "in place of a threshold"),
        (("binary", "--classes", "cat,dog", "--costs", "BINARY", "--threshold-op", "gt"), 2, "in place of a threshold"),
        (("softmax", "--costs", "PETCOSTS", "-o", "PETCOSTS"), 2, "is one of the inputs"),
        (("softmax", "--taxonomy", "SEMICOLON", "--rollup-at", "0.5", "--columns", "lineage"), 1, "has no line for"),
        (("softmax", "--costs", "PETCOSTS", "--costs", "PETCOSTS"), 2, "--costs: is given more than once"),
        (("evaluate", "--truth", "T", "--task", "multilabel", "--costs", "COSTS"), 2, "--costs means nothing"),
        (("softmax", "--taxonomy", "PETS", "--rollup-at", ".5", "--label-separator", "+"), 2, "--label-separator"),
    ],
)
def test_what_is_refused(
    options: tuple[str, ...], code: int, words: str, actcli: Actcli, costs: Path, pets: Path, tmp_path: Path
) -> None:
    """One line says what is wrong, and nothing is written."""
    files = {
        "COSTS": costs.read_bytes(),
        "PETS": pets.read_bytes(),
        "PETCOSTS": b"truth,cat,dog,ox,ask\ncat,0,1,1,1\ndog,1,0,1,1\nox,1,1,0,1\n",
        "NODECOSTS": b"truth,pet\ncat,0\ndog,0\nox,0\n",
        "BINARY": b"truth,cat,dog\ncat,0,1\ndog,1,0\n",
        "SEMICOLON": b"a;b,\n",
        "T": b"id,label\n",
    }
    paths = {name: tmp_path / f"{name.lower()}.csv" for name in files}
    for name, data in files.items():
        paths[name].write_bytes(data)
    result = actcli(*(paths.get(option, option) for option in options), stdin=TABLE)
    assert (result.code, result.out) == (code, b""), result
    assert words in result.err
    assert result.err.startswith("actcli: error: ")
    assert paths["PETCOSTS"].read_bytes() == files["PETCOSTS"]


# The policy


def policy(path: Path, **parts: Any) -> Path:
    """Write a policy for the pets."""
    document = {"actcli": 1, "task": "softmax", "from": "logits", "classes": ["cat", "dog", "ox"], **parts}
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


PET_COSTS = {
    "decisions": ["cat", "dog", "ox", "ask"],
    "matrix": {"cat": [0, 2, 2, 1], "dog": [1, 0, 1, 0.1], "ox": [1, 2, 0, 0.8]},
}
PET_TREE = {"parents": {"animal": None, "pet": "animal", "cat": "pet", "dog": "pet", "ox": "animal"}, "at": 0.84}


def test_a_policy_says_the_same_as_the_options(actcli: Actcli, pets: Path, tmp_path: Path) -> None:
    """To the last byte, in float64 for float32 scores too."""
    document = {name: dict(zip(PET_COSTS["decisions"], row, strict=True)) for name, row in PET_COSTS["matrix"].items()}  # type: ignore[attr-defined]
    (tmp_path / "costs.json").write_text(json.dumps(document), encoding="utf-8")
    held = policy(tmp_path / "policy.json", costs=PET_COSTS, taxonomy=PET_TREE)
    columns = ("--columns", "label,expected_cost,lineage,costs,probability")
    given = ("--costs", tmp_path / "costs.json", "--taxonomy", pets, "--rollup-at", "0.84")
    from_options = actcli("softmax", *given, *columns, stdin=TABLE)
    assert actcli("softmax", "--policy", held, *columns, stdin=TABLE).out == from_options.out
    np.save(tmp_path / "scores.npy", np.array([[2, 1, 0.1]], dtype=np.float32))
    rows = actcli("softmax", tmp_path / "scores.npy", "--policy", held, *columns, "-f", "npz", "-o", tmp_path / "o.npz")
    assert rows.code == 0
    with np.load(tmp_path / "o.npz") as arrays:
        assert arrays["expected_cost"].dtype == np.float64


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("softmax", "--costs", "COSTS"), "holds the costs"),
        (("softmax", "--taxonomy", "PETS", "--rollup-at", "0.5"), "holds the taxonomy"),
        (("softmax", "--temperature", "2"), "holds what was made without it: costs, taxonomy"),
        (("evaluate", "--truth", "T"), "holds a taxonomy, and what is evaluated are classes"),
        (("plot", "confusion", "--truth", "T"), "holds a taxonomy"),
    ],
)
def test_an_option_for_what_the_policy_holds(
    options: tuple[str, ...], words: str, actcli: Actcli, costs: Path, pets: Path, tmp_path: Path
) -> None:
    """A usage error; so is the evaluation of a taxonomy."""
    costs.write_bytes(b"truth,cat\ncat,0\ndog,0\nox,0\n")
    paths = {"COSTS": costs, "PETS": pets, "T": SAMPLES / "cancer_truth.csv"}
    held = policy(tmp_path / "policy.json", costs=PET_COSTS, taxonomy=PET_TREE)
    result = actcli(*(paths.get(option, option) for option in options), "--policy", held, stdin=TABLE)
    assert (result.code, result.out) == (2, b"")
    assert words in result.err


def test_actcli_policy_sets_both(actcli: Actcli, costs: Path, pets: Path, tmp_path: Path) -> None:
    """What it writes holds the document above; a part that changes removes a fitted abstention."""
    held = policy(tmp_path / "policy.json", abstain={"below": 0.5})
    rows = [",".join(map(str, [name, *row])) for name, row in PET_COSTS["matrix"].items()]  # type: ignore[attr-defined]
    costs.write_text("\n".join(["truth,cat,dog,ox,ask", *reversed(rows)]), encoding="utf-8")
    result = actcli("policy", held, "--costs", costs, "--taxonomy", pets, "--rollup-at", "0.84")
    assert result.code == 0
    assert "removed, because this step changes what they depend on: abstention" in result.err
    written = json.loads(held.read_text(encoding="utf-8"))
    assert (written["costs"], written["taxonomy"]) == (PET_COSTS, PET_TREE)
    assert "abstain" not in written
    assert actcli("policy", held, "--rollup-at", "0.5").code == 0
    assert json.loads(held.read_text(encoding="utf-8"))["taxonomy"] == PET_TREE | {"at": 0.5}
    shown = actcli("policy", held, "-f", "table").text
    assert "smallest expected cost of 4 decisions; no class: ask" in " ".join(shown.split())
    assert "rolls a label below 0.5 up: 2 nodes above the classes" in " ".join(shown.split())


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("--rollup-at", "0.5"), 2, "add --taxonomy FILE"),
        (("--taxonomy", "PETS"), 2, "add --rollup-at P"),
        (("--costs", "COSTS"), 1, "costs.csv:2: 'malignant' is not a class"),
        (("--costs", "NODES", "--taxonomy", "PETS", "--rollup-at", "0.5"), 2, "'pet' is a decision that has costs and"),
        (("--task", "multilabel", "--class-names", "a,b", "--costs", "COSTS"), 2, "--costs is for softmax and binary"),
        (("--task", "binary", "--class-names", "a,b", "--rollup-at", "1"), 2, "--taxonomy is for softmax"),
    ],
)
def test_what_actcli_policy_refuses(
    options: tuple[str, ...], code: int, words: str, actcli: Actcli, costs: Path, pets: Path, tmp_path: Path
) -> None:
    """Nothing is written."""
    nodes = tmp_path / "nodes.csv"
    nodes.write_bytes(b"truth,pet\ncat,0\ndog,0\nox,0\n")
    held = tmp_path / "new.json" if "--task" in options else policy(tmp_path / "policy.json")
    before = held.read_bytes() if held.exists() else None
    paths = {"COSTS": costs, "PETS": pets, "NODES": nodes}
    result = actcli("policy", held, *(paths.get(option, option) for option in options))
    assert (result.code, result.out) == (code, b"")
    assert words in result.err
    assert (held.read_bytes() if held.exists() else None) == before


def test_costs_decide_in_place_of_the_thresholds_of_a_policy(actcli: Actcli, tmp_path: Path) -> None:
    """Which it keeps. A threshold that is given beside costs is a usage error."""
    document = {"actcli": 1, "task": "binary", "from": "logits", "classes": ["benign", "malignant"]}
    document |= {"thresholds": {"malignant": 0.99}}
    held = tmp_path / "policy.json"
    held.write_text(json.dumps(document), encoding="utf-8")
    (tmp_path / "costs.csv").write_bytes(MISSED)
    assert actcli(*CANCER[:2], "--policy", held, "--costs", tmp_path / "costs.csv").code == 2
    assert actcli("policy", held, "--costs", tmp_path / "costs.csv").code == 0
    assert json.loads(held.read_text(encoding="utf-8"))["thresholds"] == {"malignant": 0.99}
    options = ("--columns", "label", "-q")
    from_policy = actcli(*CANCER[:2], "--policy", held, *options)
    assert from_policy.out == actcli(*CANCER, "--costs", tmp_path / "costs.csv", *options).out


# Evaluation


def cost_of(rows: list[dict[str, Any]]) -> float:
    """Return the mean cost of decided rows with their truth, added up one by one."""
    with (SAMPLES / "cancer_truth.csv").open(encoding="utf-8") as file:
        truth = [row["label"] for row in csv.DictReader(file)]
    each = [COSTS[NAMES.index(true), NAMES.index(row["label"])] for true, row in zip(truth, rows, strict=True)]
    return float(np.mean(each))


def test_the_mean_cost(actcli: Actcli, costs: Path, tmp_path: Path) -> None:
    """Of scores and of actcli's own output, with the confusion matrix; added up in plain Python."""
    decided = actcli(*CANCER, "--costs", costs, "-f", "jsonl")
    (tmp_path / "decided.jsonl").write_bytes(decided.out)
    expected = cost_of(decided.rows)
    options = ("evaluate", *CANCER_TRUTH, "--task", "binary", "--costs", costs)
    scores = json.loads(actcli(*options, *CANCER[1:], "--bootstrap", "50").text)
    recorded = json.loads(actcli(*options, tmp_path / "decided.jsonl").text)
    assert scores["metrics"]["mean_cost"] == pytest.approx(expected, rel=1e-12)
    matrix = np.array(scores["confusion_matrix"])
    assert scores["decisions"] == list(NAMES)
    assert (matrix * COSTS).sum() / matrix.sum() == pytest.approx(expected, rel=1e-12)
    assert matrix.sum() == scores["rows"] == 228
    assert scores["metrics"]["coverage"] == pytest.approx(matrix[:, :2].sum() / 228, rel=1e-12)
    assert scores["metrics"]["accuracy"] == pytest.approx(np.trace(matrix) / matrix[:, :2].sum(), rel=1e-12)
    low, high = scores["intervals"]["metrics"]["mean_cost"]
    assert low < expected < high
    assert recorded["metrics"] == pytest.approx(scores["metrics"], rel=1e-12)
    assert recorded["confusion_matrix"] == scores["confusion_matrix"]


def test_gates_on_the_mean_cost(actcli: Actcli, costs: Path) -> None:
    """It is better small."""
    options = ("evaluate", *CANCER[1:], *CANCER_TRUTH, "--task", "binary", "--costs", costs)
    assert actcli(*options, "--fail-over", "mean_cost=0.09").code == 0
    failed = actcli(*options, "--fail-over", "mean_cost=0.08")
    assert (failed.code, "mean_cost is 0.0833333, over the bound of 0.08" in failed.err) == (3, True)
    assert actcli(*options, "--fail-under", "mean_cost=0.08").code == 2
    assert "'mean_cost' is no metric" in actcli(*options[:-2], "--fail-over", "mean_cost=1").err


def test_the_page_and_the_table_show_the_decisions(actcli: Actcli, costs: Path, tmp_path: Path) -> None:
    """With a column for the review."""
    page = tmp_path / "page.html"
    options = (*CANCER[1:], *CANCER_TRUTH, "--task", "binary", "--costs", costs)
    shown = actcli("evaluate", *options, "-f", "table", "--report", page)
    for text in (shown.text, page.read_text(encoding="utf-8")):
        assert "mean_cost" in text
        assert "0.0833" in text
        assert "review" in text
    chart = json.loads(actcli("plot", "confusion", *options, "-f", "json").text)
    assert chart["decisions"] == list(NAMES)
    assert "review" in actcli("plot", "confusion", *options, "-f", "table").text
    assert actcli("plot", "confusion", *options, "-o", tmp_path / "confusion.svg").code == 0
    assert "review" in (tmp_path / "confusion.svg").read_text(encoding="utf-8")


def test_a_label_without_a_cost(actcli: Actcli, costs: Path, tmp_path: Path) -> None:
    """Was not decided by these costs."""
    decided = actcli(*CANCER)
    (tmp_path / "decided.csv").write_bytes(decided.out)
    costs.write_bytes(b"truth,malignant,review\nmalignant,0,1\nbenign,1,1\n")
    options = ("evaluate", tmp_path / "decided.csv", *CANCER_TRUTH, "--task", "binary", "--costs", costs)
    result = actcli(*options)
    assert result.code == 1
    assert '"benign" is no decision that has a cost' in result.err


def test_costs_in_python() -> None:
    """By the names of the classes; added up by hand."""
    document = {"0": {"0": 0.0, "1": 1.0, "ask": 0.25}, "1": {"0": 4.0, "1": 0.0, "ask": 0.25}}
    found = evaluate([[2.0, 0.0], [0.0, 0.1], [0.0, 9.0]], [0, 1, 0], costs=document)
    assert found.decisions == ("0", "1", "ask")
    assert found.confusion_matrix is not None
    assert found.confusion_matrix.tolist() == [[0, 1, 1], [0, 0, 1]]
    assert found.metrics["mean_cost"] == pytest.approx((0.25 + 0.25 + 1) / 3)
    with pytest.raises(ValueError, match="softmax and binary"):
        evaluate([[2.0, 0.0]], [[1, 0]], task="multilabel", costs=document)
