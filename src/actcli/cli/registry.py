"""The commands, and what the command line needs to know of each before it is imported."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["COMMANDS", "OTHER_NAMES", "Entry", "grouped"]

DECIDE, JUDGE, FIT, UNDERSTAND = "Decide", "Judge", "Fit", "Understand"


class Entry(NamedTuple):
    """A command. Its module in `actcli.cli.commands`, and the function there, have its name."""

    summary: str
    """What it does, in one line of help."""
    next_step: str
    """What to type after it: the last line of its help."""
    group: str
    """The group of the command in help."""
    page: str
    """The page of the documentation that explains it, in `docs/`."""
    multiplies_matrices: bool = False
    """Whether it needs the threads that NumPy starts on import for products of matrices."""
    keeps_rows: bool = False
    """Whether it keeps all rows in memory, so that the limit of memory grows with the input."""


COMMANDS = {
    "inspect": Entry(
        "What is in a file, what its numbers look like, and which command to type next.",
        "the command in the last line of the result: actcli softmax, actcli multilabel or actcli binary.",
        UNDERSTAND,
        "input",
    ),
    "softmax": Entry(
        "Exclusive classes: probabilities, the label, its confidence.",
        "are they right? actcli evaluate logits.csv --truth truth.csv",
        DECIDE,
        "predicting",
    ),
    "multilabel": Entry(
        "Any number of classes: a probability each, and the labels that reach the threshold.",
        "are they right? actcli evaluate logits.csv --truth truth.csv --task multilabel",
        DECIDE,
        "predicting",
    ),
    "binary": Entry(
        "Two classes, from one logit column or two.",
        "are they right? actcli evaluate scores.csv --truth truth.csv --task binary",
        DECIDE,
        "predicting",
    ),
    "evaluate": Entry(
        "How good the predictions are, against the truth.",
        "see it: actcli plot reliability; make it better: actcli calibrate, actcli tune.",
        JUDGE,
        "evaluating",
        keeps_rows=True,
    ),
    "suspects": Entry(
        "Rows whose given label is probably wrong.",
        "correct the truth, then: actcli evaluate logits.csv --truth truth.csv",
        JUDGE,
        "suspects",
    ),
    "calibrate": Entry(
        "Fit probabilities that are right as often as they say.",
        "actcli evaluate more.csv --truth more-truth.csv --policy policy.json",
        FIT,
        "calibrating",
        multiplies_matrices=True,
        keeps_rows=True,
    ),
    "tune": Entry(
        "Choose thresholds.",
        "actcli evaluate more.csv --truth more-truth.csv --policy policy.json",
        FIT,
        "thresholds",
        keeps_rows=True,
    ),
    "conformal": Entry(
        "Fit prediction sets with a coverage guarantee.",
        "actcli softmax more.csv --policy policy.json --columns id,prediction_set",
        FIT,
        "prediction-sets",
        keeps_rows=True,
    ),
    "plot": Entry(
        "Charts: the functions, reliability, confidence, curves, thresholds, confusion.",
        "the numbers: actcli evaluate logits.csv --truth truth.csv",
        JUDGE,
        "plots",
        keeps_rows=True,
    ),
    "combine": Entry(
        "The mean of several models for the same rows, or of several views of one item.",
        "are they right? actcli evaluate mean.csv --truth truth.csv",
        DECIDE,
        "combining",
    ),
    "compare": Entry(
        "Sigmoid and softmax of the same logits side by side, and why they differ.",
        "how the two react to a logit: actcli gradient; their curves: actcli plot softmax.",
        UNDERSTAND,
        "choosing-an-activation",
    ),
    "gradient": Entry(
        "How fast probabilities, and the loss, move with the logits.",
        "the curve and its slope: actcli plot sigmoid.",
        UNDERSTAND,
        "choosing-an-activation",
    ),
    "demo": Entry(
        "Write sample data, and commands to try.",
        "in that folder: actcli inspect digits_logits.csv",
        UNDERSTAND,
        "first-steps",
    ),
}
"""By name, in the order in which help shows those of a group."""


def grouped() -> dict[str, list[str]]:
    """Return the names of the commands by group, in the order in which help shows the groups."""
    return {
        group: [name for name, entry in COMMANDS.items() if entry.group == group]
        for group in (DECIDE, JUDGE, FIT, UNDERSTAND)
    }


OTHER_NAMES = {
    "sigmoid": "actcli multilabel takes the sigmoid of each class, actcli binary that of one column",
    "argmax": "actcli softmax gives the class with the largest score",
}
"""The hints for names that people may type, and that are no commands."""
