"""`actcli policy`: it shows, checks and edits a policy file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from actcli.cli.commands import policy as module
from program import Actcli

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HEAD: dict[str, Any] = {"actcli": 1, "task": "softmax", "from": "logits", "classes": ["cat", "dog", "ox"]}
EVEN = {"cat": 0.5, "dog": 0.25, "ox": 0.25}
RECORD = {
    "rows": 8,
    "truth": {"cat": 4, "dog": 2, "ox": 2},
    "loss": {"name": "log_loss", "before": 1.0, "after": 0.5},
    "actcli": "0.1.0",
}
WHOLE = HEAD | {
    "allow": ["cat", "dog"],
    "calibration": {"method": "temperature", "temperature": 2.0},
    "prior": {"train": EVEN, "new": {"cat": 0.25, "dog": 0.5, "ox": 0.25}},
    "conformal": {"score": "lac", "alpha": 0.1, "quantile": 0.75},
    "abstain": {"below": 0.5, "at_accuracy": 0.9, "delta": 0.05},
    "fitted": {"calibration": RECORD, "conformal": RECORD, "abstain": RECORD},
}
GROUPS = "country,class\nKE,cat\n*,dog\n"


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], Path]:
    """Return what writes a policy file."""
    monkeypatch.chdir(tmp_path)

    def write(document: Any) -> Path:
        file = tmp_path / "policy.json"
        file.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")
        return file

    return write


def content(file: Path) -> dict[str, Any]:
    """Return the document in a file."""
    document: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return document


def test_it_shows_what_the_file_holds(
    path: Callable[[Any], Path], actcli: Actcli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As JSON the document; as a table what each step does. The file stays as it is."""
    monkeypatch.setenv("COLUMNS", "200")
    file = path(WHOLE)
    before = file.read_bytes()
    result = actcli("policy", file)
    assert (result.code, result.err) == (0, "")
    assert json.loads(result.text) == {"policy": str(file), "set": [], "removed": [], "content": WHOLE}
    table = actcli("policy", file, "-f", "table").text
    for words in (
        "softmax from logits: cat, dog, ox",
        "possible: cat, dog",
        "divides the logits by 2",
        "cat: 0.5 to 0.25",
        "sets that miss at most 0.1 of the rows: lac, quantile 0.75",
        "withholds a label below 0.5, so that 0.9 of the rest are right",
        "8 rows",
    ):
        assert words in table
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (HEAD, "no step: the scores decide as they are"),
        (HEAD | {"allow": {"by": "country", "groups": {"KE": ["cat"], "*": ["dog"]}}}, "possible, by country"),
        (HEAD | {"task": "binary", "classes": ["no", "yes"], "thresholds": {"yes": 0.3}}, "yes from 0.3"),
        (
            HEAD
            | {
                "task": "multilabel",
                "thresholds": {"cat": 0.2, "dog": 0.2, "ox": 0.2},
                "conformal": {"score": "missed-labels", "alpha": 0.1, "threshold": 0.2},
            },
            "misses at most 0.1 of the labels",
        ),
        (
            HEAD | {"calibration": {"method": "platt", "slope": EVEN, "intercept": EVEN}},
            "platt, of 3 classes",
        ),
        (
            HEAD
            | {
                "classes": [str(number) for number in range(20)],
                "prior": {
                    "train": {str(number): 1 for number in range(20)},
                    "new": {str(number): 2 for number in range(20)},
                },
            },
            "and 12 more",
        ),
    ],
)
def test_every_kind_of_step(document: dict[str, Any], words: str, path: Callable[[Any], Path], actcli: Actcli) -> None:
    """Has words for it."""
    result = actcli("policy", path(document), "-f", "table")
    assert (result.code, words in result.text) == (0, True), result.err + result.text


@pytest.mark.parametrize("width", ["60", "80", "200"])
def test_the_table_fits(
    width: str, path: Callable[[Any], Path], actcli: Actcli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Terminals of any usual width; names are shown as they are, never as markup or escapes."""
    monkeypatch.setenv("COLUMNS", width)
    names = ["[red]cat", ":dog:", "\x1b[31m" + "x" * 300]
    result = actcli("policy", path(HEAD | {"classes": names, "allow": names}), "-f", "table")
    assert result.code == 0
    assert all(len(line) <= int(width) for line in result.text.splitlines())
    assert "\x1b" not in result.text
    assert "[red]cat, :dog:" in result.text


@pytest.mark.parametrize(
    ("options", "part", "value", "removed"),
    [
        (("--deny", "cat"), "allow", ["dog", "ox"], ["conformal", "abstain"]),
        (("--allow", "ox,cat"), "allow", ["cat", "ox"], ["conformal", "abstain"]),
        (("--allow", "cat,dog"), "allow", ["cat", "dog"], []),
        (
            ("--allow", "groups.csv", "--allow-by", "country"),
            "allow",
            {"by": "country", "groups": {"KE": ["cat"], "*": ["dog"]}},
            ["conformal", "abstain"],
        ),
        (
            ("--prior", "cat=1,dog=1,ox=2"),
            "prior",
            {"train": EVEN, "new": {"cat": 0.25, "dog": 0.25, "ox": 0.5}},
            ["conformal", "abstain"],
        ),
        (
            ("--train-prior", "cat=1,dog=1,ox=2"),
            "prior",
            {"train": {"cat": 0.25, "dog": 0.25, "ox": 0.5}, "new": WHOLE["prior"]["new"]},
            ["conformal", "abstain"],
        ),
    ],
)
def test_it_sets_parts(
    options: tuple[str, ...],
    part: str,
    value: Any,
    removed: list[str],
    path: Callable[[Any], Path],
    actcli: Actcli,
    tmp_path: Path,
) -> None:
    """It removes what that makes stale, with the records, and says so; a part that stays the same removes nothing."""
    (tmp_path / "groups.csv").write_text(GROUPS, encoding="utf-8")
    file = path(WHOLE)
    result = actcli("policy", file, *options)
    assert result.code == 0, result.err
    expected = {key: item for key, item in WHOLE.items() if key not in removed} | {part: value}
    expected["fitted"] = {step: record for step, record in WHOLE["fitted"].items() if step not in removed}
    assert content(file) == expected
    assert json.loads(result.text) == {"policy": str(file), "set": [part], "removed": removed, "content": expected}
    said = "removed, because this step changes what they depend on: conformal rule, abstention"
    assert (said in result.err) == bool(removed)


def test_shares_in_training_are_those_of_the_records(path: Callable[[Any], Path], actcli: Actcli) -> None:
    """Unless they are given, or the policy has a prior."""
    file = path({key: value for key, value in WHOLE.items() if key != "prior"})
    assert actcli("policy", file, "--prior", "cat=1,dog=1,ox=2").code == 0
    assert content(file)["prior"]["train"] == EVEN


@pytest.mark.parametrize("task", ["softmax", "multilabel", "binary"])
def test_a_new_file(task: str, path: Callable[[Any], Path], actcli: Actcli, tmp_path: Path) -> None:
    """Has the task and the classes that the options give; the commands take it."""
    path("")
    file = tmp_path / "new.json"
    head = ("--task", task, "--class-names", "no,yes")
    shares = ("--train-prior", "no=0.5,yes=0.5", "--prior", "no=0.2,yes=0.8")
    assert actcli("policy", file, *head, *shares).code == 0
    assert content(file)["task"] == task
    assert actcli(task, "--policy", file, stdin=b"no,yes\n1,2\n").code == 0
    assert actcli("policy", file, *head).code == 0
    bare = tmp_path / "bare.json"
    assert actcli("policy", bare, *head, "--from", "probabilities").code == 0
    assert content(bare)["from"] == "probabilities"


@pytest.mark.parametrize(
    ("document", "options", "code", "message"),
    [
        (None, (), 1, "policy.json: no such file"),
        (None, ("--deny", "cat"), 1, "policy.json: no such file"),
        (None, ("--task", "softmax"), 1, "policy.json: no such file"),
        (None, ("--task", "softmax", "--class-names", "a,a"), 2, "--class-names: classes 1 and 2 have the same name"),
        (None, ("--task", "binary", "--class-names", "a,b,c"), 2, "--class-names: classes: a binary task has two"),
        (None, ("--task", "softmax", "--class-names", "a,b", "--deny", "c"), 2, "--deny: 'c' is not a class"),
        (HEAD, ("--task", "binary"), 2, "--task: policy.json has softmax"),
        (HEAD, ("--class-names", "a,b,c"), 2, '--class-names: policy.json has "cat", "dog", "ox"'),
        (HEAD, ("--from", "probabilities"), 2, "--from: policy.json has logits"),
        (HEAD, ("--allow", "bird"), 2, "--allow: 'bird' is not a class"),
        (HEAD, ("--prior", "cat=1,dog=1,ox=1"), 2, "--prior: policy.json records no truth counts"),
        (HEAD, ("--train-prior", "cat=1,dog=1,ox=1"), 2, "--train-prior changes nothing by itself"),
        (WHOLE, ("--prior", "cat=0,dog=0,ox=1"), 2, "the classes that are allowed all have a new share of 0"),
        (HEAD, ("--allow", "policy.json"), 1, "policy.json:1: "),
        (HEAD, ("--deny", "cat", "-o", "policy.json"), 2, "the policy and --output are the same file"),
        (HEAD, ("-o", "policy.json"), 2, "policy.json: is one of the inputs"),
        (HEAD, ("--deny", "cat", "-o", "nowhere/x.json"), 1, "nowhere/x.json: no such directory"),
        ('{"actcli": 1,', (), 1, "policy.json:1: is not JSON"),
        (HEAD | {"colour": "red"}, (), 1, "policy.json: colour: is no known key"),
        (HEAD | {"allow": ["bird"]}, (), 1, "policy.json: allow: 'bird' is not a class"),
        (
            WHOLE | {"allow": ["ox"], "prior": {"train": EVEN, "new": EVEN | {"ox": 0}}},
            (),
            1,
            "prior: the classes that",
        ),
        (
            HEAD | {"allow": {"by": "country", "groups": {"KE": ["bird"]}}},
            (),
            1,
            "policy.json: allow.groups.KE: 'bird' is not a class",
        ),
    ],
)
def test_what_is_refused(
    document: Any, options: tuple[str, ...], code: int, message: str, path: Callable[[Any], Path], actcli: Actcli
) -> None:
    """With one line that says where and what; the file is as it was."""
    file = path("" if document is None else document)
    before = file.read_bytes()
    if document is None:
        file.unlink()
    result = actcli("policy", "policy.json", *options)
    assert result.code == code, result.err
    first, *more = result.err.splitlines()
    assert first.startswith("actcli: error: ")
    assert message in first
    assert len(more) <= 1
    assert (file.read_bytes() if file.exists() else None) == (None if document is None else before)


def test_a_file_that_changes_meanwhile(
    path: Callable[[Any], Path], actcli: Actcli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Is left as it is: nobody's work is lost."""
    file = path(HEAD)
    edited = module._edited

    def slow(*arguments: Any) -> Any:
        path(WHOLE)
        return edited(*arguments)

    monkeypatch.setattr(module, "_edited", slow)
    result = actcli("policy", file, "--deny", "cat")
    assert (result.code, result.out) == (1, result.out)
    assert "has changed since it was read" in result.err
    assert content(file) == WHOLE
