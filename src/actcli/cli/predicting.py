"""What `softmax`, `multilabel` and `binary` share: from the options to a table of decisions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from actcli.cli.declaration import files_read
from actcli.cli.inputs import check_input
from actcli.cli.policies import with_policy
from actcli.cli.running import run_plan
from actcli.cli.tables import TABLE, settled_format, sink_of, written_precision
from actcli.errors import UsageError
from actcli.tasks import Task

if TYPE_CHECKING:
    from actcli.cli.decision_options import DecisionOptions, PolicyOptions
    from actcli.cli.input_options import InputOptions
    from actcli.cli.tables import TableOptions
    from actcli.prediction.rules import Rules

__all__ = ["predict"]


def predict(
    task: Task, input: InputOptions, output: TableOptions, policy: PolicyOptions, *decisions: DecisionOptions
) -> None:
    """Read the inputs, decide, and write the decisions.

    Parameters
    ----------
    task
        What is decided of a row.
    input, output, policy, decisions
        The options of the command.

    Raises
    ------
    ActcliError
        If an option does not fit, the input cannot be read, or the output cannot be written.
    """
    read = list(files_read(input, policy, *decisions))
    rules: dict[str, Any] = {}
    for group in (policy, *decisions):
        rules |= group.rules()
    given = _given_options(rules, output)
    check_input(task, input.files)
    if policy.policy is not None:
        input, rules = with_policy(policy.policy, task, input, rules)
    if "abstain_label" in rules and rules["abstain_below"] is None and rules["abstain_margin"] is None:
        raise UsageError("--abstain-label says what to write, but not when", hint="add --abstain-below P")
    read_options = input.read_options("column" if task is Task.BINARY else "row")
    format = settled_format(output)
    settled = _rules(task, input, output, format, rules)

    from actcli.formats import open_inputs
    from actcli.prediction.plan import plan
    from actcli.streaming.batch import Kind

    inputs = open_inputs(input.paths, read_options)
    try:
        planned = plan(task, inputs.layout, settled, inputs.names)
        sets = [column for column in planned.columns if column.kind is Kind.SET and column.separator is None]
        if output.label_separator is not None and not sets:
            raise UsageError("--label-separator is for the labels of a set, and no set is written")
        if given:
            from actcli.prediction.effects import check_effects

            check_effects(planned, given)
        chosen = settled.columns is not None or (settled.top_k is not None and task is Task.SOFTMAX)
        run_plan(
            inputs,
            planned,
            output,
            format,
            lambda target: sink_of(target, planned, output, format, chosen=chosen),
            read=read,
        )
    finally:
        inputs.close()


_READ_BY_OTHER_NAMES = {
    "strict": ("--threshold-op", "strict"),
    "calibration": ("--temperature", "scores"),
    "allow": ("--allow", "scores"),
    "prior": ("--prior", "scores"),
    "costs": ("--costs", "cost_rule"),
    "taxonomy": ("--taxonomy", "taxonomy"),
}


def _given_options(rules: dict[str, Any], output: TableOptions) -> dict[str, str]:
    """Return the options that change decisions and are given, and the name of what holds the value of each.

    Parameters
    ----------
    rules
        What the options give, without a policy.
    output
        The options of the output.
    """
    given: dict[str, str] = {}
    for name, value in rules.items():
        if name in ("positive", "negative", "thresholds_file", "threshold") or value is None or value is False:
            continue
        given |= dict([_READ_BY_OTHER_NAMES.get(name, (f"--{name.replace('_', '-')}", name))])
    if "threshold" in rules and rules["thresholds_file"] is None:
        given["--threshold"] = given.pop("--thresholds")
    return given if output.precision is None else given | {"--precision": "precision"}


def _rules(task: Task, input: InputOptions, output: TableOptions, format: str, rules: dict[str, Any]) -> Rules:
    from actcli.formats.column_roles import split_list
    from actcli.prediction.rules import Rules

    return Rules(
        columns=_default_columns(task, format, ranked=rules.get("top_k") is not None)
        if output.columns is None
        else tuple(split_list(output.columns, "--columns")),
        precision=written_precision(output, format),
        **rules | input.rules(),
    )


def _default_columns(task: Task, format: str, *, ranked: bool) -> tuple[str, ...] | None:
    """Return the columns that a format writes if none are asked for; None are those of the command."""
    from actcli.formats import named

    columns = None if format == TABLE else named(format, writing=True).columns
    return ("top_k",) if columns is not None and ranked and task is Task.SOFTMAX else columns
