"""The mean of the scores of several models for the same rows, or of several views of one item.

Each input is decided on its own: its numbers become probabilities, or logits. Then the rows of all inputs are
matched, by id or by position, and their weighted mean is taken. `combined_chunks` reads and matches; the plan takes the
mean.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from mmap import ACCESS_READ, mmap
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from actcli.errors import DataError, UsageError, listed, visible
from actcli.prediction.output_columns import carried_columns, with_names_apart
from actcli.prediction.plan import Plan, PredictionPlan, plan, rounded
from actcli.streaming.arrow_calls import take
from actcli.streaming.batch import Batch, Column, DecodedChunk, Kind, RowPlaces
from actcli.streaming.spool import Spool
from actcli.tasks import Mean, Task

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import TypeAlias

    from actcli.formats import Inputs
    from actcli.prediction.rules import Rules

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = ["CombinedPlan", "JoinedInputs", "Member", "combined_chunks", "member", "plan_combination", "weighted_mean"]

_SAME_ROWS = "all inputs must hold the same rows"


def weighted_mean(values: Array, weights: Sequence[float]) -> Array:
    """Return the weighted mean of K tables.

    Equal numbers keep their value to the last bit. A mean with -inf is -inf, unless its weight is 0.

    Parameters
    ----------
    values
        Shape (N, K, C), without NaN and +inf.
    weights
        Of each table, K numbers, not negative; their sum is not 0.

    Returns
    -------
    Shape (N, C), float64.

    Raises
    ------
    ValueError
        If the shapes do not fit, or a weight is negative or not finite.
    """
    values = np.asarray(values)
    if values.ndim != 3 or values.shape[1] != len(weights):
        raise ValueError(f"values of shape (N, {len(weights)}, C) are needed, one table for each weight")
    if not all(0 <= weight < np.inf for weight in weights) or not sum(weights):
        raise ValueError("weights must be finite and not negative, and one of them above 0")
    total = sum(weights)
    used = [number for number, weight in enumerate(weights) if weight > 0]
    parts = values[:, used].astype(np.float64)
    result = parts[:, 0].copy()
    with np.errstate(invalid="ignore"):  # -inf minus -inf
        for position, number in enumerate(used[1:], start=1):
            result += (parts[:, position] - parts[:, 0]) * (weights[number] / total)
    lowest = parts.min(axis=1)
    # Rounding must not leave the range of the numbers: a probability is at most 1.
    return np.where(np.isneginf(lowest), -np.inf, np.clip(result, lowest, parts.max(axis=1)))


@dataclass(frozen=True, slots=True, eq=False)
class CombinedPlan(Plan):
    """The plan of the mean of several tables.

    Parameters
    ----------
    weights
        Of each table.
    precision
        To how many significant digits the mean is rounded; None does not round.
    """

    weights: tuple[float, ...]
    precision: int | None

    def decide(self, batch: Batch) -> Batch:
        """Return the batch with the mean of its scores, which hold the columns of one table after the other."""
        count, classes = len(batch), len(self.layout.classes)
        stacked = batch.scores.reshape(count, len(self.weights), classes)
        mean = weighted_mean(stacked, self.weights).astype(self.layout.dtype)
        return batch.without_scores(values={self.columns[-1].name: rounded(mean, self.precision)})


class Member(NamedTuple):
    """One of the inputs that are combined.

    Parameters
    ----------
    inputs
        The open input.
    plan
        How its numbers become probabilities or logits.
    names
        Of its classes, in its order, without ``--class-names``.
    order
        For each class of the first member, the position of that class here.
    """

    inputs: Inputs
    plan: PredictionPlan
    names: tuple[str, ...]
    order: tuple[int, ...]

    @property
    def name(self) -> str:
        """Its name in messages."""
        return self.inputs.title


def member(inputs: Inputs, task: Task, mean: Mean, rules: Rules, first: Member | None) -> Member:
    """Settle how an input is read.

    Parameters
    ----------
    inputs
        The open input.
    task
        By which activation logits become probabilities.
    mean
        Of what the mean is taken.
    rules
        What the numbers of this input are.
    first
        The first member, whose classes and order hold; None if this is the first.

    Raises
    ------
    ActcliError
        If it does not have the same classes, or the options do not fit.
    """
    given = inputs.layout
    # The logit of a single column is that of its probability alone, without a column for the other class.
    activation = Task.MULTILABEL if mean is Mean.LOGITS and len(given.classes) == 1 else task
    planned = plan(activation, given, rules, properties=(mean.value,))
    names = tuple(name.removeprefix(given.recorded or "") for name in given.classes)
    if len(names) != len(planned.layout.classes):
        names = planned.layout.classes
    return Member(inputs, planned, names, _order(inputs.title, names, first))


def _order(title: str, names: tuple[str, ...], first: Member | None) -> tuple[int, ...]:
    """Return the position of each class of the first member, by name; by position where one of both has no names."""
    by_position = tuple(range(len(names)))
    if first is None or names == first.names:
        return by_position
    if len(names) != len(first.names):
        raise DataError(f"{title}: has {len(names):,} classes, but {first.name} has {len(first.names):,}")
    if tuple(map(str, by_position)) in (names, first.names):
        return by_position
    places = {name: position for position, name in enumerate(names)}
    missing = [name for name in first.names if name not in places]
    if missing:
        raise DataError(
            f"{title}: has no class {listed(missing, 5)}, as {first.name} has", hint=f"it has {listed(names, 10)}"
        )
    return tuple(places[name] for name in first.names)


class JoinedInputs:
    """The inputs that are read together, as one.

    Parameters
    ----------
    members
        The inputs.
    group
        See `plan_combination`.

    Attributes
    ----------
    identities, size, notes
        Those of all, see `actcli.formats.Inputs`.
    """

    def __init__(self, members: Sequence[Member], group: str | None) -> None:
        self._members = members
        self._group = group
        self._inputs = [each.inputs for each in members]
        sizes = [inputs.size for inputs in self._inputs]
        self.size = None if None in sizes else sum(size or 0 for size in sizes)
        self.identities = [identity for inputs in self._inputs for identity in inputs.identities]
        self.notes = list(dict.fromkeys(note for inputs in self._inputs for note in inputs.notes))

    def chunks(self, output_bytes: int) -> Iterator[DecodedChunk | None]:
        """Read all inputs together, see `combined_chunks`."""
        return combined_chunks(self._members, self._group, output_bytes)

    def close(self) -> None:
        """Close the files."""
        for inputs in self._inputs:
            inputs.close()


def plan_combination(
    members: Sequence[Member],
    weights: Sequence[float],
    mean: Mean,
    *,
    group: str | None,
    precision: int | None,
    alone: bool,
) -> CombinedPlan:
    """Settle the table of the mean.

    Parameters
    ----------
    members
        The inputs.
    weights
        Of each.
    mean
        Of what the mean is taken.
    group
        The carried column whose consecutive equal values make one row; None for none.
    precision
        To how many significant digits the mean is rounded.
    alone
        Whether the mean is the only column.

    Raises
    ------
    UsageError
        If an input does not carry the column of the groups.
    """
    layout = members[0].plan.layout
    carried = layout.carried
    notes: tuple[str, ...] = ()
    if group is not None:
        for each in members:
            names = [column.name for column in each.inputs.layout.carried]
            if group not in names:
                raise UsageError(
                    f"--group: {visible(each.name)} carries no column {visible(group)!r}",
                    hint=f"it carries {listed(names)}" if names else "to carry a column: --id NAME",
                )
        carried = tuple(column for column in carried if column.name == group)
    elif len(members) > 1 and carried and _joined_on(members) is None:
        notes = ("the rows are matched by position: no carried column is in all inputs",)
    prefix = "p_" if mean is Mean.PROBABILITIES else ""
    headers = tuple(prefix + name for name in layout.classes)
    column = Column(mean.value, Kind.MATRIX, headers, layout.classes)
    columns, renamed = with_names_apart([*([] if alone else carried_columns(carried)), column])
    dtype = np.result_type(*(each.plan.layout.dtype for each in members))
    rows = layout.rows if group is None else None
    settled = replace(layout, carried=carried, dtype=dtype, rows=rows)
    return CombinedPlan(settled, columns, notes + renamed, tuple(weights), precision)


def _joined_on(members: Sequence[Member]) -> str | None:
    """Return the first carried column of the first member that all members carry; None if there is none."""
    others = [{column.name for column in each.inputs.layout.carried} for each in members[1:]]
    names = [column.name for column in members[0].inputs.layout.carried]
    return next((name for name in names if all(name in other for other in others)), None)


class _Rows(NamedTuple):
    """Consecutive rows of an input: their scores, shape (n, C), their carried columns, and their ids, if it has any."""

    scores: Array
    carried: dict[str, Any]
    ids: list[str] | None

    def cut(self, start: int, stop: int) -> _Rows:
        """Return some of the rows."""
        carried = {name: values[start:stop] for name, values in self.carried.items()}
        return _Rows(self.scores[start:stop], carried, None if self.ids is None else self.ids[start:stop])


def combined_chunks(members: Sequence[Member], group: str | None, output_bytes: int) -> Iterator[DecodedChunk | None]:
    """Read the inputs together, and yield chunks whose scores hold the columns of one input after the other.

    Parameters
    ----------
    members
        The inputs.
    group
        See `plan_combination`.
    output_bytes
        See `actcli.streaming.batch.Source.chunks`.

    Raises
    ------
    DataError
        If the inputs do not have the same rows, or one of them cannot be read.
    """
    join = group if group is not None else (_joined_on(members) if len(members) > 1 else None)
    streams = [_read(each, join, output_bytes) for each in members]
    if group is not None:
        streams = [_grouped(stream, each.name, group) for stream, each in zip(streams, members, strict=True)]
    first = members[0]
    partners = [_Partner(stream, each.name, join) for stream, each in zip(streams[1:], members[1:], strict=True)]
    start = 0
    seen: set[str] = set()
    for rows in streams[0]:
        if rows is None:
            yield None
            continue
        if partners:
            _remember(rows.ids or (), seen, first.name, join)
        parts = [rows.scores, *(partner.matching(rows, first.name, seen) for partner in partners)]
        yield DecodedChunk(Batch(np.concatenate(parts, axis=1), rows.carried, RowPlaces(first.name, start).place))
        start += len(rows.scores)
    for partner in partners:
        partner.finish(first.name, seen)


def _remember(ids: Iterable[str], seen: set[str], name: str, join: str | None) -> None:
    """Refuse ids that were there before."""
    for id in ids:
        if id in seen:
            raise DataError(f'{visible(name)}: "{visible(join or "")}" is "{visible(id)}" in two rows')
        seen.add(id)


def _read(each: Member, join: str | None, output_bytes: int) -> Iterator[_Rows | None]:
    """Yield the rows of an input, with its classes in the order of the first one."""
    from actcli.formats.text import carried_texts

    kinds = {column.name: column.kind for column in each.inputs.layout.carried}
    in_order = each.order == tuple(range(len(each.order)))
    property = each.plan.properties[0]
    for chunk in each.inputs.chunks(output_bytes):
        if chunk is None:
            yield None
            continue
        batch = chunk.decode()
        decided = each.plan.decide(batch.until_fault())
        scores = decided.values[property]
        ids = None if join is None else carried_texts(kinds[join], decided.carried[join]).to_pylist()
        if len(scores):
            scores = np.ascontiguousarray(scores if in_order else scores[:, list(each.order)])
            yield _Rows(scores, dict(decided.carried), ids)
        if decided.fault is not None:
            raise decided.fault


def _grouped(stream: Iterator[_Rows | None], name: str, group: str) -> Iterator[_Rows | None]:
    """Yield a row for each run of equal ids: the mean of its rows."""
    import pyarrow as pa

    seen: set[str] = set()
    going: _Rows | None = None  # the group that may go on, with the sum of its rows so far
    count = 0
    for rows in stream:
        if rows is None:
            yield None
            continue
        ids = np.array([*((going and going.ids) or ()), *(rows.ids or ())], dtype=object)
        column = rows.carried[group]
        scores = rows.scores
        sizes = np.ones(len(ids), dtype=np.int64)
        if going is not None:
            column = pa.concat_arrays([going.carried[group], column])
            scores = np.concatenate([going.scores, scores])
            sizes[0] = count
        is_first = np.concatenate([[True], ids[1:] != ids[:-1]])
        starts, groups = np.flatnonzero(is_first), np.cumsum(is_first) - 1
        names = ids[starts].tolist()
        _check_new_groups(names[going is not None :], seen, name, group)
        counts = np.add.reduceat(sizes, starts)
        found = _Rows(_sums(scores, groups), {group: take(column, starts)}, names)
        going, count = found.cut(len(starts) - 1, len(starts)), int(counts[-1])
        if len(starts) > 1:
            done = found.cut(0, len(starts) - 1)
            yield done._replace(scores=done.scores / counts[:-1, np.newaxis])
    if going is not None:
        yield going._replace(scores=going.scores / count)


def _check_new_groups(names: Sequence[str], seen: set[str], name: str, group: str) -> None:
    for value in names:
        if value in seen:
            raise DataError(
                f'{visible(name)}: the rows where "{visible(group)}" is "{visible(value)}" do not follow one another',
                hint=f"sort the file by {visible(group)}",
            )
        seen.add(value)


def _sums(scores: Array, groups: Array) -> Array:
    """Return the sums of groups of rows, float64: row after row, so that no bit depends on how the input is cut."""
    return np.stack([np.bincount(groups, weights=column) for column in scores.T], axis=1)


class _Partner:
    """A further input: it gives the rows that match rows of the first one.

    As long as the ids of both come in the same order, nothing is kept. Otherwise the rest of this input is read into a
    temporary file.

    Parameters
    ----------
    stream
        Its rows.
    name
        Its name in messages.
    join
        The column of the ids; None matches by position.
    """

    def __init__(self, stream: Iterator[_Rows | None], name: str, join: str | None) -> None:
        self._stream = stream
        self.name = visible(name)
        self._join = visible(join or "")
        self._pending: deque[_Rows] = deque()
        self._indexed: _IndexedRows | None = None

    def matching(self, rows: _Rows, first: str, seen: set[str]) -> Array:
        """Return the scores that match `rows`, shape (n, C).

        Parameters
        ----------
        rows
            Of the first input.
        first
            The name of the first input.
        seen
            The ids of all its rows so far, these included.
        """
        count = len(rows.scores)
        if self._indexed is None:
            found = self._next(count)
            ids = [id for part in found for id in part.ids or ()]
            if rows.ids is None or ids == rows.ids:
                if sum(len(part.scores) for part in found) < count:
                    raise DataError(f"{self.name}: has fewer rows than {visible(first)}", hint=_SAME_ROWS)
                return np.concatenate([part.scores for part in found])
            self._pending.extendleft(reversed(found))
            self._indexed = self._index(seen.difference(rows.ids))
        assert rows.ids is not None
        missing = [id for id in rows.ids if id not in self._indexed.positions]
        if missing:
            raise DataError(
                f'{self.name}: has no row where "{self._join}" is {listed(missing, 3)}, as {visible(first)} has',
                hint=_SAME_ROWS,
            )
        return self._indexed.pop(rows.ids)

    def finish(self, first: str, seen: set[str]) -> None:
        """Refuse rows that the first input does not have."""
        found = self._next(1)
        self._pending.extendleft(found)
        if found and found[0].ids is None:
            raise DataError(f"{self.name}: has more rows than {visible(first)}", hint=_SAME_ROWS)
        indexed = self._indexed or self._index(seen)
        left = list(indexed.positions)
        if left:
            rows = f"{len(left):,} row{'' if len(left) == 1 else 's'}"
            raise DataError(
                f'{self.name}: has {rows} that {visible(first)} does not have, by "{self._join}": {listed(left, 3)}',
                hint=_SAME_ROWS,
            )

    def _next(self, count: int) -> list[_Rows]:
        """Return the next rows, fewer only at the end."""
        found = []
        while count and (rows := self._pending.popleft() if self._pending else self._read()):
            part = rows.cut(0, count)
            if len(part.scores) < len(rows.scores):
                self._pending.appendleft(rows.cut(count, len(rows.scores)))
            count -= len(part.scores)
            found.append(part)
        return found

    def _read(self) -> _Rows | None:
        return next((rows for rows in self._stream if rows is not None), None)

    def _index(self, seen: set[str]) -> _IndexedRows:
        """Read the rest; `seen` are the ids of the rows before it."""
        indexed = _IndexedRows()
        while rows := self._pending.popleft() if self._pending else self._read():
            for id in rows.ids or ():
                if id in seen or id in indexed.positions:
                    raise DataError(f'{self.name}: "{self._join}" is "{visible(id)}" in two rows')
                indexed.positions[id] = len(indexed.positions)
            indexed.append(rows.scores)
        return indexed


class _IndexedRows:
    """Rows in a temporary file, found by id.

    Attributes
    ----------
    positions
        The number of the row of each id.
    """

    def __init__(self) -> None:
        self.positions: dict[str, int] = {}
        self._spool = Spool()
        self._width = 0
        self._dtype: Any = None
        self._table: Array | None = None

    def append(self, scores: Array) -> None:
        """Add rows, shape (n, C)."""
        self._width, self._dtype = scores.shape[1], scores.dtype
        self._spool.write(scores.data)

    def pop(self, ids: Sequence[str]) -> Array:
        """Return the scores of these ids, shape (n, C), and forget the ids."""
        if self._table is None:
            content = mmap(self._spool.descriptor, 0, access=ACCESS_READ)
            self._table = np.frombuffer(content, dtype=self._dtype).reshape(-1, self._width)
        return self._table[[self.positions.pop(id) for id in ids]]
