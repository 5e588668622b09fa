"""`actcli inspect`."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from actcli.cli import options as given  # noqa: TC001  Typer reads the annotations
from actcli.cli.results import json_bytes, open_result, result_format
from actcli.cli.running import Reading, check_input, class_name_rules
from actcli.errors import say
from actcli.tasks import OnBadRow, ResultFormat

if TYPE_CHECKING:
    from collections.abc import Callable

    from actcli.formats import Inputs
    from actcli.prediction.inspection import Advice
    from actcli.streaming.batch import Batch

MOST_IDS = 3
"""More carried columns than this are not named in the command that is advised; it carries them along all the same."""
FLAT_ARRAY = "of an array of one dimension, softmax and multilabel make one row, binary makes a row of each number"


def inspect(
    files: given.Files = None,
    *,
    input_format: given.InputFormat = None,
    origin: given.From = None,
    delimiter: given.Delimiter = None,
    header: given.Header = None,
    key: given.Key = None,
    ids: given.Id = None,
    classes: given.Classes = None,
    class_names: given.ClassNames = None,
    on_bad_row: given.OnBadRowOption = OnBadRow.ERROR,
    output: given.ResultFile = None,
    format: given.ResultFormatOption = None,
    no_clobber: given.NoClobber = False,
    quiet: given.Quiet = False,
) -> None:
    """Say what is in a file, what its numbers look like, and which command to type next.

    \b
      actcli inspect logits.csv
      actcli inspect scores.npy --format json
      ... | actcli inspect -d semicolon

    NaN and infinities are counted here and are no errors. What the numbers look like is a suggestion: no command acts
    on it unless --from says so.
    """
    reading = Reading(
        files=files,
        input_format=input_format,
        origin=origin,
        delimiter=delimiter,
        header=header,
        key=key,
        ids=ids,
        classes=classes,
        class_names=class_names,
        on_bad_row=on_bad_row,
        dtype=None,
    )
    shown = result_format(output, format)
    examine(reading, output, shown, said=origin is not None, clobber=not no_clobber, quiet=quiet)


def examine(
    reading: Reading, path: str | None, format: ResultFormat, *, said: bool, clobber: bool, quiet: bool
) -> None:
    """Read the inputs, and show what is in them.

    Parameters
    ----------
    reading
        The options of the input.
    path, format, clobber
        Where the result goes, and how.
    said
        Whether ``--from`` was given.
    quiet
        Whether there is no progress bar.

    Raises
    ------
    ActcliError
        Whatever goes wrong.
    """
    check_input("inspect", reading.files)
    # A long array of one dimension is a column of yes-or-no logits rather than a single row.
    options = reading.options("column")
    rules = class_name_rules(reading)

    from actcli.cli.progress import Watch
    from actcli.formats import open_inputs
    from actcli.prediction.inspection import Inspection, InspectionSink, advice, facts
    from actcli.prediction.plan import Rules, plan
    from actcli.streaming.pipeline import run

    inputs = open_inputs(reading.files or ["-"], options)
    try:
        inspection = Inspection(plan("multilabel", inputs.layout, Rules(**rules)).layout.classes)
        with open_result(path, inputs=inputs.identities, clobber=clobber) as output:
            watch = Watch(inputs.size, quiet=quiet)
            with watch:
                run(inputs.chunks(0), _readable(skip=reading.skip), InspectionSink(inspection), watch=watch)
            found = advice(inspection, origin=reading.numbers if said else None, left_out=watch.left_out)
            if inputs.formats[0] in ("npy", "npz") and len(inspection.classes) == 1:
                found = found._replace(remarks=(*found.remarks, FLAT_ARRAY))
            described = facts(inspection, inputs, found, commands(found, reading, inputs), watch.left_out)
            if format is ResultFormat.TABLE:
                from actcli.reports.inspection import draw

                draw(described, output)
            else:
                output.write(json_bytes(described))
            output.commit()
    finally:
        inputs.close()
    for warning in watch.warnings():
        say(f"actcli: warning: {warning}\n")


def _readable(*, skip: bool) -> Callable[[Batch], Batch]:
    """Return the stage that ends the table before the first row that cannot be read, unless those are skipped."""
    return lambda batch: batch if skip else batch.until_fault()


def commands(found: Advice, reading: Reading, inputs: Inputs) -> list[str]:
    """Return the commands that are advised, as a shell takes them."""
    advised = [found, *([found.other] if found.other else [])]
    return [command_line(one, reading, inputs) for one in advised if one.looks is not None]


def command_line(found: Advice, reading: Reading, inputs: Inputs) -> str:
    """Return a command as a shell takes it, with the options that this file needs."""
    words = ["actcli", found.command]
    # What begins with a dash would be taken for an option.
    words += [f"./{path}" if path.startswith("-") and path != "-" else path for path in reading.files or ["-"]]
    for option, value in (
        ("--input-format", reading.input_format),
        ("--delimiter", reading.delimiter),
        ("--key", reading.key),
        ("--classes", reading.classes),
        ("--class-names", reading.class_names),
    ):
        words += [] if value is None or option in found.options else [option, value]
    if reading.header is not None:
        words.append("--header" if reading.header else "--no-header")
    carried = [column.name for column in inputs.layout.carried]
    if len(carried) <= MOST_IDS:
        for name in carried:
            words += [f"--id={name}"] if name.startswith("-") else ["--id", name]
    return shlex.join([*words, *found.options])
