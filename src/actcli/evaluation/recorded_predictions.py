"""The decisions that a table holds already, because actcli wrote it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from actcli.evaluation.carried_columns import exclusive_codes, label_array

if TYPE_CHECKING:
    from typing import TypeAlias

    import numpy as np

    from actcli.evaluation.class_labels import TruthSpec
    from actcli.streaming.batch import Batch, Kind

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = ["DECIDED_COLUMNS", "RecordedPredictions"]

DECIDED_COLUMNS = ("label", "labels", "probability", "index", "reason")
"""The columns of a table that actcli wrote which a truth cannot be joined on."""


@dataclass(frozen=True, slots=True)
class RecordedPredictions:
    """The decisions in a carried column.

    Parameters
    ----------
    spec
        Which labels there are.
    column, kind
        The name of the column of labels, and how its data look.
    withheld
        The text in place of a withheld label, unless a class has that name.
    """

    spec: TruthSpec
    column: str
    kind: Kind
    withheld: str

    def take(self, batch: Batch) -> Array:
        """Return the decisions: codes, shape (N,), -1 for a withheld label; or for label sets a table, (N, C), bool.

        Raises
        ------
        DataError
            If a value is not a label.
        """
        if self.spec.sets:
            return label_array(self.spec, batch, self.column, self.kind, shown=self.column)
        return exclusive_codes(batch, self.column, self.kind, self._code, shown=self.column)

    def _code(self, value: object) -> int:
        book = self.spec.book
        return -1 if value == self.withheld and value not in book else book.code(value)
