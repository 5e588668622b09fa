"""A check against a JSON schema: the keywords that actcli's own schemas use, and no others.

What is found is the first thing that is wrong, with its path: a message for a person. The tests hold it to what the
`jsonschema` package says.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from actcli.errors import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeAlias

    Schema: TypeAlias = Mapping[str, Any]

__all__ = ["what_is_wrong"]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


_TYPES: dict[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "number": _is_number,
    "integer": lambda value: _is_number(value) and float(value).is_integer(),
    "null": lambda value: value is None,
}
_COMPARISONS: tuple[tuple[str, Callable[[float, float], bool], str], ...] = (
    ("minimum", lambda value, limit: value >= limit, "is below"),
    ("maximum", lambda value, limit: value <= limit, "is above"),
    ("exclusiveMinimum", lambda value, limit: value > limit, "is not above"),
    ("exclusiveMaximum", lambda value, limit: value < limit, "is not below"),
)
_CHOOSING = "is none of"


def what_is_wrong(value: Any, schema: Schema) -> str | None:
    """Return the first thing that is wrong with a JSON value, or None.

    Parameters
    ----------
    value
        As the standard library reads it.
    schema
        The whole schema; its definitions are at ``$defs``.
    """
    return _wrong(value, schema, schema, "")


def _wrong(value: Any, schema: Schema, root: Schema, path: str) -> str | None:
    if "$ref" in schema:
        schema = root["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    if "oneOf" in schema:
        return _wrong_in_all(value, schema["oneOf"], root, path)
    where = f"{path}: " if path else ""
    shown = visible(repr(value) if isinstance(value, str) else str(value), 40)
    types = schema.get("type", [])
    types = [types] if isinstance(types, str) else types
    if types and not any(_TYPES[name](value) for name in types):
        return f"{where}{shown} is no {' or '.join(types)}"
    options = [schema["const"]] if "const" in schema else schema.get("enum")
    if options is not None and not any(value == option and type(value) is not bool for option in options):
        return f"{where}{shown} {_CHOOSING} {', '.join(map(str, options))}"
    if isinstance(value, dict):
        return _wrong_in_object(value, schema, root, path)
    if isinstance(value, list):
        return _wrong_in_list(value, schema, root, path)
    if isinstance(value, str) and len(value) < schema.get("minLength", 0):
        return f"{where}is empty"
    if _is_number(value):
        for keyword, holds, says in _COMPARISONS:
            if keyword in schema and not holds(value, schema[keyword]):
                return f"{where}{shown} {says} {schema[keyword]}"
    return None


def _wrong_in_all(value: Any, branches: list[Schema], root: Schema, path: str) -> str | None:
    """Return None if one branch holds; else what is wrong with the one that was meant, or the choices that there are.

    A branch was meant if what is wrong with it is not the constant that tells it from the others.
    """
    found = [_wrong(value, branch, root, path) for branch in branches]
    if None in found:
        return None
    messages = [message for message in found if message is not None]
    meant = [message for message in messages if _CHOOSING not in message]
    if meant:
        return meant[0]
    head = messages[0].partition(_CHOOSING)[0]
    return f"{head}{_CHOOSING} {', '.join(message.partition(_CHOOSING + ' ')[2] for message in messages)}"


def _wrong_in_object(value: dict[str, Any], schema: Schema, root: Schema, path: str) -> str | None:
    properties = schema.get("properties", {})
    others = schema.get("additionalProperties", True)
    # What can only be one of a few comes first: it says what the object is.
    for name in sorted(value, key=lambda name: not {"const", "enum"} & set(properties.get(name, ()))):
        inner = f"{path}.{visible(name)}" if path else visible(name)
        part = properties.get(name, others)
        if part is False:
            known = f"; there is {', '.join(properties)}" if properties else ""
            return f"{inner}: is no key that is known here{known}"
        wrong = None if part is True else _wrong(value[name], part, root, inner)
        if wrong is not None:
            return wrong
    missing = [name for name in schema.get("required", ()) if name not in value]
    return f"{path + ': ' if path else ''}has no {visible(missing[0])!r}" if missing else None


def _wrong_in_list(value: list[Any], schema: Schema, root: Schema, path: str) -> str | None:
    if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", math.inf):
        return f"{path}: {len(value)} item{'' if len(value) == 1 else 's'} are too few or too many"
    if schema.get("uniqueItems"):
        seen = set()
        for text in map(repr, value):
            if text in seen:
                return f"{path}: {visible(text)} is there twice"
            seen.add(text)
    for number, item in enumerate(value):
        wrong = _wrong(item, schema["items"], root, f"{path}[{number}]") if "items" in schema else None
        if wrong is not None:
            return wrong
    return None
