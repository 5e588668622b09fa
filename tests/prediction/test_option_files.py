"""Class names and thresholds from files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from actcli.errors import DataError, UsageError
from actcli.prediction.option_files import read_class_names, read_thresholds, share

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = {"model_type": "vit", "id2label": {"1": "dog", "0": "cat"}}


@pytest.mark.parametrize(
    "text",
    ["cat\ndog\n", "cat\r\ndog", "\ufeffcat\ndog\n", '["cat", "dog"]', '{"1": "dog", "0": "cat"}', json.dumps(CONFIG)],
)
def test_class_names_from_a_file(text: str, tmp_path: Path) -> None:
    """Lines, a JSON list, an object by index, a model's configuration."""
    path = tmp_path / "names"
    path.write_text(text, encoding="utf-8", newline="")
    assert read_class_names(str(path)) == (("cat", "dog"), str(path))


def test_lines_end_where_lines_end(tmp_path: Path) -> None:
    """Not at other scripts' separators; and a name may look like the beginning of JSON."""
    path = tmp_path / "names.txt"
    path.write_text("[PAD]\na\u2028b\nc\x0cd\n", encoding="utf-8")
    assert read_class_names(str(path))[0] == ("[PAD]", "a\u2028b", "c\x0cd")


@pytest.mark.parametrize(
    "text",
    [
        "[" + "1" * 5000 + "]",
        "",
        "cat\n\ndog\n",
        "cat\ncat\n",
        '["cat", 1]',
        '{"0": "cat", "2": "dog"}',
        '{"0": "a", "0": "b"}',
        "[" * 100_000,
    ],
)
def test_class_names_that_are_none(text: str, tmp_path: Path) -> None:
    """Empty, duplicate, or something else."""
    path = tmp_path / "names"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError):
        read_class_names(str(path))


def test_class_names_on_the_command_line() -> None:
    """With commas between; a name that holds one is quoted."""
    assert read_class_names('cat,"dog, wet"') == (("cat", "dog, wet"), None)
    with pytest.raises(UsageError):
        read_class_names("cat,cat")
    with pytest.raises(DataError, match="no such file"):
        read_class_names("cat")


def test_a_file_without_end() -> None:
    """Is no list of names."""
    with pytest.raises(DataError, match="has more than 64 MiB"):
        read_class_names("/dev/zero")


def test_thresholds_of_names_with_line_ends(tmp_path: Path) -> None:
    """Are read as CSV quotes them; a quote that is not closed is an error."""
    path = tmp_path / "thresholds.csv"
    path.write_text('name,threshold\n"a\nb",0.5\n', encoding="utf-8", newline="")
    assert read_thresholds(str(path)) == {"a\nb": 0.5}
    path.write_text('"a,0.5\n', encoding="utf-8")
    with pytest.raises(DataError, match="is not CSV"):
        read_thresholds(str(path))


@pytest.mark.parametrize("text", ["", "{}", "\n\n", "name,threshold\n", " {} "])
def test_thresholds_that_are_empty(text: str, tmp_path: Path) -> None:
    """Are an error: nothing says that every class is to take the default."""
    path = tmp_path / "thresholds"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match="holds no thresholds"):
        read_thresholds(str(path))


@pytest.mark.parametrize(
    ("text", "number"), [("0.5", 0.5), (" .5\t", 0.5), ("5e-1", 0.5), ("+1.", 1.0), ("0" * 400_000, 0.0)]
)
def test_a_threshold(text: str, number: float) -> None:
    """Is a decimal number, however long (Python's own float)."""
    assert share(text, "here") == number == float(text)


@pytest.mark.parametrize(
    "text", ["", "nan", "inf", "1_0", "1e", "0x1", "\u0660", "true", "-0.1", "1.01", "1" * 400_000, "0" * 400_000 + "x"]
)
def test_a_threshold_that_is_none(text: str) -> None:
    """Is refused in time in proportion to its length."""
    with pytest.raises(UsageError, match=r"here: .* is not a number from 0 to 1"):
        share(text, "here")


def test_names_from_the_index_of_each(tmp_path: Path) -> None:
    """A config with label2id alone; two names of one index are an error."""
    path = tmp_path / "config.json"
    path.write_text('{"model_type": "vit", "label2id": {"dog": 1, "cat": 0}}')
    assert read_class_names(str(path))[0] == ("cat", "dog")
    for found in ('{"dog": 1, "cat": 1}', '{"dog": true}', "[1]", '{"dog": 2, "cat": 0}'):
        path.write_text(f'{{"label2id": {found}}}')
        with pytest.raises(DataError):
            read_class_names(str(path))
