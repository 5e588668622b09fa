"""The layout of JSON for people: what is in it comes back, and short values are on one line."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actcli.formats.json_text import json_text

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(value=VALUES, width=st.integers(0, 40), whole_lists=st.booleans())
def test_what_is_written_is_read_again(value: Any, width: int, *, whole_lists: bool) -> None:
    """By the standard library, whatever the layout is."""
    assert json.loads(json_text(value, width=width, whole_lists=whole_lists)) == value


@pytest.mark.parametrize(
    ("value", "options", "text"),
    [
        ({}, {}, "{}"),
        ({"a": 1}, {}, '{\n  "a": 1\n}'),
        ({"a": 1}, {"width": 8}, '{"a": 1}'),
        ({"a": 1}, {"width": 7}, '{\n  "a": 1\n}'),
        ([0.5, 1.0], {}, "[0.5, 1.0]"),
        ([0.5, "é"], {}, '[\n  0.5,\n  "é"\n]'),
        ([0.5, "é"], {"whole_lists": True}, '[0.5, "é"]'),
        ([[1, 2], [3]], {"whole_lists": True}, "[\n  [1, 2],\n  [3]\n]"),
        ({"a": {"b": [1]}}, {"width": 11}, '{\n  "a": {\n    "b": [1]\n  }\n}'),
        ({"a": {"b": [1]}}, {"width": 12}, '{\n  "a": {"b": [1]}\n}'),
    ],
)
def test_the_layout(value: Any, options: dict[str, Any], text: str) -> None:
    """Is one item a line, unless a value fits in the width or is a list that stays whole."""
    assert json_text(value, **options) == text


def test_a_number_that_is_not_finite() -> None:
    """Is an error: JSON has none."""
    with pytest.raises(ValueError, match="JSON"):
        json_text({"a": float("nan")})
