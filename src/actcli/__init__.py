"""Turn a classifier's raw scores into probabilities and decisions.

The functions behind the command-line tool, for NumPy arrays::

    import actcli

    actcli.softmax([-20.0, 10.0, 30.0])

They are imported when they are first used, so that the command-line tool starts without what it does not need.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from actcli.activations import log_sigmoid, log_softmax, sigmoid, softmax
    from actcli.decisions import argmax, at_least_one, best_among, margin, reached, top_k
    from actcli.errors import ActcliError, DataError, OutputError, UsageError

__version__ = "0.1.0"

__all__ = [
    "ActcliError",
    "DataError",
    "OutputError",
    "UsageError",
    "argmax",
    "at_least_one",
    "best_among",
    "log_sigmoid",
    "log_softmax",
    "margin",
    "reached",
    "sigmoid",
    "softmax",
    "top_k",
]

_HOMES = {
    "activations": ("log_sigmoid", "log_softmax", "sigmoid", "softmax"),
    "decisions": ("argmax", "at_least_one", "best_among", "margin", "reached", "top_k"),
    "errors": ("ActcliError", "DataError", "OutputError", "UsageError"),
}


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"actcli.{module}"), name)
    raise AttributeError(f"module 'actcli' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
