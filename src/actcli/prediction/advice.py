"""From the counts of a table to what the numbers look like, and the command that fits them.

What the numbers look like decides nothing: the proposed command says it with ``--from``.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple, TypedDict

import numpy as np

from actcli.prediction.output_columns import printable
from actcli.tasks import Origin, Task

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actcli.formats import Inputs
    from actcli.prediction.inspection import Inspection

__all__ = ["Advice", "ClassFacts", "Facts", "advice", "facts"]


class Advice(NamedTuple):
    """What the numbers look like, and the command that fits them."""

    looks: Origin | None
    """None without usable rows."""
    command: str
    options: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    other: Advice | None = None
    """Another command that fits as well."""


def advice(inspection: Inspection, *, origin: Origin | None = None, left_out: int = 0) -> Advice:
    """Return the command that fits the numbers.

    Parameters
    ----------
    inspection
        Of all rows.
    origin
        What the numbers are, if the user says so.
    left_out
        How many rows could not be read.
    """
    classes = len(inspection.classes)
    exclusive = Task.BINARY if classes <= 2 else Task.SOFTMAX
    independent = Task.BINARY if classes == 1 else Task.MULTILABEL
    skipping = left_out + inspection.count("rows") - inspection.count("usable") > 0
    remarks = _remarks(inspection)

    def fitting(looks: Origin, task: Task, *more: str, other: Advice | None = None) -> Advice:
        options = () if looks is Origin.LOGITS else ("--from", str(looks))
        every_class_masked = task is not Task.MULTILABEL and classes > 1 and inspection.count("all_masked") > 0
        bad = ("--on-bad-row", "skip") if skipping or every_class_masked else ()
        return Advice(looks, str(task), (*options, *more, *bad), remarks, other)

    if "probability" in inspection.classes and any(name.startswith("p_") for name in inspection.classes):
        # The columns have the names that actcli itself writes.
        return Advice(Origin.PROBABILITIES, "inspect", ("--classes", "p_*"), remarks)
    if not inspection.count("usable"):
        return Advice(None, str(exclusive), remarks=remarks)
    if origin in (None, Origin.PROBABILITIES) and classes > 1 and inspection.all("nearly_shares"):
        return fitting(Origin.PROBABILITIES, exclusive, *(() if inspection.all("shares") else ("--renormalize",)))
    if origin in (None, Origin.LOG_PROBABILITIES) and classes > 1 and inspection.all("log_shares"):
        return fitting(Origin.LOG_PROBABILITIES, exclusive)
    if origin is not None or inspection.all("in_range"):
        return fitting(origin or Origin.PROBABILITIES, independent)
    if classes == 1:
        return fitting(Origin.LOGITS, Task.BINARY)
    return fitting(Origin.LOGITS, exclusive, other=fitting(Origin.LOGITS, Task.MULTILABEL))


def _remarks(inspection: Inspection) -> tuple[str, ...]:
    """Return what else a user should know about the numbers."""
    found = []
    if not inspection.classes:
        found.append("no column holds numbers in the first row of data, so no command fits")
    if inspection.all("zeros_and_ones") and inspection.classes:
        found.append("every number is 0 or 1: a truth file rather than scores?")
    if (
        inspection.count("rows")
        and inspection.classes
        and inspection.classes == tuple(map(str, range(len(inspection.classes))))
    ):
        found.append("the classes have no names: --class-names FILE, or a,b,c, gives them some")
    return tuple(found)


class ClassFacts(TypedDict):
    """What is found of a class, as JSON has it."""

    min: float | None
    mean: float | None
    max: float | None
    nan: int
    infinities: int
    masked: int
    largest: int


Facts = TypedDict(
    "Facts",
    {
        "files": list[str],
        "format": str,
        "rows": int,
        "rows_left_out": int,
        "classes": int,
        "names": list[str],
        "dtype": str,
        "carried": list[str],
        "min": float | None,
        "max": float | None,
        "mean": float | None,
        "nan": int,
        "infinities": int,
        "masked": int,
        "ties": int,
        "share_in_0_1": float | None,
        "share_summing_to_1": float | None,
        "suggests": str | None,
        "remarks": list[str],
        "next": str | None,
        "or": str | None,
        "per_class": dict[str, ClassFacts],
    },
)
"""What is found in a table, as JSON has it."""


def facts(inspection: Inspection, inputs: Inputs, found: Advice, commands: Sequence[str], left_out: int) -> Facts:
    """Return what is found in a table, as JSON has it.

    Parameters
    ----------
    inspection
        Of all rows.
    inputs
        Where they come from.
    found
        What the numbers look like.
    commands
        The command to type next, and perhaps another one that fits as well.
    left_out
        How many rows could not be read.
    """
    return {
        "files": [printable(name) for name in inputs.names],
        "format": inputs.formats[0],
        "rows": inspection.count("rows"),
        "rows_left_out": left_out,
        "classes": len(inspection.classes),
        "names": list(inspection.classes),
        "dtype": str(inputs.stored),
        "carried": [column.name for column in inputs.layout.carried],
        "min": _finite(inspection.least.min(initial=np.inf)),
        "max": _finite(inspection.most.max(initial=-np.inf)),
        "mean": _finite(inspection.mean),
        "nan": int(inspection.nan.sum()),
        "infinities": int(inspection.infinite.sum()),
        "masked": int(inspection.masked.sum()),
        "ties": inspection.count("ties"),
        "share_in_0_1": inspection.share("in_range"),
        "share_summing_to_1": inspection.share("sum_to_1"),
        "suggests": found.looks,
        "remarks": list(found.remarks),
        "next": commands[0] if commands else None,
        "or": commands[1] if len(commands) > 1 else None,
        "per_class": _class_facts(inspection),
    }


def _class_facts(inspection: Inspection) -> dict[str, ClassFacts]:
    means = inspection.means
    return {
        name: {
            "min": _finite(inspection.least[number]),
            "mean": _finite(means[number]),
            "max": _finite(inspection.most[number]),
            "nan": int(inspection.nan[number]),
            "infinities": int(inspection.infinite[number]),
            "masked": int(inspection.masked[number]),
            "largest": int(inspection.best[number]),
        }
        for number, name in enumerate(inspection.classes)
    }


def _finite(value: float) -> float | None:
    """Return a number as JSON has it: None if it is not finite."""
    return float(value) if math.isfinite(value) else None
