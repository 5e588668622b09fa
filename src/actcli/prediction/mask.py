"""The mask of the classes that are not possible, for all rows or by the value of a carried column."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from actcli.activations import in_block_order
from actcli.errors import DataError, UsageError, listed, visible
from actcli.prediction.allow import EVERY_OTHER, Allow
from actcli.streaming.batch import Kind
from actcli.tasks import Origin, Task

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import TypeAlias

    from actcli.prediction.rules import Rules
    from actcli.streaming.batch import Batch, Carried

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = ["Mask", "settled_mask"]


class Mask(NamedTuple):
    """Which classes are not possible.

    Parameters
    ----------
    hidden
        For each group of rows, shape (G, C), bool.
    without_share
        The classes to which the prior gives no share, shape (C,), bool. They are masked after the calibration, but
        count where it is asked whether a class is left.
    exclusive
        Whether a row without a possible class is wrong.
    by, kind
        The carried column that says the group of a row, and how its data look; no column: there is one group.
    groups
        The group of each value of the column.
    """

    hidden: Array
    without_share: Array
    exclusive: bool
    by: str | None = None
    kind: Kind = Kind.TEXT
    groups: Mapping[str, int] = {}

    def applied(self, batch: Batch, given: Array, rules: Rules) -> tuple[Batch, Array, Array]:
        """Return the rows whose group is known and that have a possible class, and their numbers with the mask.

        Parameters
        ----------
        batch
            The rows.
        given
            Their numbers, shape (N, C), in the order of the classes.
        rules
            What the numbers are, and whether wrong rows are skipped.

        Returns
        -------
        batch
            Without wrong rows; the first of them ends the table unless they are skipped.
        given
            Of its rows, as they were.
        masked
            The same with -inf where a class is masked, whatever the numbers are.
        """
        groups = self._groups_of(batch)
        masked = given.copy(order="K")
        masked[self.hidden[groups]] = -np.inf
        wrong = groups < 0
        if self.exclusive:
            left = masked[:, ~self.without_share].max(axis=1)
            wrong |= (left <= 0) if rules.origin is Origin.PROBABILITIES else np.isneginf(left)
        if not wrong.any():
            return batch, given, masked

        def what(row: int, place: str) -> DataError:
            if groups[row] < 0:
                return self._without_group(batch, row, place)
            nothing = "have probability 0" if rules.origin is Origin.PROBABILITIES else "are masked (-inf)"
            return DataError(f"{place}: all classes that are possible {nothing}, so none can be the label")

        right = batch.without(wrong, what)
        if not rules.skip:
            right = right.until_fault()
        # Without the others, the rows before the first wrong one are the first rows.
        kept = np.flatnonzero(~wrong)[: len(right)]
        return right, in_block_order(given[kept]), in_block_order(masked[kept])

    def _without_group(self, batch: Batch, row: int, place: str) -> DataError:
        """Return the error of a row whose value has no group."""
        from actcli.formats.text import carried_texts

        assert self.by is not None
        [value] = carried_texts(self.kind, batch.carried[self.by][row : row + 1]).to_pylist()
        return DataError(
            f'{place}: column "{visible(self.by)}": no classes are allowed for {visible(value)!r}',
            hint=f"name some, or some for every other value: {EVERY_OTHER}",
        )

    def _groups_of(self, batch: Batch) -> Array:
        """Return the group of each row, shape (N,), -1 where it has none."""
        if self.by is None:
            return np.zeros(len(batch), dtype=np.int64)
        from actcli.formats.text import call_function, carried_texts

        encoded = call_function("dictionary_encode", [carried_texts(self.kind, batch.carried[self.by])])
        indices = encoded.indices
        codes = np.frombuffer(indices.buffers()[1] or b"", dtype=np.int32)[indices.offset :][: len(indices)]
        values = encoded.dictionary.to_pylist()
        other = self.groups.get(EVERY_OTHER, -1)
        groups = np.array([self.groups.get(value, other) for value in values], dtype=np.int64)
        return groups[codes] if values else groups


def settled_mask(
    allow: Allow | None,
    shift: Array | None,
    task: Task,
    classes: Sequence[str],
    carried: Sequence[Carried],
    rules: Rules,
) -> Mask | None:
    """Return the mask of a table, or None if it has none.

    Parameters
    ----------
    allow
        Which classes are possible.
    shift
        What the prior adds to the scores, shape (C,).
    task, classes
        What is decided, and between what.
    carried
        The carried columns of the input.
    rules
        What is asked for; for messages.

    Raises
    ------
    UsageError
        If an option names a column that is not carried.
    DataError
        If a policy does.
    """
    exclusive = task is not Task.MULTILABEL
    without_share = np.zeros(len(classes), dtype=np.bool_) if shift is None else np.isneginf(shift)
    if allow is None:
        hidden = np.zeros((1, len(classes)), dtype=np.bool_)
        return Mask(hidden, without_share, exclusive) if without_share.any() else None
    hidden = np.array([[name not in allowed for name in classes] for allowed in map(set, allow.groups.values())])
    if allow.by is None:
        return Mask(hidden, without_share, exclusive) if (hidden.any() or without_share.any()) else None
    kinds = {column.name: column.kind for column in carried}
    if allow.by not in kinds:
        there = f"there is {listed(list(kinds))}" if kinds else "no column is carried"
        by_policy = rules.policy is not None and isinstance(rules.allow, Allow)
        raise (DataError if by_policy else UsageError)(
            f"{visible(rules.policy or '', 200) if by_policy else '--allow-by'}: "
            f"{visible(allow.by)!r} is no carried column of the input",
            hint=f"{there}; --id NAME carries a column",
        )
    groups = {value: number for number, value in enumerate(allow.groups)}
    return Mask(hidden, without_share, exclusive, allow.by, kinds[allow.by], groups)
