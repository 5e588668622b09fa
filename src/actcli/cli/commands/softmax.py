"""`actcli softmax`."""

from __future__ import annotations

from typing import Annotated

import typer

from actcli.cli import options as given  # noqa: TC001  Typer reads the annotations
from actcli.cli.running import Reading, Writing, abstaining_rules, predict, temperature_rule
from actcli.errors import UsageError
from actcli.tasks import OnBadRow


def _refuse_threshold(value: str | None) -> None:
    if value is not None:
        raise UsageError(
            "softmax has no threshold: the largest score wins", hint="to withhold weak labels: --abstain-below P"
        )


def softmax(
    files: given.Files = None,
    *,
    input_format: given.InputFormat = None,
    origin: given.FromOrPolicy = None,
    delimiter: given.Delimiter = None,
    header: given.Header = None,
    key: given.Key = None,
    ids: given.Id = None,
    classes: given.Classes = None,
    class_names: given.ClassNames = None,
    on_bad_row: given.OnBadRowOption = OnBadRow.ERROR,
    memory_limit: given.MemoryLimit = None,  # noqa: ARG001
    dtype: given.DtypeOption = None,
    renormalize: given.Renormalize = False,
    policy: given.PolicyFile = None,
    temperature: given.Temperature = None,
    top_k: given.TopK = None,
    abstain_below: given.AbstainBelow = None,
    abstain_margin: given.AbstainMargin = None,
    abstain_label: given.AbstainLabel = None,
    threshold: Annotated[  # noqa: ARG001
        str | None, typer.Option("--threshold", "--thresholds", hidden=True, callback=_refuse_threshold)
    ] = None,
    output: given.OutputFile = None,
    format: given.FormatOption = None,
    columns: given.Columns = None,
    precision: given.Precision = None,
    rows: given.Rows = None,
    no_output_header: given.NoOutputHeader = False,
    label_separator: given.LabelSeparator = None,
    no_clobber: given.NoClobber = False,
    jobs: given.Jobs = None,
    quiet: given.Quiet = False,
) -> None:
    """Exclusive classes: exactly one is right.

    The probabilities of a row are the softmax of its scores and sum to 1; the label is the class with the largest.

    \b
      actcli softmax logits.npy
      actcli softmax logits.csv --top-k 3 -o best.csv
      ... | actcli softmax --columns label --no-output-header | sort | uniq -c
    """
    predict(
        "softmax",
        Reading(
            files=files,
            input_format=input_format,
            origin=origin,
            delimiter=delimiter,
            header=header,
            key=key,
            ids=ids,
            classes=classes,
            class_names=class_names,
            on_bad_row=on_bad_row,
            dtype=dtype,
        ),
        Writing(
            output=output,
            format=format,
            columns=columns,
            precision=precision,
            rows=rows,
            no_output_header=no_output_header,
            label_separator=label_separator,
            no_clobber=no_clobber,
            jobs=jobs,
            quiet=quiet,
        ),
        policy=policy,
        renormalize=renormalize,
        top_k=top_k,
        **temperature_rule(temperature),
        **abstaining_rules(abstain_below, abstain_margin, abstain_label),
    )
