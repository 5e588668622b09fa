"""What holds the architecture: import directions, start-up, the public names, help."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import subprocess
import sys
from pathlib import Path

import pytest

import actcli as package
from actcli.cli import COMMANDS
from actcli.formats import FORMATS
from program import SAMPLES, Actcli, environment

SOURCE = Path(package.__file__).parent

# Each may import what stands after it, and others of its own.
LAYERS = [
    {"__main__"},
    {"cli"},
    {"reports"},
    {"steps"},
    {"fitting"},
    {"truth"},
    {"pictures"},
    {"comparison", "derivatives", "inspection", "mistakes"},
    {"long_form"},
    {"pipeline", "formats"},
    {"evaluation"},
    {"predict", "policy"},
    {"outputs", "checking", "option_files", "scoring", "schema"},
    {"curves", "meter"},
    {"summaries"},
    {"ranking"},
    {"metrics"},
    {"labels", "calibration", "tuning", "conformal"},
    {"solvers"},
    {"activations", "decisions"},
    {"compression", "cells"},
    {"columns", "files"},
    {"batch"},
    {"errors", "signals"},
]
RESULTS = {"inspect"}
"""The commands whose result is no table of rows, and decides nothing."""
HEAVY = ("numpy", "pyarrow", "rich", "typer")


def imports_of(path: Path, *, for_types: bool = False) -> set[str]:
    """Return the modules that a file imports, wherever in it; those only for types aside."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING" and not for_types:
            return
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.update([node.module, *(f"{node.module}.{alias.name}" for alias in node.names)])
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(tree)
    return found


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_go_one_way(path: Path) -> None:
    """From the command line to the numbers, never back."""
    own = path.relative_to(SOURCE).parts[0].removesuffix(".py")
    if own == "__init__":
        return
    level = next(number for number, names in enumerate(LAYERS) if own in names)
    above = set().union(*LAYERS[:level]) | (LAYERS[level] - {own})
    used = {name.split(".")[1] for name in imports_of(path) if name.startswith("actcli.")}
    assert not used & above


@pytest.mark.parametrize(
    "module",
    [
        "activations",
        "calibration",
        "conformal",
        "curves",
        "decisions",
        "meter",
        "metrics",
        "ranking",
        "scoring",
        "summaries",
        "solvers",
        "tuning",
    ],
)
def test_the_numeric_core_knows_only_numpy(module: str) -> None:
    """No files, no Typer, no Rich, no Arrow."""
    used = {name.split(".")[0] for name in imports_of(SOURCE / f"{module}.py", for_types=True)}
    assert not used & set(HEAVY) - {"numpy"}


def modules_after(code: str) -> set[str]:
    """Return which modules a process has loaded after running `code`."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport json, sys; json.dump(sorted(sys.modules), sys.stderr)"],
        capture_output=True,
        check=True,
        env=environment(),
    )
    return set(json.loads(done.stderr))


@pytest.mark.parametrize(
    ("arguments", "absent"),
    [
        (None, ("numpy", "pyarrow", "rich")),
        (["--help"], ("numpy", "pyarrow", "rich")),
        (["softmax", "--help"], ("numpy", "pyarrow", "rich")),
        (["--version"], ("numpy", "pyarrow", "rich")),
        (["softmax", str(SAMPLES / "digits_logits.npy"), "-o", "/dev/null", "-f", "npy"], ("pyarrow", "rich")),
        (["softmax", str(SAMPLES / "digits_logits.npy"), "-f", "table"], ("pyarrow",)),
        (["inspect", str(SAMPLES / "digits_logits.npy"), "-f", "json"], ("pyarrow", "rich")),
        (["gradient", str(SAMPLES / "digits_logits.npy"), "-o", "/dev/null", "-f", "npy"], ("pyarrow", "rich")),
        (["plot", "--help"], ("numpy", "pyarrow", "rich", "matplotlib")),
        (["plot", "sigmoid", "-f", "table"], ("pyarrow", "matplotlib")),
        (
            ["softmax", str(SAMPLES / "digits_logits.csv"), "-q"],
            ("rich", "pandas", "pyarrow.compute", "pyarrow.dataset"),
        ),
    ],
)
def test_start_up_loads_no_more_than_it_needs(arguments: list[str] | None, absent: tuple[str, ...]) -> None:
    """Modules are counted, not seconds."""
    code = "from actcli.cli import main" + ("" if arguments is None else f"\nmain({arguments!r})")
    loaded = modules_after(code)
    assert not loaded & set(absent)


def test_public_names() -> None:
    """Are sorted, exist, have a docstring, and are all that the modules of the library offer."""
    assert package.__all__ == sorted(package.__all__)
    for name in package.__all__:
        assert inspect.getdoc(getattr(package, name))
    assert set(package.__all__) <= set(dir(package))
    with pytest.raises(AttributeError, match="no attribute 'fish'"):
        _ = package.fish


def test_public_functions_say_what_they_take() -> None:
    """Each is typed."""
    for name in package.__all__:
        found = getattr(package, name)
        if inspect.isfunction(found):
            assert "return" in found.__annotations__


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_keeps_its_promises(name: str) -> None:
    """Its classes exist and have what a source and a sink have."""
    format = FORMATS[name]
    module = importlib.import_module(format.module)
    if format.source is not None:
        assert {"chunks"} <= set(dir(getattr(module, format.source)))
    if format.sink is not None:
        assert {"open", "encode", "accept", "finish"} <= set(dir(getattr(module, format.sink)))


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command(name: str, actcli: Actcli) -> None:
    """Begins with what it does and examples, a line each, and describes every option, in groups."""
    result = actcli(name, "--help")
    assert result.code == 0
    assert "\\b" not in result.text
    assert f"\n    actcli {name} " in result.text
    assert actcli(name, "-h").text == result.text
    for group in ("Arguments", "Input", *(["Decision"] if name not in RESULTS else []), "Output"):
        assert f"\n{group}:\n" in result.text
    lines = result.text.splitlines()
    for number, line in enumerate(lines):
        if line.startswith("  -"):
            # The description stands beside the option, or below it.
            described = "  " in line.strip() or (number + 1 < len(lines) and lines[number + 1].startswith("     "))
            assert described, line


@pytest.mark.parametrize("name", COMMANDS)
def test_help_names_every_format(name: str, actcli: Actcli) -> None:
    """That can be read, and that can be written."""
    words = actcli(name, "--help").text.replace(",", " ").replace(";", " ").split()
    for format in FORMATS.values():
        assert format.name in words


def test_help_lists_every_command(actcli: Actcli) -> None:
    """With what it does; without an argument it is an error that shows the same."""
    result = actcli("--help")
    assert result.code == 0
    assert list(COMMANDS) == [name for name in COMMANDS if f"\n  {name} " in result.text]
    bare = actcli()
    assert bare.code == 2
    assert "Commands:" in bare.err


def test_a_command_that_is_not_there(actcli: Actcli) -> None:
    """Is a usage error."""
    result = actcli("softmux")
    assert result.code == 2
    assert result.err.startswith("actcli: error: No such command 'softmux'")
