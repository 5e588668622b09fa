"""Measure actcli against its peers: ``python benchmarks/run.py``; `README.md` here says how to read what it prints.

Everything is run in turn, round by round, so that whatever else the machine does falls on all alike; a ratio is that of
two runs of the same round. Before the rounds comes a warm-up, in which every output is compared with actcli's. Prints
Markdown. Ends with exit code 1 when an output disagrees or a program fails.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import shutil
import statistics
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from measure import (
    HERE,
    Places,
    Ratio,
    Run,
    Settings,
    add_settings,
    machine,
    made,
    measured,
    number,
    own_peak,
    prepared,
    rewrite,
    say,
    table,
)
from peers import NEEDS
from shapes import GROWTHS, QUICK, SHAPES, Aim, Growth, Shape

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

ACTCLI = "actcli"
_MIB = 2**20

_IMPORT_AND_COPY = "import shutil, sys, numpy; shutil.copyfile(*sys.argv[1:])"


@dataclass(slots=True)
class Entrant:
    """One program in the rounds of a shape, and what came of it.

    Parameters
    ----------
    name, command
        What it is called, and how it is started.
    output
        The file that it leaves.
    feed
        What comes to its standard input through a pipe.
    captured
        Whether the output is what it writes to standard output.
    does_less
        Whether it does not do the work, so that there is nothing to compare.
    runs
        What it took, round by round.
    failure
        Why it is not measured: it did not end well, or disagrees.
    agreement
        How far its output is from actcli's.
    """

    name: str
    command: list[str]
    output: Path
    feed: Path | None = None
    captured: bool = False
    does_less: bool = False
    runs: list[Run] = field(default_factory=list)
    failure: str | None = None
    agreement: str = ""

    def run(self, limit: float) -> Run:
        """Run it once, from a clean slate: no output, and nothing that the one before left to be written."""
        self.output.unlink(missing_ok=True)
        os.sync()
        found = measured(self.command, feed=self.feed, output=self.output if self.captured else None, limit=limit)
        self.failure = self.failure or found.failure
        return found

    def wall(self) -> list[float]:
        """Return the wall time of every round."""
        return [run.wall for run in self.runs]

    def peak(self) -> float:
        """Return the median of the peak memory, in MiB."""
        return statistics.median(run.peak for run in self.runs) / _MIB


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(prog="run.py", description="Measure actcli against its peers.")
    parser.add_argument("--only", action="append", help="a shape, or a pattern such as 'npy*'; may be repeated")
    parser.add_argument("--list", action="store_true", help="say which shapes there are")
    add_settings(parser)
    options = parser.parse_args(arguments)
    everything: tuple[Shape | Growth, ...] = (*SHAPES, *GROWTHS)
    if options.list:
        sys.stdout.writelines(f"{each.name:16} {each.title}\n" for each in everything)
        return 0
    chosen = [each for each in everything if _is_chosen(each.name, options.only)]
    if not chosen:
        parser.error("--only: there is no such shape; --list names them")
    if options.write and len(chosen) < len(everything):
        parser.error("--write: the page has the tables of one whole run")
    settings = prepared(options)
    lines = [*machine(settings.places), _how(settings)]
    sys.stdout.write("\n".join([*lines, ""]) + "\n")
    failures: list[str] = []
    for each in chosen:
        say(f"{each.name}: {each.title}")
        if isinstance(each, Shape):
            section = _measure_shape(each, settings, failures)
        else:
            section = _measure_growth(each, settings, failures)
        sys.stdout.write("\n".join([*section, ""]) + "\n")
        sys.stdout.flush()
        lines += ["", *section]
    if options.write:
        rewrite("run.py", lines)
    for failure in failures:
        say(f"run.py: error: {failure}")
    return 1 if failures else 0


def _is_chosen(name: str, patterns: Sequence[str] | None) -> bool:
    return patterns is None or any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def _how(settings: Settings) -> str:
    quick = f" A SMOKE TEST: a {QUICK}th of the rows; these times mean nothing." if settings.quick else ""
    ratios = "in brackets the smallest and the largest ratio of a round"
    return f"- Medians of {settings.rounds_in_words} after a warm-up; {ratios}.{quick}"


# One shape


def _measure_shape(shape: Shape, settings: Settings, failures: list[str]) -> list[str]:
    source = made(shape.input.quick() if settings.quick else shape.input, settings.places)
    missing: list[str] = []
    entrants = _entrants(shape, source, settings.places, missing)
    for entrant in entrants:
        entrant.run(settings.limit)
        if entrant.failure is None and not entrant.does_less and shape.task != "nothing":
            _check(entrant, entrants[0], shape, source, settings.places)
    rounds = settings.rounds if settings.quick else settings.rounds * shape.repeat
    for round in range(rounds):
        say(f"  round {round + 1} of {rounds}")
        for entrant in entrants:
            if entrant.failure is None:
                entrant.runs.append(entrant.run(settings.limit))
    for entrant in entrants:
        entrant.output.unlink(missing_ok=True)
    failures += [f"{shape.name}: {each.name}: {each.failure}" for each in entrants if each.failure is not None]
    remarks = _remarks(shape, entrants, missing, quick=settings.quick)
    return [f"### {shape.title}", "", *_shape_table(entrants), *([""] if remarks else []), *remarks]


def _entrants(shape: Shape, source: Path, places: Places, missing: list[str]) -> list[Entrant]:
    """Return actcli, the peers that are here, and the floors; put the names of the other peers into `missing`."""
    target = places.work / f"{shape.name}-other.{shape.suffix}"
    found = {peer: _peer(peer, shape, source, target, places) for peer in shape.peers}
    missing += [peer for peer, entrant in found.items() if entrant is None]
    return [
        _actcli(shape, source, places),
        *(entrant for entrant in found.values() if entrant is not None),
        *(_floor(floor, source, target, places) for floor in shape.floors),
    ]


def _actcli(shape: Shape, source: Path, places: Places) -> Entrant:
    command = [str(places.actcli), *shape.arguments]
    output = places.work / f"{shape.name}-{ACTCLI}.{shape.suffix}"
    if shape.pipe:
        return Entrant(ACTCLI, [*command, "-"], output, feed=source, captured=True)
    if shape.task == "nothing":
        return Entrant(ACTCLI, command if "--help" in command else [*command, str(source)], output, captured=True)
    return Entrant(ACTCLI, [*command, str(source), "--output", str(output)], output)


def _peer(peer: str, shape: Shape, source: Path, target: Path, places: Places) -> Entrant | None:
    """Return a peer; None if it is not installed."""
    feed = source if shape.pipe else None
    if peer == "awk":
        command = ["awk", "-v", f"only_label={int(shape.task == 'label')}", "-f", str(HERE / "softmax.awk")]
        named = [] if shape.pipe else [str(source)]
        return Entrant(peer, [*command, *named], target, feed=feed, captured=True) if shutil.which("awk") else None
    if any(package not in places.packages for package in NEEDS[peer]):
        return None
    named = ["-", "-"] if shape.pipe else [str(source), str(target)]
    command = [str(places.peers), str(HERE / "peers.py"), peer, shape.task, *named]
    return Entrant(peer, command, target, feed=feed, captured=shape.pipe)


def _floor(name: str, source: Path, target: Path, places: Places) -> Entrant:
    python = str(places.python or places.peers)
    command = {
        "cp": ["cp", str(source), str(target)],
        "cat": ["cat"],
        "python": [python, "-c", "pass"],
        "import numpy": [python, "-c", "import numpy"],
        "import, copy": [python, "-c", _IMPORT_AND_COPY, str(source), str(target)],
        "import": [python, "-c", "import numpy, pyarrow.csv"],
    }[name]
    piped = name == "cat"
    return Entrant(name, command, target, feed=source if piped else None, captured=piped, does_less=True)


def _check(entrant: Entrant, ours: Entrant, shape: Shape, source: Path, places: Places) -> None:
    """Compare an output with actcli's; actcli's own with itself, which at least reads it."""
    if ours.failure is not None:
        entrant.agreement = "not compared"
        return
    entrant.agreement, entrant.failure = _compare(
        source, ours.output, entrant.output, shape.task, shape.input.tolerance, places
    )


def _compare(
    source: Path, ours: Path, theirs: Path, task: str, tolerance: float, places: Places
) -> tuple[str, str | None]:
    """Return how well two outputs agree, and why that is not enough, if it is not."""
    paths = [str(source), str(ours), str(theirs)]
    command = [str(places.peers), str(HERE / "agreement.py"), *paths, task, repr(tolerance)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        return "", f"its output cannot be compared: {lines[-1] if lines else done.returncode}"
    found = json.loads(done.stdout)
    if "disagreement" in found:
        return "", f"disagrees: {found['disagreement']}"
    close = f", {found['close']:,} decisions within rounding" if found["close"] else ""
    return f"{found['difference']:.0e}{close}" if found["difference"] or close else "equal", None


def _shape_table(entrants: Sequence[Entrant]) -> list[str]:
    ours = entrants[0]
    rows = []
    for entrant in entrants:
        name = f"*{entrant.name}*" if entrant.does_less else entrant.name
        if entrant.failure is not None or not entrant.runs:
            rows.append([name, f"**{entrant.failure}**", "", "", "", ""])
            continue
        comparable = entrant is not ours and ours.failure is None
        rows.append(
            [
                name,
                number(statistics.median(entrant.wall())),
                str(Ratio.of(ours.wall(), entrant.wall())) if comparable else "",
                number(statistics.median(run.processor for run in entrant.runs)),
                _peak(entrant.peak()),
                "" if entrant is ours else entrant.agreement,
            ]
        )
    return table(["", "wall, s", "actcli / it", "processor, s", "peak, MiB", "difference"], rows)


def _peak(mib: float) -> str:
    """Return a peak; one that is no more than ours may be ours."""
    floor = own_peak() / _MIB
    return f"{mib:,.0f}" if mib > floor + 1 else f"up to {floor:,.0f}"


def _remarks(shape: Shape, entrants: Sequence[Entrant], missing: Sequence[str], *, quick: bool) -> list[str]:
    lines = _absent(missing)
    done = {entrant.name: entrant for entrant in entrants if entrant.failure is None and entrant.runs}
    if ACTCLI in done and not quick:
        lines += [_against(aim, done) for aim in shape.aims if aim.peer is None or aim.peer in done]
    return lines


def _absent(missing: Sequence[str]) -> list[str]:
    return [f"- Not installed, so not measured: {', '.join(sorted({*missing}))}."] if missing else []


def _against(aim: Aim, done: dict[str, Entrant]) -> str:
    """Return a sentence that says whether an aim is met."""
    ours = done[ACTCLI]
    if aim.peer is None:
        found, what = ours.peak(), f"peak memory at most {aim.limit:g} MiB"
    elif aim.measure == "wall":
        found = Ratio.of(ours.wall(), done[aim.peer].wall()).median
        what = f"wall time at most {aim.limit:g} of {aim.peer}"
    else:
        found = ours.peak() / done[aim.peer].peak()
        what = f"peak memory at most {aim.limit:g} of {aim.peer}"
    return f"- Aim: {what}. Found: {number(found)}, {'met' if found <= aim.limit else '**missed**'}."


# Ten times the rows


def _measure_growth(growth: Growth, settings: Settings, failures: list[str]) -> list[str]:
    places = settings.places
    missing: list[str] = []
    inputs = [each.quick() if settings.quick else each for each in (growth.short, growth.long)]
    sources = [made(each, places) for each in inputs]
    shapes = [Shape(growth.name, "", each, "softmax", growth.arguments, growth.suffix, growth.peers) for each in inputs]
    both = [_entrants(shape, source, places, missing) for shape, source in zip(shapes, sources, strict=True)]
    pairs = list(zip(*both, strict=True))
    for index, (shape, source) in enumerate(zip(shapes, sources, strict=True)):
        for pair in pairs:
            entrant = pair[index]
            entrant.run(settings.limit)
            if entrant.failure is None:
                _check(entrant, pairs[0][index], shape, source, places)
    for round in range(settings.rounds):
        say(f"  round {round + 1} of {settings.rounds}")
        for pair in pairs:
            for entrant in pair:
                if entrant.failure is None:
                    entrant.runs.append(entrant.run(settings.limit))
    rows = []
    for short, long in pairs:
        short.output.unlink(missing_ok=True)
        failure = short.failure or long.failure
        if failure is not None:
            failures.append(f"{growth.name}: {short.name}: {failure}")
            rows.append([short.name, f"**{failure}**", "", "", "", ""])
            continue
        walls = [number(statistics.median(each.wall())) for each in (short, long)]
        peaks = [_peak(each.peak()) for each in (short, long)]
        rows.append([short.name, *walls, *peaks, number(long.peak() / short.peak())])
    counts = [f"{each.rows:,} rows" for each in inputs]
    header = ["", *(f"wall, s, {count}" for count in counts), *(f"peak, MiB, {count}" for count in counts), "ratio"]
    remarks = _absent(missing)
    short, long = pairs[0]
    if short.failure is None and long.failure is None and not settings.quick:
        ratio = long.peak() / short.peak()
        met = "met" if ratio <= growth.limit else "**missed**"
        remarks.append(
            f"- Aim: peak memory at most {growth.limit:g} of that of a tenth. Found: {number(ratio)}, {met}."
        )
    return [f"### {growth.title}", "", *table(header, rows), *([""] if remarks else []), *remarks]


if __name__ == "__main__":
    sys.exit(main())
