"""The policy file: what it holds comes back, and what it must not hold is said."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actcli.calibration.conformal import Conformal, RiskControl
from actcli.calibration.methods import Calibration, Isotonic, Platt, Temperature, VectorScaling
from actcli.cli.policies import STEP_NAMES
from actcli.errors import DataError
from actcli.prediction import policy as policies
from actcli.prediction.allow import Allow
from actcli.prediction.costs import Costs
from actcli.prediction.policy import Abstain, Policy, Record, stale_after
from actcli.prediction.policy_reader import ContradictionError, MalformedError, parsed_policy, read_policy
from actcli.prediction.prior import Prior
from actcli.prediction.taxonomy import Taxonomy
from actcli.tasks import FITTED_STEPS, Origin, Step, Task

SCHEMA = json.loads(Path(policies.__file__).with_name("policy.schema.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)

RECORD = Record(10, {"cat": 4, "dog": 6}, "log_loss", None, 0.5, "0.1.0")
WHOLE: dict[str, Any] = {
    "actcli": 1,
    "task": "softmax",
    "from": "logits",
    "classes": ["cat", "dog"],
    "calibration": {"method": "temperature", "temperature": 1.73},
    "conformal": {"score": "lac", "alpha": 0.1, "quantile": 0.83},
    "fitted": {
        "calibration": {
            "rows": 10,
            "truth": {"cat": 4, "dog": 6},
            "loss": {"name": "log_loss", "before": None, "after": 0.5},
            "actcli": "0.1.0",
        }
    },
}
LABELS: dict[str, Any] = {
    "actcli": 1,
    "task": "multilabel",
    "from": "probabilities",
    "classes": ["cat", "dog"],
    "thresholds": {"cat": 0.31},
}


COSTS = {"decisions": ["cat", "dog"], "matrix": {"cat": [0, 1], "dog": [10, 0]}}
TAXONOMY = {"parents": {"cat": "pet", "dog": "pet", "pet": None}, "at": 0.75}


def changed(document: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Return a copy of a document with another value at a path, or without it where the value is `...`."""
    copy = json.loads(json.dumps(document))
    *parents, name = path.split(".")
    inner = copy
    for parent in parents:
        inner = inner[parent]
    if value is ...:
        del inner[name]
    else:
        inner[name] = value
    return copy if isinstance(copy, dict) else {}


WRONG = [
    (WHOLE, "colour", "red", "colour: is no known key"),
    (WHOLE, "calibration.colour", "red", "calibration.colour: is no known key"),
    (WHOLE, "fitted.calibration.colour", "red", "fitted.calibration.colour: is no known key"),
    (WHOLE, "task", "regression", "task: 'regression' is none of softmax, multilabel, binary"),
    (WHOLE, "task", ..., "has no 'task'"),
    (WHOLE, "from", "log-odds", "from: 'log-odds' is none of logits"),
    (WHOLE, "classes", [], "classes: 0 items"),
    (WHOLE, "classes", ["cat", "cat"], "'cat' is there twice"),
    (WHOLE, "classes", ["cat", ""], r"classes\[1\]: is empty"),
    (WHOLE, "classes", "cat", "classes: 'cat' is no array"),
    (WHOLE, "calibration", 1.73, "calibration: 1.73 is no object"),
    (
        WHOLE,
        "calibration.method",
        "magic",
        "calibration.method: 'magic' is none of temperature, vector, platt, isotonic",
    ),
    (WHOLE, "calibration.temperature", 0, "calibration.temperature: 0 is not above 0"),
    (WHOLE, "calibration.temperature", "1", "calibration.temperature: '1' is no number"),
    (WHOLE, "calibration.temperature", ..., "calibration: has no 'temperature'"),
    (WHOLE, "calibration.temperature", True, "calibration.temperature: True is no number"),
    (WHOLE, "conformal.alpha", 1, "conformal.alpha: 1 is not below 1"),
    (WHOLE, "conformal.score", "size", "conformal.score: 'size' is none of lac, aps, raps, missed-labels"),
    (WHOLE, "conformal.score", "raps", "conformal: has no 'lambda'"),
    (LABELS, "thresholds.cat", 1.5, "thresholds.cat: 1.5 is above 1"),
    (LABELS, "thresholds.cat", None, "thresholds.cat: None is no number"),
    (WHOLE, "allow", [], "allow: 0 items"),
    (WHOLE, "allow", ["cat", "cat"], "allow: 'cat' is there twice"),
    (WHOLE, "allow", [""], r"allow\[0\]: is empty"),
    (WHOLE, "allow", "cat", "allow: 'cat' is no object"),
    (WHOLE, "allow", {"groups": {"*": ["cat"]}}, "allow: has no 'by'"),
    (WHOLE, "allow", {"by": "country", "groups": {}}, "allow.groups: has no group"),
    (WHOLE, "allow", {"by": "country", "groups": {"*": []}}, r"allow.groups.\*: 0 items"),
    (WHOLE, "prior", {"new": {"cat": 1, "dog": 1}}, "prior: has no 'train'"),
    (WHOLE, "prior", {"train": {"cat": 1, "dog": 1}, "new": {"cat": -1, "dog": 1}}, "prior.new.cat: -1 is below 0"),
    (WHOLE, "prior", {"train": {"cat": 1, "dog": 1}, "new": {"cat": "1", "dog": 1}}, "prior.new.cat: '1' is no number"),
    (WHOLE, "costs", [], "costs: .* is no object"),
    (WHOLE, "costs", {"decisions": ["cat"]}, "costs: has no 'matrix'"),
    (WHOLE, "costs", COSTS | {"decisions": []}, "costs.decisions: 0 items"),
    (WHOLE, "costs", COSTS | {"decisions": ["cat", "cat"]}, "costs.decisions: 'cat' is there twice"),
    (WHOLE, "costs", COSTS | {"decisions": ["cat", ""]}, r"costs.decisions\[1\]: is empty"),
    (WHOLE, "costs", COSTS | {"matrix": {"cat": 1}}, "costs.matrix.cat: 1 is no array"),
    (WHOLE, "costs", COSTS | {"matrix": {"cat": [0, "1"]}}, r"costs.matrix.cat\[1\]: '1' is no number"),
    (WHOLE, "costs", COSTS | {"matrix": {"cat": [0, 1e31]}}, r"costs.matrix.cat\[1\]: 1e\+31 is above 1e\+30"),
    (WHOLE, "costs", COSTS | {"unit": "euro"}, "costs.unit: is no known key"),
    (WHOLE, "taxonomy", None, "taxonomy: None is no object"),
    (WHOLE, "taxonomy", {"parents": {"cat": None, "dog": None}}, "taxonomy: has no 'at'"),
    (WHOLE, "taxonomy", {"parents": ["cat"], "at": 0.5}, "taxonomy.parents: .* is no object"),
    (WHOLE, "taxonomy", {"parents": {"cat": 1, "dog": None}, "at": 0.5}, "taxonomy.parents.cat: 1 is no string"),
    (WHOLE, "taxonomy", TAXONOMY | {"at": 1.5}, "taxonomy.at: 1.5 is above 1"),
    (WHOLE, "abstain", 0.5, "abstain: 0.5 is no object"),
    (WHOLE, "abstain", {"at_accuracy": 0.9}, "abstain: has no 'below'"),
    (WHOLE, "abstain", {"below": 1.5}, "abstain.below: 1.5 is above 1"),
    (WHOLE, "abstain", {"below": 0.5, "at_accuracy": 0.9, "delta": 0}, "abstain.delta: 0 is not above 0"),
    (WHOLE, "abstain", {"below": 0.5, "margin": 0.1}, "abstain.margin: is no known key"),
    (WHOLE, "fitted.calibration.rows", 0, "fitted.calibration.rows: 0 is below 1"),
    (WHOLE, "fitted.calibration.rows", 2.5, "fitted.calibration.rows: 2.5 is no integer"),
]
"""What the schema refuses, and what is said of it."""

MISFITS = [
    (WHOLE, "allow", ["bird"], "allow: 'bird' is not a class"),
    (WHOLE, "allow", {"by": "country", "groups": {"*": ["bird"]}}, r"allow.groups.\*: 'bird' is not a class"),
    (WHOLE, "prior", {"train": {"cat": 1}, "new": {"cat": 1, "dog": 1}}, "prior.train: there is no share for 'dog'"),
    (WHOLE, "prior", {"train": {"cat": 1, "dog": 1, "ox": 1}, "new": {}}, "prior.train: 'ox' is not a class"),
    (
        WHOLE,
        "prior",
        {"train": {"cat": 1, "dog": 0}, "new": {"cat": 1, "dog": 1}},
        "prior.train: the share of 'dog' in training is 0",
    ),
    (WHOLE, "prior", {"train": {"cat": 1, "dog": 1}, "new": {"cat": 0, "dog": 0}}, "prior.new: all shares are 0"),
    (WHOLE, "prior", {"train": {"cat": 1e308, "dog": 1e308}, "new": {"cat": 1, "dog": 1}}, "are too large"),
    (
        LABELS,
        "prior",
        {"train": {"cat": 0.5, "dog": 1}, "new": {"cat": 1, "dog": 1}},
        "prior.train: the share of 'dog' in training is 1",
    ),
    (
        LABELS,
        "prior",
        {"train": {"cat": 0.5, "dog": 0.5}, "new": {"cat": 2, "dog": 1}},
        "prior.new: the share of 'cat' is 2, above 1",
    ),
    (WHOLE, "costs", COSTS | {"matrix": {"cat": [0, 1]}}, "costs.matrix: there is none for 'dog'"),
    (WHOLE, "costs", COSTS | {"matrix": {"cat": [0, 1], "ox": [1, 0]}}, "costs.matrix: 'ox' is not a class"),
    (WHOLE, "costs", COSTS | {"matrix": {"cat": [0], "dog": [1, 0]}}, "costs.matrix.cat: 1 costs, but 2 decisions"),
    (LABELS, "costs", COSTS, "costs: multilabel has none"),
    (LABELS, "taxonomy", TAXONOMY, "taxonomy: multilabel has none"),
    (WHOLE, "taxonomy", {"parents": {"cat": None}, "at": 1}, "has no line for the class 'dog'"),
    (WHOLE, "taxonomy", {"parents": {"cat": "pet", "dog": None}, "at": 1}, "'cat': its parent 'pet' has no line"),
    (WHOLE, "taxonomy", {"parents": {"cat": "dog", "dog": None}, "at": 1}, "its parent 'dog' is a class"),
    (WHOLE, "taxonomy", {"parents": {"cat": "cat", "dog": None}, "at": 1}, "'cat': is its own ancestor"),
    (WHOLE, "taxonomy", {"parents": {"cat": None, "dog": None, "ox": None}, "at": 1}, "'ox': is neither a class"),
    (
        changed(WHOLE, "costs", {"decisions": ["pet"], "matrix": {"cat": [0], "dog": [0]}}),
        "taxonomy",
        TAXONOMY,
        "taxonomy: 'pet' is a decision that has costs and a node of the taxonomy",
    ),
    (WHOLE, "taxonomy", {"parents": {"cat": " ", "dog": " ", " ": None}, "at": 1}, "parents: a name is empty"),
    (LABELS, "abstain", {"below": 0.5}, "abstain: multilabel has none"),
    (WHOLE, "abstain", {"below": 0.5, "delta": 0.1}, "abstain.delta: is for at_accuracy"),
    (WHOLE, "thresholds", {"cat": 0.5}, "softmax has none"),
    (WHOLE, "positive", "cat", "softmax has no positive class"),
    (WHOLE, "classes", ["cat"], "softmax needs two or more"),
    (WHOLE, "task", "binary", ""),
    (WHOLE, "conformal", {"score": "missed-labels", "alpha": 0.1, "threshold": 0.2}, "is not for softmax"),
    (LABELS, "conformal", {"score": "lac", "alpha": 0.1, "quantile": 0.2}, "is not for multilabel"),
    (
        LABELS,
        "conformal",
        {"score": "missed-labels", "alpha": 0.1, "threshold": 0.2},
        "not the threshold of every class",
    ),
    (LABELS, "thresholds", {"bird": 0.5}, "thresholds: 'bird' is not a class"),
    (
        LABELS,
        "calibration",
        {"method": "platt", "slope": {"cat": 1}, "intercept": {}},
        "slope: there is none for 'dog'",
    ),
    (LABELS, "calibration", {"method": "isotonic", "points": {"cat": [[0, 1], [1, 0]], "dog": [[0, 0]]}}, "not rise"),
    (LABELS, "calibration", {"method": "isotonic", "points": {"cat": [[0, 2]], "dog": [[0, 0]]}}, "not both prob"),
]
"""What only the program can see."""


def written(tmp_path: Path, document: Any) -> str:
    """Return the path of a file with this document."""
    path = tmp_path / "policy.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")
    return str(path)


def test_the_schema_is_one() -> None:
    """By the standard that it names."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(
    "document", [WHOLE, LABELS, *(changed(WHOLE, "fitted", ...), changed(LABELS, "thresholds", ...))]
)
def test_valid_documents(document: dict[str, Any], tmp_path: Path) -> None:
    """Pass the schema, by jsonschema, and are read."""
    jsonschema.validate(document, SCHEMA)
    assert read_policy(written(tmp_path, document)).task == document["task"]


@pytest.mark.parametrize(("document", "path", "value", "message"), WRONG)
def test_invalid_documents(document: dict[str, Any], path: str, value: Any, message: str, tmp_path: Path) -> None:
    """Are refused by jsonschema too, and with what is wrong and where."""
    wrong = changed(document, path, value)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, SCHEMA)
    with pytest.raises(DataError, match=message):
        read_policy(written(tmp_path, wrong))


@pytest.mark.parametrize(("document", "path", "value", "message"), MISFITS)
def test_documents_that_contradict_themselves(
    document: dict[str, Any], path: str, value: Any, message: str, tmp_path: Path
) -> None:
    """Pass the schema and are refused all the same."""
    wrong = changed(document, path, value)
    jsonschema.validate(wrong, SCHEMA)
    if message:
        with pytest.raises(DataError, match=message):
            read_policy(written(tmp_path, wrong))
    else:
        assert read_policy(written(tmp_path, wrong)).positive == "dog"


ISOTONIC = changed(
    LABELS, "calibration", {"method": "isotonic", "points": {"cat": [[0.0, 0.1], [1.5, 0.9]], "dog": [[0.0, 0.5]]}}
)
VALID = [
    WHOLE,
    changed(WHOLE, "allow", ["dog"]),
    changed(WHOLE, "allow", {"by": "country", "groups": {"KE": ["cat"], "*": ["cat", "dog"]}}),
    changed(WHOLE, "prior", {"train": {"cat": 70, "dog": 30}, "new": {"cat": 0.0, "dog": 1.0}}),
    changed(LABELS, "prior", {"train": {"cat": 0.5, "dog": 0.25}, "new": {"cat": 1.0, "dog": 0.0}}),
    changed(WHOLE, "abstain", {"below": 0.75, "at_accuracy": 0.9, "delta": 0.05}),
    changed(WHOLE, "abstain", {"below": 0.75}),
    changed(WHOLE, "costs", COSTS),
    changed(WHOLE, "costs", {"decisions": ["review", "cat"], "matrix": {"dog": [0.5, -3.0], "cat": [1, 1e30]}}),
    changed(WHOLE, "taxonomy", TAXONOMY),
    changed(WHOLE, "taxonomy", {"parents": {"dog": None, "cat": None}, "at": 0}),
    LABELS,
    ISOTONIC,
    changed(
        LABELS, "calibration", {"method": "platt", "slope": {"cat": 1, "dog": 2}, "intercept": {"cat": 0, "dog": 0}}
    ),
    changed(WHOLE, "calibration", {"method": "vector", "scale": {"cat": 1, "dog": 2.5}, "bias": {"cat": 0, "dog": -1}}),
    changed(WHOLE, "conformal", {"score": "raps", "alpha": 0.1, "quantile": None, "lambda": 0.01, "k": 5}),
    changed(
        changed(LABELS, "thresholds.dog", 0.31),
        "conformal",
        {"score": "missed-labels", "alpha": 0.1, "threshold": 0.31},
    ),
    {"actcli": 1, "task": "binary", "from": "log-probabilities", "classes": ["no", "yes"], "positive": "no"},
]
"""Policies with every key that a policy can have."""

leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 3),
    st.floats(-2, 2),
    st.sampled_from(["softmax", "temperature", "isotonic", "lac", "raps", "missed-labels", "logits", "cat", ""]),
    st.just([]),
    st.just({}),
    st.just(["cat", "dog"]),
    st.just(["cat", "cat"]),
    st.just({"cat": 0.5}),
    st.just({"cat": 0.5, "dog": 1}),
    st.just({"below": 0.5}),
    st.just(COSTS),
    st.just(TAXONOMY),
    st.just([[1.0, 0.5]]),
    st.just([[1.0, 0.5, 2.0]]),
)


def paths_in(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Return the path of everything in a JSON value, and of a key that each of its objects does not have."""
    found = [path] if path else []
    if isinstance(value, dict):
        found += [(*path, "other")]
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in members:
        found += paths_in(inner, (*path, key))
    return found


@st.composite
def mutated(draw: st.DrawFn) -> dict[str, Any]:
    """Return a valid policy with one to three values replaced, added or removed, anywhere."""
    document: dict[str, Any] = json.loads(json.dumps(draw(st.sampled_from(VALID))))
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(paths_in(document)))
        inner: Any = document
        for part in path[:-1]:
            inner = inner[part]
        if path[-1] != "other" and draw(st.booleans()) and draw(st.booleans()):
            del inner[path[-1]]
        else:
            inner[path[-1]] = json.loads(json.dumps(draw(leaves)))  # a copy: it may be changed next
    return document


def verdict(document: Any) -> tuple[str, str]:
    """Return what the reader of the package makes of a document, and its text or the message."""
    try:
        return "policy", parsed_policy(document).text()
    except MalformedError as error:
        return "malformed", str(error)
    except ContradictionError as error:
        return "contradiction", str(error)


@pytest.mark.parametrize("document", VALID)
def test_the_valid_documents_are_policies(document: dict[str, Any]) -> None:
    """So a mutation of one can be refused for the mutation alone; what is read and written again is the same policy."""
    assert VALIDATOR.is_valid(document)
    policy = parsed_policy(document)
    again = parsed_policy(json.loads(policy.text()))
    assert (again, again.text()) == (policy, policy.text())


@given(mutated())
@settings(max_examples=500)
def test_the_reader_agrees_with_the_schema(document: dict[str, Any]) -> None:
    """With jsonschema, on any mutation; only contradictions are beyond the schema. An error is one line."""
    found, text = verdict(document)
    assert found in (("policy" if VALIDATOR.is_valid(document) else "malformed"), "contradiction")
    assert VALIDATOR.is_valid(json.loads(text)) if found == "policy" else text.isprintable()


def test_many_classes_take_time_in_proportion() -> None:
    """No class is searched for among all others: a policy of 45,000 classes took half a minute."""

    class Name(str):
        """A text that counts how often one is compared with another."""

        __slots__ = ()
        compared = 0
        __hash__ = str.__hash__

        def __eq__(self, other: object) -> bool:
            Name.compared += 1
            return str.__eq__(self, other)

    names = [f"class {number}" for number in range(2000)]
    document = {
        **LABELS,
        "classes": [Name(name) for name in names],
        "thresholds": {Name(name): 0.25 for name in names},
        "calibration": {
            "method": "platt",
            "slope": {Name(name): 1.0 for name in names},
            "intercept": {Name(name): 0.0 for name in names},
        },
    }
    assert len(parsed_policy(document).classes) == 2000
    assert Name.compared < 100 * len(names)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "is no policy file"),
        ("[1]", "is no policy file"),
        ('{"actcli": 2, "task": "softmax"}', "is a policy of version 2, and this actcli knows 1"),
        ('{"actcli": true}', "version True"),
        ('{"actcli": "1"}', "is a policy of version '1', and this actcli knows 1"),
        ('{"actcli": null}', "version None"),
        (json.dumps(changed(WHOLE, "calibration.temperature", 10**308 * 10)), "temperature: 1000.* is too large"),
        (json.dumps(changed(WHOLE, "conformal.quantile", 10**309)), "conformal.quantile: 1000.* is too large"),
        (
            json.dumps(changed(WHOLE, "fitted.calibration.actcli", "\ud800")),
            "fitted.calibration.actcli: .* is not UTF-8",
        ),
        (
            json.dumps(changed(WHOLE, "fitted.calibration.truth", {"\ud800": 1})),
            "fitted.calibration.truth: .* not UTF-8",
        ),
        ('{"actcli": 1, "actcli": 1}', "same key twice"),
        ('{"actcli": 1,', ":1: is not JSON"),
        (
            json.dumps(changed(WHOLE, "calibration.temperature", math.nan)),
            "temperature: nan is no number",
        ),
        ('{"actcli": 1, "task": "softmax", "from": "logits", "classes": ["a", "\\ud800"]}', "classes"),
    ],
)
def test_files_that_are_no_policy(text: str, message: str, tmp_path: Path) -> None:
    """Say what they are."""
    with pytest.raises(DataError, match=message) as caught:
        read_policy(written(tmp_path, text))
    assert caught.value.message.isprintable()


def test_an_integer_of_any_size(tmp_path: Path) -> None:
    """Is read: conformal writes the free ranks as they were asked for."""
    raps = {"score": "raps", "alpha": 0.1, "quantile": 0.9, "lambda": 0.01, "k": 10**309}
    policy = read_policy(written(tmp_path, changed(WHOLE, "conformal", raps)))
    assert policy.conformal == Conformal("raps", 0.1, 0.9, 0.01, 10**309)
    assert read_policy(written(tmp_path, policy.text())) == policy


def test_a_file_that_is_not_there() -> None:
    """Is an error that says who writes one."""
    with pytest.raises(DataError, match="no such file") as caught:
        read_policy("nowhere.json")
    assert caught.value.hint is not None


STEPS: list[Calibration | None] = [
    None,
    Temperature(1.7358775889188824),
    VectorScaling((1.5, -0.25), (0.1, 1e-300)),
    Platt((1.0, 2.0), (0.0, -1e22)),
    Isotonic((((-1.0, 0.5), (0.0, 1.0)), ((0.1 + 0.2,), (1 / 3,)))),
]


@pytest.mark.parametrize("calibration", STEPS)
@pytest.mark.parametrize("quantile", [0.83, math.inf])
def test_what_is_written_is_read_again(calibration: Calibration | None, quantile: float, tmp_path: Path) -> None:
    """To the last bit, by the schema, the same text each time."""
    policy = Policy(
        Task.SOFTMAX,
        Origin.LOGITS,
        ("cat [red]", 'do"g'),
        calibration=calibration,
        conformal=Conformal("raps", 0.1, quantile, 0.01, 5),
        fitted={Step.CONFORMAL: RECORD, Step.CALIBRATION: RECORD},
    )
    jsonschema.validate(json.loads(policy.text()), SCHEMA)
    again = read_policy(written(tmp_path, policy.text()))
    assert again.text() == policy.text()
    assert (again.calibration, again.conformal, again.classes) == (calibration, policy.conformal, policy.classes)
    assert list(json.loads(policy.text())["fitted"]) == ["calibration", "conformal"]
    assert "\n  " in policy.text()


VALUES: dict[Step, Any] = {
    Step.ALLOW: Allow({"*": ("no", "yes")}),
    Step.CALIBRATION: Temperature(2.0),
    Step.PRIOR: Prior({"no": 0.5, "yes": 0.5}, {"no": 0.9, "yes": 0.1}),
    Step.THRESHOLDS: {"yes": 0.3},
    Step.COSTS: Costs(("no", "yes", "review"), {"no": (0.0, 1.0, 0.25), "yes": (10.0, 0.0, 0.5)}),
    Step.TAXONOMY: Taxonomy({"no": "any", "yes": "any", "any": None}, 0.75),
    Step.CONFORMAL: Conformal("lac", 0.1, 0.8),
    Step.ABSTAIN: Abstain(0.7, 0.95),
}
"""A value of each step of a binary policy."""

STALE = {
    Step.ALLOW: (Step.CONFORMAL, Step.ABSTAIN),
    Step.CALIBRATION: (Step.PRIOR, Step.THRESHOLDS, Step.COSTS, Step.TAXONOMY, Step.CONFORMAL, Step.ABSTAIN),
    Step.PRIOR: (Step.THRESHOLDS, Step.COSTS, Step.TAXONOMY, Step.CONFORMAL, Step.ABSTAIN),
    Step.THRESHOLDS: (Step.ABSTAIN,),
    Step.COSTS: (Step.ABSTAIN,),
    Step.TAXONOMY: (Step.ABSTAIN,),
    Step.CONFORMAL: (Step.ABSTAIN,),
    Step.ABSTAIN: (),
}
"""What a change of each step makes stale, written by hand."""


def whole_policy() -> Policy:
    """Return a binary policy that holds every step, with a record of each that is fitted."""
    return Policy(
        Task.BINARY,
        Origin.LOGITS,
        ("no", "yes"),
        "yes",
        **{step.value: value for step, value in VALUES.items()},
        fitted=dict.fromkeys(FITTED_STEPS, RECORD),
    )


@pytest.mark.parametrize("step", list(Step))
def test_a_step_makes_later_ones_stale(step: Step) -> None:
    """It removes them, with their records, says which, and leaves the others alone."""
    policy, removed = whole_policy().with_step(step, VALUES[step], RECORD)
    assert removed == STALE[step] == stale_after(step, Task.BINARY)
    assert {held: policy.part(held) for held in Step} == {
        held: None if held in removed else value for held, value in VALUES.items()
    }
    assert set(policy.fitted) == {*FITTED_STEPS, step} - set(removed)
    assert policy.conflicts(step) == (step,)
    assert whole_policy().conflicts(step) == tuple(held for held in Step if held in (step, *removed))


def test_a_step_that_is_not_there_is_not_removed() -> None:
    """Nor said to be."""
    policy = Policy(Task.BINARY, Origin.LOGITS, ("no", "yes"), "yes", thresholds={"yes": 0.3})
    assert policy.with_step(Step.CALIBRATION, Temperature(2.0), RECORD)[1] == (Step.THRESHOLDS,)


def test_a_step_without_a_record_loses_the_old_one() -> None:
    """The record is of another value."""
    policy, _ = whole_policy().with_step(Step.ABSTAIN, Abstain(0.5))
    assert set(policy.fitted) == set(FITTED_STEPS) - {Step.ABSTAIN}


def test_every_step_has_a_name() -> None:
    """For messages."""
    assert set(STEP_NAMES) == set(Step)


def test_other_names_for_the_classes() -> None:
    """Take the place of the old ones in every part, and in the records; the text is that of a policy made with them."""
    renamed = json.loads(whole_policy().with_names(("ham", "spam")).text())
    texts = whole_policy().text().replace('"no"', '"ham"').replace('"yes"', '"spam"')
    assert renamed == json.loads(texts)


def test_of_labels_thresholds_and_the_conformal_rule_replace_one_another() -> None:
    """Because the rule is a threshold for all of them."""
    policy = Policy(Task.MULTILABEL, Origin.LOGITS, ("cat", "dog"))
    policy, _ = policy.with_step(Step.THRESHOLDS, {"cat": 0.3, "dog": 0.4}, RECORD)
    policy, removed = policy.with_step(Step.CONFORMAL, RiskControl(0.1, 0.07), RECORD)
    assert removed == ("thresholds",)
    assert (policy.thresholds, list(policy.fitted)) == ({"cat": 0.07, "dog": 0.07}, ["conformal"])
    policy, removed = policy.with_step(Step.CONFORMAL, RiskControl(0.2, 0.1), RECORD)
    assert removed == ()
    policy, removed = policy.with_step(Step.THRESHOLDS, {"cat": 0.3, "dog": 0.4}, RECORD)
    assert (removed, policy.conformal) == (("conformal",), None)
