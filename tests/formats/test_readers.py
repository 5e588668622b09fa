"""Whatever a file holds, its reader makes rows or an error of ours of it, and the same in chunks of any size."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actcli.formats import ReadOptions
from readers import READ, WRITTEN, check, valid

TASKS = ("softmax", "multilabel", "binary")
PIECES = [bytes([code]) for code in b'\0\n\r",\t[]{}\xff'] + [b"", b"1e400", b"nan", b"\xef\xbb\xbf", b"\\ud800"]


@st.composite
def damaged(draw: st.DrawFn, name: str) -> bytes:
    """Draw a valid file of the format `name` in which a few places are others."""
    data = bytearray(draw(st.sampled_from(valid(name))))
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(data)))
        data[start : start + draw(st.integers(0, 8))] = draw(st.sampled_from(PIECES) | st.binary(max_size=8))
    return bytes(data[: draw(st.none() | st.integers(0, len(data)))])


@pytest.mark.parametrize("name", READ)
@settings(max_examples=60)
@given(
    data=st.data(), piped=st.booleans(), skip=st.booleans(), task=st.sampled_from(["softmax", "multilabel", "binary"])
)
def test_a_damaged_file(name: str, data: st.DataObject, *, piped: bool, skip: bool, task: str) -> None:
    """A valid one in which a few bytes are missing, doubled or others."""
    sink = data.draw(st.sampled_from(WRITTEN))
    check(data.draw(damaged(name)), ReadOptions(format=name, skip=skip), piped=piped, task=task, sink=sink)


@pytest.mark.parametrize("name", READ)
@settings(max_examples=30)
@given(data=st.binary(max_size=200) | st.lists(st.sampled_from(PIECES)).map(b"".join), piped=st.booleans())
def test_any_bytes(name: str, data: bytes, *, piped: bool) -> None:
    """As they are, and with the beginning of the format, so that they come as far as its reader."""
    for start in (b"", valid(name)[0][:8]):
        check(start + data, ReadOptions(format=name), piped=piped)


FOUND = {
    # What the fuzzer found: each was a traceback, a warning, or another message for chunks of another size.
    "a list within the first list": (b"[[\n[4,4]]", ReadOptions(format="json", classes="!0")),
    "no class left of a list": (b"[1]\n", ReadOptions(format="jsonl", classes="!0")),
    "carriage returns within a row": (b'{"a":1,"b":2}\n{"a":1,\r"b"\r:x}\n', ReadOptions(format="jsonl")),
    "infinities of both signs": (b"a,b\ninf,-inf\n", ReadOptions(format="csv", origin="probabilities")),
    "half a character": (b'{"\\ud800":1,"b":2}\n', ReadOptions(format="jsonl")),
}


@pytest.mark.parametrize(("data", "options"), FOUND.values(), ids=FOUND.keys())
def test_what_was_found(data: bytes, options: ReadOptions) -> None:
    """Is an error of ours now."""
    assert check(data, options).error
