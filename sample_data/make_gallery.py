"""Make the charts in `gallery` from the files in this folder, with actcli itself.

Run it as ``python sample_data/make_gallery.py [FOLDER]``; it needs the ``plot`` extra.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from actcli.cli.app import main

HERE = Path(__file__).parent
DIGITS = ("digits_logits.csv", "--id", "id", "--truth", "digits_truth.csv")
PROPERTIES = ("properties_logits.csv", "--id", "id", "--truth", "properties_truth.csv", "--task", "multilabel")
CHARTS = {
    "sigmoid": (),
    "softmax": (),
    "reliability": DIGITS,
    "confidence": DIGITS,
    "roc": PROPERTIES,
    "precision-recall": PROPERTIES,
    "thresholds": PROPERTIES,
    "gain": PROPERTIES,
    "risk-coverage": DIGITS,
    "confusion": DIGITS,
}
"""The arguments of `actcli plot` for each chart, in this folder."""


def make(folder: Path) -> None:
    """Write every chart into `folder`."""
    target = folder.resolve()
    before = Path.cwd()
    os.chdir(HERE)
    try:
        for kind, arguments in CHARTS.items():
            code = main(["plot", kind, *arguments, "--output", str(target / f"{kind}.svg")])
            if code:
                raise SystemExit(code)
    finally:
        os.chdir(before)


if __name__ == "__main__":
    make(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "gallery")
