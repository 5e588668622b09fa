"""Whether a stream is a terminal."""

from __future__ import annotations

import sys
from typing import Any

__all__ = ["is_terminal", "standard_input_is_terminal"]


def is_terminal(stream: Any) -> bool:
    """Return whether `stream`, one of sys.stdin, sys.stdout and sys.stderr, is open on a terminal."""
    try:
        return bool(stream is not None and stream.isatty())
    except ValueError:
        return False


def standard_input_is_terminal() -> bool:
    """Return whether standard input is a terminal."""
    return is_terminal(sys.stdin)
