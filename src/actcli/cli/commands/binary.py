"""`actcli binary`."""

from __future__ import annotations

from actcli.cli import options as given  # noqa: TC001  Typer reads the annotations
from actcli.cli.running import Reading, Writing, abstaining_rules, predict, temperature_rule, threshold_rules
from actcli.tasks import OnBadRow, ThresholdOperator


def binary(
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
    positive: given.Positive = None,
    negative: given.Negative = None,
    threshold: given.Threshold = None,
    thresholds: given.Thresholds = None,
    threshold_op: given.ThresholdOp = ThresholdOperator.GE,
    abstain_below: given.AbstainBelow = None,
    abstain_margin: given.AbstainMargin = None,
    abstain_label: given.AbstainLabel = None,
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
    """Two classes: yes or no.

    One column holds the logit of the positive class (sigmoid), or two hold those of the negative and the positive one
    (softmax): both give the same answer. The label is the positive class when its probability reaches the threshold.

    \b
      actcli binary logit.npy --positive spam --negative ham
      actcli binary scores.csv --positive malignant --threshold 0.2
      ... | actcli binary --abstain-below 0.9
    """
    predict(
        "binary",
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
        positive=positive,
        negative=negative,
        strict=threshold_op is ThresholdOperator.GT,
        **temperature_rule(temperature),
        **threshold_rules(threshold, thresholds),
        **abstaining_rules(abstain_below, abstain_margin, abstain_label),
    )
