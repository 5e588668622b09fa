"""`actcli binary`: one column or two, the same answer."""

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

LOGITS = [2.0, -1.0, 0.0, -700.0, 700.0, 1e308]
ONE = ("logit\n" + "\n".join(map(str, LOGITS)) + "\n").encode()
TWO = ("negative,positive\n" + "\n".join(f"0,{logit}" for logit in LOGITS) + "\n").encode()


def test_one_column_and_two_give_the_same_answer(actcli: Actcli) -> None:
    """To the last bit; the probability of positive is the sigmoid of the difference (SciPy)."""
    one, two = (actcli("binary", "-f", "jsonl", stdin=stdin) for stdin in (ONE, TWO))
    assert one.out == two.out
    assert [row["label"] for row in one.rows] == [
        "positive",
        "negative",
        "positive",
        "negative",
        "positive",
        "positive",
    ]
    found = [row["probabilities"] for row in one.rows]
    np.testing.assert_allclose([row["positive"] for row in found], scipy.special.expit(LOGITS), rtol=1e-15)
    np.testing.assert_allclose([row["negative"] for row in found], scipy.special.expit(-np.array(LOGITS)), rtol=1e-15)
    assert [row["probability"] for row in one.rows] == [row["probabilities"][row["label"]] for row in one.rows]


def test_names_of_one_column(actcli: Actcli) -> None:
    """By options or by class names, negative first."""
    by_options = actcli("binary", "--positive", "spam", "--negative", "ham", stdin=ONE)
    by_names = actcli("binary", "--class-names", "ham,spam", stdin=ONE)
    assert by_options.out == by_names.out
    assert by_options.text.startswith("label,probability,p_ham,p_spam\nspam,")
    assert actcli("binary", "--positive", "spam", stdin=ONE).text.startswith("label,probability,p_negative,p_spam\n")


def test_which_of_two_columns_is_positive(actcli: Actcli) -> None:
    """The second, unless --positive says the first; then everything is in the order (negative, positive)."""
    stdin = b"spam,ham\n3,1\n0,0\n"
    assert actcli("binary", "--columns", "label,index", stdin=stdin).text == "label,index\nspam,0\nham,1\n"
    swapped = actcli(
        "binary", "--positive", "spam", "--columns", "label,index,probabilities", "--precision", "3", stdin=stdin
    )
    assert swapped.text == "label,index,p_ham,p_spam\nspam,1,0.119,0.881\nspam,1,0.5,0.5\n"


@pytest.mark.parametrize(
    ("options", "stdin"),
    [
        (("--positive", "fish"), TWO),
        (("--positive", ""), ONE),
        (("--renormalize", "--from", "probabilities"), b"score\n0.3\n"),
        (("--negative", "negative"), TWO),
        (("--positive", "negative"), ONE),
        (("--class-names", "a,b", "--positive", "a"), ONE),
        (("--threshold", "negative=0.3"), ONE),
        (("--abstain-label", "?"), ONE),
        (("--abstain-below", "1.5"), ONE),
        (("--abstain-margin", "nan"), ONE),
        (("--renormalize",), TWO),
        (("--temperature", "0"), TWO),
        (("--temperature", "nan"), TWO),
        (("--temperature", "1e-300", "--dtype", "float32"), TWO),
    ],
)
def test_options_that_do_not_fit(options: tuple[str, ...], stdin: bytes, actcli: Actcli) -> None:
    """Are usage errors before anything is written."""
    result = actcli("binary", *options, stdin=stdin)
    assert (result.code, result.out) == (2, b"")
    assert result.err.startswith("actcli: error: ")


def test_thresholds(actcli: Actcli) -> None:
    """Are for the probability of the positive class, inclusive unless it must be passed."""
    run = ("binary", "--from", "probabilities", "--columns", "label,probability")
    stdin = b"score\n0.3\n0.29\n"
    assert actcli(*run, "--threshold", "0.3", stdin=stdin).text == "label,probability\npositive,0.3\nnegative,0.71\n"
    assert actcli(*run, "--threshold", "positive=0.3", stdin=stdin).text.count("positive") == 1
    strict = actcli(*run, "--threshold", "0.3", "--threshold-op", "gt", stdin=stdin)
    assert strict.text == "label,probability\nnegative,0.7\nnegative,0.71\n"


def test_abstaining(actcli: Actcli) -> None:
    """By the probability of the label, or by the lead of one class over the other."""
    run = ("binary", "--from", "probabilities", "--columns", "label,reason", "--no-output-header")
    stdin = b"score\n0.95\n0.55\n0.2\n"
    assert (
        actcli(*run, "--abstain-below", "0.6", stdin=stdin).text
        == "positive,ok\nabstain,below_confidence\nnegative,ok\n"
    )
    margin = actcli(*run, "--abstain-margin", "0.7", stdin=stdin)
    assert margin.text == "positive,ok\nabstain,ambiguous\nabstain,ambiguous\n"


def test_masks(actcli: Actcli) -> None:
    """A masked class is never the label, whatever the threshold."""
    stdin = b"no,yes\n-inf,1\n1,-inf\n"
    for threshold in ("0", "1"):
        result = actcli("binary", "--threshold", threshold, "--threshold-op", "gt", "--columns", "label", stdin=stdin)
        assert result.text == "label\nyes\nno\n"
    assert actcli("binary", "--threshold", "0", "--columns", "label", stdin=stdin).text == "label\nyes\nno\n"


def test_log_probabilities_of_one_column(actcli: Actcli) -> None:
    """The other class gets what is left of 1, precisely."""
    stdin = b"score\n-1e-20\n-0.5\n-800\n"
    rows = actcli(
        "binary", "--from", "log-probabilities", "--columns", "log_probabilities", "-f", "jsonl", stdin=stdin
    ).rows
    found = [row["log_probabilities"]["negative"] for row in rows]
    np.testing.assert_allclose(found[:2], [np.log(1e-20), np.log(-np.expm1(-0.5))], rtol=1e-14)
    assert found[2] == 0


def test_too_many_classes(actcli: Actcli) -> None:
    """Are a data error that says what to do."""
    result = actcli("binary", SAMPLES / "digits_logits.csv")
    assert result.code == 1
    assert "binary needs one or two class columns; the input has 10" in result.err


@pytest.mark.parametrize(
    ("stdin", "warned"), [(b"score\n0.3\n0.9\n", True), (b"score\n0.3\n2\n", False), (b"a,b\n0.3,0.7\n", True)]
)
def test_logits_that_look_like_probabilities(stdin: bytes, *, warned: bool, actcli: Actcli) -> None:
    """One column: all within [0, 1]; two: rows that sum to 1."""
    assert ("--from probabilities" in actcli("binary", "-q", stdin=stdin).err) is warned


@pytest.mark.parametrize(
    ("origin", "stdin", "expected"),
    [
        ("logits", b"no,yes\n-inf,-4\n1,-inf\n0,0\n", [1, 0, 0.5]),
        ("probabilities", b"no,yes\n0,1\n1,0\n0.5,0.5\n", [1, 0, 0.5]),
        ("probabilities", b"1\n0\n0.5\n", [1, 0, 0.5]),
        ("log-probabilities", b"0\n-inf\n", [1, 0]),
    ],
)
def test_what_is_certain_stays_certain_when_it_is_calibrated(
    origin: str, stdin: bytes, expected: list[float], tmp_path: Path, actcli: Actcli
) -> None:
    """Where the other class is masked, or its probability is 0: a line has no other end than 0 and 1."""
    line = {"method": "platt", "slope": {"yes": 1.5}, "intercept": {"yes": 0.0}}
    policy = {"actcli": 1, "task": "binary", "from": origin, "classes": ["no", "yes"], "calibration": line}
    (tmp_path / "policy.json").write_text(json.dumps(policy))
    columns = ("--columns", "probabilities,log_probabilities", "-f", "json")
    rows = json.loads(actcli("binary", "--policy", tmp_path / "policy.json", *columns, stdin=stdin).out)
    assert [row["probabilities"]["yes"] for row in rows] == expected
    assert [row["probabilities"]["no"] for row in rows] == [1 - p for p in expected]
    assert [row["log_probabilities"]["yes"] for row in rows][:1] == [0]
