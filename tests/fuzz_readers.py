"""A coverage-guided fuzz target for every reader, for Atheris; CONTRIBUTING says how to run it.

::

    python tests/fuzz_readers.py FOLDER [libFuzzer options]
    python tests/fuzz_readers.py FILE

The last three bytes of an input choose the format and the options; what is before them is the file. FOLDER keeps what
was found to be interesting, and begins with valid files of every format; FILE is an input to look at again. What is
looked for: an exception that is no `ActcliError`, a crash, a hang, too much memory, and a result that depends on the
size of the chunks.
"""

from __future__ import annotations

import os
import sys
import warnings
from importlib import import_module

import atheris

with atheris.instrument_imports(include=["actcli", "zipfile", "numpy.lib", "json", "csv"]):
    from actcli.formats import FORMATS, ReadOptions
    from readers import READ, WRITTEN, check, valid

    for format in FORMATS.values():
        import_module(format.module)

_HEADERS = (None, True, False, None)
_ORIGINS = ("logits", "logits", "probabilities", "log-probabilities")
_TASKS = ("softmax", "multilabel", "binary", "softmax")
_CLASSES = (None, None, "*", "!0")
_DELIMITERS = (None, ";", " ", "|")


def one_input(data: bytes) -> None:
    """Read the file that `data` stands for, in chunks of two sizes."""
    if len(data) < 3:
        return
    first, second, third = data[-3:]
    name = (*READ, None)[first % (len(READ) + 1)]
    text = name in ("csv", "tsv")
    options = ReadOptions(
        format=name,
        delimiter=_DELIMITERS[second >> 4 & 3] if text else None,
        header=_HEADERS[second & 3] if text else None,
        classes=_CLASSES[second >> 6],
        origin=_ORIGINS[third & 3],
        one_dimensional="row" if second >> 2 & 1 else "column",
        skip=bool(third >> 7),
    )
    sink = WRITTEN[(third >> 4 & 7) % len(WRITTEN)]
    piped, task = bool(second >> 3 & 1), _TASKS[third >> 2 & 3]
    check(data[:-3], options, piped=piped, sink=sink, task=task)


def seed(folder: str) -> None:
    """Put valid files of every format into `folder`."""
    os.makedirs(folder, exist_ok=True)
    for number, name in enumerate(READ):
        for count, content in enumerate(valid(name)):
            for flags in (b"\0\0", b"\x08\x91"):
                with open(os.path.join(folder, f"{name}-{count}-{flags[0]}"), "wb") as file:
                    file.write(content + bytes([number]) + flags)


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        sys.exit("usage: python tests/fuzz_readers.py FOLDER [libFuzzer options]")
    warnings.simplefilter("error")
    warnings.simplefilter("ignore", ResourceWarning)
    if not os.path.isfile(sys.argv[1]):
        seed(sys.argv[1])
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
