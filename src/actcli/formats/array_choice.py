"""Which of the arrays of a file holds the scores, or the truth."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actcli.errors import DataError, UsageError, listed, visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actcli.formats.registry import ReadOptions

__all__ = ["chosen_array"]


def chosen_array(names: Sequence[str], file: str, options: ReadOptions, *, what: str = "array") -> str:
    """Return the name of the array to read: the one asked for, the only one, or the usual one.

    Parameters
    ----------
    names
        Of all arrays, at least one.
    file
        The name of the file in messages.
    options
        How to read it.
    what
        What the format calls an array.

    Raises
    ------
    DataError
        If there are several, and none has the usual name.
    UsageError
        If there is none of the name that was asked for.
    """
    key = options.key
    is_truth = options.origin == "truth"
    if key is not None:
        if key not in names:
            option = "--truth-key" if is_truth else "--key"
            raise UsageError(f"{option}: {file} holds no {what} {visible(key)!r}", hint=f"it holds {listed(names)}")
        return key
    if len(names) == 1:
        return names[0]
    # Archives that actcli writes may hold several forms of the same scores.
    usual = options.origin.replace("-", "_")
    found = usual if usual in names else "logits"
    if found not in names:
        raise DataError(
            f'{file}: holds {len(names)} {what}s and none is called "{usual}": {listed(names)}',
            hint="say which one holds the truth: --truth-key NAME"
            if is_truth
            else "say which one holds the scores: --key NAME",
        )
    return found
