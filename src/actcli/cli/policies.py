"""Join the options of a command with what a policy file holds."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from actcli.errors import UsageError, visible
from actcli.tasks import Dtype, Origin, Step, Task

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actcli.cli.input_options import InputOptions
    from actcli.prediction.policy import Policy
    from actcli.prediction.prior import SharesGiven

    AnyInput = TypeVar("AnyInput", bound=InputOptions)

__all__ = [
    "STEP_NAMES",
    "check_policy_path",
    "recorded_shares",
    "removed_note",
    "score_rules",
    "with_policy",
    "with_policy_names",
]

STEP_NAMES = {
    Step.ALLOW: "allowed classes",
    Step.CALIBRATION: "calibration",
    Step.PRIOR: "prior",
    Step.THRESHOLDS: "thresholds",
    Step.COSTS: "costs",
    Step.TAXONOMY: "taxonomy",
    Step.CONFORMAL: "conformal rule",
    Step.ABSTAIN: "abstention",
}
"""What messages call the steps of a policy."""


def with_policy(path: str, task: Task, input: AnyInput, rules: dict[str, Any]) -> tuple[AnyInput, dict[str, Any]]:
    """Return the input options and the rules, completed by the policy in a file.

    Parameters
    ----------
    path
        The policy file.
    task
        The task of the command.
    input, rules
        What the other options give.

    Raises
    ------
    DataError
        If the file is no policy.
    UsageError
        If it is for another task, or an option is given for what it holds.
    """
    from actcli.calibration.conformal import Conformal
    from actcli.prediction.policy_reader import read_policy

    policy, name = read_policy(path), visible(path, 200)
    if policy.task != task:
        raise UsageError(f"{name}: is a policy for {policy.task}, not for {task}", hint=f"use actcli {policy.task}")
    for option, step in _steps_given(rules).items():
        if conflicts := policy.conflicts(step):
            held = ", ".join(STEP_NAMES[held] for held in conflicts)
            what = f"the {STEP_NAMES[step]}" if step in conflicts else f"what was made without it: {held}"
            raise UsageError(
                f"{option}: {name} holds {what}",
                hint=f"leave {option} or --policy out",
            )
    class_names = input.class_name_rules().get("class_names") if policy.unnamed else None
    if class_names is not None and len(class_names) == len(policy.classes):
        policy = policy.with_names(class_names)
    input, rules = with_policy_names(policy, path, input, rules)
    choice = rules.get("prior")
    if choice is not None and choice.train is None:
        rules["prior"] = choice._replace(train=recorded_shares(policy, path))
    rules |= score_rules(policy)
    if policy.thresholds is not None and policy.costs is None:
        rules["thresholds"] = policy.thresholds
    if policy.costs is not None:
        rules["costs"] = policy.costs._replace(path=path)
    if policy.taxonomy is not None:
        rules["taxonomy"] = policy.taxonomy._replace(path=path)
    if isinstance(policy.conformal, Conformal):
        rules["conformal"] = policy.conformal
    if policy.abstain is not None:
        rules["abstain_below"] = policy.abstain.below
    if input.dtype is None and any((policy.thresholds, policy.costs, policy.conformal, policy.abstain)):
        # They were fitted in float64: a threshold just below 1 is 1 in float32.
        input = replace(input, dtype=Dtype.FLOAT64)
    return input, rules


def score_rules(policy: Policy, before: Step | None = None) -> dict[str, Any]:
    """Return the rules that a policy gives for the scores, if `before` is a step, those of the earlier steps only."""
    steps = [step for step in (Step.ALLOW, Step.CALIBRATION, Step.PRIOR) if policy.part(step) is not None]
    order = list(Step)
    return {step: policy.part(step) for step in steps if before is None or order.index(step) < order.index(before)}


def check_policy_path(policy: str, output: str | None) -> None:
    """Refuse a policy file that cannot be read again, or that the report would replace.

    Raises
    ------
    UsageError
        If it is one.
    """
    from actcli.streaming.output import is_device, is_same_path

    if policy == "-" or (os.path.exists(policy) and is_device(policy)):
        raise UsageError(f"{visible(policy, 200)} is no file that can be read again")
    if output is not None and is_same_path(output, policy):
        raise UsageError("the policy and --output are the same file")


def removed_note(path: str, removed: Sequence[Step]) -> str:
    """Return the note about the steps of the policy in a file that another step has made stale."""
    parts = ", ".join(STEP_NAMES[step] for step in removed)
    return f"{visible(path, 200)}: removed, because this step changes what they depend on: {parts}"


def _steps_given(rules: dict[str, Any]) -> dict[str, Step]:
    """Return the options that give a step of a policy."""
    steps = {"--temperature": ("calibration", Step.CALIBRATION), "--threshold": ("thresholds", Step.THRESHOLDS)}
    steps |= {"--costs": ("costs", Step.COSTS), "--taxonomy": ("taxonomy", Step.TAXONOMY)}
    steps |= {f"--abstain-{name}": (f"abstain_{name}", Step.ABSTAIN) for name in ("below", "margin")}
    given = {option: step for option, (rule, step) in steps.items() if rules.get(rule) is not None}
    if "allow" in rules:
        given["--deny" if rules["allow"].allow is None else "--allow"] = Step.ALLOW
    return given | ({"--prior": Step.PRIOR} if "prior" in rules else {})


def recorded_shares(policy: Policy, path: str) -> SharesGiven:
    """Return the share of each class in the rows that the first fitted step of a policy was fitted on.

    Raises
    ------
    UsageError
        If nothing was fitted.
    """
    from actcli.prediction.prior import SharesGiven

    name = visible(path, 200)
    for step in Step:
        if (record := policy.fitted.get(step)) is not None:
            total = record.rows if policy.task is Task.MULTILABEL else 1
            shares = {label: count / total for label, count in record.truth.items()}
            return SharesGiven(shares, f"{name}: fitted.{step}.truth", {})
    raise UsageError(
        f"--prior: {name} records no truth counts, so the shares in training are not known",
        hint="add --train-prior a=0.7,b=0.3",
    )


def with_policy_names(
    policy: Policy, path: str, input: AnyInput, rules: dict[str, Any]
) -> tuple[AnyInput, dict[str, Any]]:
    """Return the input options and the rules, completed by what a policy says about the input: numbers and class names.

    Parameters
    ----------
    policy, path
        The policy, and the file that it is from.
    input, rules
        What the options give; of a binary task, the rules have "positive" and "negative".

    Raises
    ------
    UsageError
        If an option contradicts the policy.
    """
    name = visible(path, 200)
    known: dict[str, tuple[str | None, str | None]] = {"--from": (input.origin, policy.origin)}
    if policy.task == Task.BINARY:
        negative = next(label for label in policy.classes if label != policy.positive)
        known |= {"--positive": (rules["positive"], policy.positive), "--negative": (rules["negative"], negative)}
        rules = rules | {"positive": policy.positive}
    for option, (given, held) in known.items():
        if given not in (None, held):
            raise UsageError(f"{option}: {visible(given or '')!r} is not what {name} says: {visible(held or '')!r}")
    if input.class_names is None:
        rules = rules | {"class_names": policy.classes, "names_file": path}
    elif input.class_name_rules()["class_names"] != policy.classes:
        raise UsageError(f"--class-names: these are not the classes of {name}", hint="leave --class-names out")
    return replace(input, origin=Origin(policy.origin)), rules | {"policy": path}
