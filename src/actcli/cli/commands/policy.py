"""`actcli policy`."""

import os
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from actcli.cli.decision_options import CostOptions, TaxonomyOptions
from actcli.cli.declaration import DECISION, INPUT, files_read, options
from actcli.cli.option_values import named
from actcli.cli.policies import check_policy_path, recorded_shares, removed_note
from actcli.cli.results import ResultOptions, json_bytes, open_result, result_format
from actcli.cli.score_options import AllowOptions, PriorOptions
from actcli.errors import DataError, ReaderGoneError, UsageError, listed, say, visible
from actcli.tasks import Origin, ResultFormat, Step, Task

if TYPE_CHECKING:
    from collections.abc import Mapping

    from actcli.prediction.policy import Policy
    from actcli.prediction.prior import Prior
    from actcli.streaming.output import Output


@options
class PolicyFileOptions:
    """The policy file, and what a new one is for."""

    file: Annotated[str, typer.Argument(metavar="FILE", help="The policy file.", callback=named)]
    task: Annotated[
        Task | None,
        typer.Option("--task", help="Of a new policy: what to decide for a row.", rich_help_panel=DECISION),
    ] = None
    class_names: Annotated[
        str | None,
        typer.Option(
            "--class-names",
            metavar="FILE|a,b,c",
            help="Of a new policy: the names of the classes, for binary negative,positive; or a file of them.",
            callback=named,
            rich_help_panel=INPUT,
        ),
    ] = None
    origin: Annotated[
        Origin | None,
        typer.Option("--from", help="Of a new policy: what the input holds. [default: logits]", rich_help_panel=INPUT),
    ] = None


@options
class PolicyResultOptions(ResultOptions):
    """Where the content of the policy is shown; there are no rows to share among threads."""

    jobs: int | None = None


def policy(
    target: PolicyFileOptions,
    allowed: AllowOptions,
    shares: PriorOptions,
    costs: CostOptions,
    taxonomy: TaxonomyOptions,
    output: PolicyResultOptions,
) -> None:
    """Show and check a policy, and set the parts of it that are not fitted.

    \b
      actcli policy policy.json --task softmax --class-names cat,dog,okapi --deny okapi
      actcli policy policy.json --train-prior cat=2,dog=2,okapi=1 --prior cat=9,dog=1,okapi=1
      actcli policy policy.json

    A part that is set replaces the old one; what was made for the old one is removed, and this is said.
    """
    from actcli.prediction.option_files import read_bytes
    from actcli.prediction.policy_reader import policy_in
    from actcli.streaming.output import UpdatedFile

    format = result_format(output)
    path, given = target.file, [*allowed.given, *shares.given, costs.costs, taxonomy.taxonomy, taxonomy.rollup_at]
    edited = any(option is not None for option in given)
    new = not os.path.exists(path) and bool(edited or target.task or target.class_names)
    if edited or new:
        check_policy_path(path, output.output)
    before = None if new else read_bytes(path, "a new policy needs --task and --class-names")
    held = _new_policy(target) if before is None else policy_in(before, path)
    _check_target(target, held)
    changed, edits, removed = _edited(
        held, {**_score_parts(held, path, allowed, shares), **_decision_parts(held, costs, taxonomy)}
    )
    groups = (allowed, shares, costs, taxonomy)
    document = {"policy": path, "set": list(edits), "removed": list(removed), "content": changed.document()}
    with open_result(output, inputs=[*files_read(target, *groups)]) as report:
        if not (edited or new):
            _show(changed, document, report, format)
            return
        with UpdatedFile(path, before, inputs=[*files_read(*groups)]) as updated:
            updated.write(changed.text().encode())
            # A report that cannot be written leaves the old policy. One that is not read to its end was still written.
            try:
                _show(changed, document, report, format)
            except ReaderGoneError:
                updated.commit()
                raise
            updated.commit()
    if removed and not output.quiet:
        say(f"actcli: note: {removed_note(path, removed)}\n")


def _show(changed: "Policy", document: dict[str, Any], report: "Output", format: ResultFormat) -> None:
    """Write what a policy holds to an open output."""
    if format is ResultFormat.JSON:
        report.write(json_bytes(document))
    else:
        from actcli.reports.policy import draw_policy
        from actcli.reports.screen import draw

        draw(report, partial(draw_policy, changed, document["policy"]))
    report.commit()


def _new_policy(target: PolicyFileOptions) -> "Policy":
    """Return the policy without parts that the options describe."""
    from actcli.prediction.option_files import read_class_names
    from actcli.prediction.policy import VERSION
    from actcli.prediction.policy_reader import parsed_policy

    if target.task is None or target.class_names is None:
        name = visible(target.file, 200)
        raise DataError(f"{name}: no such file", hint="a new policy needs --task and --class-names")
    names, _ = read_class_names(target.class_names)
    origin = target.origin or Origin.LOGITS
    try:
        return parsed_policy({"actcli": VERSION, "task": target.task, "from": origin, "classes": list(names)})
    except ValueError as error:
        raise UsageError(f"--class-names: {error}") from None


def _check_target(target: PolicyFileOptions, held: "Policy") -> None:
    """Refuse options for a new policy that contradict the one that is there."""
    from actcli.prediction.option_files import read_class_names

    names = None if target.class_names is None else read_class_names(target.class_names)[0]
    for option, given, found in (
        ("--task", target.task, held.task),
        ("--class-names", names, held.classes),
        ("--from", target.origin, held.origin),
    ):
        if given not in (None, found):
            what = found if isinstance(found, str) else listed(found)
            raise UsageError(f"{option}: {visible(target.file, 200)} has {what}", hint=f"leave {option} out")


def _score_parts(held: "Policy", path: str, allowed: AllowOptions, shares: PriorOptions) -> dict[Step, Any]:
    """Return the parts of the scores that the options set, None where they do not."""
    choice = allowed.choice()
    return {
        Step.ALLOW: None if choice is None else choice.settled(held.classes),
        Step.PRIOR: _prior(held, path, shares),
    }


def _decision_parts(held: "Policy", costs: CostOptions, taxonomy: TaxonomyOptions) -> dict[Step, Any]:
    """Return the parts of the decision that the options set, None where they do not."""
    if costs.costs is not None and held.task is Task.MULTILABEL:
        raise UsageError("--costs is for softmax and binary, and this policy is for multilabel")
    if held.task is not Task.SOFTMAX and (taxonomy.taxonomy is not None or taxonomy.rollup_at is not None):
        raise UsageError(f"--taxonomy is for softmax, and this policy is for {held.task}")
    new_costs, new_taxonomy = costs.rules().get("costs"), taxonomy.changed(held.taxonomy)
    return {
        Step.COSTS: None if new_costs is None else new_costs.settled(held.classes),
        Step.TAXONOMY: None if new_taxonomy is None else new_taxonomy.settled(held.classes),
    }


def _edited(held: "Policy", parts: "Mapping[Step, Any]") -> "tuple[Policy, tuple[Step, ...], tuple[Step, ...]]":
    """Return the policy with new parts, their steps, and those that this removes; a part that is None is not new."""
    from actcli.prediction.prior import nothing_left
    from actcli.prediction.taxonomy import clash

    changed, removed = held, set[Step]()
    for step, value in parts.items():
        if value is not None and value != changed.part(step):
            changed, stale = changed.with_step(step, value)
            removed.update(stale)
    message = nothing_left(changed.task, changed.allow, changed.prior) or clash(changed.costs, changed.taxonomy)
    if message:
        raise UsageError(message)
    edits = tuple(step for step, value in parts.items() if value is not None)
    return changed, edits, tuple(step for step in Step if step in removed)


def _prior(held: "Policy", path: str, shares: PriorOptions) -> "Prior | None":
    """Return the prior that the options give; what they do not say is as the policy says it."""
    from actcli.prediction.prior import Prior, PriorChoice

    train, new = shares.shares()
    if train is None and new is None:
        return None
    task, classes, old = held.task, held.classes, held.prior
    if old is None:
        if new is None:
            raise UsageError("--train-prior changes nothing by itself", hint="add --prior a=0.1,b=0.9")
        return PriorChoice(new, train or recorded_shares(held, path)).settled(task, classes)
    return Prior(
        old.train if train is None else train.settled(task, classes, training=True),
        old.new if new is None else new.settled(task, classes, training=False),
    )
