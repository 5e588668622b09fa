"""Options are declared in groups, and one that takes a single value is given once: all commands, all options."""

import json
from pathlib import Path
from typing import Annotated, Any

import pytest
import typer

from actcli.cli.app import Commands
from actcli.cli.declaration import declared, options
from actcli.cli.registry import COMMANDS
from program import Actcli

VALUES = {"int": "3", "int range": "3", "float": "0.5", "float range": "0.5"}
"""A value that each type of option takes; a choice takes its first, and text is "x"."""


def options_of(command: str) -> list[Any]:
    """Return the options of a command as Typer knows them."""
    found = Commands(name="actcli").get_command(typer.Context(typer.core.TyperCommand("actcli")), command)
    return [each for each in found.params if each.param_type_name == "option"]


def given(option: Any) -> list[str]:
    """Return an option of the command line with a value that its type takes."""
    if option.is_flag:
        return [option.opts[-1]]
    choices = list(getattr(option.type, "choices", ()))
    value = getattr(choices[0], "value", choices[0]) if choices else VALUES.get(option.type.name, "x")
    return [option.opts[-1], value]


CASES = [(command, option) for command in COMMANDS for option in options_of(command)]


@pytest.mark.parametrize(("command", "option"), CASES, ids=[f"{command} {each.opts[-1]}" for command, each in CASES])
def test_an_option_of_one_value_given_twice(command: str, option: Any, actcli: Actcli) -> None:
    """It is a usage error that names the option, before anything is read; a repeatable option and a switch are not."""
    required = ["--policy", "p.json"] if command in ("calibrate", "tune", "conformal") else []
    arguments = [*required, *([] if option.opts[-1] == "--policy" and required else given(option)), *given(option)]
    kind = ["sigmoid"] if command == "plot" else []
    result = actcli(command, *kind, *arguments)
    once = f"{'/'.join([option.opts[-1], *option.secondary_opts])}: is given more than once, and takes one value"
    if option.hidden or option.multiple or (option.is_flag and not option.secondary_opts):
        assert once not in result.err
        return
    assert (result.code, result.out) == (2, b"")
    assert result.err == f"actcli: error: {once}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ("-o", "a.csv", "-o", "b.parquet"),
        ("-o", "a.csv", "--output=b.parquet"),
        ("--output", "a.csv", "-ob.csv"),
        ("--header", "--no-header"),
        ("--dtype", "float32", "-q", "--dtype", "float32"),
    ],
)
def test_both_spellings_are_the_same_option(arguments: tuple[str, ...], actcli: Actcli) -> None:
    """Whichever comes first, and though the values are the same."""
    result = actcli("softmax", *arguments, stdin=b"a,b\n1,2\n")
    assert (result.code, result.out) == (2, b"")
    assert result.err.endswith(": is given more than once, and takes one value\n")


SCORES = b"id,a,b,c\nx,1,2,-3\ny,0,1,2\n"
WITHOUT_EFFECT = [
    ("multilabel", "probabilities", "--top-k 2", "labels"),
    ("multilabel", "probabilities", "--threshold .3", "labels"),
    ("multilabel", "logits", "--threshold a=.3", "indices"),
    ("multilabel", "log_probabilities,id", "--thresholds FILE", "count"),
    ("multilabel", "probabilities", "--threshold-op gt", "multihot"),
    ("multilabel", "probabilities,row", "--at-least-one", "labels"),
    ("multilabel", "logits", "--temperature 2", "probabilities"),
    ("multilabel", "labels", "--precision 3", "logits"),
    ("multilabel", "id", "--precision 3", "probabilities"),
    ("softmax", "label", "--top-k 2", "top_k"),
    ("softmax", "probabilities", "--abstain-below .9", "reason"),
    ("softmax", "margin", "--abstain-margin .9", "onehot"),
    ("softmax", "index", "--abstain-below .9 --abstain-label no", "label"),
    ("softmax", "label,row", "--precision 3", "entropy"),
    ("softmax", "logits", "--temperature 2", "margin"),
    ("binary --classes a", "probabilities", "--threshold .9", "label"),
    ("binary --classes a", "margin", "--threshold-op gt", "probability"),
]


@pytest.mark.parametrize(("command", "columns", "option", "other"), WITHOUT_EFFECT)
def test_an_option_that_changes_nothing_that_is_written(
    command: str, columns: str, option: str, other: str, actcli: Actcli, tmp_path: Path
) -> None:
    """It is refused, and the hint names the columns that it changes; with one of these it is accepted."""
    (tmp_path / "t.json").write_text('{"a": 0.4, "b": 0.4, "c": 0.4}', encoding="utf-8")
    line = [*command.split(), *option.replace("FILE", str(tmp_path / "t.json")).split()]
    name = next(word for word in reversed(line) if word.startswith("--"))
    result = actcli(*line, "--columns", columns, "-q", stdin=SCORES)
    assert (result.code, result.out) == (2, b"")
    message, hint = result.err.splitlines()
    assert message == f"actcli: error: {name} changes no column that is written"
    assert other in hint.rpartition(": ")[2].split(", ")
    assert actcli(*line, "--columns", f"{columns},{other}", "-q", stdin=SCORES).code == 0


def test_what_a_policy_holds_may_have_no_effect(actcli: Actcli, tmp_path: Path) -> None:
    """Only what is given on the command line must change something."""
    policy = {"actcli": 1, "task": "multilabel", "from": "logits", "classes": ["a", "b"]}
    path = tmp_path / "policy.json"
    path.write_text(json.dumps(policy | {"thresholds": {"a": 0.1, "b": 0.2}}), encoding="utf-8")
    assert actcli("multilabel", "--policy", path, "--columns", "probabilities", stdin=b"a,b\n1,2\n").code == 0


def test_a_separator_that_separates_nothing(actcli: Actcli, tmp_path: Path) -> None:
    """The truth is a table of 0 and 1: there is no text. With a column of texts it is taken."""
    for text, code in (("a,b\n1,0\n0,1\n", 2), ("truth\na;b\nb\n", 0)):
        (tmp_path / "truth.csv").write_text(text, encoding="utf-8")
        run = ("evaluate", "--task", "multilabel", "--truth", tmp_path / "truth.csv", "--label-separator", ";")
        result = actcli(*run, stdin=b"a,b\n1,2\n3,4\n")
        assert result.code == code
        assert ("--label-separator: no label is written as a text" in result.err) == (code == 2)


@pytest.mark.parametrize("kind", ["roc", "precision-recall", "thresholds", "gain", "reliability", "confidence"])
@pytest.mark.parametrize("option", ["--threshold=0.3", "--threshold-op=gt"])
def test_thresholds_of_a_chart_that_has_none(kind: str, option: str, actcli: Actcli, tmp_path: Path) -> None:
    """A curve shows all thresholds, and the others none; the confusion matrix and the risk are of labels."""
    (tmp_path / "truth.csv").write_text("truth\na\nb\n", encoding="utf-8")
    run = ("--truth", tmp_path / "truth.csv", "--task", "multilabel", "-f", "json")
    result = actcli("plot", kind, *run, option, stdin=b"a,b\n1,2\n3,4\n")
    assert result.code == 2
    name, hint = option.partition("=")[0], "it is for risk-coverage, confusion"
    assert result.err == f"actcli: error: {name} means nothing to {kind}\nhint: {hint}\n"
    assert actcli("plot", kind, *run, stdin=b"a,b\n1,2\n3,4\n").code == 0


def test_a_switch_may_be_repeated(actcli: Actcli) -> None:
    """It says the same thing again."""
    assert actcli("softmax", "-q", "--quiet", "-q", "-f", "csv", stdin=b"a,b\n1,2\n").code == 0


@options
class Inner:
    """A group within a group."""

    size: Annotated[int, typer.Option("--size", help="A size.")] = 1


@options
class Outer:
    """A group with an option, a fixed value and a group."""

    name: Annotated[str, typer.Option("--name", help="A name.")]
    inner: Inner
    speed: Annotated[float, typer.Option("--speed", help="A speed.")] = 2.0


@options
class Narrow(Outer):
    """A group that fixes an option, and tells of another in other words."""

    name: Annotated[str, typer.Option("--name", help="A name."), "Another name."]
    speed: float = 3.0


def test_a_function_gets_its_groups() -> None:
    """In the order of their fields, with the values of the single options."""
    seen: list[Any] = []

    def command(outer: Outer, count: Annotated[int, typer.Option("--count")] = 7) -> None:
        """Do it."""
        seen.extend([outer, count])

    function = declared(command)
    assert list(function.__signature__.parameters) == ["name", "size", "speed", "count"]  # type: ignore[attr-defined]
    assert function.__doc__ == "Do it."
    function(name="a", size=4, speed=5.0, count=6)
    outer, count = seen
    assert (outer.name, outer.inner.size, outer.speed, count) == ("a", 4, 5.0, 6)


def test_a_subclass_fixes_an_option_and_words_another() -> None:
    """The fixed value has no option, and is what the class says."""
    seen: list[Narrow] = []

    def command(narrow: Narrow) -> None:
        seen.append(narrow)

    function = declared(command)
    parameters = function.__signature__.parameters  # type: ignore[attr-defined]
    assert list(parameters) == ["name", "size"]
    assert parameters["name"].annotation.__metadata__[0].help == "Another name."
    function(name="a", size=4)
    assert (seen[0].speed, seen[0].inner.size) == (3.0, 4)


def test_annotations_are_evaluated() -> None:
    """A group in a module whose annotations are texts is refused: its options would be missing."""
    namespace: dict[str, Any] = {}
    code = "from __future__ import annotations\nclass Late:\n    size: int = 1\n"
    exec(code, namespace)  # noqa: S102  the future import is for this class alone
    with pytest.raises(TypeError, match=r"Late\.size: its type is a text"):
        options(namespace["Late"])


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_declared_once(command: str) -> None:
    """No two options of a command share a name, and each has a text for help or is hidden."""
    found = options_of(command)
    names = [name for option in found for name in (*option.opts, *option.secondary_opts)]
    assert len(names) == len(set(names))
    assert all(option.help or option.hidden for option in found)
