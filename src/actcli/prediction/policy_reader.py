"""The reader of the policy file: it checks the document while it reads it.

Each error is one line: the path in the document, what was found, and what is allowed. `policy.schema.json` describes
the same file for other programs; the tests compare its verdicts with those of this reader.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar, assert_never

from actcli.calibration.conformal import Conformal, RiskControl
from actcli.calibration.methods import Isotonic, Platt, Temperature, VectorScaling
from actcli.errors import DataError, listed, visible
from actcli.prediction.option_files import decoded, parsed_json, read_bytes
from actcli.prediction.policy import DEFAULT_THRESHOLD, MISSED_LABELS, VERSION, Policy, Record
from actcli.tasks import ConformalScore, Method, Origin, Step, Task

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from actcli.calibration.methods import Calibration

T = TypeVar("T", bound=str)

__all__ = ["ContradictionError", "MalformedError", "parsed_policy", "policy_in", "read_policy"]


class MalformedError(ValueError):
    """A document that the JSON schema refuses too."""


class ContradictionError(ValueError):
    """A document whose parts do not fit together, which a JSON schema cannot say."""


def read_policy(path: str) -> Policy:
    """Return the policy in a file.

    Raises
    ------
    DataError
        If the file cannot be read, or is no policy of a known version.
    """
    return policy_in(read_bytes(path, "actcli calibrate, tune and conformal write one"), path)


def policy_in(data: bytes, path: str) -> Policy:
    """Return the policy in the file at `path`, which holds `data`.

    Raises
    ------
    DataError
        If it is no policy of a known version.
    """
    document = parsed_json(decoded(data, path), path)
    name = visible(path, 200)
    if not isinstance(document, dict) or "actcli" not in document:
        raise DataError(f"{name}: is no policy file: it has no 'actcli'", hint='a policy begins with {"actcli": 1, ...')
    try:
        return parsed_policy(document)
    except ValueError as error:
        raise DataError(f"{name}: {error}") from None


def parsed_policy(document: Any) -> Policy:
    """Return the policy in a JSON document.

    Raises
    ------
    MalformedError
        If the schema of a policy does not allow the document.
    ContradictionError
        If its parts do not fit together.
    """
    whole = _Value(document)
    version = whole.members().get("actcli", VERSION)
    if isinstance(version, bool) or version != VERSION:
        raise MalformedError(f"is a policy of version {_Value(version).shown}, and this actcli knows {VERSION}")
    parts = whole.object(
        ("actcli", "task", "from", "classes"), ("positive", "calibration", "thresholds", "conformal", "fitted")
    )
    policy = _of_classes(parts)
    thresholds = _thresholds(parts["thresholds"], policy) if "thresholds" in parts else None
    calibration = _calibration(parts["calibration"], policy.labels) if "calibration" in parts else None
    conformal = _conformal(parts["conformal"], policy.task, thresholds) if "conformal" in parts else None
    return replace(
        policy,
        thresholds=thresholds,
        calibration=calibration,
        conformal=conformal,
        fitted=_fitted(parts["fitted"]) if "fitted" in parts else {},
    )


@dataclass(frozen=True, slots=True)
class _Value:
    """A JSON value and its path in the document; each method returns the value if it is what the method names."""

    value: Any
    path: tuple[str | int, ...] = ()

    def malformed(self, says: str) -> MalformedError:
        return MalformedError(self._located(says))

    def contradiction(self, says: str) -> ContradictionError:
        return ContradictionError(self._located(says))

    def _located(self, says: str) -> str:
        where = "".join(f"[{part}]" if isinstance(part, int) else f".{visible(part)}" for part in self.path)
        return f"{where.removeprefix('.')}: {says}" if where else says

    @property
    def shown(self) -> str:
        return visible(repr(self.value) if isinstance(self.value, str) else str(self.value), 40)

    def members(self) -> dict[str, Any]:
        if not isinstance(self.value, dict):
            raise self.malformed(f"{self.shown} is no object")
        return self.value

    def object(self, required: Sequence[str], optional: Sequence[str] = ()) -> dict[str, _Value]:
        """Return the members of an object that has these keys and no others."""
        members = self.members()
        known = (*required, *optional)
        for key in members:
            if key not in known:
                raise _Value(None, (*self.path, key)).malformed(f"is no known key; the keys are {', '.join(known)}")
        for key in required:
            if key not in members:
                raise self.malformed(f"has no {visible(key)!r}")
        return {key: _Value(value, (*self.path, key)) for key, value in members.items()}

    def named(self) -> Iterator[tuple[str, _Value]]:
        """Yield the members of an object with any keys."""
        for key, value in self.members().items():
            yield key, _Value(value, (*self.path, key))

    def items(self, least: int = 0, most: float = math.inf) -> list[_Value]:
        if not isinstance(self.value, list):
            raise self.malformed(f"{self.shown} is no array")
        count = len(self.value)
        found = f"{count} item{'' if count == 1 else 's'}"
        if count < least:
            raise self.malformed(f"{found}, fewer than {least}")
        if count > most:
            raise self.malformed(f"{found}, more than {most}")
        return [_Value(value, (*self.path, number)) for number, value in enumerate(self.value)]

    def text(self) -> str:
        if not isinstance(self.value, str):
            raise self.malformed(f"{self.shown} is no string")
        _check_utf8(self.value, self)
        return self.value

    def choice(self, options: Sequence[T]) -> T:
        for option in options:
            if self.value == option and isinstance(self.value, str):
                return option
        raise self.malformed(f"{self.shown} is none of {', '.join(options)}")

    def choice_of(self, key: str, options: Sequence[T]) -> T:
        """Return the member of an object that says which other keys it has."""
        members = self.members()
        if key not in members:
            raise self.malformed(f"has no {key!r}")
        return _Value(members[key], (*self.path, key)).choice(options)

    def number(self, kind: str = "number") -> float:
        if isinstance(self.value, bool) or not isinstance(self.value, int | float):
            raise self.malformed(f"{self.shown} is no {kind}")
        try:
            number = float(self.value)
        except OverflowError:
            raise self.contradiction(f"{self.shown} is too large") from None
        if not math.isfinite(number):
            raise self.malformed(f"{self.shown} is no {kind}")
        return number

    def between(self, least: float, most: float) -> float:
        """Return a number from `least` to `most`, both included."""
        number = self.number()
        if number < least:
            raise self.malformed(f"{self.shown} is below {least:g}")
        if number > most:
            raise self.malformed(f"{self.shown} is above {most:g}")
        return number

    def inside(self, least: float, most: float = math.inf) -> float:
        """Return a number above `least` and below `most`."""
        number = self.number()
        if number <= least:
            raise self.malformed(f"{self.shown} is not above {least:g}")
        if number >= most:
            raise self.malformed(f"{self.shown} is not below {most:g}")
        return number

    def integer(self, least: int) -> int:
        """Return a whole number of any size; 2.0 is one too."""
        value = self.value
        if isinstance(value, bool) or not (isinstance(value, int) or (isinstance(value, float) and value.is_integer())):
            raise self.malformed(f"{self.shown} is no integer")
        if value < least:
            raise self.malformed(f"{self.shown} is below {least}")
        return int(value)

    def count(self) -> int | float:
        """Return a number of rows as it is written, or the sum of their weights."""
        number = self.number()
        if number < 0:
            raise self.malformed(f"{self.shown} is below 0")
        return int(self.value) if isinstance(self.value, int) else number

    def number_or_null(self) -> float | None:
        return None if self.value is None else self.number("number or null")


def _check_utf8(text: str, at: _Value) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise at.contradiction(f"{visible(text)!r} is not UTF-8 text") from None


def _of_classes(parts: Mapping[str, _Value]) -> Policy:
    """Return a policy without steps."""
    task, origin = parts["task"].choice(tuple(Task)), parts["from"].choice(tuple(Origin))
    classes: dict[str, None] = {}
    for item in parts["classes"].items(least=1):
        name = item.text()
        if not name:
            raise item.malformed("is empty")
        if name in classes:
            raise parts["classes"].malformed(f"{visible(repr(name))} is there twice")
        classes[name] = None
    names, positive = tuple(classes), None
    given = parts["positive"].text() if "positive" in parts else None
    match task:
        case Task.BINARY:
            if len(names) != 2:
                raise parts["classes"].contradiction(f"a binary task has two, not {len(names)}")
            positive = names[1] if given is None else given
            if positive not in classes:
                raise parts["positive"].contradiction(f"{visible(positive)!r} is none of its classes: {listed(names)}")
        case Task.SOFTMAX | Task.MULTILABEL:
            if given is not None:
                raise parts["positive"].contradiction(f"{task} has no positive class")
            if task is Task.SOFTMAX and len(names) == 1:
                raise parts["classes"].contradiction("softmax needs two or more")
        case _:
            assert_never(task)
    return Policy(task, origin, names, positive)


def _thresholds(value: _Value, policy: Policy) -> dict[str, float]:
    found = {name: item.between(0, 1) for name, item in value.named()}
    if policy.task is Task.SOFTMAX:
        raise value.contradiction("softmax has none")
    _check_names(value, found, policy.labels)
    return {label: found.get(label, DEFAULT_THRESHOLD) for label in policy.labels}


def _check_names(value: _Value, names: Mapping[str, Any], labels: Sequence[str]) -> None:
    known = set(labels)
    for name in names:
        if name not in known:
            what = "the positive class" if len(labels) == 1 else "a class"
            raise value.contradiction(f"{visible(name)!r} is not {what}")


def _by_label(value: _Value, found: Mapping[str, Any], labels: Sequence[str]) -> tuple[Any, ...]:
    """Return the parameters of all labels, in their order."""
    _check_names(value, found, labels)
    for label in labels:
        if label not in found:
            raise value.contradiction(f"there is none for {visible(label)!r}")
    return tuple(found[label] for label in labels)


def _numbers(value: _Value, labels: Sequence[str]) -> tuple[float, ...]:
    return _by_label(value, {name: item.number() for name, item in value.named()}, labels)


def _calibration(value: _Value, labels: Sequence[str]) -> Calibration:
    method = value.choice_of("method", tuple(Method))
    match method:
        case Method.TEMPERATURE:
            return Temperature(value.object(("method", "temperature"))["temperature"].inside(0))
        case Method.VECTOR:
            parts = value.object(("method", "scale", "bias"))
            return VectorScaling(_numbers(parts["scale"], labels), _numbers(parts["bias"], labels))
        case Method.PLATT:
            parts = value.object(("method", "slope", "intercept"))
            return Platt(_numbers(parts["slope"], labels), _numbers(parts["intercept"], labels))
        case Method.ISOTONIC:
            points = value.object(("method", "points"))["points"]
            return Isotonic(_by_label(points, {name: _points(item) for name, item in points.named()}, labels))
        case _:
            assert_never(method)


def _points(value: _Value) -> tuple[tuple[float, ...], tuple[float, ...]]:
    points = [tuple(number.number() for number in pair.items(2, 2)) for pair in value.items(least=1)]
    for (place, height), (following, higher) in pairwise(points):
        if not (place < following and height <= higher):
            raise value.contradiction(f"does not rise from {place}, {height} to {following}, {higher}")
    lowest, highest = points[0][1], points[-1][1]
    if not 0 <= lowest <= highest <= 1:
        raise value.contradiction(f"goes from {lowest} to {highest}, which are not both probabilities")
    return tuple(place for place, _ in points), tuple(height for _, height in points)


def _conformal(value: _Value, task: Task, thresholds: Mapping[str, float] | None) -> Conformal | RiskControl:
    score = value.choice_of("score", (*ConformalScore, MISSED_LABELS))
    if (score == MISSED_LABELS) != (task is Task.MULTILABEL):
        raise _Value(score, (*value.path, "score")).contradiction(f"{score} is not for {task}")
    if score == MISSED_LABELS:
        parts = value.object(("score", "alpha", "threshold"))
        threshold = parts["threshold"].between(0, 1)
        if set((thresholds or {}).values()) != {threshold}:
            raise parts["threshold"].contradiction("is not the threshold of every class in thresholds")
        return RiskControl(parts["alpha"].inside(0, 1), threshold)
    ranked = ("lambda", "k") if score == ConformalScore.RAPS else ()
    parts = value.object(("score", "alpha", "quantile", *ranked))
    quantile = parts["quantile"].number_or_null()
    rule = Conformal(ConformalScore(score), parts["alpha"].inside(0, 1), math.inf if quantile is None else quantile)
    if not ranked:
        return rule
    return replace(rule, penalty=parts["lambda"].between(0, math.inf), free=parts["k"].integer(0))


def _fitted(value: _Value) -> dict[Step, Record]:
    return {Step(step): _record(record) for step, record in value.object((), tuple(Step)).items()}


def _record(value: _Value) -> Record:
    parts = value.object(("rows", "truth", "loss", "actcli"), ("aim",))
    loss = parts["loss"].object(("name", "before", "after"))
    truth = {}
    for name, count in parts["truth"].named():
        _check_utf8(name, parts["truth"])
        truth[name] = count.count()
    return Record(
        rows=parts["rows"].integer(1),
        truth=truth,
        loss=loss["name"].text(),
        before=loss["before"].number_or_null(),
        after=loss["after"].number_or_null(),
        version=parts["actcli"].text(),
        aim=parts["aim"].text() if "aim" in parts else None,
    )
