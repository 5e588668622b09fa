"""Where the output goes, and what it looks like there."""

from __future__ import annotations

import csv
import fcntl
import io
import json
import os
import stat
import subprocess
import time
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.ipc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actcli.formats import FORMATS
from program import SAMPLES, Actcli, command, environment, process, started

if TYPE_CHECKING:
    from pathlib import Path

DIGITS = SAMPLES / "digits_logits.csv"
HOSTILE = [
    "[red]",
    "[/]",
    ":dog:",
    'say "hi"',
    "a,b",
    "tab\there",
    "line\nend",
    "\x1b[31m",
    "\u202eright",
    "é🐶",
    "a|b",
    " ",
]


def hostile_table() -> bytes:
    """Return a table whose ids and classes are hostile names."""
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(["id", *HOSTILE])
    writer.writerows([name, *np.eye(len(HOSTILE))[number].tolist()] for number, name in enumerate(HOSTILE))
    return file.getvalue().encode()


@pytest.mark.usefixtures("chunk_bytes")
@pytest.mark.parametrize("name", ["csv", "tsv"])
def test_hostile_names_in_text(name: str, actcli: Actcli) -> None:
    """Are literal, quoted as the format asks (csv module)."""
    result = actcli("softmax", "-f", name, "--columns", "id,label,probabilities", "-q", stdin=hostile_table())
    rows = list(csv.reader(io.StringIO(result.text, newline=""), delimiter="," if name == "csv" else "\t"))
    assert rows[0] == ["id", "label", *(f"p_{label}" for label in HOSTILE)]
    assert [row[:2] for row in rows[1:]] == [[label, label] for label in HOSTILE]


@pytest.mark.usefixtures("chunk_bytes")
@pytest.mark.parametrize("name", ["json", "jsonl"])
def test_hostile_names_in_json(name: str, actcli: Actcli) -> None:
    """Are literal (json module)."""
    result = actcli("multilabel", "-f", name, "--threshold", "0.6", "-q", stdin=hostile_table())
    rows = json.loads(result.out) if name == "json" else result.rows
    assert [row["id"] for row in rows] == HOSTILE
    assert [row["labels"] for row in rows] == [[label] for label in HOSTILE]
    assert list(rows[0]["probabilities"]) == HOSTILE


@given(
    row=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=2, max_size=5),
    dtype=st.sampled_from(["f4", "f8"]),
)
def test_numbers_read_back_to_the_same_value(row: list[float], dtype: str, tmp_path: Path, actcli: Actcli) -> None:
    """In the precision of the computation, from every text format."""
    with np.errstate(over="ignore"):
        scores = np.array([row], dtype=dtype)
    scores = np.nan_to_num(scores)
    np.save(tmp_path / "scores.npy", scores)
    run = ("softmax", tmp_path / "scores.npy", "--columns", "logits", "-f")
    lines = actcli(*run, "csv").text.splitlines()
    assert np.array_equal(np.array(lines[1].split(","), dtype=dtype), scores[0])
    numbers = list(json.loads(actcli(*run, "json").out)[0]["logits"].values())
    assert np.array_equal(np.array(numbers, dtype=dtype), scores[0])


@pytest.mark.parametrize(("digits", "text"), [("3", "0.119"), ("1", "0.1"), ("17", "0.11920292202211755")])
def test_precision(digits: str, text: str, actcli: Actcli) -> None:
    """Rounds what is written, after every decision: 0.1192 does not reach 0.1193 (mpmath: 0.119202922022117556)."""
    run = ("binary", "--threshold", "0.1193", "--columns", "label,probabilities", "--no-output-header")
    result = actcli(*run, "--precision", digits, stdin=b"score\n-2\n")
    label, _, probability = result.text.strip().split(",")
    assert (label, probability) == ("negative", text)


def test_bare_labels(actcli: Actcli) -> None:
    """For `sort | uniq -c`."""
    result = actcli("softmax", "--columns", "label", "--no-output-header", DIGITS, "-q")
    assert len(result.text.splitlines()) == 450
    assert result.text.startswith("one\n")


@pytest.mark.parametrize("name", [format.name for format in FORMATS.values() if format.sink])
def test_a_file_is_what_a_pipe_gets(name: str, tmp_path: Path, actcli: Actcli) -> None:
    """The suffix is the format, and nothing goes to standard output."""
    target = tmp_path / f"out.{name.upper()}"
    assert actcli("softmax", DIGITS, "-o", target, "-q") == (0, b"", "")
    piped = actcli("softmax", DIGITS, "-f", name, "-q").out
    if name == "arrow":
        # A file to the one, a stream to the other.
        assert pa.ipc.open_file(target.read_bytes()).read_all().equals(pa.ipc.open_stream(piped).read_all())
    else:
        assert target.read_bytes() == piped


def test_the_table_in_a_file(tmp_path: Path, actcli: Actcli) -> None:
    """Has no escapes."""
    target = tmp_path / "out.txt"
    assert actcli("softmax", DIGITS, "-o", target, "-f", "table").code == 0
    text = target.read_text()
    assert "\x1b" not in text
    assert "digit-0021" in text


def test_a_file_is_replaced_whole(tmp_path: Path, actcli: Actcli) -> None:
    """With the permissions that it had, through links, and only when all went well."""
    target = tmp_path / "out.csv"
    target.write_text("old")
    target.chmod(0o640)
    link = tmp_path / "link.csv"
    link.symlink_to(target)
    wrong = b"cat,dog\n1,2\n" * 1 + b"1,x\n"
    assert actcli("softmax", "-o", link, stdin=wrong).code == 1
    assert target.read_text() == "old"
    assert actcli("softmax", "-o", link, stdin=b"cat,dog\n1,2\n").code == 0
    assert target.read_text().startswith("label,")
    assert link.is_symlink()
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != ".stdin") == ["link.csv", "out.csv"]


def test_a_new_file_has_the_usual_permissions(tmp_path: Path, actcli: Actcli) -> None:
    """Those that the process' mask leaves."""
    actcli("softmax", "-o", tmp_path / "out.csv", stdin=b"cat,dog\n1,2\n")
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE((tmp_path / "out.csv").stat().st_mode) == 0o666 & ~mask


def test_a_file_below_dev_is_a_file(actcli: Actcli) -> None:
    """Only what is no regular file is written directly."""
    if not os.path.isdir("/dev/shm"):  # noqa: S108  it is what is tested
        pytest.skip("this system has no /dev/shm")
    import tempfile

    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        target = f"{folder}/out.npy"
        assert actcli("softmax", DIGITS, "-o", target, "-q").code == 0
        assert np.load(target).shape == (450, 10)
        assert os.listdir(folder) == ["out.npy"]


def test_a_long_file_name(tmp_path: Path, actcli: Actcli) -> None:
    """Leaves room for that of the temporary file."""
    target = tmp_path / ("é" * 120 + ".csv")
    assert actcli("softmax", DIGITS, "-o", target, "-q").code == 0


def test_no_clobber(tmp_path: Path, actcli: Actcli) -> None:
    """Leaves a file that exists alone."""
    target = tmp_path / "out.csv"
    run = ("softmax", "--no-clobber", "-o", target)
    assert actcli(*run, stdin=b"cat,dog\n1,2\n").code == 0
    before = target.read_bytes()
    result = actcli(*run, stdin=b"cat,dog\n9,2\n")
    assert result.code == 1
    assert "exists already" in result.err
    assert target.read_bytes() == before


def test_an_output_that_is_an_input(tmp_path: Path, actcli: Actcli) -> None:
    """Is refused, also through links."""
    path = tmp_path / "table.csv"
    path.write_text("cat,dog\n1,2\n")
    (tmp_path / "soft.csv").symlink_to(path)
    (tmp_path / "hard.csv").hardlink_to(path)
    for name in ("table.csv", "soft.csv", "hard.csv"):
        result = actcli("softmax", path, "-o", tmp_path / name)
        assert result.code == 2
        assert "is one of the inputs" in result.err
    assert path.read_text() == "cat,dog\n1,2\n"


OPTION_FILES = [
    ("softmax s.csv --class-names names.json -o", "names.json"),
    ("softmax s.csv --policy policy.json -o", "policy.json"),
    ("multilabel s.csv --thresholds thresholds.json -o", "thresholds.json"),
    ("binary two.csv --thresholds positive.json -o", "positive.json"),
    ("compare s.csv --thresholds thresholds.json -o", "thresholds.json"),
    ("gradient s.csv --of cross-entropy --truth truth.csv -o", "truth.csv"),
    ("inspect s.csv --class-names names.json -o", "names.json"),
    ("evaluate s.csv --truth truth.csv --policy policy.json -o", "policy.json"),
    ("evaluate s.csv --truth truth.csv --class-names names.json -o", "names.json"),
    ("evaluate s.csv --truth truth.csv --class-names names.html --report", "names.html"),
    ("plot confidence s.csv --policy policy.json -o", "policy.json"),
    ("calibrate s.csv --truth truth.csv --class-names names.json --policy new.json -o", "names.json"),
]


@pytest.mark.parametrize(("line", "target"), OPTION_FILES)
def test_an_output_that_an_option_reads(
    line: str, target: str, tmp_path: Path, actcli: Actcli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is refused before anything is written, also under another name."""
    monkeypatch.chdir(tmp_path)
    policy = {"actcli": 1, "task": "softmax", "from": "logits", "classes": ["a", "b", "c"]}
    for name, text in {
        "s.csv": "a,b,c\n1,2,3\n3,2,1\n",
        "two.csv": "negative,positive\n1,2\n",
        "truth.csv": "truth\na\nc\n",
        "policy.json": json.dumps(policy),
        "names.json": '["a", "b", "c"]',
        "names.html": "a\nb\nc\n",
        "thresholds.json": '{"a": 0.4, "b": 0.4, "c": 0.4}',
        "positive.json": '{"positive": 0.4}',
    }.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    also = f"also-{target}"
    os.link(target, also)
    before[also] = before[target]
    for name in (target, also):
        result = actcli(*line.split(), name)
        assert (result.code, result.out) == (2, b"")
        assert "is one of the inputs" in result.err
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.name != ".stdin"} == before


def test_a_folder_that_becomes_read_only(tmp_path: Path, actcli: Actcli, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line, though the temporary file cannot be removed either."""

    def refused(*paths: object) -> None:
        raise PermissionError(13, "Permission denied", *paths[:1])

    monkeypatch.setattr("os.replace", refused)
    monkeypatch.setattr("os.unlink", refused)
    result = actcli("softmax", "-o", tmp_path / "out.csv", stdin=b"a,b\n1,2\n")
    assert result.code == 1
    assert result.err == f"actcli: error: {tmp_path / 'out.csv'}: cannot be written: Permission denied\n"


def test_temporary_files_of_killed_runs(tmp_path: Path, actcli: Actcli) -> None:
    """Are removed if they are old and no process holds them; nothing else is."""
    names = {name: tmp_path / f".actcli-{name}.tmp" for name in ("abandoned", "recent", "held", "link", "folder")}
    (tmp_path / "other.tmp").write_bytes(b"")
    names["link"].symlink_to("other.tmp")
    names["folder"].mkdir()
    for name in ("abandoned", "recent", "held"):
        names[name].write_bytes(b"half")
    for name, path in names.items():
        if name != "recent":
            os.utime(path, (1, 1), follow_symlinks=False)
    with names["held"].open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert actcli("softmax", "-q", "-o", tmp_path / "out.csv", stdin=b"a,b\n1,2\n").code == 0
    assert {name for name, path in names.items() if path.is_symlink() or path.exists()} == set(names) - {"abandoned"}
    assert (tmp_path / "other.tmp").exists()


def test_a_run_holds_its_temporary_file(tmp_path: Path) -> None:
    """However long it takes, another run does not remove it."""
    with started("softmax", "-q", "-o", tmp_path / "slow.csv") as slow:
        slow.send(b"a,b\n1,2\n")
        while not list(tmp_path.iterdir()):
            time.sleep(0.01)
        [temporary] = tmp_path.iterdir()
        os.utime(temporary, (1, 1))
        assert process("softmax", "-q", "-o", tmp_path / "quick.csv", stdin=b"a,b\n1,2\n").code == 0
        assert temporary.exists()
        slow.end()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["quick.csv", "slow.csv"]


def test_a_replaced_file_keeps_its_owner_but_not_setuid(tmp_path: Path, actcli: Actcli) -> None:
    """Who may read it is the same; nobody runs new content with another's rights."""
    target = tmp_path / "out.csv"
    target.write_bytes(b"old")
    if os.geteuid() == 0:
        os.chown(target, 1234, 2345)
    target.chmod(0o6750)
    before = target.stat()
    assert actcli("softmax", "-q", "-o", target, stdin=b"a,b\n1,2\n").code == 0
    after = target.stat()
    assert (after.st_uid, after.st_gid) == (before.st_uid, before.st_gid)
    assert stat.S_IMODE(after.st_mode) == 0o750


def test_another_users_file_in_a_sticky_folder(tmp_path: Path, actcli: Actcli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is refused before the work: here the input has an error, which is not reached."""
    folder = tmp_path / "sticky"
    folder.mkdir()
    folder.chmod(0o1777)
    (folder / "out.csv").write_bytes(b"old")
    monkeypatch.setattr("os.geteuid", lambda: 4321)
    result = actcli("softmax", "-q", "-o", folder / "out.csv", stdin=b"a,b\n1,2\nx,y\n")
    assert result.code == 1
    assert "belongs to another user" in result.err
    assert actcli("softmax", "-q", "-o", folder / "new.csv", stdin=b"a,b\n1,2\n").code == 0


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("evaluate S --truth T -q --report r.html -o r.json", 1),
        ("calibrate S --truth T -q --policy p.json -o r.json", 1),
        ("softmax S -q -o r.csv", 1),
        ("softmax S -q -f npz", 0),
    ],
)
def test_a_working_directory_that_is_removed(line: str, code: int, tmp_path: Path) -> None:
    """What names no file in it works; the rest is one line."""
    words = [{"S": DIGITS, "T": SAMPLES / "digits_truth.csv"}.get(word, word) for word in line.split()]
    folder = tmp_path / "gone"
    script = f'mkdir {folder}; cd {folder}; rmdir {folder}; exec "$@"'
    done = subprocess.run(
        ["bash", "-c", script, "bash", *command(*words)], capture_output=True, check=False, env=environment()
    )
    assert done.returncode == code
    if code:
        [message] = done.stderr.decode().splitlines()
        assert message.endswith(": no such directory")


def test_where_nothing_can_be_written(tmp_path: Path, actcli: Actcli) -> None:
    """A folder that is not there, a folder instead of a file, a full disk."""
    stdin = b"cat,dog\n1,2\n"
    for target, message in (
        (tmp_path / "none" / "out.csv", "no such directory"),
        (tmp_path, "is a directory"),
        ("/dev/full", "No space left on device"),
    ):
        result = actcli("softmax", "-f", "csv", "-o", target, stdin=stdin)
        assert result.code == 1
        assert message in result.err
        assert len(result.err.splitlines()) == 1


@pytest.mark.parametrize(
    "arguments", [("softmax", DIGITS, "-q"), ("--help",), ("--version",), ("softmax", "-h")], ids=lambda given: given[0]
)
def test_standard_output_that_is_full(arguments: tuple[str | Path, ...]) -> None:
    """One line, exit 1; of help as of rows."""
    with open("/dev/full", "wb") as full:
        done = subprocess.run(command(*arguments), stdout=full, stderr=subprocess.PIPE, check=False, env=environment())
    assert done.returncode == 1
    assert done.stderr == b"actcli: error: standard output: cannot be written: No space left on device\n"


def test_standard_output_by_other_names() -> None:
    """`-` and /dev/stdout are written directly."""
    plain = process("softmax", DIGITS)
    assert process("softmax", DIGITS, "-o", "-").out == plain.out
    assert process("softmax", DIGITS, "-o", "/dev/stdout", "-f", "csv").out == plain.out


@pytest.mark.parametrize(
    "more",
    [
        {"LC_ALL": "C"},
        {"PYTHONIOENCODING": "ascii"},
        {"FORCE_COLOR": "1"},
        {"GITHUB_ACTIONS": "1"},
        {"TERM": "dumb"},
        {"HOME": "/nonexistent"},
    ],
    ids=lambda more: next(iter(more)),
)
def test_the_environment_does_not_change_data(more: dict[str, str]) -> None:
    """Neither locale nor colour nor a missing home."""
    stdin = hostile_table()
    plain = process("softmax", stdin=stdin)
    changed = process("softmax", stdin=stdin, **more)
    assert (changed.code, changed.out) == (0, plain.out)
    assert process("softmax", "-f", "table", stdin=stdin, **more).code == 0


@pytest.mark.parametrize("jobs", ["1", "2", "7"])
def test_the_number_of_jobs_changes_nothing(jobs: str, actcli: Actcli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of what is written, and in which order."""
    expected = actcli("softmax", SAMPLES / "digits_logits.csv").out
    monkeypatch.setattr("actcli.streaming.batch.CHUNK_BYTES", 1000)
    assert actcli("softmax", SAMPLES / "digits_logits.csv", "--jobs", jobs).out == expected


@pytest.mark.parametrize("columns", ["probabilities", "top_k", "row"])
@pytest.mark.parametrize("suffix", ["npy", "csv"])
def test_rows_that_find_their_own_place(
    suffix: str, columns: str, tmp_path: Path, actcli: Actcli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Out of arrays, whose rows are counted, several one behind the other: what comes out is as through a pipe."""
    scores = np.random.default_rng(0).normal(size=(1000, 3))
    paths = [tmp_path / f"{number}.npy" for number in range(3)]
    for number, path in enumerate(paths):
        np.save(path, scores[300 * number : 300 * number + 400])
    more = ("--columns", columns, *(("--top-k", "2") if columns == "top_k" else ()))
    monkeypatch.setattr("actcli.streaming.batch.CHUNK_BYTES", 500)
    assert actcli("softmax", *paths, *more, "--jobs", "3", "-o", tmp_path / f"out.{suffix}").code == 0
    assert (tmp_path / f"out.{suffix}").read_bytes() == actcli("softmax", *paths, *more, "-f", suffix).out
