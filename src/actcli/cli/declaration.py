"""Declare the options of a command: groups of them are dataclasses, which a command's function takes.

::

    @options
    class TruthOptions:
        truth: Annotated[str | None, typer.Option("--truth")] = None
        column: Annotated[str | None, typer.Option("--truth-column")] = None

    def evaluate(truth: TruthOptions, top_k: TopK = None) -> None: ...

A field of a group is an option (its type is `Annotated`), another group, or a fixed value (any other type). A subclass
makes an option a fixed value by giving it a plain type, and changes its help by `Annotated[Alias, "the other help"]`.
"""

from __future__ import annotations

import inspect
import os
from contextlib import suppress
from copy import copy
from dataclasses import MISSING, dataclass, fields, is_dataclass
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, dataclass_transform, get_args, get_origin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

T = TypeVar("T")

__all__ = ["DECISION", "FIT", "INPUT", "MEASURE", "OUTPUT", "TRUTH", "declared", "files_read", "options"]

# The sections of help.
INPUT = "Input"
TRUTH = "Truth"
FIT = "Fit"
DECISION = "Decision"
MEASURE = "Measures"
OUTPUT = "Output"


@dataclass_transform(frozen_default=True, kw_only_default=True)
def options(group: type[T]) -> type[T]:
    """Make a class a group of options: a dataclass without the methods that nobody uses, which take time to build.

    The type checker sees that nothing changes a group: to freeze it at run time would take as long as all the rest.

    Raises
    ------
    TypeError
        If the module has ``from __future__ import annotations``, so that the types of the fields are texts.
    """
    made = dataclass(kw_only=True, eq=False, repr=False)(group)
    for field in fields(made):  # type: ignore[arg-type]
        if isinstance(field.type, str):
            raise TypeError(f"{group.__name__}.{field.name}: its type is a text; leave the future import out")
    return made


def declared(function: Callable[..., None]) -> Callable[..., None]:
    """Return what Typer calls for a command: it takes every option by itself, and gives `function` its groups."""
    taken = inspect.signature(function, eval_str=True).parameters

    def command(**values: Any) -> None:
        function(**{name: _value(name, parameter.annotation, values) for name, parameter in taken.items()})

    command.__name__, command.__doc__ = function.__name__, function.__doc__
    singles = [single for name, each in taken.items() for single in _singles(name, each.annotation, each.default)]
    command.__signature__ = inspect.Signature(singles)  # type: ignore[attr-defined]
    return command


def files_read(*groups: Any) -> Iterator[tuple[int, int]]:
    """Yield the identities of the files that options name to be read, so that no output replaces one of them.

    These are the options whose metavar begins with FILE, outside the section of the output.
    """
    for group in groups:
        for field in fields(group):
            value = getattr(group, field.name)
            if is_dataclass(field.type):
                yield from files_read(value)
            elif not _is_fixed(field.type) and _is_file_to_read(get_args(field.type)[1]):
                for path in [value] if isinstance(value, str) else value or ():
                    # What is missing, or no path, has no identity.
                    with suppress(OSError, ValueError):
                        status = os.stat(path)
                        yield status.st_dev, status.st_ino


def _is_file_to_read(info: Any) -> bool:
    return (info.metavar or "").lstrip("[").startswith("FILE") and info.rich_help_panel != OUTPUT


def _singles(name: str, annotation: Any, default: Any) -> Iterator[inspect.Parameter]:
    """Yield the parameters that Typer sees in place of one: those of a group's fields, or itself."""
    if not is_dataclass(annotation):
        yield inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=_option(annotation))
        return
    for field in fields(annotation):
        if not _is_fixed(field.type):
            initial = inspect.Parameter.empty if field.default is MISSING else field.default
            yield from _singles(field.name, field.type, initial)


def _is_fixed(annotation: Any) -> bool:
    """Return whether a field of this type is a fixed value: neither an option nor a group."""
    return get_origin(annotation) is not Annotated and not is_dataclass(annotation)


def _option(annotation: Any) -> Any:
    """Return an annotation as Typer takes it: a text beside the option is its help."""
    if get_origin(annotation) is not Annotated:
        return annotation
    type_, info, *texts = get_args(annotation)
    if not texts:
        return annotation
    info = copy(info)
    info.help = texts[-1]
    return Annotated[type_, info]


def _value(name: str, annotation: Any, values: Mapping[str, Any]) -> Any:
    """Return what a function takes under a name: a group made of its options, or the option's value."""
    if not is_dataclass(annotation):
        return values[name]
    group: Any = annotation
    given = {
        field.name: _value(field.name, field.type, values) for field in fields(annotation) if not _is_fixed(field.type)
    }
    return group(**given)
