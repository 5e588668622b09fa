"""The options of `compare` and `gradient`, which analyse scores: the columns are settled."""

from actcli.cli.declaration import options
from actcli.cli.tables import TableOptions


@options
class FixedTableOptions(TableOptions):
    """Where a table is written whose columns the command settles."""

    columns: None = None
    label_separator: None = None
