"""`actcli multilabel`: thresholds and sets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
import scipy.special

from program import SAMPLES, Actcli

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("chunk_bytes")

TABLE = b"id,cat,dog,bird\na,2,1,0\nb,-1,-3,-2\nc,-inf,5,-5\n"
HALVES = b"cat,dog,bird\n0.3,0.5,0.7\n"
PROBABILITIES = ("--from", "probabilities", "--columns", "labels", "--no-output-header")


def test_the_worked_example(actcli: Actcli) -> None:
    """Classes 3, 4, 5, 7, 8 and 10, counted from 1: the threshold is inclusive, and 0.81 counts."""
    names = ",".join(map(str, range(1, 11)))
    result = actcli(
        "multilabel", SAMPLES / "article_multilabel.csv", *PROBABILITIES, "--threshold", "0.3", "--class-names", names
    )
    assert result.text == "3|4|5|7|8|10\n"


def test_default_columns(actcli: Actcli) -> None:
    """Carried columns, the set, a probability for each class (SciPy); a row without a label stays."""
    rows = actcli("multilabel", "-f", "jsonl", stdin=TABLE).rows
    assert [list(row) for row in rows] == [["id", "labels", "probabilities"]] * 3
    assert [row["labels"] for row in rows] == [["cat", "dog", "bird"], [], ["dog"]]
    exact = scipy.special.expit([[2, 1, 0], [-1, -3, -2], [-np.inf, 5, -5]])
    np.testing.assert_allclose([list(row["probabilities"].values()) for row in rows], exact, rtol=1e-15)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("options", "labels"),
    [
        ((), "dog|bird"),
        (("--threshold", "0.3"), "cat|dog|bird"),
        (("--threshold", "0.3", "--threshold-op", "gt"), "dog|bird"),
        (("--threshold", "0.3000001"), "dog|bird"),
        (("--threshold", "0.6", "--threshold", "cat=0.2"), "cat|bird"),
        (("--threshold", "0.9", "--at-least-one"), "bird"),
        (("--threshold", "0.9"), ""),
        (("--threshold", "0", "-k", "2"), "dog|bird"),
        (("--threshold", "0", "-k", "1"), "bird"),
        (("--threshold", "1"), ""),
    ],
)
def test_thresholds(dtype: str, options: tuple[str, ...], labels: str, actcli: Actcli) -> None:
    """Reached is >=, in the precision of the computation; labels stay in class order."""
    result = actcli("multilabel", *PROBABILITIES, "--dtype", dtype, *options, stdin=HALVES)
    assert result.text == (labels or '""') + "\n"


@pytest.mark.parametrize(
    "text",
    [
        '{"cat": 0.2, "bird": 0.8}',
        "name,threshold\ncat,0.2\nbird,0.8\n",
        "cat,0.2\nbird,0.8",
        '"cat",0.2\r\nbird,0.8\r\n',
    ],
)
def test_thresholds_from_a_file(text: str, tmp_path: Path, actcli: Actcli) -> None:
    """JSON or CSV; a class that it does not name has the threshold of all, and the command line wins."""
    path = tmp_path / "thresholds"
    path.write_text(text, newline="")
    run = ("multilabel", *PROBABILITIES, "--thresholds", path)
    assert actcli(*run, stdin=HALVES).text == "cat|dog\n"
    assert actcli(*run, "--threshold", "0.6", stdin=HALVES).text == "cat\n"
    assert actcli(*run, "--threshold", "cat=0.31", stdin=HALVES).text == "dog\n"


def test_a_file_of_thresholds_that_leaves_classes_out(tmp_path: Path, actcli: Actcli) -> None:
    """Is noted, with what the others take; a file without thresholds is an error."""
    path = tmp_path / "thresholds"
    path.write_text('{"cat": 0.2}')
    result = actcli("multilabel", "--thresholds", path, "--threshold", "0.4", stdin=b"cat,dog,fox\n1,2,3\n")
    assert result.code == 0
    assert "names no threshold for 2 of 3 classes; they take 0.4\n" in result.err
    path.write_text("")
    result = actcli("multilabel", "--thresholds", path, stdin=TABLE)
    assert (result.code, result.out) == (1, b"")
    assert "holds no thresholds" in result.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--threshold", "nan"), "'nan' is not a number from 0 to 1"),
        (("--threshold", "1.1"), "'1.1' is not a number from 0 to 1"),
        (("--threshold", "-0.1"), "'-0.1' is not a number from 0 to 1"),
        (("--threshold", "high"), "'high' is not a number from 0 to 1"),
        (("--threshold", "cat=inf"), "'inf' is not a number from 0 to 1"),
        (("--threshold", "fish=0.3"), "--threshold: 'fish' is not a class"),
        (("--threshold", "0.3", "--threshold", "0.4"), "two for all classes"),
        (("--threshold", "cat=0.3", "--threshold", "cat=0.4"), "two for 'cat'"),
    ],
)
def test_thresholds_that_are_none(options: tuple[str, ...], message: str, actcli: Actcli) -> None:
    """Are usage errors."""
    result = actcli("multilabel", *options, stdin=TABLE)
    assert (result.code, result.out) == (2, b"")
    assert message in result.err


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('{"fish": 0.3}', 2),
        ('{"cat": 2}', 2),
        ('{"cat": "a"}', 2),
        ("cat,0.3,1\n", 1),
        ("cat,0.3\ncat,0.4\n", 1),
        ("{", 1),
    ],
)
def test_threshold_files_that_are_none(text: str, code: int, tmp_path: Path, actcli: Actcli) -> None:
    """Unknown classes and wrong values are usage errors; a file that cannot be read as one is a data error."""
    path = tmp_path / "thresholds"
    path.write_text(text)
    assert actcli("multilabel", "--thresholds", path, stdin=TABLE).code == code


def test_a_masked_class_is_never_a_label(actcli: Actcli) -> None:
    """Not with a threshold of 0, and not as the one that every row must have."""
    run = ("multilabel", "--columns", "labels", "--no-output-header")
    assert actcli(*run, "--threshold", "0", stdin=b"cat,dog\n-inf,1\n").text == "dog\n"
    assert actcli(*run, "--at-least-one", stdin=b"cat,dog\n-inf,-inf\n-inf,-9\n").text == '""\ndog\n'


def test_a_probability_of_zero_is_no_mask(actcli: Actcli) -> None:
    """It reaches a threshold of 0."""
    assert actcli("multilabel", *PROBABILITIES, "--threshold", "0", stdin=b"cat,dog\n0,1\n").text == "cat|dog\n"


def test_sets_in_every_form(actcli: Actcli) -> None:
    """Names, indices, how many, and 0 or 1 for each class."""
    columns = ("--columns", "labels,indices,count,multihot")
    assert actcli("multilabel", *columns, stdin=TABLE).text == (
        "labels,indices,count,is_cat,is_dog,is_bird\ncat|dog|bird,0|1|2,3,1,1,1\n,,0,0,0,0\ndog,1,1,0,1,0\n"
    )
    rows = actcli("multilabel", *columns, "-f", "json", stdin=TABLE)
    assert json.loads(rows.out)[2] == {
        "labels": ["dog"],
        "indices": [1],
        "count": 1,
        "multihot": {"cat": 0, "dog": 1, "bird": 0},
    }
    separated = actcli("multilabel", "--columns", "labels", "--label-separator", ", ", stdin=TABLE)
    assert separated.text == 'labels\n"cat, dog, bird"\n""\ndog\n'


def test_logits_and_logarithms_from_probabilities(actcli: Actcli) -> None:
    """The logit and the logarithm of each probability (SciPy)."""
    run = ("multilabel", "--from", "probabilities", "--columns", "logits,log_probabilities", "-f", "jsonl")
    rows = actcli(*run, stdin=HALVES).rows
    np.testing.assert_allclose(list(rows[0]["logits"].values()), scipy.special.logit([0.3, 0.5, 0.7]), atol=1e-15)
    np.testing.assert_allclose(list(rows[0]["log_probabilities"].values()), np.log([0.3, 0.5, 0.7]), rtol=1e-15)


def test_temperature_of_probabilities(actcli: Actcli) -> None:
    """Divides their logits (SciPy)."""
    run = ("multilabel", "--from", "probabilities", "--temperature", "2", "-f", "jsonl")
    found = list(actcli(*run, stdin=HALVES).rows[0]["probabilities"].values())
    exact = scipy.special.expit(scipy.special.logit([0.3, 0.5, 0.7]) / 2)
    np.testing.assert_allclose(found, exact, rtol=1e-14)


def test_small_probabilities_keep_their_precision(actcli: Actcli) -> None:
    """Through a file of text too (SciPy)."""
    row = actcli("multilabel", "--columns", "probabilities", stdin=b"a,b\n-700,-40\n").text.splitlines()[1]
    np.testing.assert_allclose([float(cell) for cell in row.split(",")], scipy.special.expit([-700, -40]), rtol=1e-15)


def test_logits_that_look_like_probabilities(actcli: Actcli) -> None:
    """When every value is one."""
    assert "--from probabilities" in actcli("multilabel", stdin=b"cat,dog\n0.3,0.9\n1,0\n").err
    assert "--from probabilities" not in actcli("multilabel", stdin=b"cat,dog\n0.3,0.9\n1.1,0\n").err


def test_a_single_class(actcli: Actcli) -> None:
    """Is fine."""
    assert actcli("multilabel", "--columns", "labels", stdin=b"cat\n1.5\n-1\n").text == 'labels\ncat\n""\n'


@pytest.mark.parametrize("format", ["csv", "tsv", "npz"])
def test_a_class_name_that_holds_the_separator(format: str, tmp_path: Path, actcli: Actcli) -> None:
    """Is an error where sets are written as text; another separator helps, and lists need none."""
    table, path = b"id,a|b,c\n1,1,2\n", tmp_path / f"out.{format}"
    options = ("multilabel", "--columns", "labels", "-o", path)
    result = actcli(*options, stdin=table)
    assert (result.code, 'the class name "a|b" contains "|"' in result.err) == (2, True)
    assert "--label-separator" in result.err
    assert not path.exists()
    assert actcli(*options, "--label-separator", ";", stdin=table).code == 0
    assert actcli("multilabel", "-f", "json", stdin=table).code == 0
    assert actcli("multilabel", "--columns", "probabilities", stdin=table).code == 0


def test_a_policy_without_names_takes_names(tmp_path: Path, actcli: Actcli) -> None:
    """In the order of its classes, thresholds too."""
    policy = tmp_path / "policy.json"
    thresholds = {"0": 0.9, "1": 0.1}
    policy.write_text(
        json.dumps(
            {"actcli": 1, "task": "multilabel", "from": "logits", "classes": ["0", "1"], "thresholds": thresholds}
        )
    )
    np.save(tmp_path / "x.npy", np.zeros((1, 2)))
    result = actcli("multilabel", tmp_path / "x.npy", "--policy", policy, "--class-names", "a,b")
    assert (result.code, result.out) == (0, b"labels,p_a,p_b\nb,0.5,0.5\n")
    assert actcli("multilabel", tmp_path / "x.npy", "--policy", policy, "--class-names", "a,b,c").code == 2


def test_logits_with_a_policy_for_probabilities(tmp_path: Path, actcli: Actcli) -> None:
    """The hint names the policy, not an option that nobody gave."""
    policy = tmp_path / "policy.json"
    policy.write_text('{"actcli": 1, "task": "multilabel", "from": "probabilities", "classes": ["a", "b"]}')
    result = actcli("multilabel", "--policy", policy, stdin=b"a,b\n1,5\n")
    assert (result.code, "policy.json is for probabilities" in result.err) == (1, True)
    assert "--from" not in result.err
