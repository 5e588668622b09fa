"""The rules of a prediction: what the options, or a policy, ask for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from actcli.calibration.temperature import Temperature
from actcli.errors import UsageError
from actcli.tasks import Origin

if TYPE_CHECKING:
    from collections.abc import Mapping

    from actcli.calibration.conformal import Conformal
    from actcli.calibration.methods import Calibration
    from actcli.prediction.allow import Allow, ClassChoice
    from actcli.prediction.costs import Costs
    from actcli.prediction.prior import Prior, PriorChoice
    from actcli.prediction.taxonomy import Taxonomy

__all__ = ["Rules"]


@dataclass(frozen=True, slots=True)
class Rules:
    """What is asked for. Each field has the meaning of the option of the same name.

    Parameters
    ----------
    origin
        What the numbers of the input are (``--from``).
    allow
        Which classes are possible: from ``--allow``, ``--deny`` and ``--allow-by``, or from a policy.
    calibration
        Changes the logits: from ``--temperature``, or from a policy.
    prior
        The shares of the classes: from ``--train-prior`` and ``--prior``, or from a policy.
    conformal
        Makes prediction sets: from a policy.
    policy
        The path of the policy file, for messages.
    threshold
        For every class that `thresholds` does not name.
    thresholds_file
        The path of the file that `thresholds` come from, for a note.
    names_file
        The path of the file that `class_names` come from, for messages.
    strict
        Whether a threshold is reached only above it.
    costs
        Of the decisions, which are then those of the smallest expected cost.
    taxonomy
        Of the classes: a label that is not probable enough is rolled up.
    skip
        Whether wrong rows are left out; otherwise the first of them is an error (``--on-bad-row``).
    columns
        Names of output columns; None for the default ones.
    """

    origin: Origin = Origin.LOGITS
    allow: Allow | ClassChoice | None = None
    calibration: Calibration | None = None
    prior: Prior | PriorChoice | None = None
    conformal: Conformal | None = None
    policy: str | None = None
    renormalize: bool = False
    skip: bool = False
    dtype: str | None = None
    class_names: tuple[str, ...] | None = None
    names_file: str | None = None
    top_k: int | None = None
    threshold: float = 0.5
    thresholds: Mapping[str, float] | None = None
    thresholds_file: str | None = None
    strict: bool = False
    costs: Costs | None = None
    taxonomy: Taxonomy | None = None
    at_least_one: bool = False
    abstain_below: float | None = None
    abstain_margin: float | None = None
    abstain_label: str = "abstain"
    positive: str | None = None
    negative: str | None = None
    columns: tuple[str, ...] | None = None
    precision: int | None = None

    def __post_init__(self) -> None:
        if self.renormalize and self.origin is Origin.LOGITS:
            raise UsageError("--renormalize is for probabilities", hint="add --from probabilities")
        if self.costs is not None and (self.thresholds is not None or self.strict):
            raise UsageError("costs decide in place of a threshold: there cannot be both", hint="leave out one of them")

    @property
    def temperature(self) -> float:
        """T, which divides the logits; 1 without a temperature calibration."""
        return self.calibration.temperature if isinstance(self.calibration, Temperature) else 1.0

    @property
    def abstains(self) -> bool:
        """Whether a label may be withheld."""
        return self.abstain_below is not None or self.abstain_margin is not None

    def threshold_of(self, name: str) -> float:
        """Return the threshold of a class."""
        return (self.thresholds or {}).get(name, self.threshold)
