"""Hostile inputs, each with what must happen to it: ``python tests/corpus.py FOLDER`` writes them, and a manifest.

Right labels are worked out here by hand or in plain Python, never by actcli.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import pickle
import struct
import sys
import warnings
import zipfile
import zlib
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet

from readers import READ, valid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["CANARY", "CASES", "Case"]

CANARY = "actcli-canary"
"""The file, in the working directory, that a pickle or a header of the corpus would write if it were obeyed."""


@dataclass(frozen=True, slots=True)
class Case:
    """An input and what must happen.

    Parameters
    ----------
    name
        Of the file.
    make
        Returns its bytes.
    labels
        Of its rows, if it is accepted.
    words
        What the message must hold, if it is rejected.
    code
        The exit code.
    options
        Of the command line.
    task
        The command.
    slow
        Whether it is too large to be read row by row as well.
    """

    name: str
    make: Callable[[], bytes]
    labels: tuple[str, ...] | None = None
    words: tuple[str, ...] = ()
    code: int = 0
    options: tuple[str, ...] = ()
    task: str = "softmax"
    slow: bool = False


def accepted(
    name: str,
    data: str | bytes | Callable[[], bytes],
    labels: Sequence[str] = ("dog", "cat"),
    *options: str,
    **more: Any,
) -> Case:
    """Return the case of a file whose rows have these labels."""
    return Case(name, _maker(data), labels=tuple(labels), options=options, **more)


def rejected(
    name: str,
    data: str | bytes | Callable[[], bytes],
    words: str | Sequence[str],
    *options: str,
    code: int = 1,
    **more: Any,
) -> Case:
    """Return the case of a file whose message holds these words."""
    return Case(
        name,
        _maker(data),
        words=(words,) if isinstance(words, str) else tuple(words),
        code=code,
        options=options,
        **more,
    )


def _maker(data: str | bytes | Callable[[], bytes]) -> Callable[[], bytes]:
    if callable(data):
        return data
    content = data.encode() if isinstance(data, str) else data
    return lambda: content


TABLE = "id,cat,dog\na,1,2\nb,4,3\n"
"""Whose labels are dog and cat."""

# Text


def _line_ends() -> Iterator[Case]:
    yield accepted("plain.csv", TABLE)
    yield accepted("no-last-line-end.csv", TABLE.rstrip())
    yield accepted("crlf.csv", TABLE.replace("\n", "\r\n"))
    yield accepted("cr-only.csv", TABLE.replace("\n", "\r"))
    yield accepted("cr-only-no-last.csv", TABLE.rstrip().replace("\n", "\r"))
    yield accepted("mixed-line-ends.csv", "id,cat,dog\ra,1,2\r\nb,4,3\n")
    yield accepted("cr-cr-lf.csv", TABLE.replace("\n", "\r\r\n"))
    yield accepted("lf-cr.csv", TABLE.replace("\n", "\n\r"))
    yield accepted("blank-lines.csv", "\n \n\t\n" + TABLE.replace("\n", "\n\n  \n") + "\r\n\n")
    yield accepted("many-blank-lines.csv", TABLE.replace("\n", "\n" * 3000), slow=True)
    yield rejected("form-feed-line.csv", TABLE + "\f\n", [":4:", "1 cell"])
    yield rejected("vertical-tab-line.csv", TABLE + "\v\n", [":4:", "1 cell"])
    yield rejected("dos-end-of-file.csv", TABLE.replace("\n", "\r\n") + "\x1a", [":4:", "1 cell"])
    for name, mark in (("u2028", "\u2028"), ("u0085", "\x85"), ("u000b", "\v"), ("u001c", "\x1c"), ("u0000", "\0")):
        yield accepted(f"{name}-in-an-id.csv", f"name,cat,dog\naaaa{mark}b,1,2\nb{mark},4,3\n")
        yield rejected(f"{name}-and-a-fault.csv", f"name,cat,dog\naaaa{mark}b,1,2\nb{mark},x,3\n", [":3:", '"x"'])


def _encodings() -> Iterator[Case]:
    yield accepted("byte-order-mark.csv", "\ufeff" + TABLE)
    yield accepted("byte-order-mark-crlf.csv", "\ufeff" + TABLE.replace("\n", "\r\n"))
    yield accepted("byte-order-mark-quoted.csv", '\ufeff"id","cat","dog"\n"a","1","2"\n"b","4","3"\n')
    yield accepted("byte-order-mark-numbers.csv", "\ufeff1.5,2\n4,3.5\n", ["1", "0"])
    yield accepted("byte-order-marks.csv", "\ufeff\ufeff" + TABLE)
    yield accepted("byte-order-mark-in-a-row.csv", "id,cat,dog\n\ufeffa,1,2\nb,4,3\n")
    yield rejected(
        "byte-order-mark-before-a-number.csv", "cat,dog\n1,2\n\ufeff4,3\n", [":3:", '"\\ufeff4" is not a number']
    )
    yield rejected("byte-order-mark-only.csv", "\ufeff", "has no rows")
    for name in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"):
        yield rejected(f"{name}.csv", TABLE.encode(name), ["is not UTF-8", "hint: if it is UTF-16"])
        yield rejected(f"{name}-numbers.csv", "1,2\n3,4\n".encode(name), ["is not UTF-8", "hint: if it is UTF-16"])
    for name in ("utf-16", "utf-16-le", "utf-16-be"):
        yield rejected(f"{name}-chinese.csv", "标识,猫咪,狗狗\n甲,1,2\n".encode(name), ":")
    yield rejected(
        "latin1-header.csv", "id,chat,ch\xe9rie\na,1,2\n".encode("latin-1"), ["is not UTF-8", "hint: convert"]
    )
    yield rejected(
        "latin1-id.csv", "name,cat,dog\na,1,2\nRen\xe9,4,3\n".encode("latin-1"), [":3:", '"name"', "is not UTF-8"]
    )
    yield rejected("latin1-first-id.csv", "name,cat,dog\nRen\xe9,4,3\n".encode("latin-1"), [":2:", "is not UTF-8"])
    yield rejected("latin1-number.csv", "cat,dog\n1,2\n\xbd,3\n".encode("latin-1"), [":3:", '"cat"', "is not a number"])
    yield rejected("cp1252-quotes.csv", "name,cat,dog\n\x93a\x94,1,2\n".encode("latin-1"), "is not UTF-8")
    labels = "a,b,flag\n1.5,0.5,0\n2,1.25,1\n3,-1.5,1\n4,3,0\n"
    yield rejected("column-of-labels.csv", labels, ['"flag" holds only 0 and 1', "--truth-column flag", "--id flag"])
    yield rejected("column-of-labels-no-header.csv", labels.partition("\n")[2], ['"2" holds only 0 and 1'])
    yield accepted("three-rows-of-labels.csv", labels[:-6], ["a", "a", "a"])
    yield rejected("shift-jis.csv", "名前,cat,dog\nあ,1,2\n".encode("shift-jis"), "is not UTF-8")
    yield rejected("utf8-cut-off.csv", TABLE.encode() + b"\xf0\x9f\x90,1,2\n", [":4:", "is not UTF-8"])
    yield rejected("utf8-overlong.csv", b"name,cat,dog\n\xc0\xaf,1,2\n", "is not UTF-8")
    yield rejected("utf8-surrogates.csv", b"name,cat,dog\n\xed\xa0\x80,1,2\n", "is not UTF-8")
    yield rejected("utf8-too-high.csv", b"name,cat,dog\n\xf5\x80\x80\x80,1,2\n", "is not UTF-8")
    yield accepted("other-scripts.csv", "名前,猫,🐶\nあ,1,2\n\u202eb,4,3\n", ["🐶", "猫"])
    yield accepted("escapes.csv", "id,\x1b[31mcat,[red]dog\n\x1b]0;x\x07,1,2\n[/],4,3\n", ["[red]dog", "\x1b[31mcat"])


def _nul_bytes() -> Iterator[Case]:
    yield rejected("nul-in-a-number.csv", "cat,dog\n1,2\n4\0,3\n", [":3:", '"4\\x00" is not a number'])
    yield rejected("nul-at-the-start.csv", "\0" + TABLE, "is not UTF-8")
    yield rejected("nul-tail.csv", TABLE.encode() + bytes(4096), [":4:", "1 cell"])
    yield rejected("nul-only.csv", bytes(4096), "is not UTF-8")
    yield rejected("nul-in-the-header.csv", "name,cat\0,dog\n1,x,3\n", [":2:"])


def _quotes() -> Iterator[Case]:
    yield accepted("all-quoted.csv", '"id","cat","dog"\n"a","1","2"\n"b"," 4 ","3"\n')
    yield accepted("quoted-line-ends.csv", 'id,cat,dog\n"a\nx\r\ny\rz",1,2\n"\n",4,3\n')
    yield accepted("quoted-header-line-end.csv", 'id,"c\nat","d\r\nog"\na,1,2\nb,4,3\n', ["d\r\nog", "c\nat"])
    yield accepted("doubled-quotes.csv", 'id,cat,dog\n"""",1,2\n"""a"",""b""",4,3\n')
    yield accepted("empty-quotes.csv", 'id,cat,dog\n"",1,2\n"","4",3\n')
    yield accepted("quote-inside-a-cell.csv", 'id,cat,dog\n5" pipe,1,2\nb"",4,3\n')
    yield accepted("text-behind-a-quote.csv", 'id,cat,dog\n"a"b,1,2\n"c""d"e,4,3\n')
    yield accepted("quoted-delimiters.csv", 'id,"cat,cat","dog,dog"\n"a,b,c",1,2\n",",4,3\n', ["dog,dog", "cat,cat"])
    yield rejected("single-quotes.csv", "id,cat,dog\n'a,b',1,2\n", [":2:", "4 cells"])
    yield rejected("backslash-escape.csv", "id,cat,dog\na\\,b,1,2\n", [":2:", "4 cells"])
    yield rejected("open-quote-header.csv", '"id,cat,dog\na,1,2\n', [":1:", "a quote is not closed"])
    yield rejected("open-quote-row.csv", 'id,cat,dog\na,1,2\n"b,4,3\nc,1,2\n', [":3:", "a quote is not closed"])
    yield rejected("open-quote-last-cell.csv", 'cat,dog\n1,2\n4,"3\n', [":3:", "a quote is not closed"])
    yield rejected("open-quote-at-the-end.csv", TABLE + '"', [":4:", "a quote is not closed"])
    yield rejected("open-quote-odd.csv", TABLE + '"""', [":4:", "a quote is not closed"])
    yield rejected("blank-before-a-quote.csv", 'id,cat,dog\na,1, "2"\n', [":2:", "is not a number"])
    yield rejected("typographic-quotes.csv", "cat,dog\n1,2\n“4”,3\n", [":3:", "is not a number"])
    for size in (0, 1, 2, 3):
        # The line ends of ids lie about where a chunk of a mebibyte ends.
        yield accepted(
            f"quoted-line-ends-at-chunk-borders-{size}.csv",
            partial(_straddling, size),
            ["dog", "cat"] * 9000,
            slow=True,
        )


def _straddling(shift: int) -> bytes:
    rows = "".join(f'"{"x" * 50}\r\n""{"y" * 53}\n\r{number % 10}",1,2\n"\n",4,3\r\n' for number in range(9000))
    return ("id,cat,dog\n" + "\n" * shift + rows).encode()


def _numbers() -> Iterator[Case]:
    good = {
        "signs": ("+1", "2"),
        "exponents": ("1E0", "2e+0"),
        "no-whole-part": (".5", "0.75"),
        "no-fraction": ("1.", "2."),
        "zeros-in-front": ("0000000001", "2"),
        "negative-zero": ("-0", "1"),
        "blanks": (" 1\t", "\t2 "),
        "underflow": ("1e-400", "1"),
        "300-digits": ("1" + "0" * 299, "2" + "0" * 299),
        "400-zeros-in-front": ("0" * 400 + "1", "2"),
        "400-digits-behind-the-point": ("0." + "1" * 400, "0." + "2" * 400),
        "400-digits-and-an-exponent": ("1" * 400 + "e-400", "2" * 400 + "e-400"),
        "masked": ("-inf", "0"),
        "masked-in-capitals": ("-INFINITY", "-1e308"),
        "largest": ("1.7976931348623155e308", "1.7976931348623157e308"),
        "one-digit-apart": ("0.1000000000000000055", "0.1000000000000000200"),
    }
    for name, (low, high) in good.items():
        yield accepted(f"number-{name}.csv", f"id,cat,dog\na,{low},{high}\nb,{high},{low}\n")
    bad: dict[str, Any] = {
        "underscore": "1_000",
        "thousands": '"1,000"',
        "blank-thousands": "1 000",
        "apostrophe-thousands": "1'000",
        "no-break-space": "1\u00a0000",
        "full-width": "１２",
        "arabic": "١٢",
        "devanagari": "१२",
        "superscript": "²",
        "fraction": "½",
        "minus-sign": "−1",
        "hex": "0x1F",
        "hex-float": "0x1p3",
        "octal": "0o17",
        "binary": "0b11",
        "percent": "50%",
        "dollar": "$1",
        "brackets": "(1)",
        "two-points": "1.2.3",
        "two-signs": "--1",
        "sign-behind": "1-",
        "sign-only": "+",
        "point-only": ".",
        "exponent-only": "e5",
        "open-exponent": "1e",
        "exponent-with-a-point": "1e5.5",
        "fortran-exponent": "1d5",
        "float-suffix": "1.0f",
        "long-suffix": "1L",
        "infinity-sign": "∞",
        "infinit": "infinit",
        "na": "NA",
        "null": "null",
        "true": "True",
        "date": "2020-01-01",
        "time": "12:30",
        "complex": "1+2j",
        "ratio": "1/2",
        "formula": "=1+1",
        "error": "#DIV/0!",
        "tensor": "tensor(1.5)",
        "list": '"[1, 2]"',
        "zero-width-space": "1\u200b",
        "no-break-space-before": "\u00a01",
        "byte-order-mark": "\ufeff1",
        "escape": "\x1b[31m1",
        "right-to-left": "\u202e1",
        "emoji": "🐶",
        "sql": "1'; DROP TABLE scores; --",
        "format": "%s%n{0}",
        "markup": "[red]1[/]",
    }
    for name, cell in bad.items():
        yield rejected(
            f"not-a-number-{name}.csv", f"id,cat,dog\na,1,2\nb,3,{cell}\n", [':3: column "dog":', "is not a number"]
        )
    # Arrow takes this for a NaN.
    yield rejected(
        "not-a-number-nan-payload.csv", "id,cat,dog\na,1,2\nb,3,nan(1)\n", [':3: column "dog":', "is not a number"]
    )
    yield rejected("number-empty.csv", "id,cat,dog\na,1,2\nb,,3\n", [':3: column "cat"', "is empty"])
    yield rejected("number-blank.csv", "id,cat,dog\na,1,2\nb, ,3\n", [':3: column "cat"', "is empty"])
    yield rejected("number-nan.csv", "id,cat,dog\na,1,2\nb,nan,3\n", [':3: column "cat"', "NaN is not a logit"])
    yield rejected(
        "number-infinity.csv", "id,cat,dog\na,1,2\nb,inf,3\n", [':3: column "cat"', "infinity is not a logit"]
    )
    for name, text in (("1e400", "1e400"), ("minus-1e400", "-1e400"), ("400-digits", "9" * 400), ("1e309", "1e309")):
        yield rejected(
            f"number-{name}.csv", f"id,cat,dog\na,1,2\nb,{text},3\n", [':3: column "cat"', "is too large for float64"]
        )
    yield rejected("number-huge-exponent.csv", f"cat,dog\n1,2\n1e{'9' * 400},3\n", [":3:", "is too large for float64"])
    yield rejected(
        "number-1e39-float32.csv",
        "id,cat,dog\na,1,2\nb,1e39,3\n",
        [":3:", "too large for float32"],
        "--dtype",
        "float32",
    )
    yield rejected("all-masked.csv", "id,cat,dog\na,1,2\nb,-inf,-inf\n", [":3:", "every class is masked"])
    yield rejected("first-row-thousands.csv", 'id,cat,dog\na,"1,000",2\n', [":2:", '"1,000" is not a number'])
    yield rejected("first-row-underscore.csv", "cat,dog\n1,1_000\n", [":2:", '"1_000" is not a number'])
    yield rejected("first-row-missing.csv", "cat,dog\n1,NA\n", [":2:", '"NA"', "--id dog"])
    yield rejected("decimal-commas.csv", "id;cat;dog\na;1,5;2,5\n", ["hint:", "--delimiter semicolon"])
    yield rejected(
        "decimal-commas-semicolon.csv",
        "id;cat;dog\na;1,5;2,5\n",
        ['"1,5" is not a number', "hint: numbers have a point"],
        "-d",
        ";",
    )
    yield rejected("thousands-unquoted.csv", "cat,dog\n1,000,2\n", [":2:", "3 cells"])


def _tables() -> Iterator[Case]:
    yield rejected("ragged-short.csv", "id,cat,dog\na,1,2\nb,3\n", [":3:", "2 cells, but the header has 3"])
    yield rejected("ragged-long.csv", "id,cat,dog\na,1,2\nb,3,4,5\n", [":3:", "4 cells, but the header has 3"])
    yield rejected("ragged-first-row.csv", "id,cat,dog\na,1,2,3\n", [":2:", "4 cells, but the header has 3"])
    yield rejected("ragged-without-header.csv", "1.5,2\n3,4,5\n", [":2:", "3 cells, but the first row has 2"])
    yield rejected("trailing-commas.csv", "id,cat,dog,\na,1,2,\n", ":2:")
    yield rejected("trailing-commas-in-rows.csv", "id,cat,dog\na,1,2,\n", [":2:", "4 cells"])
    yield rejected("trailing-comma-in-the-header.csv", "id,cat,dog,\na,1,2\n", [":2:", "3 cells"])
    yield rejected("trailing-comma-and-numbers.csv", "cat,dog,\n1,2,3\n", "class 3 has an empty name")
    yield rejected("repeated-header.csv", TABLE + TABLE, [':4: column "cat": "cat" is not a number'])
    yield rejected("header-twice-at-the-top.csv", "id,cat,dog\nid,cat,dog\na,1,2\n", ":2:")
    yield rejected("duplicate-classes.csv", "id,cat,cat\na,1,2\n", 'the same name "cat"')
    yield rejected("duplicate-ids.csv", "name,name,cat,dog\na,b,1,2\n", 'the same name "name"')
    yield rejected("empty-class-name.csv", "id,cat,,dog\na,1,2,3\n", "class 2 has an empty name")
    yield rejected("truth-among-classes.csv", "id,cat,dog,label\na,1,2,1\n", '"label" does not look like a class')
    yield rejected("number-like-id.csv", "user_id,cat,dog\n1,1,2\n", '"user_id" does not look like a class')
    yield rejected("text-behind-numbers.csv", "cat,dog,note\n1,2,x\n", [':2: column "note"', "--id note"])
    yield rejected("comment-first.csv", "# made by a script\n" + TABLE, [":1:", "no column of numbers"])
    yield rejected("comment-between.csv", "id,cat,dog\na,1,2\n# half way\nb,4,3\n", [":3:", "1 cell"])
    yield rejected(
        "comment-with-commas.csv", "id,cat,dog\na,1,2\n# one,two,three\nb,4,3\n", [":3:", '"two" is not a number']
    )
    yield rejected("excel-sep.csv", "sep=,\n" + TABLE, ":1:")
    yield rejected("total-line.csv", TABLE + "TOTAL\n", [":4:", "1 cell"])
    yield rejected("rows-affected.csv", TABLE + "(2 rows affected)\n", [":4:", "1 cell"])
    yield rejected("only-delimiters.csv", ",,,\n,,,\n", ":")
    yield rejected("only-a-delimiter.csv", ",", ":")
    yield rejected("only-ids.csv", "id\na\nb\n", "no column of numbers")
    yield rejected("one-class.csv", "id,score\na,1\nb,2\n", "binary")
    yield rejected("one-row-of-both.csv", "cat,1\n", ["could be a header or data", "--header or --no-header"])
    yield rejected("nothing.csv", "", "is empty")
    yield rejected("a-line-end.csv", "\n", "has no rows")
    yield rejected("blanks.csv", "  \n\t\n \r\n", "has no rows")
    yield accepted("header-only.csv", "id,cat,dog\n", [])
    yield accepted("header-only-no-line-end.csv", "id,cat,dog", [])
    yield accepted("header-only-crlf.csv", "id,cat,dog\r\n\r\n", [])
    yield accepted("pandas-default-header.csv", "0,1,2\n0.5,1.5,0\n", ["1"])
    yield accepted("pandas-index-and-header.csv", ",0,1\n0,0.5,1.5\n1,2.5,1\n", ["1", "0"])
    yield accepted("counting-rows-are-data.csv", "0,1,2\n5,4,3\n", ["2", "0"])
    yield accepted("unnamed-index.csv", "Unnamed: 0,cat,dog\n0,1,2\n1,4,3\n")
    yield accepted("numeric-ids.csv", "id,cat,dog\n9,1,2\n9,4,3\n")
    yield accepted("text-columns-first.csv", "who,where,cat,dog\na,b,1,2\nc,,4,3\n")
    yield accepted("carried-behind.csv", "cat,dog,note\n1,2,x\n4,3,\n", ("dog", "cat"), "--id", "note")
    yield accepted("missing-where-carried.csv", "id,cat,dog\nNA,1,2\n,4,3\n")
    yield accepted(
        "one-column-for-binary.csv", "score\n-1\n0\n1e-300\n", ["negative", "positive", "positive"], task="binary"
    )
    yield accepted("ties-go-to-the-first.csv", "cat,dog,cow\n1,1,1\n0,2,2\n", ["cat", "dog"])
    yield accepted("tab-in-csv-id.csv", "id,cat,dog\na\tb,1,2\n\t,4,3\n")
    yield rejected("semicolons.csv", TABLE.replace(",", ";"), ["hint:", "--delimiter semicolon"])
    yield rejected("tabs.csv", TABLE.replace(",", "\t"), ["hint:", "--delimiter tab"])
    yield rejected("pipes.csv", TABLE.replace(",", "|"), ["hint:", "--delimiter pipe"])
    yield rejected("columns-of-blanks.csv", TABLE.replace(",", "   "), ["hint:", "--delimiter space"])
    yield rejected("commas.tsv", TABLE, ["hint:", "--delimiter comma"])
    yield accepted("quoted-tabs.tsv", 'id\tcat\tdog\n"a\tb"\t1\t2\n"\n"\t4\t3\n')
    yield rejected("ragged.tsv", "id\tcat\tdog\na\t1\n", [":2:", "2 cells"])
    yield rejected("unknown-class.csv", TABLE, "'fish'", "--classes", "fish", code=2)
    yield rejected("unknown-id.csv", TABLE, "'fish'", "--id", "fish", code=2)


def _other_texts() -> Iterator[Case]:
    texts = {
        "html": "<!DOCTYPE html>\n<html><head><title>404</title></head>\n<body>Not Found, sorry</body></html>\n",
        "git-lfs-pointer": f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 12345\n",
        "xml": '<?xml version="1.0"?>\n<scores><row cat="1" dog="2"/></scores>\n',
        "yaml": "scores:\n  - cat: 1\n    dog: 2\n",
        "toml": "[scores]\ncat = 1\ndog = 2\n",
        "markdown": "| cat | dog |\n| --- | --- |\n| 1 | 2 |\n",
        "shell": "#!/bin/sh\necho 1,2\n",
        "python": "import numpy as np\nprint(np.array([1, 2]))\n",
        "rate-limit": "Too many requests. Try again in 60 seconds.\n",
        "access-denied": "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>",
        "numpy-repr": "[[1.5 2.5]\n [3.5 4.5]]\n",
        "tensor-repr": "tensor([[1.5000, 2.5000],\n        [3.5000, 4.5000]])\n",
        "arff": "@relation scores\n@attribute cat numeric\n@data\n1,2\n",
        "libsvm": "1 1:0.5 2:1.5\n0 1:2.5 2:0.5\n",
        "conflict": "<<<<<<< HEAD\n" + TABLE + "=======\n" + TABLE + ">>>>>>> other\n",
        "diff": "--- a/scores.csv\n+++ b/scores.csv\n@@ -1,2 +1,2 @@\n-1,2\n+1,3\n",
        "traceback": 'Traceback (most recent call last):\n  File "x.py", line 1, in <module>\nValueError: x\n',
        "pem": "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
    }
    for name, text in texts.items():
        yield rejected(f"text-{name}.csv", text, ":")
        yield rejected(f"text-{name}.bin", text, ":")
    files = {
        "pdf": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n",
        "png": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
        "jpeg": b"\xff\xd8\xff\xe0\0\x10JFIF\0",
        "sqlite": b"SQLite format 3\0\x10\0\x01\x01",
        "xls": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(40),
        "elf": b"\x7fELF\x02\x01\x01" + bytes(40),
        "hdf5": b"\x89HDF\r\n\x1a\n" + bytes(40),
        "matlab": b"MATLAB 5.0 MAT-file, Platform: GLNXA64".ljust(124) + b"\0\1IM\x0f\0\0\0\x40\0\0\0\x78\x9c\xe3",
        "tar": b"scores.csv" + bytes(502) + TABLE.encode().ljust(512, b"\0"),
        "bzip2": b"BZh91AY&SY" + bytes(20),
        "xz": b"\xfd7zXZ\0\0\x04" + bytes(20),
        "random": np.random.default_rng(0).bytes(4096),
    }
    for name, data in files.items():
        for suffix in ("csv", "jsonl", "npy", "bin"):
            yield rejected(f"file-{name}.{suffix}", data, ":")


def _long() -> Iterator[Case]:
    yield accepted("id-of-5-megabytes.csv", lambda: b"id,cat,dog\n" + b"x" * 5_000_000 + b",1,2\nb,4,3\n", slow=True)
    yield accepted(
        "quoted-id-of-5-megabytes.csv", lambda: b'id,cat,dog\n"' + b'x""\n' * 1_250_000 + b'",1,2\nb,4,3\n', slow=True
    )
    yield accepted("name-of-5-megabytes.csv", lambda: b"x" * 5_000_000 + b",cat,dog\na,1,2\nb,4,3\n", slow=True)
    yield rejected("line-of-5-megabytes.csv", lambda: b"x" * 5_000_000, "a single class", slow=True)
    yield rejected(
        "number-of-5-megabytes.csv",
        lambda: b"cat,dog\n1,2\n" + b"9" * 5_000_000 + b",3\n",
        [":3:", "too large", "…"],
        slow=True,
    )
    yield rejected(
        "text-of-5-megabytes.csv",
        lambda: b"cat,dog\n1,2\n" + b"x" * 5_000_000 + b",3\n",
        [":3:", "is not a number", "…"],
        slow=True,
    )
    yield rejected("5-million-commas.csv", lambda: b"," * 5_000_000 + b"\n", "more than 1,000,000 columns", slow=True)
    yield rejected(
        "row-of-5-million-commas.csv", lambda: b"cat,dog\n1,2\n" + b"," * 5_000_000 + b"\n", [":3:", "cells"], slow=True
    )
    yield rejected(
        "line-of-40-megabytes.csv",
        lambda: b"cat,dog\n1,2\n" + b"1" * 40_000_000 + b",3\n",
        "more than 32 MiB without",
        slow=True,
    )
    yield rejected(
        "open-quote-of-40-megabytes.csv",
        lambda: b'id,cat,dog\na,1,2\n"' + b"x,1,2\n" * 7_000_000,
        "a quote is not closed",
        slow=True,
    )
    wide = ",".join(["0.25"] * 19_999 + ["9.5"])
    yield accepted("20000-classes.csv", f"{wide}\n{wide}\n", ["19999"] * 2, slow=True)


# JSON


def _json() -> Iterator[Case]:
    row = '{"cat":1,"dog":2}'
    answers = {
        "plain": (f"[{row}]", ["dog"]),
        "byte-order-mark": (f"\ufeff[{row}]", ["dog"]),
        "blank-everywhere": (f" \r\n\t[ \n{row} , {row}\t] \n\n", ["dog", "dog"]),
        "cr-between": (f"[{row},\r{row}]\r", ["dog", "dog"]),
        "any-key-order": ('[{"cat":1,"dog":2},{"dog":3,"cat":4}]', ["dog", "cat"]),
        "lists": ("[[1,2],[4,3]]", ["1", "0"]),
        "brackets-in-texts": ('[{"id":"]}{[","cat":1,"dog":2},{"id":"\\"]\\\\","cat":4,"dog":3}]', ["dog", "cat"]),
        "escaped-keys": ('[{"c\\u0061t":1,"dog":2},{"cat":4,"\\u0064og":3}]', ["dog", "cat"]),
        "paired-surrogates": ('[{"id":"\\ud83d\\udc36","cat":1,"dog":2}]', ["dog"]),
        "nested": ('[{"id":1,"logits":{"cat":1,"dog":2}}]', ["dog"]),
        "nested-list": ('[{"id":1,"logits":[1,2]}]', ["1"]),
        "large-integers": (f'[{{"cat":{"1" * 300},"dog":{"2" * 300}}}]', ["dog"]),
        "5000-digit-fraction": (f'[{{"cat":0.{"1" * 5000},"dog":0.{"2" * 5000}}}]', ["dog"]),
        "minus-infinity": ('[{"cat":-Infinity,"dog":2}]', ["dog"]),
        "carried-nesting": ('[{"id":' + "[" * 150 + "]" * 150 + ',"cat":1,"dog":2}]', ["dog"]),
        "empty-key-first": ('[{"":9,"cat":1,"dog":2}]', ["dog"]),
        "null-byte-escape": ('[{"id":"\\u0000","cat":1,"dog":2}]', ["dog"]),
    }
    for name, (text, labels) in answers.items():
        options = ("--id", "id") if '"id"' in text else ()
        yield accepted(f"json-{name}.json", text, labels, *options)
    wrong = {
        "100000-brackets": ("[" * 100_000, ":"),
        "100000-brackets-closed": ("[" * 100_000 + "]" * 100_000, "nested too deeply"),
        "100000-objects": ('[{"a":' * 50_000, ":"),
        "250-deep": ('[{"id":' + "[" * 250 + "]" * 250 + ',"cat":1,"dog":2}]', "nested too deeply"),
        "duplicate-keys": ('[{"cat":1,"cat":2}]', "the same key twice"),
        "duplicate-escaped-keys": ('[{"cat":1,"c\\u0061t":2}]', "the same key twice"),
        "1e400": ('[{"cat":1e400,"dog":2}]', "too large for float64"),
        "400-digits": (f'[{{"cat":{"9" * 400},"dog":2}}]', "too large for float64"),
        "5000-digits": (f'[{{"cat":{"9" * 5000},"dog":2}}]', "too large for float64"),
        "nan": ('[{"cat":NaN,"dog":2}]', "NaN is not a logit"),
        "infinity": ('[{"cat":Infinity,"dog":2}]', "infinity is not a logit"),
        "null": ('[{"cat":1,"dog":2},{"cat":null,"dog":2}]', "null is not a number"),
        "true": ('[{"cat":1,"dog":2},{"cat":true,"dog":2}]', "true is not a number"),
        "text": ('[{"cat":1,"dog":2},{"cat":"1","dog":2}]', '"1\\" is not a number'.replace("\\", "")),
        "nested-number": ('[{"cat":1,"dog":2},{"cat":[1],"dog":2}]', "[1] is not a number"),
        "lone-surrogate": ('[{"id":"\\ud83d","cat":1,"dog":2}]', "half a character"),
        "lone-surrogate-key": ('[{"\\udc36":1,"dog":2}]', "half a character"),
        "lone-surrogate-below": ('[{"id":{"x":["\\uD83D"]},"cat":1,"dog":2}]', "half a character"),
        "trailing-garbage": (f"[{row}] x", "should stand where"),
        "trailing-list": (f"[{row}][{row}]", "should stand where"),
        "trailing-nul": (f"[{row}]\0", "should stand where"),
        "trailing-comma": (f"[{row},]", "should stand where"),
        "trailing-comma-in-a-row": ('[{"cat":1,"dog":2,}]', "is not JSON"),
        "missing-comma": (f"[{row} {row}]", "should stand where"),
        "two-commas": (f"[{row},,{row}]", "should stand where"),
        "not-closed": (f"[{row}", "is not closed"),
        "row-not-closed": ('[{"cat":1', ":"),
        "text-not-closed": ('[{"cat":1,"dog', ":"),
        "closed-by-the-other": (f"[{row}}}", ":"),
        "mismatched-brackets": ('[{"cat":1,"dog":2]]', "is not JSON"),
        "single-quotes": ("[{'cat':1,'dog':2}]", "is not JSON"),
        "bare-keys": ("[{cat:1,dog:2}]", "is not JSON"),
        "comment": (f"[{row}, // half way\n{row}]", "should stand where"),
        "leading-zeros": ('[{"cat":01,"dog":2}]', "is not JSON"),
        "plus": ('[{"cat":+1,"dog":2}]', "is not JSON"),
        "hex": ('[{"cat":0x1F,"dog":2}]', "is not JSON"),
        "underscore": ('[{"cat":1_000,"dog":2}]', "is not JSON"),
        "point-first": ('[{"cat":.5,"dog":2}]', "is not JSON"),
        "point-last": ('[{"cat":5.,"dog":2}]', "is not JSON"),
        "full-width": ('[{"cat":１,"dog":2}]', "is not JSON"),
        "raw-line-end-in-a-text": ('[{"id":"a\nb","cat":1,"dog":2}]', "is not JSON"),
        "bad-escape": ('[{"id":"\\x","cat":1,"dog":2}]', "is not JSON"),
        "short-escape": ('[{"id":"\\u12","cat":1,"dog":2}]', "is not JSON"),
        "empty": ("[]", "has no rows"),
        "empty-row": ("[{}]", "no column of numbers"),
        "empty-list-row": ("[[]]", "there are no classes"),
        "scalars": ("[1,2,3]", ":"),
        "object-of-columns": ('{"cat":[1,2],"dog":[3,4]}', "is not one list of rows"),
        "scalar": ("3", "is not one list of rows"),
        "text-only": ('"cat"', "is not one list of rows"),
        "null-only": ("null", "is not one list of rows"),
        "missing-key": ('[{"cat":1,"dog":2},{"cat":1}]', 'there is no "dog"'),
        "extra-key": ('[{"cat":1,"dog":2},{"cat":1,"dog":2,"fish":3}]', '"fish" is not in the first row'),
        "ragged-lists": ("[[1,2],[1]]", "1 numbers, but the first row has 2"),
        "list-among-objects": ('[{"cat":1,"dog":2},[1,2]]', "is no object"),
        "object-among-lists": ('[[1,2],{"cat":1,"dog":2}]', "in a list"),
        "deep-class-list": ("[[[1,2],[3,4]]]", "is not a number"),
        "probabilities-instead": ('[{"probabilities":{"cat":1,"dog":0}}]', "--from probabilities"),
        "truth-among-classes": ('[{"cat":1,"dog":2,"label":1}]', "does not look like a class"),
        "empty-key": ('[{"cat":1,"":2}]', "an empty name"),
        "csv": (TABLE, "is not one list of rows"),
        "nothing": ("", "is empty"),
        "blanks": (" \n\t ", ":"),
        "byte-order-mark-only": ("\ufeff", ":"),
    }
    for name, (text, words) in wrong.items():
        options = ("--id", "id") if '"id"' in text else ()
        yield rejected(f"json-{name}.json", text, words, *options, slow=len(text) > 20_000)
    yield rejected("json-latin1.json", '[{"id":"é","cat":1,"dog":2}]'.encode("latin-1"), "is not UTF-8", "--id", "id")
    yield rejected("json-utf16.json", f"[{row}]".encode("utf-16"), "is not UTF-8")
    yield rejected("json-long-text.json", lambda: b'[{"id":"' + b"x" * 40_000_000, "more than 32 MiB", slow=True)
    yield rejected("json-many-brackets.json", lambda: b"[" * 40_000_000, "more than 32 MiB", slow=True)


def _jsonl() -> Iterator[Case]:
    row = '{"cat":1,"dog":2}'
    for name, text, labels in (
        ("plain", f"{row}\n{row}\n", ["dog", "dog"]),
        ("no-last-line-end", f"{row}\n{row}", ["dog", "dog"]),
        ("crlf", f"{row}\r\n\r\n{row}\r\n", ["dog", "dog"]),
        ("blank-lines", f"\n \n\t\n{row}\n\n\n{row}\n \n", ["dog", "dog"]),
        ("byte-order-mark", f"\ufeff{row}\n", ["dog"]),
        ("lists", "[1,2]\n[4,3]\n", ["1", "0"]),
        ("u2028-in-a-text", '{"id":"a\u2028b\x85","cat":1,"dog":2}\n{"id":"","cat":4,"dog":3}\n', ["dog", "cat"]),
    ):
        yield accepted(f"jsonl-{name}.jsonl", text, labels, *(("--id", "id") if '"id"' in text else ()))
    for name, second, words in (
        ("two-rows-in-a-line", f"{row}{row}", "is not JSON"),
        ("comma-behind", f"{row},", "is not JSON"),
        ("cut-off", '{"cat":1,', "is not JSON"),
        ("text", "oops", "is not JSON"),
        ("deep", "[" * 100_000, ":2:"),
        ("deep-objects", '{"a":' * 100_000, ":2:"),
        ("duplicate-keys", '{"cat":1,"dog":2,"dog":3}', "the same key twice"),
        ("1e400", '{"cat":1e400,"dog":2}', "too large"),
        ("scalar", "3", "is no object"),
        ("list", "[1,2]", "is no object"),
        ("null", "null", "is no object"),
        ("nul", "\0", "is not JSON"),
        ("lone-surrogate", '{"cat":1,"dog":2,"\\ud800":3}', "half a character"),
        ("missing-key", '{"cat":1}', 'there is no "dog"'),
        ("comment", "// half way", "is not JSON"),
        ("concatenated-list", f"[{row}]", "is no object"),
    ):
        yield rejected(f"jsonl-{name}.jsonl", f"{row}\n{second}\n", [":2:", words], slow=len(second) > 20_000)
    yield rejected("jsonl-latin1.jsonl", f'{row}\n{{"é":1}}\n'.encode("latin-1"), [":2:", "is not UTF-8"])
    yield rejected("jsonl-cr-only.jsonl", f"{row}\r{row}\r", "is not JSON")
    yield rejected("jsonl-indented.jsonl", '{\n "cat": 1,\n "dog": 2\n}\n', ":1:")
    yield rejected("jsonl-nothing.jsonl", "", "is empty")
    yield rejected("jsonl-blank.jsonl", "\n\n", "has no rows")
    yield rejected("jsonl-csv.jsonl", TABLE, "is not JSON")
    yield rejected("jsonl-long-line.jsonl", lambda: b'{"cat":1' + b" " * 40_000_000, "more than 32 MiB", slow=True)


# Compressed text


def _compressed() -> Iterator[Case]:
    table = gzip.compress(TABLE.encode(), mtime=0)
    first, second = TABLE.encode()[:13], TABLE.encode()[13:]
    yield accepted("gzip.csv.gz", table)
    yield accepted("gzip-members.csv.gz", gzip.compress(first) + gzip.compress(b"") + gzip.compress(second))
    yield accepted("gzip-padded.csv.gz", table + bytes(512))
    yield accepted("gzip-with-names.csv.gz", _gzip_with_fields(TABLE.encode()))
    yield accepted("gzip-stored.csv.gz", gzip.compress(TABLE.encode(), 0))
    yield accepted("gzip.jsonl.gz", gzip.compress(b'{"cat":1,"dog":2}\n'), ["dog"])
    yield accepted("gzip.json.GZ", gzip.compress(b'[{"cat":1,"dog":2}]'), ["dog"])
    yield accepted("gzip.tsv.gz", gzip.compress(TABLE.replace(",", "\t").encode()))
    yield rejected("gzip-nothing.csv.gz", gzip.compress(b""), "is empty")
    yield rejected("gzip-empty-file.csv.gz", b"", "is empty")
    yield rejected("gzip-twice.csv.gz", gzip.compress(table), ":")
    yield rejected("gzip-of-text.csv.gz", TABLE, "is not compressed as its suffix .gz says")
    yield rejected("gzip-as-zstd.csv.zst", table, "is not compressed as its suffix .zst says")
    yield rejected("gzip-of-npy.npy.gz", gzip.compress(_npy(SCORES)), "unpacks only text")
    yield rejected("gzip-of-a-bomb-line.csv.gz", lambda: gzip.compress(bytes(50_000_000), 1), ":", slow=True)
    yield rejected(
        "gzip-of-an-endless-line.csv.gz", lambda: gzip.compress(b"1" * 60_000_000, 1), "more than 32 MiB", slow=True
    )
    yield rejected("gzip-bad-checksum.csv.gz", table[:-8] + b"\0\0\0\0" + table[-4:], "the gzip data are damaged")
    yield rejected("gzip-bad-length.csv.gz", table[:-4] + b"\xff\xff\xff\xff", "the gzip data are damaged")
    yield rejected("gzip-garbage-behind.csv.gz", table + b"garbage", "the gzip data are damaged")
    yield rejected("gzip-second-member-cut-off.csv.gz", table + table[:15], "cut off")
    yield rejected("gzip-unknown-method.csv.gz", table[:2] + b"\x07" + table[3:], "the gzip data are damaged")
    yield rejected("gzip-reserved-flags.csv.gz", table[:3] + b"\xe0" + table[4:], "the gzip data are damaged")
    for size in (2, 3, 9, 10, 11, 20, len(table) - 9, len(table) - 8, len(table) - 4, len(table) - 1):
        yield rejected(f"gzip-cut-off-at-{size}.csv.gz", table[:size], "cut off")
    packed = _zstd(TABLE.encode())
    yield accepted("zstd.csv.zst", packed)
    yield accepted("zstd-frames.csv.zst", _zstd(first) + _zstd(second))
    yield accepted("zstd.jsonl.ZST", _zstd(b'{"cat":1,"dog":2}\n'), ["dog"])
    yield rejected("zstd-nothing.csv.zst", _zstd(b""), "is empty")
    yield rejected("zstd-as-gzip.csv.gz", packed, "is not compressed as its suffix .gz says")
    yield rejected("zstd-of-text.csv.zst", TABLE, "is not compressed as its suffix .zst says")
    yield rejected("zstd-garbage-behind.csv.zst", packed + b"garbage", "Zstandard data are damaged")
    yield rejected("zstd-of-an-endless-line.csv.zst", lambda: _zstd(b"1" * 60_000_000), "more than 32 MiB", slow=True)
    # A window of 2 GiB, and a content of 2**62 bytes.
    yield rejected("zstd-huge-window.csv.zst", b"\x28\xb5\x2f\xfd\x00\xa8\x01\x00\x00", "Zstandard data are damaged")
    yield rejected("zstd-huge-content.csv.zst", b"\x28\xb5\x2f\xfd\xe0" + b"\xff" * 7 + b"\x3f\x01\x00\x00", ":")
    yield rejected("zstd-dictionary.csv.zst", b"\x28\xb5\x2f\xfd\x23\xff\xff\xff\xff\x04" + packed[6:], ":")
    for size in (4, 5, 6, len(packed) // 2, len(packed) - 1):
        yield rejected(f"zstd-cut-off-at-{size}.csv.zst", packed[:size], "Zstandard data are damaged or cut off")


def _gzip_with_fields(data: bytes) -> bytes:
    """Return a member whose header has extra data, a name, a comment and a checksum."""
    header = b"\x1f\x8b\x08\x1f" + bytes(6) + b"\x04\0abcd" + b"n" * 100_000 + b"\0" + b"comment\0"
    header += struct.pack("<H", zlib.crc32(header) & 0xFFFF)
    return header + gzip.compress(data)[10:]


def _zstd(data: bytes) -> bytes:
    return bytes(pa.Codec("zstd").compress(data, asbytes=True))


# NPY

SCORES = np.array([[1.0, 2.0, 0.0], [4.0, 3.0, 5.0], [-1.0, -2.0, -3.0]])
ANSWER = ("1", "2", "0")
"""The labels of `SCORES`."""


def _npy(array: np.ndarray[Any, Any], **options: Any) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, array, **options)
    return file.getvalue()


def _with_header(
    text: str | bytes, data: bytes = b"", version: tuple[int, int] = (1, 0), length: int | None = None
) -> bytes:
    """Return an NPY file with this text for a header, which says it is so long."""
    header = text.encode() if isinstance(text, str) else text
    size = len(header) if length is None else length
    return b"\x93NUMPY" + bytes(version) + struct.pack("<H" if version == (1, 0) else "<I", size) + header + data


def _header(descr: str = "'<f8'", order: str = "False", shape: str = "(3, 3)") -> str:
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n"


class Canary:
    """Writes a file when it is unpickled."""

    def __reduce__(self) -> Any:
        return open, (CANARY, "w")


def _arrays() -> Iterator[Case]:
    data = SCORES.tobytes()
    whole = _npy(SCORES)
    for dtype in ("<f2", ">f2", "<f4", ">f4", "<f8", ">f8", "<i8", ">i8", "<i4", ">i2", "i1"):
        yield accepted(
            f"npy-{dtype.replace('<', 'little-').replace('>', 'big-')}.npy", _npy(SCORES.astype(dtype)), ANSWER
        )
    for dtype in ("u1", "<u2", ">u4", "<u8"):
        yield accepted(f"npy-{dtype.strip('<>')}.npy", _npy((SCORES + 3).astype(dtype)), ANSWER)
    yield accepted("npy-fortran.npy", _npy(np.asfortranarray(SCORES)), ANSWER)
    yield accepted("npy-fortran-big-f4.npy", _npy(np.asfortranarray(SCORES.astype(">f4"))), ANSWER)
    yield accepted("npy-version-2.npy", _npy(SCORES, version=(2, 0)), ANSWER)
    yield accepted("npy-version-3.npy", _npy(SCORES, version=(2, 0)).replace(b"NUMPY\x02", b"NUMPY\x03"), ANSWER)
    yield accepted("npy-no-padding.npy", _with_header(_header().strip(), data), ANSWER)
    yield accepted(
        "npy-other-key-order.npy",
        _with_header("{'shape': (3, 3), 'fortran_order': False, 'descr': '<f8'}", data),
        ANSWER,
    )
    yield accepted("npy-python-2-long.npy", _with_header(_header(shape="(3L, 3L)"), data), ANSWER)
    yield accepted("npy-one-row.npy", _npy(np.array([1.0, 3.0, 2.0])), ["1"])
    yield accepted("npy-no-rows.npy", _npy(SCORES[:0]), [])
    yield accepted("npy-one-column-binary.npy", _npy(np.array([-1.0, 1.0])), ["negative", "positive"], task="binary")
    yield accepted("npy-masked.npy", _npy(np.array([[-np.inf, -5.0]])), ["1"])
    yield accepted("npy-suffix-in-capitals.NPY", whole, ANSWER)
    yield accepted("npy-unknown-suffix.bin", whole, ANSWER)
    yield accepted("npy-no-suffix", whole, ANSWER)
    for size in (1, 2, 5, 6, 7, 8, 9, 10, 11, 12, 50, 100, 127):
        yield rejected(f"npy-cut-off-at-{size}.npy", whole[:size], ":")
    for size in (128, 129, 135, 136, 152, len(whole) - 8, len(whole) - 1):
        yield rejected(f"npy-cut-off-at-{size}.npy", whole[:size], "shorter than its header says")
    yield rejected("npy-a-byte-more.npy", whole + b"\0", "longer than its header says")
    yield rejected("npy-twice.npy", whole + whole, "longer than its header says")
    yield rejected("npy-nothing.npy", b"", "is empty")
    yield rejected("npy-half-the-dtype.npy", _with_header(_header("'<f4'"), data), "longer than its header says")
    yield rejected("npy-twice-the-dtype.npy", _with_header(_header(), SCORES.astype("<f4").tobytes()), "shorter than")
    yield from _shapes(data)
    yield from _dtypes(data)
    yield from _headers(data)


def _shapes(data: bytes) -> Iterator[Case]:
    shapes = {
        "a-trillion-rows": ("(1000000000000, 3)", "shorter than its header says"),
        "2-to-the-62": (f"({2**62}, 3)", ":"),
        "2-to-the-63": (f"({2**63}, 3)", ":"),
        "2-to-the-64": (f"({2**64}, 1)", ":"),
        "product-that-overflows": (f"({2**61 + 3}, 3)", ":"),
        "no-rows-of-a-billion": ("(0, 1000000000)", "1,000,000,000 classes"),
        "a-billion-classes": ("(3, 1000000000)", "1,000,000,000 classes"),
        "negative": ("(-3, -3)", "impossible shape"),
        "negative-row": ("(-1, 3)", "impossible shape"),
        "one-row-less": ("(2, 3)", "longer than its header says"),
        "one-row-more": ("(4, 3)", "shorter than its header says"),
        "no-dimension": ("()", "0 dimensions"),
        "three-dimensions": ("(3, 3, 1)", "3 dimensions"),
        "many-dimensions": ("(" + "1, " * 100 + ")", "100 dimensions"),
        "no-classes": ("(3, 0)", "no classes"),
        "floats": ("(3.0, 3.0)", "cannot be read"),
        "texts": ("('3', '3')", "cannot be read"),
        "booleans": ("(True, True)", "impossible shape"),
        "list": ("[3, 3]", "cannot be read"),
        "number": ("9", ":"),
        "none": ("None", "cannot be read"),
        "nested": ("((3, 3),)", "cannot be read"),
        "product": ("(3 * 1, 3)", "cannot be read"),
        "5000-digits": (f"({'9' * 5000}, 3)", ":"),
        "one-dimension-of-a-trillion": ("(1000000000000,)", ":"),
    }
    for name, (shape, words) in shapes.items():
        yield rejected(f"npy-shape-{name}.npy", _with_header(_header(shape=shape), data), words)


def _dtypes(data: bytes) -> Iterator[Case]:
    arrays = {
        "booleans": np.zeros((2, 2), dtype=bool),
        "complex": np.zeros((2, 2), dtype=np.complex128),
        "long-doubles": np.zeros((2, 2), dtype=np.longdouble),
        "bytes": np.array([[b"1", b"2"]]),
        "text": np.array([["1", "2"]]),
        "dates": np.zeros((2, 2), dtype="M8[s]"),
        "time-spans": np.zeros((2, 2), dtype="m8[s]"),
        "raw": np.zeros((2, 2), dtype="V8"),
        "records": np.zeros(2, dtype=[("cat", "f8"), ("dog", "f8")]),
        "nested-records": np.zeros((2, 2), dtype=[("cat", [("a", "f8"), ("b", "O")])]),
        "subarrays": np.zeros(2, dtype=[("cat", "f8", (3,))]),
    }
    for name, array in arrays.items():
        yield rejected(f"npy-of-{name}.npy", _npy(array, allow_pickle=True), ["holds", "not scores"])
    objects = np.array([[Canary(), Canary()]], dtype=object)
    yield rejected("npy-of-objects.npy", lambda: _npy(objects, allow_pickle=True), "pickles are never loaded")
    described = {
        "unknown": "'foo'",
        "empty": "''",
        "none": "None",
        "number": "8",
        "odd-size": "'<f3'",
        "huge-text": "'<U1000000000'",
        "huge-raw": "'|V9999999999'",
        "object": "'|O'",
        "object-8": "'O8'",
        "fields": "[('a', '<f8'), ('a', '<f8')]",
        "endless-fields": "[" * 50 + "('a', '<f8')" + "]" * 50,
        "bad-fields": "[('a',)]",
        "dictionary": "{'names': ['a'], 'formats': ['<f8']}",
        "comma-list": "'<f8,<f8'",
        "call": "__import__('os').system('touch " + CANARY + "')",
        "lambda": "(lambda: 1)()",
    }
    for name, descr in described.items():
        yield rejected(f"npy-dtype-{name}.npy", _with_header(_header(descr), data), ":")
    for protocol in range(6):
        for suffix in ("npy", "csv", "bin", "pkl"):
            yield rejected(f"pickle-{protocol}.{suffix}", pickle.dumps(Canary(), protocol), ":")


def _headers(data: bytes) -> Iterator[Case]:
    headers: dict[str, str | bytes] = {
        "empty": "",
        "blank": " " * 60 + "\n",
        "nul": bytes(60),
        "no-keys": "{}",
        "no-shape": "{'descr': '<f8', 'fortran_order': False}",
        "no-dtype": "{'fortran_order': False, 'shape': (3, 3)}",
        "extra-key": "{'descr': '<f8', 'fortran_order': False, 'shape': (3, 3), 'x': 1}",
        "keys-that-are-no-text": "{1: '<f8', 2: False, 3: (3, 3)}",
        "list": "['<f8', False, (3, 3)]",
        "number": "42",
        "text": "'descr'",
        "code": f"__import__('os').system('touch {CANARY}')",
        "call": f"dict(descr='<f8', fortran_order=open('{CANARY}', 'w'), shape=(3, 3))",
        "not-closed": "{'descr': '<f8'",
        "nested-brackets": "(" * 5000,
        "nested-lists": "[" * 4000 + "]" * 4000,
        "nested-signs": "-" * 9000 + "1",
        "nested-tuples": "{'shape': " + "(" * 900 + ")" * 900 + "}",
        "long-number": "9" * 9000,
        "long-sum": "+".join(["1"] * 4000),
        "formatted": "f'{1/0}'",
        "bytes": "{b'descr': '<f8', b'fortran_order': False, b'shape': (3, 3)}",
        "surrogate": "{'descr': '\\ud800', 'fortran_order': False, 'shape': (3, 3)}",
        "latin-1": b"{'descr': '\xe9', 'fortran_order': False, 'shape': (3, 3)}",
        "line-ends": "{'descr': '<f8',\n'fortran_order': x,\n'shape': (3, 3)}",
    }
    for name, text in headers.items():
        for version in ((1, 0), (3, 0)):
            yield rejected(f"npy-header-{name}-version-{version[0]}.npy", _with_header(text, data, version), ":")
    for order in ("1", "None", "'False'", "'C'", "[]", "x"):
        name = "".join(filter(str.isalnum, order)) or "list"
        yield rejected(f"npy-order-{name}.npy", _with_header(_header(order=order), data), "cannot be read")
    for version in ((0, 0), (0, 1), (1, 1), (2, 1), (4, 0), (255, 255)):
        name = ".".join(map(str, version))
        content = b"\x93NUMPY" + bytes(version) + _npy(SCORES)[8:]
        yield rejected(f"npy-version-{name}.npy", content, f"not of format 1.0 to 3.0, but of {name}")
    lengths = (0, 1, 10, 59, 61, 5000, 9999, 10_001, 65_535)
    for length in lengths:
        yield rejected(f"npy-header-length-{length}.npy", _with_header(_header().ljust(60), data, length=length), ":")
    for length in (0, 10_001, 2**31, 2**32 - 1):
        yield rejected(
            f"npy-header-length-{length}-version-2.npy", _with_header(_header(), data, (2, 0), length=length), ":"
        )


# NPZ


def _npz(members: Sequence[tuple[str | zipfile.ZipInfo, bytes]], compression: int = zipfile.ZIP_STORED) -> bytes:
    """Return an archive of these members."""
    file = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w", compression) as archive:
        warnings.simplefilter("ignore")  # of duplicate names
        for name, data in members:
            archive.writestr(name, data)
    return file.getvalue()


def _archives() -> Iterator[Case]:
    array = _npy(SCORES)
    other = _npy(np.array(["a", "b", "c"]))
    one = _npz([("logits.npy", array)])
    packed = _npz([("logits.npy", array)], zipfile.ZIP_DEFLATED)
    yield accepted("npz-stored.npz", one, ANSWER)
    yield accepted("npz-deflated.npz", packed, ANSWER)
    yield accepted("npz-unknown-suffix.bin", one, ANSWER)
    yield accepted("npz-only-array.npz", _npz([("whatever.npy", array)]), ANSWER)
    yield accepted("npz-nameless.npz", _npz([(".npy", array)]), ANSWER)
    yield accepted("npz-logits-of-two.npz", _npz([("ids.npy", other), ("logits.npy", array)]), ANSWER)
    yield accepted("npz-by-key.npz", _npz([("a.npy", other), ("b.npy", array)]), ANSWER, "--key", "b")
    yield accepted("npz-fortran.npz", _npz([("x.npy", _npy(np.asfortranarray(SCORES)))], zipfile.ZIP_DEFLATED), ANSWER)
    yield accepted("npz-float16.npz", _npz([("x.npy", _npy(SCORES.astype("<f2")))]), ANSWER)
    yield accepted("npz-no-rows.npz", _npz([("x.npy", _npy(SCORES[:0]))]), [])
    yield accepted("npz-with-a-comment.npz", one[:-2] + b"\x07\0comment", ANSWER)
    yield accepted("npz-behind-a-script.npz", b"PK\x03\x04" + bytes(60) + one, ANSWER)
    yield accepted("npz-and-a-text.npz", _npz([("readme.txt", b"hello"), ("x.npy", array)]), ANSWER)
    yield accepted("npz-and-a-folder.npz", _npz([("folder/", b""), ("folder/x.npy", array)]), ANSWER)
    for name, member in (
        ("parent", "../../escaped.npy"),
        ("absolute", "/escaped.npy"),
        ("drive", "C:\\escaped.npy"),
        ("escape", "\x1b[31mred.npy"),
        ("other-script", "猫.npy"),
    ):
        # Nothing is ever unpacked to a file of that name.
        yield accepted(f"npz-path-{name}.npz", _npz([(member, array)]), ANSWER)
    link = zipfile.ZipInfo("link.npy")
    link.external_attr = 0o120777 << 16
    yield rejected("npz-symbolic-link.npz", _npz([(link, b"/etc/passwd")]), "is not NPY")
    yield rejected("npz-two-arrays.npz", _npz([("a.npy", array), ("b.npy", array)]), "--key NAME")
    yield rejected("npz-unknown-key.npz", one, "'fish'", "--key", "fish", code=2)
    yield rejected("npz-key-that-is-no-array.npz", _npz([("x.npy", other)]), "holds text", "--key", "x")
    yield rejected("npz-duplicates.npz", _npz([("x.npy", array), ("x.npy", array)]), 'two arrays called "x"')
    yield rejected(
        "npz-duplicates-aside.npz", _npz([("x.npy", other), ("x.npy", other), ("logits.npy", array)]), "two arrays"
    )
    yield rejected("npz-empty.npz", b"PK\x05\x06" + bytes(18), ":")
    yield rejected("npz-no-arrays.npz", _npz([("readme.txt", b"hello")]), "holds no arrays")
    yield rejected(
        "npz-of-torch.npz",
        _npz([("archive/data.pkl", pickle.dumps(1)), ("archive/version", b"3")]),
        "looks like a PyTorch file",
    )
    yield rejected(
        "npz-of-excel.npz", _npz([("[Content_Types].xml", b"<x/>"), ("xl/workbook.xml", b"<x/>")]), "holds no arrays"
    )
    yield rejected("npz-of-csv.npz", _npz([("scores.csv", TABLE.encode())]), "holds no arrays")
    yield rejected("npz-of-npz.npz", _npz([("x.npz", one)]), "holds no arrays")
    yield rejected("npz-text-called-npy.npz", _npz([("x.npy", TABLE.encode())]), "is not NPY")
    yield rejected("npz-empty-member.npz", _npz([("x.npy", b"")]), ":")
    yield rejected("npz-pickle-called-npy.npz", lambda: _npz([("x.npy", pickle.dumps(Canary()))]), ":")
    objects = np.array([[Canary(), Canary()]], dtype=object)
    yield rejected(
        "npz-of-objects.npz", lambda: _npz([("x.npy", _npy(objects, allow_pickle=True))]), "pickles are never loaded"
    )
    records = np.zeros(2, dtype=[("cat", "f8"), ("dog", "f8")])
    yield rejected("npz-of-records.npz", _npz([("x.npy", _npy(records))]), "holds records")
    yield rejected("npz-a-byte-less.npz", _npz([("x.npy", array[:-1])]), ":")
    yield rejected("npz-a-byte-more.npz", _npz([("x.npy", array + b"\0")]), ":")
    yield rejected(
        "npz-a-trillion-rows.npz", _npz([("x.npy", _with_header(_header(shape=f"({10**12}, 3)"), bytes(72)))]), ":"
    )
    yield rejected("npz-bzip2.npz", _npz([("x.npy", array)], zipfile.ZIP_BZIP2), "compressed in a way")
    yield rejected("npz-lzma.npz", _npz([("x.npy", array)], zipfile.ZIP_LZMA), "compressed in a way")
    yield from _damaged_archives(one, packed)


def _safetensors(header: Any, data: bytes = b"", length: int | None = None) -> bytes:
    """Return a file with this header: a text, or what is written as JSON."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + data


def _tensor(dtype: Any = "F64", shape: Any = (3, 3), offsets: Any = (0, 72)) -> dict[str, Any]:
    """Return what a header says of a tensor."""
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


def _tensors() -> Iterator[Case]:
    data = SCORES.tobytes()
    one = _safetensors({"logits": _tensor()}, data)
    other = {"dtype": "F8_E4M3", "shape": [4], "data_offsets": [72, 76]}
    yield accepted("tensor.safetensors", one, ANSWER)
    yield accepted("tensor-of-unknown-suffix.bin", one, ANSWER)
    yield accepted("tensor-only.safetensors", _safetensors({"x": _tensor()}, data), ANSWER)
    yield accepted("tensor-nameless.safetensors", _safetensors({"": _tensor()}, data), ANSWER)
    yield accepted(
        "tensor-padded.safetensors", _safetensors(json.dumps({"x": _tensor()}).encode() + b"   ", data), ANSWER
    )
    noted = {"__metadata__": {"format": "pt"}, "x": _tensor()}
    yield accepted("tensor-with-metadata.safetensors", _safetensors(noted, data), ANSWER)
    two = _safetensors({"logits": _tensor(), "a": other}, data + bytes(4))
    yield accepted("tensor-logits-of-two.safetensors", two, ANSWER)
    yield accepted(
        "tensor-by-key.safetensors", _safetensors({"b": _tensor(), "a": other}, data + bytes(4)), ANSWER, "--key", "b"
    )
    empty = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    yield accepted(
        "tensor-beside-an-empty-one.safetensors", _safetensors({"e": empty, "logits": _tensor()}, data), ANSWER
    )
    behind = {"a": _tensor("U8", [5], [0, 5]), "logits": _tensor(offsets=[5, 77])}
    yield accepted("tensor-unaligned.safetensors", _safetensors(behind, bytes(5) + data), ANSWER)
    for dtype, kind in (("F32", "<f4"), ("F16", "<f2"), ("I64", "<i8"), ("I32", "<i4"), ("I16", "<i2"), ("I8", "i1")):
        array = SCORES.astype(kind)
        header = {"x": _tensor(dtype, [3, 3], [0, array.nbytes])}
        yield accepted(f"tensor-{dtype}.safetensors", _safetensors(header, array.tobytes()), ANSWER)
    upper = np.ascontiguousarray(SCORES.astype("<f4").view("<u2").reshape(3, 3, 2)[:, :, 1])
    yield accepted(
        "tensor-BF16.safetensors", _safetensors({"x": _tensor("BF16", [3, 3], [0, 18])}, upper.tobytes()), ANSWER
    )
    yield accepted("tensor-no-rows.safetensors", _safetensors({"x": _tensor("F64", [0, 3], [0, 0])}), [])
    yield accepted(
        "tensor-one-row.safetensors", _safetensors({"x": _tensor("F64", [3], [0, 24])}, data[:24]), ANSWER[:1]
    )
    for dtype, size in (("BOOL", 9), ("F8_E5M2", 9), ("C64", 72)):
        header = {"x": _tensor(dtype, [3, 3], [0, size])}
        yield rejected(f"tensor-{dtype}.safetensors", _safetensors(header, bytes(size)), [dtype, "holds no scores"])
    yield rejected(
        "tensor-F4.safetensors", _safetensors({"x": _tensor("F4", [2, 2], [0, 2])}, bytes(2)), "holds no scores"
    )
    bad: dict[str, Any] = {
        "dtype": _tensor("F128"),
        "dtype-number": _tensor(7),
        "dtype-null": _tensor(None),
        "shape-text": _tensor(shape="3,3"),
        "shape-negative": _tensor(shape=[-3, -3]),
        "shape-float": _tensor(shape=[3.0, 3]),
        "shape-bool": _tensor(shape=[True, 9]),
        "shape-huge": _tensor(shape=[2**62, 2**62]),
        "shape-beyond": _tensor(shape=[10**30, 3]),
        "shape-other": _tensor(shape=[3, 4]),
        "offsets-one": _tensor(offsets=[72]),
        "offsets-reversed": _tensor(offsets=[72, 0]),
        "offsets-negative": _tensor(offsets=[-72, 0]),
        "offsets-beyond": _tensor(offsets=[72, 144]),
        "offsets-gap": _tensor(offsets=[8, 80]),
        "offsets-text": _tensor(offsets=["0", "72"]),
        "missing": {},
        "list": [],
        "null": None,
    }
    for name, tensor in bad.items():
        yield rejected(f"tensor-{name}.safetensors", _safetensors({"x": tensor}, data), 'tensor "x"')
    overlapping = {"a": _tensor(), "b": _tensor(offsets=[36, 108])}
    yield rejected("tensor-overlap.safetensors", _safetensors(overlapping, bytes(108)), "overlaps", "--key", "a")
    yield rejected("tensor-same-place.safetensors", _safetensors({"a": _tensor(), "b": _tensor()}, data), "overlaps")
    twice = b'{"x":' + json.dumps(_tensor()).encode() + b',"x":' + json.dumps(_tensor()).encode() + b"}"
    yield rejected("tensor-twice.safetensors", _safetensors(twice, data), "is there twice")
    yield rejected("tensor-a-byte-less.safetensors", one[:-1], "bytes long")
    yield rejected("tensor-a-byte-more.safetensors", one + b"\0", "bytes long")
    yield rejected("tensor-unknown-key.safetensors", one, "'fish'", "--key", "fish", code=2)
    yield rejected("tensor-none.safetensors", _safetensors({}), "holds no tensors")
    yield rejected("tensor-metadata-only.safetensors", _safetensors({"__metadata__": {}}), "holds no tensors")
    yield rejected("tensor-header-list.safetensors", _safetensors([1]), ":")
    yield rejected("tensor-header-text.safetensors", _safetensors(b"{x}"), "is no JSON")
    yield rejected("tensor-header-bytes.safetensors", _safetensors(b'{"\xff":1}'), "is no JSON")
    yield rejected("tensor-header-deep.safetensors", _safetensors(b'{"x":' + b"[" * 100_000), "is no JSON")
    yield rejected("tensor-header-digits.safetensors", _safetensors(b'{"x":' + b"1" * 5000 + b"}"), "is no JSON")
    yield rejected("tensor-header-beyond.safetensors", _safetensors(b"{}", length=10**6), "header is 1,000,000 bytes")
    yield rejected("tensor-header-huge.safetensors", _safetensors(b"{}", length=2**39), "bytes long")
    yield rejected("tensor-header-most.safetensors", b"\xff" * 8 + b"{}", ":")
    yield rejected("tensor-short.safetensors", b"\0" * 7, ":")
    yield rejected("tensor-cube.safetensors", _safetensors({"x": _tensor(shape=[1, 3, 3])}, data), "3 dimensions")
    yield rejected(
        "tensor-scalar.safetensors", _safetensors({"x": _tensor(shape=[], offsets=[0, 8])}, data[:8]), "dimensions"
    )
    yield rejected(
        "tensor-no-classes.safetensors", _safetensors({"x": _tensor(shape=[3, 0], offsets=[0, 0])}), "no classes"
    )
    yield rejected("tensor-called-npy.npy", one, "looks like SAFETENSORS")
    yield rejected("tensor-of-csv.safetensors", TABLE, "is not SAFETENSORS")
    yield rejected(
        "tensor-escape.safetensors", _safetensors({"\x1b[31m": _tensor(), "b": other}, data + bytes(4)), "--key NAME"
    )


def _damaged_archives(one: bytes, packed: bytes) -> Iterator[Case]:
    directory = one.index(b"PK\x01\x02")
    for size in (
        4,
        10,
        29,
        30,
        39,
        40,
        100,
        168,
        directory,
        directory + 10,
        directory + 45,
        len(one) - 22,
        len(one) - 10,
        len(one) - 1,
    ):
        yield rejected(f"npz-cut-off-at-{size}.npz", one[:size], ":")
    fields = {
        # Offsets into an entry of the directory, the format of what stands there, and a lie.
        "encrypted": (8, "<H", 1, "is encrypted"),
        "strongly-encrypted": (8, "<H", 65, "is encrypted"),
        "patched": (8, "<H", 32, ":"),
        "method-99": (10, "<H", 99, "compressed in a way"),
        "deflated-though-stored": (10, "<H", 8, ":"),
        "checksum": (16, "<I", 0xDEADBEEF, ":"),
        "small-packed": (20, "<I", 10, ":"),
        "huge-packed": (20, "<I", 2**31, ":"),
        "zip64-packed": (20, "<I", 2**32 - 1, ":"),
        "small-size": (24, "<I", 10, ":"),
        "a-byte-more-size": (24, "<I", 201, ":"),
        "huge-size": (24, "<I", 2**31, ":"),
        "zip64-size": (24, "<I", 2**32 - 1, ":"),
        "long-name": (28, "<H", 60_000, ""),
        "long-extra": (30, "<H", 60_000, ""),
        "long-comment": (32, "<H", 60_000, ""),
        "other-disk": (34, "<H", 7, ""),
        "offset-behind": (42, "<I", 50, ":"),
        "offset-past-the-end": (42, "<I", 2**31, ":"),
        "zip64-offset": (42, "<I", 2**32 - 1, ":"),
        "name": (46, "<6s", b"logitz", ":"),
    }
    for name, (offset, format, value, words) in fields.items():
        data = bytearray(one)
        struct.pack_into(format, data, directory + offset, value)
        # What says nothing of the array itself does no harm: its checksum is right.
        if words:
            yield rejected(f"npz-directory-{name}.npz", bytes(data), words)
        else:
            yield accepted(f"npz-directory-{name}.npz", bytes(data), ANSWER)
    ends = {
        "no-entries": (8, "<HH", (0, 0)),
        "entries": (8, "<HH", (60_000, 60_000)),
        "zip64-entries": (8, "<HH", (65_535, 65_535)),
        "directory-size": (12, "<I", (2**31,)),
        "zip64-directory-size": (12, "<I", (2**32 - 1,)),
        "directory-offset": (16, "<I", (2**31,)),
        "zip64-directory-offset": (16, "<I", (2**32 - 1,)),
        "comment-length": (20, "<H", (60_000,)),
    }
    for name, (offset, format, values) in ends.items():
        data = bytearray(one)
        struct.pack_into(format, data, len(one) - 22 + offset, *values)
        if name in ("entries", "no-entries", "zip64-entries", "comment-length"):
            # Neither is needed to find the entries.
            yield accepted(f"npz-end-{name}.npz", bytes(data), ANSWER)
        else:
            yield rejected(f"npz-end-{name}.npz", bytes(data), ":")
    for name, old, new in (
        ("local-name", b"logits.npy", b"logitz.npy"),
        ("local-magic", b"PK\x03\x04", b"PK\x03\x05"),
        ("data", SCORES.tobytes()[:8], bytes(8)),
        ("array-magic", b"\x93NUMPY", b"\x93NUMPZ"),
    ):
        yield rejected(f"npz-damaged-{name}.npz", one.replace(old, new, 1), ":")
    stream = bytearray(packed)
    stream[60:70] = bytes(10)
    yield rejected("npz-damaged-deflate.npz", bytes(stream), "cannot be unpacked")
    yield rejected(
        "npz-bomb.npz",
        lambda: _npz([("x.npy", _with_header(_header(shape=f"({10**9}, 3)"), bytes(10**8)))], zipfile.ZIP_DEFLATED),
        ":",
        slow=True,
    )
    yield rejected(
        "npz-many-members.npz",
        lambda: _npz([(f"{number}.npy", b"") for number in range(50_000)]),
        "--key NAME",
        slow=True,
    )
    yield rejected("npz-overlapping.npz", lambda: _overlapping(one, 100), ":")


def _overlapping(one: bytes, times: int) -> bytes:
    """Return an archive whose directory names the same member many times under different names."""
    directory = one.index(b"PK\x01\x02")
    entry = one[directory:-22]
    entries = b"".join(entry.replace(b"logits.npy", b"%06d.npy" % number) for number in range(times))
    return (
        one[:directory] + entries + struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, times, times, len(entries), directory, 0)
    )


# Parquet and Arrow

COLUMNS = pa.table({"id": ["a", "b", "c"], "0": SCORES[:, 0], "1": SCORES[:, 1], "2": SCORES[:, 2]})


def _parquet(table: Any = COLUMNS, **options: Any) -> bytes:
    file = io.BytesIO()
    pa.parquet.write_table(table, file, **options)
    return file.getvalue()


def _arrow(table: Any = COLUMNS, *, stream: bool = False, **options: Any) -> bytes:
    file = io.BytesIO()
    opener = pa.ipc.new_stream if stream else pa.ipc.new_file
    with opener(file, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table, max_chunksize=2)
    return file.getvalue()


def _columnar() -> Iterator[Case]:
    for codec in ("none", "snappy", "gzip", "zstd", "lz4", "brotli"):
        yield accepted(f"parquet-{codec}.parquet", _parquet(compression=codec), ANSWER)
    yield accepted("parquet-row-groups.pq", _parquet(row_group_size=1), ANSWER)
    yield accepted("parquet-version-1.parquet", _parquet(version="1.0", data_page_version="1.0"), ANSWER)
    yield accepted("parquet-version-2-pages.parquet", _parquet(data_page_version="2.0"), ANSWER)
    yield accepted("parquet-unknown-suffix.bin", _parquet, ANSWER)
    yield accepted("parquet-no-rows.parquet", _parquet(COLUMNS.slice(0, 0)), [])
    for compression in (None, "zstd", "lz4"):
        yield accepted(f"arrow-{compression}.arrow", _arrow(compression=compression), ANSWER)
        yield accepted(f"arrow-stream-{compression}.arrows", _arrow(stream=True, compression=compression), ANSWER)
    yield accepted("arrow-feather.feather", _arrow, ANSWER)
    yield accepted("arrow-unknown-suffix.bin", _arrow, ANSWER)
    yield accepted("arrow-no-rows.arrow", _arrow(COLUMNS.slice(0, 0)), [])
    yield accepted("arrow-stream-without-its-end.arrow", _arrow(stream=True)[:-8], ANSWER)
    yield rejected("arrow-stream-twice.arrow", _arrow(stream=True) * 2, "goes on after the end of its stream")
    yield rejected("arrow-file-that-ends-early.arrow", _ending_early(_arrow()), "cannot be read as Arrow")
    yield rejected("parquet-encrypted.parquet", b"PARE" + _parquet()[4:-4] + b"PARE", ":")
    yield rejected("arrow-feather-1.feather", b"FEA1" + bytes(40) + b"FEA1", ":")
    yield rejected("arrow-before-0.15.arrow", _arrow(stream=True, use_legacy_format=True), ":")
    for name, whole in (("parquet", _parquet()), ("arrow", _arrow()), ("arrow-stream", _arrow(stream=True))):
        suffix = name.removesuffix("-stream")
        for kept in (0.02, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8):
            yield rejected(
                f"{name}-cut-off-at-{kept:.0%}.{suffix}",
                whole[: int(len(whole) * kept)],
                ":",
            )
        for cut in (1, 4, 8, 12):
            if name != "arrow-stream":
                yield rejected(f"{name}-without-the-last-{cut}.{suffix}", whole[:-cut], ":")
        yield rejected(f"{name}-magic-only.{suffix}", whole[:8], ":")
        yield rejected(f"{name}-with-zeros.{suffix}", whole[:8] + bytes(len(whole) - 8), ":")
    yield rejected("parquet-garbage-behind.parquet", _parquet() + b"garbage", ":")
    for length in (0, 1, 5000, 2**31 - 1, 2**31, 2**32 - 1):
        yield rejected(
            f"parquet-footer-of-{length}.parquet",
            _parquet()[:-8] + struct.pack("<I", length) + b"PAR1",
            ":",
        )
        yield rejected(
            f"arrow-footer-of-{length}.arrow",
            _arrow()[:-10] + struct.pack("<I", length) + b"ARROW1",
            ":",
        )
    for length in (2**20, 2**31 - 1, 2**32 - 2):
        yield rejected(
            f"arrow-schema-of-{length}.arrow",
            b"\xff\xff\xff\xff" + struct.pack("<I", length) + _arrow(stream=True)[8:],
            ":",
        )
    yield from _columns()


def _ending_early(whole: bytes) -> bytes:
    """Return a file of two record batches in which the second one's message says that it is the end."""
    schema = whole.index(b"\xff\xff\xff\xff")
    first = whole.index(b"\xff\xff\xff\xff", schema + 8)
    second = whole.index(b"\xff\xff\xff\xff", first + 8)
    return whole[: second + 4] + bytes(4) + whole[second + 8 :]


def _columns() -> Iterator[Case]:
    scores = {"cat": [1.0, 4.0], "dog": [2.0, 3.0]}
    good = {
        "lists": ({"logits": [[1.0, 2.0], [4.0, 3.0]]}, ["1", "0"]),
        "integers": ({"cat": [1, 4], "dog": [2, 3]}, ["dog", "cat"]),
        "decimals": (
            {name: pa.array(values).cast(pa.decimal128(10, 2)) for name, values in scores.items()},
            ["dog", "cat"],
        ),
        "halves": ({name: np.array(values, dtype=np.float16) for name, values in scores.items()}, ["dog", "cat"]),
        "dictionary-ids": ({"id": pa.array(["a", "a"]).dictionary_encode(), **scores}, ["dog", "cat"]),
        "null-ids": ({"id": pa.nulls(2), **scores}, ["dog", "cat"]),
        "struct-ids": ({"id": [{"a": 1}, None], **scores}, ["dog", "cat"]),
        "odd-dates": ({"id": pa.array([2**62, -(2**62)], pa.timestamp("ms")), **scores}, ["dog", "cat"]),
        "binary-ids": ({"id": pa.array([b"\xff\0", None]), **scores}, ["dog", "cat"]),
    }
    for name, (columns, labels) in good.items():
        yield accepted(f"parquet-{name}.parquet", _parquet(pa.table(columns)), labels)
        yield accepted(f"arrow-{name}.arrow", _arrow(pa.table(columns)), labels)
    bad: dict[str, Any] = {
        "nan": ({"cat": [1.0, np.nan], "dog": [2.0, 3.0]}, ["row 2", '"cat"', "NaN is not a logit"]),
        "null": ({"cat": [1.0, None], "dog": [2.0, 3.0]}, ["row 2", '"cat"', "is null"]),
        "texts": ({"cat": ["1", "4"], "dog": [2.0, 3.0]}, "a single class"),
        "text-behind": ({**scores, "note": ["x", "y"]}, "--id note"),
        "booleans": ({"cat": [True, False], "dog": [False, True]}, "no column of numbers"),
        "ragged-lists": ({"logits": [[1.0, 2.0], [4.0]]}, ["row 2", "1 numbers, but the first row has 2"]),
        "null-lists": ({"logits": [[1.0, 2.0], None]}, ["row 2", "is null"]),
        "null-in-a-list": ({"logits": [[1.0, 2.0], [1.0, None]]}, ["row 2", "is null"]),
        "empty-lists": ({"logits": pa.array([[], []], pa.list_(pa.float64()))}, "holds no numbers"),
        "nested-lists": ({"logits": [[[1.0, 2.0]], [[4.0, 3.0]]]}, "no column of numbers"),
        "only-nulls": ({"cat": pa.nulls(2), "dog": pa.nulls(2)}, "no column of numbers"),
        "truth": ({**scores, "label": [1, 0]}, "does not look like a class"),
        "no-columns": ({}, "no column of numbers"),
        "empty-name": ({"cat": [1.0, 2.0], "": [1.0, 2.0]}, "an empty name"),
    }
    for name, (columns, words) in bad.items():
        yield rejected(f"parquet-{name}.parquet", _parquet(pa.table(columns)), words)
        yield rejected(f"arrow-{name}.arrow", _arrow(pa.table(columns)), words)
    double = pa.Table.from_arrays([pa.array([1.0]), pa.array([2.0])], names=["cat", "cat"])
    yield rejected("parquet-duplicate-names.parquet", _parquet(double), "the same name")
    yield rejected("arrow-duplicate-names.arrow", _arrow(double), "the same name")
    wide = pa.table({"logits": pa.array([], pa.list_(pa.float32(), 2**31 - 1))})
    yield rejected("arrow-lists-of-2-to-the-31.arrow", _arrow(wide), "2,147,483,647 classes")
    # Offsets, indices and texts that Arrow would follow out of its memory.
    yield rejected("arrow-wild-offsets.arrow", _patched(_offsets(0, 1, 3), _offsets(0, 2**30, 3)), ":")
    yield rejected("arrow-offsets-that-fall.arrow", _patched(_offsets(0, 1, 3), _offsets(0, 3, 1)), ":")
    yield rejected("arrow-negative-offsets.arrow", _patched(_offsets(0, 1, 3), _offsets(-9, 1, 3)), ":")
    yield rejected("arrow-ids-that-are-no-text.arrow", _patched(b"abb", b"a\xff\xfe"), ":")
    yield rejected("arrow-names-that-are-no-text.arrow", _patched(b"cat", b"c\xfft"), ":")
    yield accepted("arrow-odd-buffers.arrow", _patched(struct.pack("<q", 12), struct.pack("<q", 13)), ["dog", "cat"])
    fixed = _arrow(pa.table({"logits": pa.array([[1.0] * 37], pa.list_(pa.float64(), 37))}), stream=True)
    yield rejected(
        "arrow-lists-of-less-than-none.arrow", fixed.replace(_offsets(37), _offsets(-37)), "holds no numbers"
    )
    listed = pa.table({"logits": [[1.0, 2.0], [4.0, 3.0]]})
    yield rejected(
        "arrow-wild-lists.arrow",
        _arrow(listed, stream=True).replace(_offsets(0, 2, 4), _offsets(0, 2, 2**28)),
        ":",
    )
    words = pa.table({"id": pa.array(["a", "b"]).dictionary_encode(), "cat": [1.0, 4.0], "dog": [2.0, 3.0]})
    yield rejected(
        "arrow-wild-indices.arrow",
        _arrow(words, stream=True).replace(
            _offsets(0, 1) + struct.pack("<d", 1), _offsets(0, 2**30) + struct.pack("<d", 1)
        ),
        ":",
    )


def _offsets(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}i", *values)


def _patched(old: bytes, new: bytes) -> bytes:
    """Return a stream of two rows with ids "a" and "bb" in which some bytes are others."""
    whole = _arrow(pa.table({"id": ["a", "bb"], "cat": [1.0, 4.0], "dog": [2.0, 3.0]}), stream=True)
    assert old in whole
    return whole.replace(old, new)


# Wrong suffixes

_MAY_BE = {
    # What is written in the one, read as the other.
    ("tsv", "csv"),
    ("json", "jsonl"),
    ("jsonl", "json"),
}


def _wrong_suffixes() -> Iterator[Case]:
    contents = {name: valid(name)[0] for name in READ}
    for name, data in contents.items():
        for suffix in READ:
            if suffix != name:
                yield rejected(f"{name}-called.{suffix}", data, ":")
    for name, data in contents.items():
        for suffix in ("gz", "zst"):
            yield rejected(
                f"{name}-not-compressed.{name}.{suffix}", data, f"is not compressed as its suffix .{suffix} says"
            )
    for name in READ:
        yield rejected(f"gzip-called.{name}", gzip.compress(contents["csv"]), "gzip")
        yield rejected(f"zstd-called.{name}", _zstd(contents["csv"]), "Zstandard")


_GROUPS = (
    _line_ends,
    _encodings,
    _nul_bytes,
    _quotes,
    _numbers,
    _tables,
    _other_texts,
    _long,
    _json,
    _jsonl,
    _compressed,
    _arrays,
    _archives,
    _tensors,
    _columnar,
    _wrong_suffixes,
)

CASES: dict[str, Case] = {}
"""All of them, by the name of the file."""

for _group in _GROUPS:
    for _case in _group():
        assert _case.name not in CASES, _case.name
        CASES[_case.name] = _case


def write(folder: str) -> None:
    """Write every file of the corpus to `folder`, and what must happen to each to manifest.json beside it."""
    os.makedirs(os.path.join(folder, "files"), exist_ok=True)
    manifest = []
    for case in CASES.values():
        with open(os.path.join(folder, "files", case.name), "wb") as file:
            file.write(case.make())
        manifest.append(
            {
                "file": case.name,
                "command": ["actcli", case.task, case.name, *case.options],
                "code": case.code,
                "labels": case.labels,
                "words": case.words,
            }
        )
    with open(os.path.join(folder, "manifest.json"), "w", encoding="utf-8") as file:
        json.dump(manifest, file, indent=1)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python tests/corpus.py FOLDER")
    write(sys.argv[1])
