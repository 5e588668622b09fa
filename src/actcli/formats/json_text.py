"""JSON text for people: indented, with short values on one line."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["json_text"]


def json_text(value: Any, *, width: int = 0, whole_lists: bool = False, indent: str = "") -> str:
    """Return a value as JSON, indented by two spaces.

    Parameters
    ----------
    value
        Of dicts, lists, texts, numbers, booleans and None.
    width
        An object or a list that fits in so many characters, indentation included, is on one line.
    whole_lists
        Whether any list without lists and objects is on one line; otherwise only a list of floats is.
    indent
        Before each line but the first.

    Raises
    ------
    ValueError
        If a number is not finite.
    """
    if not isinstance(value, dict | list) or not value:
        return _on_one_line(value)
    if isinstance(value, list) and _stays_whole(value, whole_lists=whole_lists):
        return _on_one_line(value)
    if width > len(indent) and len(line := _on_one_line(value)) <= width - len(indent):
        return line
    inner = indent + "  "
    items = [json_text(item, width=width, whole_lists=whole_lists, indent=inner) for item in _values(value)]
    if isinstance(value, dict):
        items = [f"{_on_one_line(name)}: {item}" for name, item in zip(value, items, strict=True)]
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    return f"{opening}\n{inner}" + f",\n{inner}".join(items) + f"\n{indent}{closing}"


def _stays_whole(items: list[Any], *, whole_lists: bool) -> bool:
    if whole_lists:
        return not any(isinstance(item, dict | list) for item in items)
    return all(isinstance(item, float) for item in items)


def _values(value: dict[str, Any] | list[Any]) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value


def _on_one_line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
