"""`actcli multilabel`."""

from __future__ import annotations

from actcli.cli import options as given  # noqa: TC001  Typer reads the annotations
from actcli.cli.running import Reading, Writing, predict, temperature_rule, threshold_rules
from actcli.tasks import OnBadRow, ThresholdOperator


def multilabel(
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
    policy: given.PolicyFile = None,
    temperature: given.Temperature = None,
    threshold: given.Threshold = None,
    thresholds: given.Thresholds = None,
    threshold_op: given.ThresholdOp = ThresholdOperator.GE,
    top_k: given.AtMostK = None,
    at_least_one: given.AtLeastOne = False,
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
    """Multi-label: any number of classes is right, also none.

    The probability of a class is the sigmoid of its score, whatever the other classes' are; the labels of a row are the
    classes whose probability reaches the threshold.

    \b
      actcli multilabel logits.npy --threshold 0.3
      actcli multilabel logits.csv --threshold cat=0.7 -o tags.jsonl
      ... | actcli multilabel --at-least-one
    """
    predict(
        "multilabel",
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
        top_k=top_k,
        strict=threshold_op is ThresholdOperator.GT,
        at_least_one=at_least_one,
        **temperature_rule(temperature),
        **threshold_rules(threshold, thresholds),
    )
