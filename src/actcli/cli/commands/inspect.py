"""`actcli inspect`."""

import shlex
from dataclasses import replace
from typing import TYPE_CHECKING

from actcli.cli.declaration import files_read, options
from actcli.cli.input_options import FromWithoutPolicy, InputOptions
from actcli.cli.inputs import check_input
from actcli.cli.results import ResultOptions, json_bytes, open_result, result_format
from actcli.errors import say
from actcli.tasks import Dtype, Origin, ResultFormat, Task

if TYPE_CHECKING:
    from actcli.formats import Inputs
    from actcli.prediction.advice import Advice

MOST_IDS = 3
"""If more columns are carried, the suggested command does not name them; it carries them anyway."""
FLAT_ARRAY = "of an array of one dimension, softmax and multilabel make one row, binary makes a row of each number"


@options
class InspectedOptions(InputOptions):
    """What is read: nothing is computed of it."""

    origin: FromWithoutPolicy = None
    dtype: Dtype | None = None
    renormalize: bool = False


@options
class InspectionOptions(ResultOptions):
    """Where the result goes; all processors are used."""

    jobs: int | None = None


def inspect(input: InspectedOptions, output: InspectionOptions) -> None:
    """Show what is in a file, what its numbers look like, and which command to type next.

    \b
      actcli inspect logits.csv
      actcli inspect scores.npy --format json
      ... | actcli inspect -d semicolon

    NaN and infinities are counted, and are no errors. What the numbers look like is a suggestion: no command acts on it
    unless --from says so.
    """
    format = result_format(output)
    check_input("inspect", input.files)
    # A long array of one dimension is more likely a column of binary logits than a single row.
    read_options = replace(input.read_options("column"), describing=True)
    rules = input.class_name_rules()

    from actcli.cli.progress import Watch
    from actcli.formats import open_inputs
    from actcli.prediction.advice import advice, facts
    from actcli.prediction.inspection import Inspection, InspectionSink, ReadableRows
    from actcli.prediction.plan import plan
    from actcli.prediction.rules import Rules
    from actcli.streaming.pipeline import run

    inputs = open_inputs(input.paths, read_options)
    try:
        origin = input.origin or next((Origin(said) for name, said in inputs.layout.advised if name == "--from"), None)
        has_names = bool(inputs.layout.classes) or "class_names" in rules
        classes = plan(Task.MULTILABEL, inputs.layout, Rules(**rules)).layout.classes if has_names else ()
        inspection = Inspection(classes)
        with open_result(output, inputs=[*inputs.identities, *files_read(input)]) as target:
            watch = Watch(inputs.size, quiet=output.quiet)
            with watch:
                run(inputs.chunks(0), ReadableRows(input.skip).decide, InspectionSink(inspection), watch=watch)
            found = advice(inspection, origin=origin, left_out=watch.left_out)
            if inputs.flat:
                found = found._replace(remarks=(*found.remarks, FLAT_ARRAY))
            described = facts(inspection, inputs, found, commands(found, input, inputs), watch.left_out)
            if format is ResultFormat.TABLE:
                from actcli.reports.inspection import draw

                draw(described, target)
            else:
                target.write(json_bytes(described))
            target.commit()
    finally:
        inputs.close()
    for warning in watch.warnings():
        say(f"actcli: warning: {warning}\n")


def commands(found: "Advice", input: InputOptions, inputs: "Inputs") -> list[str]:
    """Return the suggested commands, quoted for a shell."""
    advised = [found, *([found.other] if found.other else [])]
    return [command_line(one, input, inputs) for one in advised if one.looks is not None]


def command_line(found: "Advice", input: InputOptions, inputs: "Inputs") -> str:
    """Return a suggested command, quoted for a shell, with the options that the input needs."""
    words = ["actcli", found.command]
    # A path that begins with a dash would be read as an option.
    words += [f"./{path}" if path.startswith("-") and path != "-" else path for path in input.paths]
    for option, value in (
        ("--input-format", input.input_format),
        ("--delimiter", input.delimiter),
        ("--key", input.key),
        ("--classes", input.classes),
        ("--class-names", input.class_names),
    ):
        words += [] if value is None or option in found.options else [option, value]
    if input.header is not None:
        words.append("--header" if input.header else "--no-header")
    carried = [column.name for column in inputs.layout.carried]
    classes = dict(inputs.layout.advised).get("--classes")
    if classes is not None and len(carried) > MOST_IDS:
        words += [f"--classes={classes}"] if classes.startswith("-") else ["--classes", classes]
    elif len(carried) <= MOST_IDS:
        for name in carried:
            words += [f"--id={name}"] if name.startswith("-") else ["--id", name]
    return shlex.join([*words, *found.options])
