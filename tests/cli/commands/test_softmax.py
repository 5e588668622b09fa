"""`actcli softmax`: what each option does to the decisions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import mpmath
import numpy as np
import pytest
import scipy.special

from program import SAMPLES, Actcli

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("chunk_bytes")

TABLE = b"id,cat,dog,bird\na,2,1,0\nb,0,0,-1\nc,-inf,5,5\n"
PROBABILITIES = b"cat,dog\n0.3,0.7\n0.5,0.5\n"


def test_the_worked_example(actcli: Actcli) -> None:
    """softmax([-20, 10, 30]), as the article that started this project prints it."""
    result = actcli("softmax", SAMPLES / "article_softmax.csv", "--precision", "5", "--columns", "probabilities")
    assert result.text == "p_0,p_1,p_2\n1.9287e-22,2.0612e-9,1.0\n"


def test_default_columns(actcli: Actcli) -> None:
    """Carried columns, label, confidence, a probability for each class (SciPy)."""
    rows = actcli("softmax", "-f", "jsonl", stdin=TABLE).rows
    assert [list(row) for row in rows] == [["id", "label", "probability", "probabilities"]] * 3
    assert [row["label"] for row in rows] == ["cat", "cat", "dog"]
    exact = scipy.special.softmax([[2, 1, 0], [0, 0, -1], [-np.inf, 5, 5]], axis=1)
    np.testing.assert_allclose([list(row["probabilities"].values()) for row in rows], exact, rtol=1e-15)
    np.testing.assert_allclose([row["probability"] for row in rows], exact.max(axis=1), rtol=1e-15)


def test_confidence_is_the_probability_of_the_label_to_the_last_bit(actcli: Actcli) -> None:
    """Whether the probabilities are written too or not."""
    path = SAMPLES / "digits_logits.npy"
    both = actcli("softmax", path, "-f", "jsonl").rows
    alone = actcli("softmax", path, "-f", "jsonl", "--columns", "probability").rows
    assert [row["probability"] for row in both] == [max(row["probabilities"].values()) for row in both]
    assert [row["probability"] for row in both] == [row["probability"] for row in alone]


def test_the_same_answer_from_csv_npy_and_several_files(actcli: Actcli) -> None:
    """Under the same dtype."""
    options = ("--dtype", "float32", "--columns", "label,probability,probabilities", "-q")
    names = ("--class-names", SAMPLES / "digits_classes.txt")
    from_csv = actcli("softmax", SAMPLES / "digits_logits.csv", *options)
    from_npy = actcli("softmax", SAMPLES / "digits_logits.npy", *options, *names)
    assert from_csv.out == from_npy.out
    piped = actcli("softmax", *options, *names, stdin=(SAMPLES / "digits_logits.npy").read_bytes())
    assert piped.out == from_npy.out
    twice = actcli("softmax", SAMPLES / "digits_logits.csv", SAMPLES / "digits_logits.csv", *options)
    header, rows = from_csv.text.split("\n", 1)
    assert twice.text == header + "\n" + rows + rows


def test_top_k(actcli: Actcli) -> None:
    """Best first, ties by lowest index, masked classes never."""
    result = actcli("softmax", "-k", "9", "--precision", "3", stdin=TABLE)
    assert result.text == (
        "id,label_1,probability_1,label_2,probability_2,label_3,probability_3\n"
        "a,cat,0.665,dog,0.245,bird,0.09\n"
        "b,cat,0.422,dog,0.422,bird,0.155\n"
        "c,dog,0.5,bird,0.5,,\n"
    )
    ranked = actcli("softmax", "-k", "3", "-f", "jsonl", "--columns", "top_k", stdin=TABLE).rows
    assert [[entry["label"] for entry in row["top_k"]] for row in ranked] == [
        ["cat", "dog", "bird"],
        ["cat", "dog", "bird"],
        ["dog", "bird"],
    ]


def test_temperature(actcli: Actcli) -> None:
    """Divides the logits, after the maximum is subtracted (SciPy)."""
    rows = actcli("softmax", "--temperature", "0.5", "-f", "jsonl", stdin=b"cat,dog\n1,2\n1.7e308,1.6e308\n").rows
    np.testing.assert_allclose(list(rows[0]["probabilities"].values()), scipy.special.softmax([2, 4]), rtol=1e-15)
    assert rows[1]["probabilities"] == {"cat": 1, "dog": 0}


def test_abstaining(actcli: Actcli) -> None:
    """The label goes, its probability stays; the index is -1 and the one-hot row empty."""
    columns = "label,index,probability,onehot,reason"
    result = actcli(
        "softmax", "--abstain-below", "0.6", "--abstain-margin", "0.5", "--columns", columns, "-f", "jsonl",
        stdin=b"cat,dog,bird\n3,0,0\n1,0,0\n1,0,-9\n",
    )  # fmt: skip
    exact = scipy.special.softmax([[3, 0, 0], [1, 0, 0], [1, 0, -9]], axis=1).max(axis=1)
    assert [(row["label"], row["index"], row["reason"]) for row in result.rows] == [
        ("cat", 0, "ok"),
        ("abstain", -1, "below_confidence"),
        ("abstain", -1, "ambiguous"),
    ]
    assert [list(row["onehot"].values()) for row in result.rows] == [[1, 0, 0], [0, 0, 0], [0, 0, 0]]
    np.testing.assert_allclose([row["probability"] for row in result.rows], exact, rtol=1e-14)


def test_reason_joins_the_default_columns(actcli: Actcli) -> None:
    """When a label may be withheld, and only then."""
    header = actcli("softmax", "--abstain-below", "0.5", "--abstain-label", "?", stdin=TABLE).text.splitlines()
    assert header[0] == "id,label,probability,reason,p_cat,p_dog,p_bird"
    assert header[2].startswith("b,?,")


def test_a_probability_equal_to_the_limit_is_enough(actcli: Actcli) -> None:
    """Below is below."""
    result = actcli(
        "softmax", "--from", "probabilities", "--abstain-below", "0.7", "--columns", "label", stdin=PROBABILITIES
    )
    assert result.text == "label\ndog\nabstain\n"


def test_margin_entropy_and_logarithms(actcli: Actcli) -> None:
    """First minus second probability; entropy in nats; no logarithm of a rounded probability (SciPy)."""
    rows = actcli("softmax", "--columns", "margin,entropy,log_probabilities,logits", "-f", "jsonl", stdin=TABLE).rows
    scores = np.array([[2, 1, 0], [0, 0, -1], [-np.inf, 5, 5]])
    exact = scipy.special.softmax(scores, axis=1)
    ordered = np.sort(exact, axis=1)
    np.testing.assert_allclose([row["margin"] for row in rows], ordered[:, -1] - ordered[:, -2], rtol=1e-14)
    np.testing.assert_allclose([row["entropy"] for row in rows], scipy.special.entr(exact).sum(axis=1), rtol=1e-14)
    logarithms = [list(row["log_probabilities"].values()) for row in rows]
    assert logarithms[2][0] is None  # JSON has no infinity
    np.testing.assert_allclose(logarithms[:2], scipy.special.log_softmax(scores[:2], axis=1), rtol=1e-14)
    assert rows[0]["logits"] == {"cat": 2, "dog": 1, "bird": 0}


def test_probabilities_come_out_as_they_went_in(actcli: Actcli) -> None:
    """With --from probabilities nothing is computed twice."""
    result = actcli("softmax", "--from", "probabilities", stdin=PROBABILITIES)
    assert result.text == "label,probability,p_cat,p_dog\ndog,0.7,0.3,0.7\ncat,0.5,0.5,0.5\n"


def test_the_output_decides_the_same_when_it_is_read_again(actcli: Actcli) -> None:
    """Its probabilities are the very values that were decided on."""
    first = actcli("softmax", SAMPLES / "digits_logits.csv", "-q")
    options = ("--classes", "p_*", "--id", "id", "--from", "probabilities", "-q", "--columns", "id,label,probability")
    again = actcli("softmax", *options, stdin=first.out)
    assert [line.replace(",p_", ",") for line in again.text.splitlines()] == [
        ",".join(line.split(",")[:3]) for line in first.text.splitlines()
    ]


def test_log_probabilities(actcli: Actcli) -> None:
    """Are exponentiated, and with a temperature they are logits."""
    stdin = f"cat,dog\n{np.log(0.3)!r},{np.log(0.7)!r}\n".replace("np.float64(", "").replace(")", "").encode()
    rows = actcli("softmax", "--from", "log-probabilities", "-f", "jsonl", stdin=stdin).rows
    np.testing.assert_allclose(list(rows[0]["probabilities"].values()), [0.3, 0.7], rtol=1e-15)
    rows = actcli("softmax", "--from", "log-probabilities", "--temperature", "2", "-f", "jsonl", stdin=stdin).rows
    roots = np.sqrt([0.3, 0.7])
    np.testing.assert_allclose(list(rows[0]["probabilities"].values()), roots / roots.sum(), rtol=1e-15)


@pytest.mark.parametrize(
    ("origin", "row", "message"),
    [
        ("probabilities", "1.2,-0.2", 'column "cat": 1.2 is not a probability'),
        ("probabilities", "0.4,0.4", "the probabilities sum to 0.8, not to 1"),
        ("probabilities", "nan,0.4", 'column "cat": NaN is not a probability'),
        ("log-probabilities", "0.1,-2", 'column "cat": 0.1 is above 0'),
        ("log-probabilities", "-1,-1", "the probabilities sum to 0.735759, not to 1"),
    ],
)
def test_what_cannot_be_probabilities(origin: str, row: str, message: str, actcli: Actcli) -> None:
    """Is an error with its place."""
    result = actcli("softmax", "--from", origin, stdin=f"cat,dog\n{row}\n".encode())
    assert result.code == 1
    assert result.err.startswith(f"actcli: error: <stdin>:2: {message}")


def test_renormalize(actcli: Actcli) -> None:
    """Accepts rows that do not sum to 1, and makes them."""
    options = ("--from", "probabilities", "--renormalize", "--columns", "probabilities")
    assert actcli("softmax", *options, stdin=b"cat,dog\n0.2,0.6\n").text == "p_cat,p_dog\n0.25,0.7499999999999999\n"
    assert actcli("softmax", *options, stdin=b"cat,dog\n0,0\n").code == 1


@pytest.mark.parametrize(
    ("stdin", "warned"),
    [(PROBABILITIES, True), (b"cat,dog\n0.3,0.7\n3,4\n", False), (b"cat,dog\n0.3,0.3\n", False), (b"cat,dog\n", False)],
)
def test_logits_that_look_like_probabilities(stdin: bytes, *, warned: bool, actcli: Actcli) -> None:
    """Are warned about once, at the end, when every row does; nothing is guessed."""
    result = actcli("softmax", "-q", stdin=stdin)
    assert result.code == 0
    assert result.err.count("--from probabilities") == warned
    assert "0.3,0.7" not in result.text


def test_class_names(actcli: Actcli) -> None:
    """Take the place of the header's, and must be as many."""
    assert actcli("softmax", "--class-names", "x,y,z", "-q", stdin=TABLE).text.startswith(
        "id,label,probability,p_x,p_y,p_z"
    )
    assert actcli("softmax", "--class-names", "x,y", stdin=TABLE).code == 2


def test_a_single_class(actcli: Actcli) -> None:
    """Has no softmax: the error says what has."""
    result = actcli("softmax", stdin=b"cat\n1.5\n")
    assert result.code == 1
    assert "binary" in result.err
    assert "multilabel" in result.err


@pytest.mark.parametrize("value", ["1e39", "-1e39"])
def test_a_number_too_large_for_float32(value: str, actcli: Actcli) -> None:
    """Is an error, not an infinity or a mask."""
    result = actcli("softmax", "--dtype", "float32", stdin=f"cat,dog\n1,2\n{value},2\n".encode())
    assert result.code == 1
    assert '<stdin>:3: column "cat"' in result.err
    assert "too large for float32" in result.err


def test_reading_in_float32_is_reading_and_casting(actcli: Actcli) -> None:
    """Numbers are written in the precision of the computation, and read back to the same value."""
    result = actcli("softmax", "--dtype", "float32", "--columns", "logits", stdin=b"cat,dog\n0.1,16777217\n")
    assert result.text == "logit_cat,logit_dog\n0.1,16777216.0\n"


def test_log_probabilities_far_below_zero_are_normalized_in_logs(actcli: Actcli) -> None:
    """Their exponentials are 0, their softmax is not (mpmath: 1 / (1 + exp(-1)))."""
    rows = b"a,b\n-900,-901\n-100000,-100001\n"
    result = actcli("softmax", "--from", "log-probabilities", "--renormalize", "--columns", "probabilities", stdin=rows)
    assert result.code == 0
    expected = float(1 / (1 + mpmath.exp(-1)))
    for line in result.text.splitlines()[1:]:
        assert float(line.split(",")[0]) == pytest.approx(expected, rel=1e-15)


def test_logits_for_a_policy_of_probabilities(tmp_path: Path, actcli: Actcli) -> None:
    """The hint is about the policy, not about an option that nobody gave."""
    path = tmp_path / "policy.json"
    path.write_text('{"actcli": 1, "task": "softmax", "from": "probabilities", "classes": ["a", "b"]}')
    result = actcli("softmax", "--policy", path, stdin=b"a,b\n3,-2\n")
    assert result.code == 1
    assert "policy.json is for probabilities" in result.err
    assert "leave --from" not in result.err
