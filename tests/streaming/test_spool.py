"""Temporary files."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from actcli.streaming.spool import Spool, Strand


@given(
    parts=st.lists(st.tuples(st.integers(0, 2), st.binary(max_size=20))),
    kept=st.integers(1, 30),
    size=st.integers(1, 25),
)
def test_strands_of_a_spool_do_not_mix(parts: list[tuple[int, bytes]], kept: int, size: int) -> None:
    """Each gives what was written to it, in pieces of the size that is asked for; twice (bytes of Python)."""
    with Spool() as spool:
        strands = [Strand(spool, kept) for _ in range(3)]
        for number, data in parts:
            strands[number].write(data)
        for number, strand in enumerate(strands):
            expected = b"".join(data for which, data in parts if which == number)
            for _ in range(2):
                pieces = list(strand.pieces(size))
                assert b"".join(pieces) == expected
                assert all(len(piece) == size for piece in pieces[:-1])
