"""Join the options of a command with what a policy file holds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from actcli.errors import UsageError, visible
from actcli.tasks import Dtype, Origin, Task

if TYPE_CHECKING:
    from actcli.cli.input_options import InputOptions
    from actcli.prediction.policy import Policy

    AnyInput = TypeVar("AnyInput", bound=InputOptions)

__all__ = ["with_policy", "with_policy_names"]


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
    if "calibration" in rules and any((policy.calibration, policy.thresholds, policy.conformal)):
        what = "a calibration" if policy.calibration else "what was fitted without it"
        raise UsageError(f"--temperature: {name} holds {what}", hint="leave --temperature or --policy out")
    if "thresholds" in rules and policy.thresholds:
        raise UsageError(f"--threshold: {name} holds the thresholds", hint="leave --threshold or --policy out")
    class_names = input.class_name_rules().get("class_names") if policy.unnamed else None
    if class_names is not None and len(class_names) == len(policy.classes):
        policy = policy.with_names(class_names)
    input, rules = with_policy_names(policy, path, input, rules)
    for part, value in (("calibration", policy.calibration), ("thresholds", policy.thresholds)):
        rules |= {} if value is None else {part: value}
    if isinstance(policy.conformal, Conformal):
        rules["conformal"] = policy.conformal
    if input.dtype is None and (policy.thresholds or policy.conformal):
        # They were fitted in float64: a threshold just below 1 is 1 in float32.
        input = replace(input, dtype=Dtype.FLOAT64)
    return input, rules


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
