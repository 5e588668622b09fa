"""A column of 0 and 1 beside scores is no class without being asked for; the rule is written out by hand here."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from program import Actcli

pytestmark = pytest.mark.usefixtures("chunk_bytes")

TABLE: dict[str, list[Any]] = {"a": [1.5, 2.0, -3.25, 4.0], "b": [0.5, 1.25, 2.0, 3.5], "flag": [0, 1, 1, 0]}


def write(path: Path, table: dict[str, list[Any]], *, header: bool = True) -> Path:
    """Write a table in the format of its suffix."""
    arrow = pa.table(table)
    match path.suffix:
        case ".csv":
            lines = [*([table] if header else []), *zip(*table.values(), strict=True)]
            path.write_text("".join(",".join(map(str, line)) + "\n" for line in lines))
        case ".json":
            path.write_text(json.dumps(arrow.to_pylist()))
        case ".jsonl":
            path.write_text("".join(json.dumps(row) + "\n" for row in arrow.to_pylist()))
        case ".parquet":
            pa.parquet.write_table(arrow, path)
        case ".arrow":
            pa.feather.write_feather(arrow, path, compression="uncompressed")
        case ".arrows":
            with pa.ipc.new_stream(path, arrow.schema) as stream:
                stream.write_table(arrow)
    return path


@pytest.mark.parametrize("suffix", ["csv", "json", "jsonl", "parquet", "arrow", "arrows"])
def test_a_column_of_labels(suffix: str, actcli: Actcli, tmp_path: Path) -> None:
    """Is an error that names the options; with any of these it is what they say; `inspect` names the option too."""
    path = write(tmp_path / f"table.{suffix}", TABLE)
    wrong = actcli("softmax", path)
    assert (wrong.code, wrong.out) == (1, b"")
    assert 'column "flag" holds only 0 and 1, beside columns with fractions' in wrong.err
    assert all(option in wrong.err for option in ("--classes", "--id flag", "--truth-column flag"))
    assert actcli("softmax", path, "--id", "flag", "--columns", "flag,label").text.startswith("flag,label\n0,a\n")
    assert "p_flag" in actcli("softmax", path, "--classes", "a,b,flag").text
    assert "p_flag" not in actcli("softmax", path, "--classes", "a,b").text
    assert actcli("evaluate", path, "--truth-column", "flag").code == 0
    assert "--id flag" in actcli("inspect", path).text
    if suffix in ("csv", "jsonl", "arrows"):
        format = "arrow" if suffix == "arrows" else suffix
        assert actcli("softmax", "--input-format", format, stdin=path.read_bytes()).code == 1


def test_without_a_header(actcli: Actcli, tmp_path: Path) -> None:
    """The column has its position as its name."""
    wrong = actcli("softmax", write(tmp_path / "table.csv", TABLE, header=False))
    assert (wrong.code, "--id 2" in wrong.err) == (1, True)


HONEST: dict[str, dict[str, list[Any]]] = {
    "three rows": {name: values[:3] for name, values in TABLE.items()},
    "only ones": TABLE | {"flag": [1, 1, 1, 1]},
    "a two": TABLE | {"flag": [0, 1, 2, 0]},
    "whole numbers elsewhere": TABLE | {"b": [1, 2, 3, 4]},
    "all whole": {"a": [1, 0, 1, 0], "b": [0, 0, 1, 1]},
    "two such columns": TABLE | {"other": [1, 1, 0, 0]},
    "a fraction": TABLE | {"flag": [0.5, 1.0, 1.0, 0.0]},
}


@pytest.mark.parametrize("case", HONEST)
@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_honest_scores(case: str, suffix: str, actcli: Actcli, tmp_path: Path) -> None:
    """Anything else is scores, as ever."""
    result = actcli("softmax", write(tmp_path / f"table.{suffix}", HONEST[case]), "-f", "csv")
    assert result.code == 0, result.err
    assert len(result.text.splitlines()) == 1 + len(HONEST[case]["a"])


@pytest.mark.parametrize("case", ["three rows", "only ones", "a two", "two such columns"])
def test_honest_typed_columns(case: str, actcli: Actcli, tmp_path: Path) -> None:
    """Of integers beside floats."""
    assert actcli("softmax", write(tmp_path / "table.parquet", HONEST[case]), "-f", "csv").code == 0


def test_what_comes_late(actcli: Actcli, tmp_path: Path) -> None:
    """A sample of the first rows decides, the same for chunks of any size; rows beyond it change nothing."""
    rows = 20_000
    table: dict[str, list[Any]] = {"a": [0.5] * rows, "flag": [row % 2 for row in range(rows - 1)] + [7]}
    assert actcli("softmax", write(tmp_path / "table.csv", table), "--columns", "row").code == 1


@pytest.mark.parametrize(("names", "code"), [("a,b,y", 0), ("cat,dog,y", 1), ("cat,dog,y_true", 1), ("a,b,gt", 1)])
def test_names_of_truths(names: str, code: int, actcli: Actcli) -> None:
    """`y` is a class where all classes are single letters."""
    assert actcli("softmax", stdin=f"{names}\n1,2,3\n".encode()).code == code
