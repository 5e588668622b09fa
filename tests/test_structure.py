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
from actcli.cli.registry import COMMANDS
from actcli.formats import FORMATS
from program import SAMPLES, Actcli, environment

SOURCE = Path(package.__file__).parent

LAYERS = [
    {"__main__"},
    {"cli"},
    {"reports"},
    {"fitting"},
    {"evaluation"},
    {"prediction"},
    {"formats"},
    {"streaming", "calibration", "metrics"},
    {"activations"},
    {"errors", "tasks"},
]
"""The rooms of the package. A room imports from the layers below its own, and from no other room of its layer."""

MOST_ROOMS = 12
"""So many rooms a reader can keep in mind. `__init__` and `__main__` are not counted."""

NUMERIC = ("activations", "calibration", "metrics")
"""The rooms that know NumPy and nothing else: no files, no Arrow, no Rich, no Typer."""

TESTS_OF_ALL = {"benchmarks", "docs", "faults", "memory", "plain_data", "sample_data", "structure"}
"""What test modules outside the rooms are about."""

RESULTS = {"inspect"}
READS_NOTHING = {"demo"}
"""The commands whose result is no table of rows, and decides nothing."""
HEAVY = ("numpy", "pyarrow", "rich", "typer")

MODULES = {
    ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in SOURCE.rglob("*.py")
    if path != SOURCE / "__init__.py"
}
"""The path of each module, by its name within the package."""


def imports_of(path: Path) -> set[str]:
    """Return the modules that a file imports anywhere in it, those for types included."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                found.add(name if name.removeprefix("actcli.") in MODULES else node.module)
    return found


def own_imports(module: str) -> set[str]:
    """Return the modules of the package that a module of it imports."""
    names = {name.removeprefix("actcli.") for name in imports_of(MODULES[module]) if name.startswith("actcli.")}
    return names & set(MODULES)


def test_the_rooms_are_few() -> None:
    """And each stands in one layer."""
    rooms = {module.partition(".")[0] for module in MODULES} - {"__main__"}
    assert rooms == set().union(*LAYERS) - {"__main__"}
    assert len(rooms) <= MOST_ROOMS


@pytest.mark.parametrize("module", sorted(MODULES))
def test_imports_go_one_way(module: str) -> None:
    """From the command line to the numbers, never back; imports for types count."""
    room = module.partition(".")[0]
    level = next(number for number, rooms in enumerate(LAYERS) if room in rooms)
    allowed = {room}.union(*LAYERS[level + 1 :])
    assert {name.partition(".")[0] for name in own_imports(module)} <= allowed


def test_no_circle() -> None:
    """No module imports itself through others, inside a package either."""
    left = {module: own_imports(module) - {module} for module in MODULES}
    while free := {module for module, names in left.items() if not names & set(left)}:
        left = {module: names for module, names in left.items() if module not in free}
    assert not left


@pytest.mark.parametrize("module", sorted(name for name in MODULES if name.partition(".")[0] in NUMERIC))
def test_the_numeric_rooms_know_only_numpy(module: str) -> None:
    """So their functions can be checked and used without the rest."""
    used = {name.partition(".")[0] for name in imports_of(MODULES[module])}
    assert not used & set(HEAVY) - {"numpy"}


def test_tests_mirror_the_package() -> None:
    """A test module stands in a folder of the room that it tests, or is about the whole program."""
    tests = Path(__file__).parent
    rooms = {module.partition(".")[0] for module in MODULES}
    for path in tests.rglob("test_*.py"):
        folder = path.relative_to(tests).parts[0]
        subject = path.stem.removeprefix("test_")
        assert folder in rooms if path.parent != tests else subject in TESTS_OF_ALL | rooms


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
    code = "from actcli.cli.app import main" + ("" if arguments is None else f"\nmain({arguments!r})")
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
        assert {"open", "accept", "finish"} <= set(dir(getattr(module, format.sink)))


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command(name: str, actcli: Actcli) -> None:
    """Begins with what it does and examples, a line each, and describes every option, in groups."""
    result = actcli(name, "--help")
    assert result.code == 0
    assert "\\b" not in result.text
    assert f"\n    actcli {name} " in result.text
    assert actcli(name, "-h").text == result.text
    groups = ("Arguments", "Input", *(["Decision"] if name not in RESULTS else []), "Output")
    for group in groups[:1] if name in READS_NOTHING else groups:
        assert f"\n{group}:\n" in result.text
    lines = result.text.splitlines()
    for number, line in enumerate(lines):
        if line.startswith("  -"):
            # The description stands beside the option, or below it.
            described = "  " in line.strip() or (number + 1 < len(lines) and lines[number + 1].startswith("     "))
            assert described, line


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in READS_NOTHING])
def test_help_names_every_format(name: str, actcli: Actcli) -> None:
    """That can be read, and that can be written."""
    words = actcli(name, "--help").text.replace(",", " ").replace(";", " ").split()
    for format in FORMATS.values():
        assert format.name in words


def test_help_lists_every_command(actcli: Actcli) -> None:
    """With what it does; without an argument it is an error that lists them."""
    result = actcli("--help")
    assert result.code == 0
    assert list(COMMANDS) == [name for name in COMMANDS if f"\n  {name} " in result.text]
    bare = actcli()
    assert bare.code == 2
    assert all(name in bare.err for name in COMMANDS)


def test_a_command_that_is_not_there(actcli: Actcli) -> None:
    """Is a usage error."""
    result = actcli("softmux")
    assert result.code == 2
    assert result.err.startswith("actcli: error: No such command 'softmux'")
