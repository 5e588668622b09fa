"""Take the inputs through a plan into an output."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actcli.cli.tables import TABLE, packer_of
from actcli.errors import say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from actcli.cli.tables import TableOptions
    from actcli.formats import Inputs
    from actcli.prediction.combining import JoinedInputs
    from actcli.prediction.plan import Plan
    from actcli.streaming.batch import Chunk, Sink
    from actcli.streaming.output import Output

__all__ = ["run_plan"]


def run_plan(
    inputs: Inputs | JoinedInputs,
    plan: Plan,
    options: TableOptions,
    format: str,
    sink_to: Callable[[Output], Sink],
    *,
    read: Iterable[tuple[int, int]],
    chunks: Callable[[int], Iterable[Chunk | None]] | None = None,
    check: Callable[[int, int], None] | None = None,
) -> None:
    """Read the inputs, decide, write a table, and print the notes and warnings.

    Parameters
    ----------
    inputs
        The open inputs.
    plan
        How their rows become those of the table.
    options, format
        Where the table goes, and in which format.
    sink_to
        Makes the sink for the open output.
    read
        The identities of the other files that are read. The output must be none of them.
    chunks
        Gives the chunks, instead of the inputs.
    check
        Called after the last row with the number of all rows, and of those that were left out.

    Raises
    ------
    ActcliError
        If the input cannot be read, or the output cannot be written.
    """
    from actcli.cli.progress import Watch
    from actcli.streaming.output import Output
    from actcli.streaming.pipeline import run

    with Output(
        options.output,
        inputs=[*inputs.identities, *read],
        clobber=not options.no_clobber,
        packer=packer_of(options, format),
    ) as output:
        sink = sink_to(output)
        watch = Watch(inputs.size, quiet=options.quiet or (output.is_terminal and format != TABLE))
        with watch:
            run((chunks or inputs.chunks)(sink.open(plan.layout)), plan.decide, sink, jobs=options.jobs, watch=watch)
        if check is not None:
            check(watch.rows + watch.left_out, watch.left_out)
        sink.finish()
        output.commit()
    if not options.quiet:
        for note in (*inputs.notes, *plan.notes):
            say(f"actcli: note: {note}\n")
    for warning in watch.warnings():
        say(f"actcli: warning: {warning}\n")
