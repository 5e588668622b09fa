"""Objects as another process would return them."""

from __future__ import annotations

import pickle
from typing import TypeVar

T = TypeVar("T")


def pickled(value: T) -> T:
    """Return a copy of a value that went through a pickle."""
    copy: T = pickle.loads(pickle.dumps(value))
    return copy
