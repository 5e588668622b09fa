"""How actcli's time grows with rows, and shrinks with processors: ``python benchmarks/scaling.py``.

Three things: the cost of a row from 10,000 rows on; the time with one processor and more; and a model, fitted to the
time that each stage takes, of what more processors than there are here would give. Prints Markdown.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from measure import (
    HERE,
    Run,
    Settings,
    add_settings,
    machine,
    made,
    measured,
    number,
    prepared,
    rewrite,
    say,
    table,
)
from shapes import QUICK, Input

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_MIB = 2**20
_ROWS = (10_000, 100_000, 1_000_000, 10_000_000)
_MANY_ROWS = 100_000_000
_ARGUMENTS = {
    "csv": ("softmax", "--quiet", "--columns", "id,label,probability,probabilities"),
    "npy": ("softmax", "--quiet"),
}
_MODELLED = {"csv": 1_000_000, "npy": 10_000_000}
_PREDICTED = (4, 8, 16, 64)
_WORK = ("decode", "decide", "encode", "place")
_HANDING = ("submit", "take", "reserve", "write", "give_back")
_MAIN = ("cut", *_HANDING, "accept")
_START = "_start"
_END = ("finish", "commit")
_NAMES = {
    "submit": "hand over",
    "take": "take back",
    "reserve": "find the place",
    "write": "have it written",
    "give_back": "free memory",
    "place": "write",
    "accept": "write in order",
    _START: "start processes",
}
_UNEXPLAINED = 1.15
"""How much longer than its stages a loop with one processor may take before the model says that it is wrong."""


@dataclass(frozen=True, slots=True)
class Stages:
    """What the stages of one run took, in seconds.

    Parameters
    ----------
    fixed
        By the clock, before the first chunk and after the last: the start, the last bytes, the disk.
    main
        Processor time of what only the main process does: cut the input, hand chunks over, write the output.
    work
        Processor time of the work on chunks in the main process; with one processor, all of it.
    loop
        By the clock, from the first chunk to the last.
    start
        By the clock, for each worker that was started.
    processor
        Processor time of all processes, from start to end.
    each
        Processor time and time by the clock, by stage.
    """

    fixed: float
    main: float
    work: float
    loop: float
    start: float
    processor: float
    each: dict[str, tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Model:
    """Time over processors: ``fixed + start * (n - 1) + max(main, all / n * (1 + share * (n - 1)))``.

    While the main process keeps up, n processors share all there is to do, and `share` of it goes as if one at a time,
    such as what waits for memory. Where it does not keep up, it alone is what the loop takes. The first bound is
    Amdahl's law. `all` is what one processor does alone; with more of them, `moved` is added, the processor time for
    processes and for copies between them.
    """

    fixed: float
    start: float
    main: float
    work: float
    moved: float
    share: float

    def time(self, processors: float) -> float:
        """Return the seconds with so many processors."""
        if processors == 1:
            return self.fixed + self.work
        together = (self.work + self.moved) / processors * (1 + self.share * (processors - 1))
        return self.fixed + self.start * (processors - 1) + max(self.main, together)

    def best(self) -> int:
        """Return with how many processors it takes the least time."""
        return min(range(1, 1 << 10), key=self.time)

    def bound(self, processors: int) -> str:
        """Return what the loop waits for with so many processors."""
        together = self.time(processors) - self.fixed - self.start * (processors - 1)
        return "the main process" if together <= self.main else "the work"

    @classmethod
    def fitted(cls, runs: dict[int, Stages]) -> Model:
        """Fit to the stages of runs, by the number of their processors; one of them must have one.

        What is to be done is taken from the run with one processor. What is to be done besides is the further processor
        time of the others. The share is what makes them take as long as they do, in the mean, and is from 0 to 1.
        """
        alone = runs[1]
        total = alone.main + alone.work
        others = {count: stages for count, stages in runs.items() if count > 1}
        if not others:
            return cls(alone.fixed, 0.0, alone.main, total, 0.0, 0.0)
        moved = max(0.0, statistics.fmean(stages.processor for stages in others.values()) - alone.processor)
        start, main = (statistics.fmean(getattr(each, name) for each in others.values()) for name in ("start", "main"))
        shares = [
            ((stages.loop - start * (count - 1)) * count / (total + moved) - 1) / (count - 1)
            for count, stages in others.items()
            if stages.loop - start * (count - 1) > stages.main
        ]
        share = statistics.fmean(shares) if shares else 0.0
        return cls(alone.fixed, start, main, total, moved, min(max(share, 0.0), 1.0))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(prog="scaling.py", description="Measure how actcli's time grows and shrinks.")
    parser.add_argument("--largest", action="store_true", help="up to 100,000,000 rows; it takes 45 GB of disk")
    parser.add_argument("--processors", default="1,2", help="how many to compare (default: %(default)s)")
    parser.add_argument("--only", choices=("rows", "processors", "model"), help="one of the three parts")
    add_settings(parser)
    options = parser.parse_args(arguments)
    here = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    try:
        counts = sorted({int(text) for text in options.processors.split(",")} | {1})
    except ValueError:
        parser.error("--processors: whole numbers, with commas between them")
    if counts[0] < 1 or (here and counts[-1] > len(here)):
        parser.error(f"--processors: there are {len(here)} here")
    settings = prepared(options)
    lines = [*machine(settings.places), f"- Medians of {settings.rounds_in_words} after a warm-up."]
    if settings.quick:
        lines[-1] += f" A SMOKE TEST: a {QUICK}th of the rows; these times mean nothing."
    if options.only in (None, "rows"):
        rows = (*_ROWS, _MANY_ROWS) if options.largest else _ROWS
        for kind in _ARGUMENTS:
            lines += ["", *_over_rows(kind, rows, settings)]
    for kind in _ARGUMENTS if here else ():
        if options.only in (None, "processors"):
            lines += ["", *_over_processors(kind, counts, here, settings)]
        if options.only in (None, "model"):
            lines += ["", *_modelled(kind, counts, here, settings)]
    if not here:
        lines += ["", "This system cannot keep a program to some processors: no time over processors, and no model."]
    sys.stdout.write("\n".join(lines) + "\n")
    if options.write:
        rewrite("scaling.py", lines)
    return 0


def _input(kind: str, rows: int, settings: Settings) -> Input:
    input = Input("csv", rows, 10) if kind == "csv" else Input("npy", rows, 10, "float32")
    return input.quick() if settings.quick else input


def _run(kind: str, source: Path, settings: Settings, *, more: Sequence[str] = ()) -> Run:
    output = settings.places.work / f"scaling.{kind}"
    output.unlink(missing_ok=True)
    os.sync()
    command = [str(settings.places.actcli), *_ARGUMENTS[kind], *more, str(source), "--output", str(output)]
    found = measured(command, limit=settings.limit)
    output.unlink(missing_ok=True)
    if found.failure is not None:
        raise SystemExit(f"actcli: {found.failure}")
    return found


# The cost of a row


def _over_rows(kind: str, rows: Sequence[int], settings: Settings) -> list[str]:
    say(f"{kind}: the cost of a row")
    inputs = [Input("csv", 10, 10) if kind == "csv" else Input("npy", 10, 10, "float32")]
    inputs += [_input(kind, count, settings) for count in rows]
    runs: list[list[Run]] = [[] for _ in inputs]
    for round in range(settings.rounds + 1):
        for input, found in zip(inputs, runs, strict=True):
            run = _run(kind, made(input, settings.places), settings)
            if round:
                found.append(run)
    start = statistics.median(run.wall for run in runs[0])
    cells = []
    for input, found in zip(inputs, runs, strict=True):
        wall = statistics.median(run.wall for run in found)
        cells.append(
            [
                f"{input.rows:,}",
                number(wall),
                "" if input is inputs[0] else number((wall - start) / input.rows * 1e9),
                number(statistics.median(run.processor for run in found)),
                number(statistics.median(run.peak for run in found) / _MIB),
            ]
        )
    title = f"### {kind.upper()} of 10 classes to {kind.upper()}, over rows"
    header = ["rows", "wall, s", "ns a row, start-up aside", "processor, s", "peak, MiB"]
    return [title, "", *table(header, cells)]


# Time over processors


def _over_processors(kind: str, counts: Sequence[int], here: Sequence[int], settings: Settings) -> list[str]:
    say(f"{kind}: time over processors")
    source = made(_input(kind, _MODELLED[kind], settings), settings.places)
    # As many processes as processors, and any number of processes on all of them.
    ways: list[tuple[str, int, tuple[str, ...]]] = [
        *((f"{count} of {len(here)} processors", count, ()) for count in counts),
        *((f"--jobs {count}", len(here), ("--jobs", str(count))) for count in counts),
    ]
    walls: dict[str, list[float]] = {name: [] for name, _, _ in ways}
    used: dict[str, list[float]] = {name: [] for name, _, _ in ways}
    for round in range(settings.rounds + 1):
        for name, count, more in ways:
            with _kept_to(here[:count]):
                run = _run(kind, source, settings, more=more)
            if round:
                walls[name].append(run.wall)
                used[name].append(run.processor)
    first = statistics.median(walls[ways[0][0]])
    cells = [
        [
            name,
            number(statistics.median(walls[name])),
            number(first / statistics.median(walls[name])),
            number(statistics.median(used[name])),
        ]
        for name, _, _ in ways
    ]
    rows = _input(kind, _MODELLED[kind], settings).rows
    title = f"### {kind.upper()}, {rows:,} x 10, over processors"
    return [title, "", *table(["", "wall, s", "times as fast as one", "processor, s"], cells)]


@contextlib.contextmanager
def _kept_to(processors: Sequence[int]) -> Iterator[None]:
    """Keep what is started within to these processors."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, processors)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


# The model


def _modelled(kind: str, counts: Sequence[int], here: Sequence[int], settings: Settings) -> list[str]:
    say(f"{kind}: the stages and the model")
    if settings.places.python is None:
        raise SystemExit("the stages need the Python that actcli is installed in")
    input = _input(kind, _MODELLED[kind], settings)
    source = made(input, settings.places)
    rounds: list[dict[int, Stages]] = []
    for round in range(settings.rounds + 1):
        found = {}
        for count in counts:
            with _kept_to(here[:count]):
                found[count] = _staged(kind, source, settings, here[:count])
        if round:
            rounds.append(found)
    title = f"### {kind.upper()}, {input.rows:,} x 10: the stages, and what more processors would give"
    return [title, "", *_stage_table(rounds, counts), "", *_predictions(rounds, counts)]


def _staged(kind: str, source: Path, settings: Settings, here: Sequence[int]) -> Stages:
    """Run on these processors."""
    output, result = (settings.places.work / name for name in (f"stages.{kind}", "stages.json"))
    output.unlink(missing_ok=True)
    os.sync()
    arguments = [*_ARGUMENTS[kind], str(source), "--output", str(output)]
    run = measured([str(settings.places.python), str(HERE / "stages.py"), str(result), *arguments])
    if run.failure is not None:
        raise SystemExit(f"stages.py: {run.failure}")
    sums: dict[str, list[float]] = json.loads(result.read_text(encoding="utf-8"))
    for path in (output, result):
        path.unlink(missing_ok=True)
    each = {name: (processor, wall) for name, (processor, wall, _) in sums.items()}
    loop = each["run"][1]
    started = len(here) - 1
    # The main process works on some chunks itself. With many processors, it hands over nearly all of them.
    chunks, handed = (sums[name][2] if name in sums else 1.0 for name in ("cut", "submit"))
    handing = sum(each[name][0] for name in _HANDING if name in each) * chunks / handed
    return Stages(
        fixed=run.wall - loop,
        main=handing + sum(each[name][0] for name in _MAIN if name in each and name not in _HANDING),
        work=sum(each[name][0] for name in _WORK if name in each),
        loop=loop,
        start=each[_START][1] / started if _START in each else 0.0,
        processor=run.processor,
        each=each,
    )


def _stage_table(rounds: Sequence[dict[int, Stages]], counts: Sequence[int]) -> list[str]:
    cells = []
    for name in (_START, *_MAIN, *_WORK, *_END):
        row = [_NAMES.get(name, name), "any" if name in _WORK else "main"]
        for count in counts:
            # With more processors, the main process sees only its own part of the work.
            seen = count == 1 or name not in _WORK
            for kind in (0, 1):
                found = [each[count].each[name][kind] for each in rounds if seen and name in each[count].each]
                row.append(number(statistics.median(found)) if found else "")
        if any(row[2:]):
            cells.append(row)
    header = ["stage", "process"]
    for count in counts:
        header += [f"processor, s, on {count}", f"by the clock, s, on {count}"]
    return table(header, cells)


def _predictions(rounds: Sequence[dict[int, Stages]], counts: Sequence[int]) -> list[str]:
    models = [Model.fitted(found) for found in rounds]
    # Whatever else the machine does can only make a loop longer.
    fastest = {count: min((found[count] for found in rounds), key=lambda run: run.loop) for count in counts}
    best = Model.fitted(fastest)
    cells = []
    for count in (*counts, *_PREDICTED):
        walls = [model.time(count) for model in models]
        known = [found[count].fixed + found[count].loop for found in rounds if count in found]
        cells.append(
            [
                str(count),
                number(statistics.median(known)) if known else "",
                f"{number(best.time(count))} ({number(min(walls))} to {number(max(walls))})",
                number(best.time(1) / best.time(count)),
            ]
        )
    parts = (
        f"{number(best.work)} s of processor time for all stages; with more processors, {number(best.moved)} s more, "
        f"{number(best.start)} s to start each process"
    )
    serial = f"{number(best.main)} s of it only in the main process, {100 * best.share:.1f} % as if one at a time"
    most, many = best.best(), max(_PREDICTED)
    lines = [
        *table(["processors", "measured, s", "model, s", "times as fast as one, by the model"], cells),
        "",
        f"- Fitted to the fastest round of each: {number(best.fixed)} s fixed, {parts}, {serial}.",
        f"- By the model, the least time is {number(best.time(most))} s, with {most} processors.",
        f"- By the model, with {many} processors the loop waits for {best.bound(many)}.",
    ]
    if fastest[1].loop > _UNEXPLAINED * best.work:
        took, stages = number(fastest[1].loop), number(best.work)
        lines.append(
            f"- **Not to be believed**: with one processor the loop took {took} s, its stages {stages} s of processor "
            "time. Something else ran, or the disk was waited for."
        )
    return lines


if __name__ == "__main__":
    sys.exit(main())
