"""`actcli demo`."""

import os
import shutil
import tempfile
from typing import Annotated

import typer

from actcli.cli.option_values import named
from actcli.errors import OutputError, UsageError, say, visible

FILES = (
    "digits_logits.csv",
    "digits_logits.npy",
    "digits_classes.txt",
    "digits_truth.csv",
    "properties_logits.csv",
    "properties_truth.csv",
    "cancer_logits.csv",
    "cancer_truth.csv",
)
"""The sample data that is written."""

README = """\
# Sample data for actcli

Scores of real classifiers, and what is right. Try, in this folder:

```console
$ actcli inspect digits_logits.csv
$ actcli softmax digits_logits.csv
$ actcli softmax digits_logits.csv --top-k 3 -o best.csv
$ actcli evaluate digits_logits.csv --truth digits_truth.csv
$ actcli calibrate digits_logits.csv --truth digits_truth.csv --policy digits.json
$ actcli softmax digits_logits.csv --policy digits.json --columns id,label,probability
$ actcli evaluate digits_logits.csv --truth digits_truth.csv --report report.html
$ actcli multilabel properties_logits.csv --threshold 0.3
$ actcli tune properties_logits.csv --truth properties_truth.csv --policy properties.json
$ actcli binary cancer_logits.csv --positive malignant --negative benign
$ actcli compare digits_logits.csv --rows 10
```

| file | rows x classes | content |
| --- | --- | --- |
| `digits_logits.csv`, `digits_logits.npy` | 450 x 10 | which digit an image shows: exactly one class is right |
| `digits_classes.txt`, `digits_truth.csv` | 10; 450 | the names of the classes, and what is right |
| `properties_logits.csv`, `properties_truth.csv` | 450 x 5 | what is true of the digit: any number of labels |
| `cancer_logits.csv`, `cancer_truth.csv` | 228 x 1 | yes or no: is the tumour malignant? |

The data are the Optical Recognition of Handwritten Digits (https://doi.org/10.24432/C50P49) and the
Breast Cancer Wisconsin (https://doi.org/10.24432/C5DW2B) data sets, under CC BY 4.0. The scores are
of logistic regressions on them.
"""


def demo(
    folder: Annotated[
        str, typer.Argument(metavar="DIR", help="The folder to make. It must not exist, or be empty.", callback=named)
    ],
) -> None:
    """Write sample data, and a README with commands to try.

    \b
      actcli demo samples
      actcli demo try/actcli
    """
    target = os.path.abspath(folder)
    if os.path.lexists(target) and not (os.path.isdir(target) and not os.listdir(target)):
        raise UsageError(f"{visible(folder, 200)}: exists, and is no empty folder", hint="name a new folder")
    try:
        _write(target)
    except OSError as error:
        raise OutputError(f"{visible(folder, 200)}: cannot be written: {error.strerror}") from None
    say(f"actcli: {len(FILES)} files and a README with commands to try are in {visible(folder, 200)}\n")


def _write(target: str) -> None:
    """Make the folder, complete or not at all."""
    parent, name = os.path.split(target)
    os.makedirs(parent, exist_ok=True)
    part = tempfile.mkdtemp(prefix=f".{name}.", dir=parent)
    try:
        for file in FILES:
            shutil.copyfile(os.path.join(_source(), file), os.path.join(part, file))
        with open(os.path.join(part, "README.md"), "w", encoding="utf-8") as readme:
            readme.write(README)
        os.chmod(part, 0o777 & ~_umask())
        os.rename(part, target)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _source() -> str:
    """Return the folder of the sample data: in the installed package, or in a clone of the project."""
    import actcli

    package = os.path.dirname(os.path.abspath(actcli.__file__))
    installed = os.path.join(package, "sample_data")
    return installed if os.path.isdir(installed) else os.path.join(package, "..", "..", "sample_data")
