"""The options of `compare` and `gradient`, which analyse scores: no policy decides, and the columns are settled."""

from actcli.cli.decision_options import PolicyOptions
from actcli.cli.declaration import options
from actcli.cli.tables import TableOptions


@options
class TemperatureOptions(PolicyOptions):
    """How scores are calibrated, without a policy."""

    policy: None = None


@options
class FixedTableOptions(TableOptions):
    """Where a table is written whose columns the command settles."""

    columns: None = None
    label_separator: None = None
