"""The reader of the policy file: it checks the document while it reads it.

Each error is one line: the path in the document, what was found, and what is allowed. `policy.schema.json` describes
the same file for other programs; the tests compare its verdicts with those of this reader.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, assert_never

from actcli.errors import DataError, listed, visible
from actcli.prediction.allow import allow_in
from actcli.prediction.costs import costs_in
from actcli.prediction.option_files import decoded, parsed_json, read_bytes
from actcli.prediction.policy import VERSION, Policy, Record
from actcli.prediction.policy_parts import abstain_in, calibration_in, conformal_in, thresholds_in
from actcli.prediction.policy_values import ContradictionError, MalformedError, Value, check_utf8
from actcli.prediction.prior import nothing_left, prior_in
from actcli.prediction.taxonomy import clash, taxonomy_in
from actcli.tasks import FITTED_STEPS, Origin, Step, Task

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ContradictionError", "MalformedError", "parsed_policy", "policy_in", "read_policy"]


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
    whole = Value(document)
    version = whole.members().get("actcli", VERSION)
    if isinstance(version, bool) or version != VERSION:
        raise MalformedError(f"is a policy of version {Value(version).shown}, and this actcli knows {VERSION}")
    parts = whole.object(("actcli", "task", "from", "classes"), ("positive", *Step, "fitted"))
    policy = _of_classes(parts)
    for step in Step:
        if step in parts:
            policy = replace(policy, **{step: _part(step, parts[step], policy)})
    if message := nothing_left(policy.task, policy.allow, policy.prior):
        raise parts["prior"].contradiction(message)
    if message := clash(policy.costs, policy.taxonomy):
        raise parts["taxonomy"].contradiction(message)
    return replace(policy, fitted=_fitted(parts["fitted"])) if "fitted" in parts else policy


def _part(step: Step, value: Value, policy: Policy) -> Any:
    """Return a part of a policy; `policy` has its classes and the parts before this one."""
    match step:
        case Step.ALLOW:
            return allow_in(value, policy.classes)
        case Step.CALIBRATION:
            return calibration_in(value, policy.labels)
        case Step.PRIOR:
            return prior_in(value, policy.task, policy.classes)
        case Step.THRESHOLDS:
            return thresholds_in(value, policy)
        case Step.COSTS:
            return costs_in(value, policy.task, policy.classes)
        case Step.TAXONOMY:
            return taxonomy_in(value, policy.task, policy.classes)
        case Step.CONFORMAL:
            return conformal_in(value, policy.task, policy.thresholds)
        case Step.ABSTAIN:
            return abstain_in(value, policy.task)
        case _:
            assert_never(step)


def _of_classes(parts: Mapping[str, Value]) -> Policy:
    """Return a policy without steps."""
    task, origin = parts["task"].choice(tuple(Task)), parts["from"].choice(tuple(Origin))
    names, positive = parts["classes"].unique_texts(), None
    given = parts["positive"].text() if "positive" in parts else None
    match task:
        case Task.BINARY:
            if len(names) != 2:
                raise parts["classes"].contradiction(f"a binary task has two, not {len(names)}")
            positive = names[1] if given is None else given
            if positive not in names:
                raise parts["positive"].contradiction(f"{visible(positive)!r} is none of its classes: {listed(names)}")
        case Task.SOFTMAX | Task.MULTILABEL:
            if given is not None:
                raise parts["positive"].contradiction(f"{task} has no positive class")
            if task is Task.SOFTMAX and len(names) == 1:
                raise parts["classes"].contradiction("softmax needs two or more")
        case _:
            assert_never(task)
    return Policy(task, origin, names, positive)


def _fitted(value: Value) -> dict[Step, Record]:
    return {Step(step): _record(record) for step, record in value.object((), FITTED_STEPS).items()}


def _record(value: Value) -> Record:
    parts = value.object(("rows", "truth", "loss", "actcli"), ("aim",))
    loss = parts["loss"].object(("name", "before", "after"))
    truth = {}
    for name, count in parts["truth"].named():
        check_utf8(name, parts["truth"])
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
