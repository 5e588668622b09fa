"""The commands, and what the command line needs to know of each before it is imported."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["COMMANDS", "OTHER_NAMES", "Entry"]


class Entry(NamedTuple):
    """A command. Its module in `actcli.cli.commands`, and the function there, have its name."""

    summary: str
    """What it does, in one line of help."""
    next_step: str
    """What to type after it: the last line of its help."""
    page: str
    """The page of the documentation that explains it, in `docs/`."""
    keeps_rows: bool = False
    """Whether it keeps numbers of all rows in memory, so that the limit of memory grows with the input."""


COMMANDS = {
    "inspect": Entry(
        "What is in a file, what its numbers look like, and which command to type next.",
        "the command in the last line of the result: actcli softmax, actcli multilabel or actcli binary.",
        "input",
    ),
    "softmax": Entry(
        "Exclusive classes: probabilities, the label, its confidence.",
        "are they right? actcli evaluate logits.csv --truth truth.csv",
        "predicting",
    ),
    "multilabel": Entry(
        "Any number of classes: a probability each, and the labels that reach the threshold.",
        "are they right? actcli evaluate logits.csv --truth truth.csv --task multilabel",
        "predicting",
    ),
    "binary": Entry(
        "Two classes, from one logit column or two.",
        "are they right? actcli evaluate scores.csv --truth truth.csv --task binary",
        "predicting",
    ),
    "evaluate": Entry(
        "How good the predictions are, against the truth.",
        "see it: actcli plot reliability; make it better: actcli calibrate, actcli tune.",
        "evaluating",
        keeps_rows=True,
    ),
    "suspects": Entry(
        "Rows whose given label is probably wrong.",
        "correct the truth, then: actcli evaluate logits.csv --truth truth.csv",
        "suspects",
    ),
    "calibrate": Entry(
        "Fit probabilities that are right as often as they say.",
        "actcli evaluate more.csv --truth more-truth.csv --policy policy.json",
        "calibrating",
    ),
    "tune": Entry(
        "Choose thresholds.",
        "actcli evaluate more.csv --truth more-truth.csv --policy policy.json",
        "thresholds",
    ),
    "conformal": Entry(
        "Fit prediction sets with a coverage guarantee.",
        "actcli softmax more.csv --policy policy.json --columns id,prediction_set",
        "prediction-sets",
    ),
    "plot": Entry(
        "Charts: the functions, reliability, confidence, curves, thresholds, confusion.",
        "the numbers: actcli evaluate logits.csv --truth truth.csv",
        "plots",
        keeps_rows=True,
    ),
    "combine": Entry(
        "The mean of several models for the same rows, or of several views of one item.",
        "are they right? actcli evaluate mean.csv --truth truth.csv",
        "combining",
    ),
    "compare": Entry(
        "Sigmoid and softmax of the same logits side by side, and why they differ.",
        "how the two react to a logit: actcli gradient; their curves: actcli plot softmax.",
        "choosing-an-activation",
    ),
    "gradient": Entry(
        "How fast probabilities, and the loss, move with the logits.",
        "the curve and its slope: actcli plot sigmoid.",
        "choosing-an-activation",
    ),
}
"""By name, in the order in which help shows them."""

OTHER_NAMES = {
    "sigmoid": "actcli multilabel takes the sigmoid of each class, actcli binary that of one column",
    "argmax": "actcli softmax gives the class with the largest score",
}
"""The hints for names that people may type, and that are no commands."""
