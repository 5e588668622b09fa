"""The command line: `main` is the one place where errors become messages and exit codes."""

from __future__ import annotations

import signal
import sys
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from actcli.cli.declaration import declared
from actcli.cli.registry import COMMANDS, OTHER_NAMES, grouped
from actcli.errors import ActcliError, OutputError, ReaderGoneError, UsageError, say, visible
from actcli.streaming import memory
from actcli.streaming.signals import end_by

__all__ = ["main"]

# The base of all errors of the parser. Typer does not export it, and brings its own copy of Click.
_GRAMMAR_ERROR: type[Any] = typer.BadParameter.__mro__[2]

_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


def _shown_by_us(option: Any) -> Any:
    """Return a help option that reports an output that cannot be written; Typer's own shows a traceback."""
    option.callback = _show_help
    return option


def _show_help(context: Any, _: Any, asked: bool) -> None:
    if asked and not context.resilient_parsing:
        _show(context.get_help())
        context.exit()


def _show(text: str) -> None:
    """Write help or the version to standard output."""
    try:
        typer.echo(text)
    except BrokenPipeError:
        raise ReaderGoneError from None
    except OSError as error:
        raise OutputError(f"standard output: cannot be written: {error.strerror}") from None


class Command(TyperCommand):
    """A command whose help shows its options in groups, and that takes an option of one value once."""

    def make_parser(self, ctx: Any) -> Any:
        """Return a parser that refuses an option that takes one value and is given twice."""
        parser: Any = super().make_parser(ctx)
        parse = parser.parse_args

        def parse_once(args: list[str]) -> Any:
            values, rest, given = parse(args)
            for option in [] if ctx.resilient_parsing else given:
                takes_one = option.param_type_name == "option" and not (option.multiple or option.hidden)
                is_switch = takes_one and option.is_flag and not option.secondary_opts
                if takes_one and not is_switch and given.count(option) > 1:
                    name = "/".join([option.opts[-1], *option.secondary_opts])
                    raise UsageError(f"{name}: is given more than once, and takes one value")
            return values, rest, given

        parser.parse_args = parse_once
        return parser

    def get_help_option(self, ctx: Any) -> Any:
        """Return --help."""
        return _shown_by_us(super().get_help_option(ctx))

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the groups for help."""
        groups: dict[str, list[tuple[str, str]]] = {"Arguments": []}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                name = "Arguments" if parameter.param_type_name == "argument" else "Other"
                groups.setdefault(getattr(parameter, "rich_help_panel", None) or name, []).append(record)
        for name, records in groups.items():
            with formatter.section(name):
                formatter.write_dl(records)


class Commands(TyperGroup):
    """The group of commands: one is imported when it is called, and none to list them."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        """Return their names in the order in which help shows them."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        """Return the command of that name, or None."""
        if cmd_name not in COMMANDS:
            return None
        entry = COMMANDS[cmd_name]
        memory.expect(gathering=entry.keeps_rows)
        app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
        function = getattr(import_module(f"actcli.cli.commands.{cmd_name}"), cmd_name)
        app.command(
            cmd_name,
            cls=Command,
            context_settings=_SETTINGS,
            short_help=entry.summary,
            epilog=f"Next: {entry.next_step}\n\nDocs: docs/{entry.page}.md",
        )(declared(function))
        return typer.main.get_command(app)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command that the arguments begin with; answer an unknown one with the nearest."""
        if args[0] not in COMMANDS and not args[0].startswith("-") and not ctx.resilient_parsing:
            raise UsageError(f"No such command {visible(args[0])!r}.", hint=_nearest(args[0]))
        return super().resolve_command(ctx, args)

    def get_help_option(self, ctx: Any) -> Any:
        """Return --help."""
        return _shown_by_us(super().get_help_option(ctx))

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        """Write the list of commands for help, in groups."""
        for group, names in grouped().items():
            with formatter.section(group):
                formatter.write_dl([(name, COMMANDS[name].summary) for name in names])


def _nearest(name: str) -> str:
    """Return the hint for the name of a command that does not exist."""
    from difflib import get_close_matches
    from os.path import exists

    if name in OTHER_NAMES:
        return OTHER_NAMES[name]
    # Comparing takes time in proportion to the square of the length.
    found = get_close_matches(name[:60].lower(), COMMANDS, n=1)
    if found:
        return f"did you mean actcli {found[0]}?"
    if exists(name):
        return "a command comes before its file: actcli inspect FILE says which one fits"
    return "actcli --help lists the commands"


app = typer.Typer(
    cls=Commands,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    context_settings=_SETTINGS,
)


def _show_version(value: bool) -> None:
    if value:
        from actcli import __version__

        _show(f"actcli {__version__}")
        raise typer.Exit


@app.callback(epilog="Docs: docs/README.md")
def actcli(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Turn a classifier's raw scores (logits) into probabilities and decisions.

    Try: actcli softmax logits.npy, or: ... | actcli multilabel --threshold 0.3

    Not sure? actcli inspect FILE says what is in it, and which command to type next.
    """


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Parameters
    ----------
    arguments
        Without the program's name; None takes those of the process.
    """
    try:
        given = sys.argv[1:] if arguments is None else arguments
        if given[:1] == ["help"]:
            given = [*given[1:], "--help"]
        result = app(args=given, prog_name="actcli", standalone_mode=False, obj=given)
        return result if isinstance(result, int) else 0
    except ActcliError as error:
        _report(error.message, error.hint)
        return error.exit_code
    except _GRAMMAR_ERROR as error:
        return _report_grammar(error, given)
    except (KeyboardInterrupt, typer.Abort):
        return 130
    except ReaderGoneError:
        end_by(signal.SIGPIPE)
        return 141
    except Exception as error:
        if not memory.is_exhausted(error):
            raise
        failure = memory.exceeded()
        _report(failure.message, failure.hint)
        return failure.exit_code


def _short_help() -> str:
    """Return the help of `actcli` alone, which fits a terminal of 24 lines."""
    groups = "".join(f"  {group:<12}{', '.join(names)}\n" for group, names in grouped().items())
    return f"""Usage: actcli COMMAND [OPTIONS] [FILE]...

Turn a classifier's raw scores (logits) into probabilities and decisions.

{groups}
  actcli inspect FILE                       what is in it, and what to type next
  actcli softmax logits.npy                 one label for each row
  ... | actcli multilabel --threshold 0.3   any number of labels for each row
  actcli demo DIR                           sample data, and commands to try

actcli --help describes the commands, actcli help COMMAND its options.
"""


def _report(message: str, hint: str | None) -> None:
    say(f"actcli: error: {message}\n" + (f"hint: {hint}\n" if hint else ""))


def _report_grammar(error: Any, given: list[str]) -> int:
    """Report an error of the command line's parser; without any argument its message is the help."""
    if type(error).__name__.startswith("NoArgsIsHelp"):
        say(_short_help())
        return 2
    message = str(error.format_message())
    first, _, rest = message.partition("\n")
    command = " ".join(["actcli", *(name for name in given[:1] if name in COMMANDS)])
    more = " ".join(rest.split())
    if first.endswith(" Choose from:"):
        first, more = first.removesuffix(" Choose from:"), f"choose from {more}"
    _report(visible(first, 500), visible(more, 200) or f"{command} --help lists the options")
    return 2
