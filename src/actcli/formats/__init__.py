"""The formats: reading and writing tables of scores, one module per format.

`registry` lists the formats, `detection` recognises them, `inputs` opens files, `column_roles` tells scores from other
columns. Each format has its source and its sink in one module.
"""

from actcli.formats.inputs import Inputs, open_inputs
from actcli.formats.registry import FORMATS, Format, ReadOptions, WriteOptions, named, of_path, open_sink

__all__ = [
    "FORMATS",
    "Format",
    "Inputs",
    "ReadOptions",
    "WriteOptions",
    "named",
    "of_path",
    "open_inputs",
    "open_sink",
]
