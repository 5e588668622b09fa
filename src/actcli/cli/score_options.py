"""The options that change scores for the place where a classifier is used: possible classes, and class shares."""

from typing import TYPE_CHECKING, Annotated

import typer

from actcli.cli.declaration import DECISION, options
from actcli.cli.option_values import named
from actcli.errors import UsageError

if TYPE_CHECKING:
    from actcli.prediction.allow import ClassChoice
    from actcli.prediction.prior import PriorChoice, SharesGiven


@options
class AllowOptions:
    """Which classes are possible."""

    allow: Annotated[
        str | None,
        typer.Option(
            "--allow",
            metavar="FILE|a,b,c",
            help="Only these classes are possible: their names, or a file with one name a line.",
            callback=named,
            rich_help_panel=DECISION,
        ),
    ] = None
    deny: Annotated[
        str | None,
        typer.Option(
            "--deny",
            metavar="FILE|a,b,c",
            help="These classes are not possible.",
            callback=named,
            rich_help_panel=DECISION,
        ),
    ] = None
    allow_by: Annotated[
        str | None,
        typer.Option(
            "--allow-by",
            metavar="COLUMN",
            help="The possible classes depend on this carried column: --allow is CSV with COLUMN,class; * is any "
            "other value.",
            rich_help_panel=DECISION,
        ),
    ] = None

    @property
    def given(self) -> list[str]:
        """The names of the options that are given."""
        values = {"--allow": self.allow, "--deny": self.deny, "--allow-by": self.allow_by}
        return [option for option, value in values.items() if value is not None]

    def choice(self) -> "ClassChoice | None":
        """Return what these options say; None if they say nothing.

        Raises
        ------
        UsageError
            If they do not fit together.
        DataError
            If a file cannot be read.
        """
        if self.allow_by is not None and self.allow is None:
            raise UsageError("--allow-by says which column decides, but not what", hint="add --allow FILE.csv")
        if self.allow is None and self.deny is None:
            return None
        from actcli.prediction.allow import EVERY_OTHER, ClassChoice, read_allow_groups, read_names

        deny = {} if self.deny is None else read_names(self.deny, "--deny")
        if self.allow is None:
            return ClassChoice(None, deny)
        if self.allow_by is not None:
            return ClassChoice(read_allow_groups(self.allow, self.allow_by), deny, self.allow_by)
        return ClassChoice({EVERY_OTHER: read_names(self.allow, "--allow")}, deny)


@options
class PriorOptions:
    """How frequent the classes are."""

    train_prior: Annotated[
        str | None,
        typer.Option(
            "--train-prior",
            metavar="FILE|a=.7,b=.3",
            help="The share of each class in the training data. [default: that of the rows that the policy records]",
            callback=named,
            rich_help_panel=DECISION,
        ),
    ] = None
    prior: Annotated[
        str | None,
        typer.Option(
            "--prior",
            metavar="FILE|a=.1,b=.9",
            help="The share of each class in this data, where it is another one: a list, or a JSON or CSV file.",
            callback=named,
            rich_help_panel=DECISION,
        ),
    ] = None

    @property
    def given(self) -> list[str]:
        """The names of the options that are given."""
        values = {"--train-prior": self.train_prior, "--prior": self.prior}
        return [option for option, value in values.items() if value is not None]

    def shares(self) -> "tuple[SharesGiven | None, SharesGiven | None]":
        """Return the shares in training and the new ones, where they are given.

        Raises
        ------
        ActcliError
            If a value is no list of shares, or its file cannot be read.
        """
        from actcli.prediction.prior import read_shares

        train = None if self.train_prior is None else read_shares(self.train_prior, "--train-prior")
        return train, None if self.prior is None else read_shares(self.prior, "--prior")

    def choice(self, *, recorded: bool) -> "PriorChoice | None":
        """Return what these options say; None if they say nothing.

        Parameters
        ----------
        recorded
            Whether a policy may know the shares in training.

        Raises
        ------
        ActcliError
            If a share is missing, or cannot be read.
        """
        if self.prior is None and self.train_prior is None:
            return None
        if self.prior is None:
            raise UsageError("--train-prior changes nothing by itself", hint="add --prior a=0.1,b=0.9")
        if self.train_prior is None and not recorded:
            raise UsageError("--prior: the shares in training are not known", hint="add --train-prior a=0.7,b=0.3")
        from actcli.prediction.prior import PriorChoice

        train, new = self.shares()
        assert new is not None
        return PriorChoice(new, train)
