"""Possible classes and class shares, as options and in a policy: what each does to the decisions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import scipy.special
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from actcli.formats import FORMATS
from program import SAMPLES, Actcli

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from typing import TypeAlias

    Table: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]

CLASSES = ("cat", "dog", "ox")
TRAIN = {"cat": 0.5, "dog": 0.3, "ox": 0.2}
ANIMALS = "id,country,cat,dog,ox\na,KE,2,1,0.5\nb,FI,2,1,0.5\nc,XX,0,0,3\n"
GROUPS = "country,class\nKE,cat\nKE,ox\n*,dog\nFI,dog\nFI,cat\n"

# A plain reference, row by row, of the order mask, calibration, prior.


def logits_of(row: Sequence[float]) -> list[float]:
    """Return a row of logits with a masked class now and then."""
    return [-np.inf if value > 4 else value for value in row]


def softmax_of(scores: Sequence[float]) -> list[float]:
    """Return the softmax of a row (SciPy)."""
    return [float(value) for value in scipy.special.softmax(scores)]


CALIBRATIONS: dict[str, dict[str, Any]] = {
    "none": {},
    "temperature": {"method": "temperature", "temperature": 0.4},
    "vector": {
        "method": "vector",
        "scale": {"cat": 1.5, "dog": 0.5, "ox": 1.0},
        "bias": {"cat": 0.1, "dog": -1.0, "ox": 0.0},
    },
    "platt": {
        "method": "platt",
        "slope": {"cat": 1.5, "dog": 0.5, "ox": 1.0},
        "intercept": {"cat": 0.1, "dog": -1.0, "ox": 0.0},
    },
    "isotonic": {
        "method": "isotonic",
        "points": {
            "cat": [[0.0, 0.1], [0.4, 0.2], [1.0, 0.9]],
            "dog": [[0.1, 0.0], [0.5, 0.5]],
            "ox": [[0.0, 0.05], [1.0, 1.0]],
        },
    },
}


def by_class(calibration: dict[str, Any], name: str) -> list[float]:
    """Return a parameter of each class."""
    return [calibration[name][label] for label in CLASSES]


def interpolated(place: float, pairs: list[list[float]]) -> float:
    """Return the height at a place of a function given by points (NumPy)."""
    return float(np.interp(place, [x for x, _ in pairs], [y for _, y in pairs]))


def calibrated(logits: list[float], possible: list[bool], calibration: dict[str, Any]) -> list[float]:
    """Return the probabilities of exclusive classes after a calibration, by its definition."""
    method = calibration.get("method")
    if method == "temperature":
        return softmax_of([value / calibration["temperature"] for value in logits])
    if method == "vector":
        parameters = zip(logits, by_class(calibration, "scale"), by_class(calibration, "bias"), strict=True)
        return softmax_of([scale * value + bias if value > -np.inf else -np.inf for value, scale, bias in parameters])
    shares = softmax_of(logits)
    if method == "platt":
        parameters = zip(shares, by_class(calibration, "slope"), by_class(calibration, "intercept"), strict=True)
        values = [float(scipy.special.expit(slope * scipy.special.logit(p) + bias)) for p, slope, bias in parameters]
    elif method == "isotonic":
        points = [calibration["points"][label] for label in CLASSES]
        values = [interpolated(p, pairs) for p, pairs in zip(shares, points, strict=True)]
    else:
        return shares
    values = [value if able else 0.0 for value, able in zip(values, possible, strict=True)]
    if not any(values):
        values = [float(able) for able in possible]
    return [value / sum(values) for value in values]


def posterior(probabilities: list[float], new: dict[str, float]) -> list[float]:
    """Return the probabilities under other shares (Bayes)."""
    joint = [p * new[name] / TRAIN[name] for p, name in zip(probabilities, CLASSES, strict=True)]
    return [value / sum(joint) for value in joint]


ROWS = [logits_of(row) for row in np.random.default_rng(7).normal(0, 2.5, (60, 3)).tolist()]
POSSIBLE = [row for row in ROWS if row[1] > -np.inf or row[2] > -np.inf]


def written(rows: Sequence[Sequence[float]], names: Sequence[str] = CLASSES) -> bytes:
    """Return rows as CSV."""
    return "\n".join([",".join(names), *(",".join(map(repr, row)) for row in rows), ""]).encode()


def probabilities(text: str) -> Table:
    """Return the columns p_* of an output."""
    return np.loadtxt(text.splitlines()[1:], delimiter=",", ndmin=2)


@pytest.mark.usefixtures("chunk_bytes")
@pytest.mark.parametrize("origin", ["logits", "probabilities", "log-probabilities"])
@pytest.mark.parametrize("method", CALIBRATIONS)
@pytest.mark.parametrize("new", [{"cat": 0.1, "dog": 0.2, "ox": 0.7}, {"cat": 0.0, "dog": 0.25, "ox": 0.75}])
@pytest.mark.parametrize("denied", [(), ("cat",)])
def test_mask_then_calibration_then_prior(
    origin: str, method: str, new: dict[str, float], denied: tuple[str, ...], actcli: Actcli, tmp_path: Path
) -> None:
    """Of exclusive classes, whatever the input holds, by a plain implementation row by row (SciPy's functions)."""
    logits = POSSIBLE
    if origin != "logits":
        with np.errstate(divide="ignore"):
            logits = np.log([softmax_of(row) for row in POSSIBLE]).tolist()
    given = [softmax_of(row) for row in POSSIBLE] if origin == "probabilities" else logits
    exact = []
    for row in logits:
        masked = [-np.inf if name in denied else value for name, value in zip(CLASSES, row, strict=True)]
        # A probability of 0 is no mask.
        possible = [name not in denied for name in CLASSES]
        if origin != "probabilities":
            possible = [value > -np.inf for value in masked]
        exact.append(posterior(calibrated(masked, possible, CALIBRATIONS[method]), new))
    policy = {"actcli": 1, "task": "softmax", "from": origin, "classes": list(CLASSES)}
    policy |= {"calibration": CALIBRATIONS[method]} if method != "none" else {}
    policy |= {"prior": {"train": TRAIN, "new": new}} | ({"allow": ["ox", "dog"]} if denied else {})
    path = tmp_path / "policy.json"
    path.write_text(json.dumps(policy), encoding="utf-8")
    result = actcli("softmax", "--policy", path, "--columns", "probabilities", "-q", stdin=written(given))
    assert result.err == ""
    found = probabilities(result.text)
    np.testing.assert_allclose(found, exact, rtol=1e-11, atol=1e-300)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-12)
    labels = actcli("softmax", "--policy", path, "--columns", "label", "-q", stdin=written(given)).text.split()[1:]
    assert labels == [CLASSES[int(np.argmax(row))] for row in found]


@pytest.mark.usefixtures("chunk_bytes")
@pytest.mark.parametrize("origin", ["logits", "probabilities", "log-probabilities"])
@pytest.mark.parametrize("temperature", [None, 0.4])
def test_the_odds_of_labels(origin: str, temperature: float | None, actcli: Actcli) -> None:
    """Are multiplied, label by label; a share of 0 masks, one of 1 makes certain what is not masked (NumPy)."""
    names, train, new = ("a", "b", "c", "d"), [0.5, 0.25, 0.5, 0.5], [0.9, 0.01, 0.0, 1.0]
    logits = np.random.default_rng(3).normal(0, 5, (50, 4))
    logits[::7] = -np.inf
    p = scipy.special.expit(logits / (temperature or 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        odds = p / (1 - p) * np.array(new) * (1 - np.array(train)) / (np.array(train) * (1 - np.array(new)))
        exact = np.where(np.isinf(odds), 1, odds / (1 + odds))
        exact[:, 3] = np.where(np.isneginf(logits[:, 3]), 0, 1)
        raw = scipy.special.expit(logits)
        given = {"logits": logits, "probabilities": raw, "log-probabilities": scipy.special.log_expit(logits)}[origin]
    if origin == "probabilities":
        exact[:, 3] = 1  # a probability of 0 is no mask
    result = actcli(
        "multilabel",
        "--from",
        origin,
        *(() if temperature is None else ("--temperature", str(temperature))),
        "--train-prior",
        ",".join(f"{name}={share}" for name, share in zip(names, train, strict=True)),
        "--prior",
        ",".join(f"{name}={share}" for name, share in zip(names, new, strict=True)),
        "--columns",
        "probabilities",
        "-q",
        stdin=written(given.tolist(), names),
    )
    assert result.err == ""
    np.testing.assert_allclose(probabilities(result.text), exact, rtol=1e-10, atol=1e-300)


@pytest.mark.parametrize("columns", [1, 2])
@pytest.mark.parametrize("origin", ["logits", "probabilities", "log-probabilities"])
def test_two_classes(columns: int, origin: str, actcli: Actcli) -> None:
    """From one column or two, the posterior of both (SciPy)."""
    margins = np.linspace(-9, 9, 37)
    pairs = np.column_stack([np.zeros_like(margins), margins])
    p = scipy.special.softmax(pairs, axis=1)
    joint = p * np.array([0.9, 0.1]) / np.array([0.4, 0.6])
    with np.errstate(divide="ignore"):
        given = {"logits": pairs, "probabilities": p, "log-probabilities": np.log(p)}[origin]
    stdin = written(given.tolist(), ("no", "yes")) if columns == 2 else written(given[:, 1:].tolist(), ("yes",))
    names = () if columns == 2 else ("--negative", "no", "--positive", "yes")
    shares = ("--train-prior", "no=40,yes=60", "--prior", "yes=1,no=9")
    result = actcli("binary", "--from", origin, *names, *shares, "--columns", "probabilities", "-q", stdin=stdin)
    np.testing.assert_allclose(probabilities(result.text), joint / joint.sum(axis=1, keepdims=True), rtol=1e-11)


@given(
    logits=hnp.arrays(np.float64, st.tuples(st.integers(1, 5), st.just(4)), elements=st.floats(-1e3, 1e3)),
    data=st.data(),
)
@settings(max_examples=25)
def test_masking_is_the_softmax_over_the_rest(logits: Table, data: st.DataObject, actcli: Actcli) -> None:
    """To the last bit: as if the input had no other classes."""
    names = ["a", "b", "c", "d"]
    kept = data.draw(st.lists(st.sampled_from(names), min_size=2, unique=True))
    kept = [name for name in names if name in kept]
    stdin = written(logits.tolist(), names)
    masked = actcli(
        "softmax", "--allow", ",".join(kept), "--columns", "label,probabilities", "-f", "jsonl", stdin=stdin
    )
    alone = actcli(
        "softmax", "--classes", ",".join(kept), "--columns", "label,probabilities", "-f", "jsonl", stdin=stdin
    )
    for row, other in zip(masked.rows, alone.rows, strict=True):
        assert row["label"] == other["label"]
        assert row["probabilities"] == {name: other["probabilities"].get(name, 0) for name in names}


@given(counts=st.lists(st.integers(1, 1000), min_size=3, max_size=3))
@settings(max_examples=10)
def test_equal_shares_and_a_mask_of_nothing_change_nothing(counts: list[int], actcli: Actcli) -> None:
    """Not one byte."""
    shares = ",".join(f"{name}={count}" for name, count in zip(CLASSES, counts, strict=True))
    plain = actcli("softmax", stdin=written(POSSIBLE))
    options = ("--train-prior", shares, "--prior", shares, "--allow", "ox,cat,dog")
    assert actcli("softmax", *options, stdin=written(POSSIBLE)) == plain


@pytest.mark.usefixtures("chunk_bytes")
@pytest.mark.parametrize("suffix", ["csv", "jsonl", "json", "parquet", "arrow"])
def test_classes_by_a_column(suffix: str, actcli: Actcli, tmp_path: Path) -> None:
    """Of a table in each format that has columns of text; the decisions are worked out by hand."""
    source, groups = tmp_path / f"animals.{suffix}", tmp_path / "groups.csv"
    groups.write_text(GROUPS, encoding="utf-8")
    columns = ("--id", "id", "--id", "country")
    if suffix == "csv":
        source.write_text(ANIMALS, encoding="utf-8")
    else:
        made = actcli("softmax", *columns, "--columns", "carried,logits", "-o", source, stdin=ANIMALS.encode())
        assert made.code == 0
    select = () if suffix in ("csv", "json", "jsonl") else ("--classes", "logit_*", "--class-names", "cat,dog,ox")
    if suffix in ("json", "jsonl"):
        rows = [{"id": "a", "country": "KE"}, {"id": "b", "country": "FI"}, {"id": "c", "country": "XX"}]
        scores = [(2, 1, 0.5), (2, 1, 0.5), (0, 0, 3)]
        full = [row | dict(zip(CLASSES, values, strict=True)) for row, values in zip(rows, scores, strict=True)]
        text = json.dumps(full) if suffix == "json" else "\n".join(map(json.dumps, full))
        source.write_text(text, encoding="utf-8")
    result = actcli(
        "softmax", source, *columns, *select, "--allow", groups, "--allow-by", "country", "-f", "jsonl", "-q"
    )
    assert result.err == ""
    expected = [scipy.special.softmax([2, 0.5]), scipy.special.softmax([2, 1]), [1.0]]
    assert [row["label"] for row in result.rows] == ["cat", "cat", "dog"]
    found = [[value for value in row["probabilities"].values() if value] for row in result.rows]
    for values, exact in zip(found, expected, strict=True):
        np.testing.assert_allclose(values, exact, rtol=1e-15)


def test_a_folder_is_no_list_of_names(actcli: Actcli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So a name that a folder has too is a name."""
    (tmp_path / "cat").mkdir()
    monkeypatch.chdir(tmp_path)
    assert actcli("softmax", "--allow", "cat", "--columns", "label", stdin=written(POSSIBLE[:1])).text == "label\ncat\n"


def test_groups_of_numbers(actcli: Actcli, tmp_path: Path) -> None:
    """Are matched as they are written, whatever type the format gives them."""
    groups, source = tmp_path / "groups.csv", tmp_path / "cameras.jsonl"
    groups.write_text("class,camera\ncat,7\ndog,8\nox,07\n", encoding="utf-8")
    source.write_text(
        '{"camera": 7, "cat": 1, "dog": 1, "ox": 1}\n{"camera": "8", "cat": 1, "dog": 1, "ox": 1}\n', encoding="utf-8"
    )
    options = ("--id", "camera", "--allow", groups, "--allow-by", "camera", "--columns", "label", "-q")
    assert actcli("softmax", source, *options).text == "label\ncat\ndog\n"


def test_what_is_not_allowed_is_never_a_label(actcli: Actcli) -> None:
    """Not by top-k, not by a threshold of 0, not by --at-least-one; an allowed class of probability 0 can be one."""
    none = written([[0, 0, 0]])
    common = ("--from", "probabilities", "--deny", "cat", "-q")
    empty = actcli("multilabel", *common, "--at-least-one", "--columns", "labels", stdin=none)
    assert empty.text == "labels\ndog\n"
    zero = actcli("multilabel", *common, "--threshold", "0", "--columns", "labels", stdin=none)
    assert zero.text == "labels\ndog|ox\n"
    most = actcli("multilabel", *common, "--threshold", "0", "-k", "1", "--columns", "labels", stdin=none)
    assert most.text == "labels\ndog\n"
    ranked = actcli("softmax", *common, "-k", "3", "-f", "jsonl", stdin=written([[0.5, 0, 0.5]])).rows
    assert [place["label"] for place in ranked[0]["top_k"]] == ["ox", "dog"]
    only = actcli("binary", "--deny", "no", "--threshold", "1", "--columns", "label", stdin=b"no,yes\n3,0\n")
    assert only.text == "label\nyes\n"


def test_energy_and_the_largest_logit(actcli: Actcli) -> None:
    """Are of the logits as given: neither a temperature nor a mask changes them (SciPy)."""
    result = actcli(
        "softmax", "--temperature", "3", "--columns", "label,energy,max_logit", "--deny", "ox", stdin=written(POSSIBLE)
    )
    rows = [line.split(",") for line in result.text.splitlines()[1:]]
    exact = -scipy.special.logsumexp(POSSIBLE, axis=1)
    np.testing.assert_allclose([float(energy) for _, energy, _ in rows], exact, rtol=1e-14)
    assert [float(largest) for _, _, largest in rows] == [max(row) for row in POSSIBLE]


def test_energy_is_of_logits(actcli: Actcli) -> None:
    """That of probabilities would be 0."""
    result = actcli("softmax", "--from", "probabilities", "--columns", "energy", stdin=b"a,b\n0.5,0.5\n")
    assert (result.code, "energy is of logits" in result.err) == (2, True)


@pytest.mark.parametrize("name", [name for name, format in FORMATS.items() if format.source and format.sink])
def test_every_format_and_any_number_of_jobs(name: str, actcli: Actcli, tmp_path: Path) -> None:
    """Give the same decisions."""
    shares = ",".join(f"{digit}={digit + 1}" for digit in range(10))
    options = ("--deny", "3,5", "--train-prior", shares.replace("=1,", "=4,"), "--prior", shares, "--dtype", "float32")
    names = ",".join(map(str, range(10)))
    whole = actcli("softmax", SAMPLES / "digits_logits.npy", *options, "--columns", "label,probabilities", "-q")
    path = tmp_path / f"digits.{name}"
    columns = ("--columns", "logits")
    assert not actcli("softmax", SAMPLES / "digits_logits.npy", *columns, "-o", path, "-q").code
    select = () if name in ("npy", "npz", "json", "jsonl") else ("--classes", "logit_*")
    if name in ("json", "jsonl"):
        lines = actcli("softmax", SAMPLES / "digits_logits.npy", "--columns", "logits", "-f", "jsonl").rows
        rows = [list(row["logits"].values()) for row in lines]
        text = json.dumps(rows) if name == "json" else "\n".join(map(json.dumps, rows))
        path.write_text(text, encoding="utf-8")
    for jobs in ("1", "2"):
        found = actcli(
            "softmax", path, *select, "--class-names", names, *options, "--jobs", jobs, "--columns",
            "label,probabilities", "-q",
        )  # fmt: skip
        assert found.err == ""
        assert found.out == whole.out


Arguments = tuple[str, ...]
WRONG: list[tuple[Arguments, dict[str, str], int, str]] = [
    (("--allow", "bird"), {}, 2, "--allow: 'bird' is not a class"),
    (("--allow", "cat,cat"), {}, 2, "--allow: 'cat' is there twice"),
    (("--allow", "cat,,dog"), {}, 2, "has an empty name"),
    (("--allow", ""), {}, 2, "--allow: is empty"),
    (("--allow", "names.txt"), {}, 1, "names.txt: no such file"),
    (("--allow", "names.txt"), {"names.txt": "cat\nbird\n"}, 1, "names.txt:2: 'bird' is not a class"),
    (("--allow", "names.txt"), {"names.txt": "cat\n\ndog\ncat\n"}, 1, "names.txt:4: 'cat' is there twice"),
    (("--allow", "names.txt"), {"names.txt": "\n\n"}, 1, "names.txt: holds no class names"),
    (("--allow", "names.txt"), {"names.txt": "cat\n\xff"}, 1, "names.txt: is not UTF-8"),
    (("--deny", "cat,dog,ox"), {}, 2, "--deny: no class is left"),
    (("--deny", "Cat"), {}, 2, "--deny: 'Cat' is not a class"),
    (("--allow", "cat", "--deny", "cat"), {}, 2, "--deny: no class is left"),
    (("--allow-by", "country"), {}, 2, "--allow-by says which column"),
    (("--allow", "g.csv", "--allow-by", "country"), {}, 1, "g.csv: no such file"),
    (("--allow", "g.csv", "--allow-by", "land"), {"g.csv": GROUPS}, 1, 'g.csv:1: the columns are "country", "class"'),
    (("--allow", "g.csv", "--allow-by", "country"), {"g.csv": ""}, 1, "g.csv:1: the columns are none"),
    (("--allow", "g.csv", "--allow-by", "country"), {"g.csv": "country,class\n"}, 1, "g.csv: allows no class"),
    (("--allow", "g.csv", "--allow-by", "country"), {"g.csv": "country,class\nKE\n"}, 1, "g.csv:2: 1 cell, not 2"),
    (
        ("--allow", "g.csv", "--allow-by", "country"),
        {"g.csv": "country,class\nKE,bird\n"},
        1,
        "g.csv:2: 'bird' is not a class",
    ),
    (
        ("--allow", "g.csv", "--allow-by", "country"),
        {"g.csv": GROUPS + "KE,cat\n"},
        1,
        "g.csv:7: 'cat' is there twice for 'KE'",
    ),
    (("--allow", "g.csv", "--allow-by", "country"), {"g.csv": 'country,class\n"KE,cat\n'}, 1, "g.csv:2: is not CSV"),
    (
        ("--allow", "g.csv", "--allow-by", "country"),
        {"g.csv": GROUPS.replace("*,dog\n", "")},
        1,
        "column \"country\": no classes are allowed for 'XX'",
    ),
    (
        ("--allow", "g.csv", "--allow-by", "country", "--deny", "dog"),
        {"g.csv": GROUPS},
        2,
        "--deny: no class is left where country is '*'",
    ),
    (
        ("--allow", "g.csv", "--allow-by", "land"),
        {"g.csv": "land,class\nKE,cat\n"},
        2,
        "--allow-by: 'land' is no carried column",
    ),
    (("--prior", "cat=1,dog=1,ox=1"), {}, 2, "--prior: the shares in training are not known"),
    (("--train-prior", "cat=1,dog=1,ox=1"), {}, 2, "--train-prior changes nothing by itself"),
    (("--prior", "cat=1,dog=1"), {"t": ""}, 2, "--prior: there is no share for 'ox'"),
    (("--prior", "cat=1,dog=1,ox=1,bird=0"), {"t": ""}, 2, "--prior: 'bird' is not a class"),
    (("--prior", "cat=1,cat=1,ox=1"), {"t": ""}, 2, "--prior: 'cat' is there twice"),
    (("--prior", "cat=1,dog=nan,ox=1"), {"t": ""}, 2, "--prior: 'nan' is no share of 'dog'"),
    (("--prior", "cat=1,dog=-1,ox=1"), {"t": ""}, 2, "--prior: '-1' is no share of 'dog'"),
    (("--prior", "cat=1,dog=inf,ox=1"), {"t": ""}, 2, "--prior: 'inf' is no share of 'dog'"),
    (("--prior", "cat=1,dog,ox=1"), {"t": ""}, 2, "--prior: 'dog' is no class=share"),
    (("--prior", "cat=0,dog=0,ox=0"), {"t": ""}, 2, "--prior: all shares are 0"),
    (("--prior", "cat=1e308,dog=1e308,ox=0"), {"t": ""}, 2, "--prior: the shares are too large"),
    (("--prior", "new.csv"), {"t": ""}, 1, "new.csv: no such file"),
    (("--prior", "new.csv"), {"t": "", "new.csv": "class,share\ncat,1\ndog,x\n"}, 1, "new.csv:3: 'x' is no share"),
    (("--prior", "new.csv"), {"t": "", "new.csv": "cat,1\ndog,2\nbird,3\n"}, 1, "new.csv:3: 'bird' is not a class"),
    (("--prior", "new.csv"), {"t": "", "new.csv": "cat,1\ndog,2\n"}, 1, "new.csv: there is no share for 'ox'"),
    (("--prior", "new.csv"), {"t": "", "new.csv": "cat,1\ncat,2\n"}, 1, "new.csv:2: 'cat' is there twice"),
    (("--prior", "new.csv"), {"t": "", "new.csv": "cat,1,2\n"}, 1, "new.csv:1: 3 cells"),
    (("--prior", "new.csv"), {"t": "", "new.csv": "class,share\n"}, 1, "new.csv: holds no shares"),
    (("--prior", "new.json"), {"t": "", "new.json": '{"cat": 1, "dog": true}'}, 1, "'True' is no share of 'dog'"),
    (("--prior", "new.json"), {"t": "", "new.json": '{"cat": 1, "cat": 1}'}, 1, "same key twice"),
    (("--prior", "new.json"), {"t": "", "new.json": "[1]"}, 1, "is no JSON object from class to share"),
    (("--prior", "cat=0,dog=0,ox=1", "--deny", "ox"), {"t": ""}, 2, "all have a new share of 0"),
    (
        ("--train-prior", "cat=0,dog=1,ox=1", "--prior", "cat=1,dog=1,ox=1"),
        {},
        2,
        "--train-prior: the share of 'cat' in training is 0",
    ),
]
"""Options of softmax, files that they need ("t": --train-prior is given too), the exit code, and the message."""


@pytest.mark.parametrize(("options", "files", "code", "message"), WRONG)
def test_what_is_refused(
    options: Arguments,
    files: dict[str, str],
    code: int,
    message: str,
    actcli: Actcli,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With one line that says where and what, a hint at most, and nothing written."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "animals.csv").write_text(ANIMALS, encoding="utf-8")
    train = ("--train-prior", "cat=1,dog=1,ox=1") if "t" in files else ()
    for name, text in files.items():
        (tmp_path / name).write_bytes(text.encode("latin-1"))
    result = actcli("softmax", "animals.csv", "--id", "country", *options, *train, "-q", "-o", "out.csv")
    assert result.code == code, result.err
    first, *more = result.err.splitlines()
    assert first.startswith("actcli: error: ")
    assert message in first
    assert len(more) <= 1
    assert not (tmp_path / "out.csv").exists()


def test_shares_of_labels_that_cannot_be(actcli: Actcli) -> None:
    """Each is a probability of its own, and in training neither 0 nor 1."""
    for train, new, message in (
        ("a=0.5,b=1", "a=0.5,b=0.5", "--train-prior: the share of 'b' in training is 1"),
        ("a=0.5,b=0.5", "a=0.5,b=2", "--prior: the share of 'b' is 2, above 1"),
    ):
        result = actcli("multilabel", "--train-prior", train, "--prior", new, stdin=b"a,b\n1,2\n")
        assert (result.code, message in result.err) == (2, True)


@pytest.mark.usefixtures("chunk_bytes")
def test_rows_without_a_possible_class(actcli: Actcli, tmp_path: Path) -> None:
    """Are wrong rows: an error, or left out and counted."""
    groups = tmp_path / "groups.csv"
    groups.write_text("country,class\nKE,cat\nFI,dog\nFI,ox\n", encoding="utf-8")
    table = b"country,cat,dog,ox\nKE,1,2,3\nXX,1,2,3\nKE,-inf,1,1\nFI,1,2,3\n,1,2,3\n"
    options = ("--allow", groups, "--allow-by", "country", "--columns", "label", "-q")
    stopped = actcli("softmax", *options, stdin=table)
    assert (stopped.code, stopped.text) == (1, "label\ncat\n")
    assert "<stdin>:3: column \"country\": no classes are allowed for 'XX'" in stopped.err
    skipped = actcli("softmax", *options, "--on-bad-row", "skip", stdin=table)
    assert (skipped.code, skipped.text) == (0, "label\ncat\nox\n")
    assert "3 rows were left out" in skipped.err
    assert "<stdin>:4: all classes that are possible are masked (-inf)" in skipped.err
    assert "no classes are allowed for ''" in skipped.err


def test_a_row_whose_possible_classes_have_no_probability(actcli: Actcli) -> None:
    """Cannot be divided by their sum."""
    result = actcli("softmax", "--from", "probabilities", "--deny", "a", stdin=b"a,b,c\n0.5,0.25,0.25\n1,0,0\n")
    assert result.code == 1
    assert ":3: all classes that are possible have probability 0" in result.err


@pytest.fixture
def policy(tmp_path: Path) -> Callable[..., Path]:
    """Return what writes a softmax policy with these parts."""

    def write(**parts: Any) -> Path:
        path = tmp_path / "policy.json"
        document = {"actcli": 1, "task": "softmax", "from": "logits", "classes": list(CLASSES)} | parts
        path.write_text(json.dumps(document), encoding="utf-8")
        return path

    return write


SETS = {"score": "lac", "alpha": 0.1, "quantile": 0.9}


@pytest.mark.parametrize(
    ("parts", "options", "message"),
    [
        ({"allow": ["cat"]}, ("--allow", "dog"), "--allow: {} holds the allowed classes"),
        ({"allow": ["cat"]}, ("--deny", "dog"), "--deny: {} holds the allowed classes"),
        ({"conformal": SETS}, ("--deny", "dog"), "--deny: {} holds what was made without it: conformal rule"),
        ({"prior": {"train": TRAIN, "new": TRAIN}}, ("--prior", "cat=1,dog=1,ox=1"), "--prior: {} holds the prior"),
        ({}, ("--prior", "cat=1,dog=1,ox=1"), "--prior: {} records no truth counts"),
        ({"prior": {"train": TRAIN, "new": TRAIN}}, ("--temperature", "2"), "holds what was made without it: prior"),
        ({"abstain": {"below": 0.5}}, ("--abstain-below", "0.2"), "--abstain-below: {} holds the abstention"),
        ({"abstain": {"below": 0.5}}, ("--abstain-margin", "0.2"), "--abstain-margin: {} holds the abstention"),
    ],
)
def test_options_for_what_a_policy_holds(
    parts: dict[str, Any], options: Arguments, message: str, policy: Callable[..., Path], actcli: Actcli
) -> None:
    """Or for what the policy's other parts were made without, are usage errors."""
    path = policy(**parts)
    more = ("--train-prior", "cat=1,dog=1,ox=1") if "holds the prior" in message else ()
    result = actcli("softmax", "--policy", path, *options, *more, stdin=written(POSSIBLE))
    assert (result.code, result.out) == (2, b"")
    assert message.format(path) in result.err


def test_a_prior_beside_later_parts(policy: Callable[..., Path], actcli: Actcli) -> None:
    """Is a usage error, as a temperature is: the sets were made without it."""
    path = policy(conformal=SETS)
    shares = ("--train-prior", "cat=1,dog=1,ox=1", "--prior", "cat=1,dog=1,ox=2")
    result = actcli("softmax", "--policy", path, *shares, stdin=written(POSSIBLE))
    assert (result.code, result.out) == (2, b"")
    assert f"--prior: {path} holds what was made without it: conformal rule" in result.err


def test_an_abstention_of_a_policy(policy: Callable[..., Path], actcli: Actcli) -> None:
    """Withholds as --abstain-below does, in float64, and evaluate reports the coverage."""
    path = policy(abstain={"below": 0.6, "at_accuracy": 0.9})
    options = ("--abstain-below", "0.6", "--abstain-label", "?", "--dtype", "float64")
    expected = actcli("softmax", *options, stdin=written(POSSIBLE))
    found = actcli("softmax", "--policy", path, "--abstain-label", "?", stdin=written(POSSIBLE))
    assert found.out == expected.out
    assert "reason" in found.text.splitlines()[0]
    rows = found.text.splitlines()[1:]
    kept = sum("below_confidence" not in row for row in rows)
    table = "truth,cat,dog,ox\n" + "".join(f"cat,{','.join(map(repr, row))}\n" for row in POSSIBLE)
    evaluated = actcli("evaluate", "--policy", path, "--truth-column", "truth", stdin=table.encode())
    assert json.loads(evaluated.text)["metrics"]["coverage"] == pytest.approx(kept / len(rows), rel=1e-15)


def test_shares_in_training_from_the_records_of_a_policy(policy: Callable[..., Path], actcli: Actcli) -> None:
    """Are those of the rows that its first step was fitted on."""
    loss = {"name": "log_loss", "before": 1, "after": 0.5}
    record = {"rows": 10, "truth": {"cat": 5, "dog": 3, "ox": 2}, "loss": loss, "actcli": "0.1.0"}
    fitted = {"calibration": {"method": "temperature", "temperature": 2}, "fitted": {"calibration": record}}
    new = ("--prior", "cat=0.1,dog=0.1,ox=0.8")
    left_out = actcli("softmax", "--policy", policy(**fitted), *new, stdin=written(POSSIBLE))
    train = ("--train-prior", "cat=0.5,dog=0.3,ox=0.2")
    assert left_out.code == 0
    assert left_out.out == actcli("softmax", "--policy", policy(**fitted), *new, *train, stdin=written(POSSIBLE)).out
    record["truth"] = {"cat": 10, "dog": 0, "ox": 0}
    never = actcli("softmax", "--policy", policy(**fitted), *new, stdin=written(POSSIBLE))
    assert never.code == 1
    assert "fitted.calibration.truth: the share of 'dog' in training is 0" in never.err


def test_fits_build_on_mask_and_prior(policy: Callable[..., Path], actcli: Actcli) -> None:
    """A calibration is fitted after the mask, and removes the prior; a conformal rule is fitted on both."""
    table = "truth,cat,dog,ox\n" + "".join(
        f"{CLASSES[1 + number % 2]},{','.join(map(repr, row))}\n" for number, row in enumerate(POSSIBLE)
    )
    parts = {"allow": ["dog", "ox"], "prior": {"train": TRAIN, "new": {"cat": 0.2, "dog": 0.2, "ox": 0.6}}}
    path = policy(**parts)
    with_prior = actcli("conformal", "--policy", path, "--truth-column", "truth", stdin=table.encode())
    assert with_prior.code == 0, with_prior.err
    quantile = json.loads(path.read_text(encoding="utf-8"))["conformal"]["quantile"]
    shares = actcli("softmax", "--policy", path, "--columns", "probabilities", "-q", stdin=written(POSSIBLE))
    true = [row[1 + number % 2] for number, row in enumerate(probabilities(shares.text).tolist())]
    count = len(POSSIBLE)
    rank = -(-(count + 1) * 9 // 10)
    assert quantile == pytest.approx(sorted(1 - value for value in true)[rank - 1], rel=1e-12)
    again = actcli("calibrate", "--policy", path, "--truth-column", "truth", stdin=table.encode())
    assert "removed, because this step changes what they depend on: prior, conformal rule" in again.err
    kept = json.loads(path.read_text(encoding="utf-8"))
    assert ("allow" in kept, "prior" in kept, "conformal" in kept) == (True, False, False)
    assert json.loads(again.text)["removed"] == ["prior", "conformal"]


def test_evaluate_decides_with_them(actcli: Actcli, tmp_path: Path) -> None:
    """As softmax does: the accuracy is that of the labels it writes."""
    table = ANIMALS.replace("id,country", "truth,country").replace("\na,", "\nox,").replace("\nb,", "\ncat,")
    table = table.replace("\nc,", "\nox,")
    groups = tmp_path / "groups.csv"
    groups.write_text(GROUPS + "*,ox\n", encoding="utf-8")
    options = (
        "--id",
        "country",
        "--allow",
        groups,
        "--allow-by",
        "country",
        "--deny",
        "cat",
        "--truth-column",
        "truth",
    )
    result = actcli("evaluate", *options, stdin=table.encode())
    assert result.code == 0, result.err
    assert json.loads(result.text)["metrics"]["accuracy"] == pytest.approx(2 / 3)
