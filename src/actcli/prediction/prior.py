"""Other class shares than in training: what the options and the policy say of them, and how it is checked."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Any, NamedTuple

from actcli.calibration.prior import prior_shift
from actcli.errors import ActcliError, DataError, UsageError, listed, visible
from actcli.formats.column_roles import is_number, split_list
from actcli.prediction.option_files import csv_rows, parsed_json, read_text
from actcli.tasks import Task

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import TypeAlias

    import numpy as np

    from actcli.prediction.allow import Allow
    from actcli.prediction.policy_values import Value

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = ["Prior", "PriorChoice", "SharesGiven", "nothing_left", "prior_in", "read_shares"]


_LARGEST = 1e300
"""Of numbers below it, no sum is infinite."""


class Prior(NamedTuple):
    """The share of each class, by its name.

    Parameters
    ----------
    train
        In the training data.
    new
        In the data to decide on.
    """

    train: Mapping[str, float]
    new: Mapping[str, float]

    def with_names(self, renamed: Mapping[str, str]) -> Prior:
        """Return it with other names for the classes."""
        return Prior(*({renamed[name]: share for name, share in shares.items()} for shares in self))

    def settled(self, task: Task, classes: Sequence[str]) -> Prior:  # noqa: ARG002  the reader of the policy checks them
        """Return it as it is."""
        return self

    def shift(self, task: Task, classes: Sequence[str]) -> Array | None:
        """Return what is added to the calibrated scores of `classes`, shape (C,), float64; None if it is nothing."""
        train, new = ([shares[name] for name in classes] for shares in self)
        shift = prior_shift(train, new, task=task)
        return shift if shift.any() else None


class SharesGiven(NamedTuple):
    """The share of each class as an option gives it.

    Parameters
    ----------
    shares
        By the name of the class.
    where
        The option or the file.
    places
        The place of each name, where it is another one.
    """

    shares: Mapping[str, float]
    where: str
    places: Mapping[str, str]

    def error(self, name: str | None, message: str, hint: str | None = None) -> ActcliError:
        """Return the error about the share of a class, or about all of them."""
        place = self.where if name is None else self.places.get(name, self.where)
        return (UsageError if self.where.startswith("--") else DataError)(f"{place}: {message}", hint=hint)

    def settled(self, task: Task, classes: Sequence[str], *, training: bool) -> dict[str, float]:
        """Return the share of each of `classes`, in their order; of exclusive ones divided by the sum.

        Parameters
        ----------
        task
            What is decided.
        classes
            The names of the classes.
        training
            Whether these are the shares in training.

        Raises
        ------
        ActcliError
            If a class has no share, or one that it cannot have.
        """
        found = _checked_shares(self.shares, task, classes, training=training)
        if isinstance(found, _Problem):
            raise self.error(found.name, found.text, f"there is {listed(classes)}" if found.unknown else None)
        return found


class PriorChoice(NamedTuple):
    """What ``--train-prior`` and ``--prior`` say; without the first, the shares in training are not known yet."""

    new: SharesGiven
    train: SharesGiven | None = None

    def settled(self, task: Task, classes: Sequence[str]) -> Prior:
        """Return the shares of `classes`.

        Raises
        ------
        ActcliError
            If a class has no share, or one that it cannot have.
        """
        assert self.train is not None
        return Prior(self.train.settled(task, classes, training=True), self.new.settled(task, classes, training=False))


class _Problem(NamedTuple):
    """What is wrong with the share of a class, or with all of them if there is no name."""

    name: str | None
    text: str
    unknown: bool = False


def _checked_shares(
    shares: Mapping[str, float], task: Task, classes: Sequence[str], *, training: bool
) -> dict[str, float] | _Problem:
    """Return the shares as `SharesGiven.settled` does, or what is wrong with them."""
    known = set(classes)
    for name in shares:
        if name not in known:
            return _Problem(name, f"{visible(name)!r} is not a class", unknown=True)
    for name in classes:
        if name not in shares:
            return _Problem(None, f"there is no share for {visible(name)!r}")
    if task is Task.MULTILABEL:
        found = {name: shares[name] for name in classes}
    else:
        total = math.fsum(shares.values()) if max(shares.values()) < _LARGEST else math.inf
        if not 0 < total < math.inf:
            return _Problem(None, "all shares are 0" if total == 0 else "the shares are too large")
        found = {name: shares[name] / total for name in classes}
    for name, share in found.items():
        if share > 1:
            return _Problem(name, f"the share of {visible(name)!r} is {share:g}, above 1")
        if training and (share == 0 or (task is Task.MULTILABEL and share == 1)):
            text = f"the share of {visible(name)!r} in training is {share:g}, so nothing was learned about it"
            return _Problem(name, text)
    return found


def read_shares(value: str, option: str) -> SharesGiven:
    """Return the shares that an option gives.

    The value is a file, a JSON object from class to share or CSV with class,share; or else a list such as a=0.7,b=0.3.

    Raises
    ------
    DataError
        If the file cannot be read, is something else, or has a class twice.
    UsageError
        If the list is none, or has a class twice.
    """
    if "=" in value and not os.path.exists(value):
        pairs = []
        for item in split_list(value, option):
            name, equals, number = item.rpartition("=")
            if not equals or not name:
                raise UsageError(f"{option}: {visible(item)!r} is no class=share")
            pairs.append((name, number, option))
        return _collected(pairs, option)
    where = visible(value, 200)
    text = read_text(value, f"{option} takes a list such as a=0.7,b=0.3, or a JSON or CSV file")
    if text.lstrip().startswith(("{", "[")):
        document = parsed_json(text, value)
        if not isinstance(document, dict):
            raise DataError(f"{where}: is no JSON object from class to share")
        return _collected(((name, number, where) for name, number in document.items()), where)
    pairs = []
    for line, row in csv_rows(text, value, ("class", "share")):
        if len(row) != 2:
            raise DataError(f"{where}:{line}: {len(row)} cell{'' if len(row) == 1 else 's'}, not a class and a share")
        pairs.append((row[0], row[1], f"{where}:{line}"))
    return _collected(pairs, where)


def _collected(pairs: Iterable[tuple[str, Any, str]], where: str) -> SharesGiven:
    """Return the shares of names, numbers or their texts, and places."""
    shares: dict[str, float] = {}
    places: dict[str, str] = {}
    given = SharesGiven(shares, where, places)
    for name, value, place in pairs:
        places[name] = place
        if name in shares:
            raise given.error(name, f"{visible(name)!r} is there twice")
        text = value if isinstance(value, str) else repr(value)
        if isinstance(value, bool) or not is_number(text) or not math.isfinite(number := float(text)) or number < 0:
            raise given.error(
                name, f"{visible(text)!r} is no share of {visible(name)!r}: a finite number, not negative"
            )
        shares[name] = number
    if not shares:
        raise given.error(None, "holds no shares")
    return given


def nothing_left(task: Task, allow: Allow | None, prior: Prior | None) -> str | None:
    """Return what is wrong where all exclusive classes that are allowed have a new share of 0, or None."""
    if task is Task.MULTILABEL or allow is None or prior is None:
        return None
    for value, names in allow.groups.items():
        if not any(prior.new[name] for name in names):
            where = "" if allow.by is None else f" where {visible(allow.by)} is {visible(value)!r}"
            return f"the classes that are allowed{where} all have a new share of 0, so none is left"
    return None


def prior_in(value: Value, task: Task, classes: Sequence[str]) -> Prior:
    """Return a prior from a part of a policy for `task` with these classes."""
    parts = value.object(("train", "new"))
    found = []
    for key in ("train", "new"):
        shares = {name: item.between(0, math.inf) for name, item in parts[key].named()}
        checked = _checked_shares(shares, task, classes, training=key == "train")
        if isinstance(checked, _Problem):
            raise parts[key].contradiction(checked.text)
        found.append({name: shares[name] for name in classes})
    return Prior(*found)
