"""JSON text for people: indented, with short values on one line."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

__all__ = ["json_text"]

_ONE_LINE = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


def json_text(value: Any, *, width: int = 0, whole_lists: bool = False, indent: str = "") -> str:
    """Return a value as JSON, indented by two spaces.

    Parameters
    ----------
    value
        Of dicts, lists, texts, numbers, booleans and None.
    width
        An object or a list is on one line if it fits in so many characters, its indentation included, its key not.
    whole_lists
        Whether any list without lists and objects is on one line; otherwise only a list of floats is.
    indent
        Before each line but the first.

    Raises
    ------
    ValueError
        If a number is not finite.
    """
    if isinstance(value, list):
        whole = not any(isinstance(item, dict | list) for item in value) if whole_lists else _are_floats(value)
    else:
        whole = not isinstance(value, dict) or not value
    if whole:
        return _ONE_LINE(value)
    if _may_fit(value, width - len(indent)) and len(text := _ONE_LINE(value)) <= width - len(indent):
        return text
    inner = indent + "  "
    laid_out = partial(json_text, width=width, whole_lists=whole_lists, indent=inner)
    if isinstance(value, dict):
        items = [f"{_ONE_LINE(name)}: {laid_out(item)}" for name, item in value.items()]
    else:
        items = [laid_out(item) for item in value]
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    return f"{opening}\n{inner}" + f",\n{inner}".join(items) + f"\n{indent}{closing}"


def _are_floats(items: list[Any]) -> bool:
    return all(isinstance(item, float) for item in items)


def _may_fit(value: Any, room: int) -> bool:
    """Return False if an object or a list is longer than `room` characters, without writing it: an item takes three."""
    if not isinstance(value, dict | list):
        return room > 0
    items = value.values() if isinstance(value, dict) else value
    return 3 * len(value) <= room and all(_may_fit(item, room) for item in items)
