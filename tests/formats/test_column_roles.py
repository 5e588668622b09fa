"""Which columns are classes and which are carried: the rules, case by case."""

from __future__ import annotations

import fnmatch
import itertools

import pytest

from actcli.errors import DataError, UsageError
from actcli.formats.column_roles import assign_roles, is_header, is_number, select, split_list
from actcli.prediction.costs import Costs
from actcli.prediction.output_columns import OUTPUT
from actcli.prediction.rules import Rules
from actcli.prediction.taxonomy import Taxonomy
from actcli.streaming.batch import Kind
from actcli.tasks import Task

NUMBERS = [
    "1",
    "-1",
    "+1",
    "1.",
    ".5",
    "1.5",
    "1e5",
    "1E-5",
    "-.5e+3",
    "inf",
    "-INF",
    "Infinity",
    "nan",
    "NaN",
    "007",
    " 1\t",
]
TEXTS = [
    "",
    " ",
    "a",
    "1_000",
    "1,5",
    "0x10",
    "1e",
    "e5",
    ".",
    "-",
    "١",
    "１",
    "1 2",
    "nan(1)",
    "infinit",
    "1d5",
    "--1",
    "5%",
]


@pytest.mark.parametrize("text", NUMBERS)
def test_what_is_a_number(text: str) -> None:
    """ASCII digits, one point, an exponent; infinities and nan in any case; blanks around."""
    assert is_number(text)


@pytest.mark.parametrize("text", TEXTS)
def test_what_is_text(text: str) -> None:
    """Other scripts' digits, underscores and everything else that Python or C would take."""
    assert not is_number(text)


@pytest.mark.parametrize(
    ("first", "second", "header"),
    [
        ("cat,dog", "1,2", True),
        ("1,2", "3,4", False),
        ("a,1,2", "b,3,4", False),  # text above text says nothing
        ("a,cat,2", "b,3,4", True),
        ("nan,inf", "3,4", False),  # nan and inf are numbers
        ("id,1,2", "7,3,4", True),
        ("index,1,2", "7,3,4", True),
        ("Unnamed: 0,1,2", "7,3,4", True),
        (",0,1", "0,3.5,4", True),  # pandas: an index without a name
        ("0,1,2", "3.5,4,5", True),  # pandas: default names
        ("1,2,3", "3.5,4,5", True),
        ("0,1,2", "3,4,5", False),  # whole numbers could be data
        ("0,1,2", "3.0,4.0,5.0", False),  # these are whole too
        ("0,2,1", "3.5,4,5", False),
        ("0", "3.5", False),  # a single column never counts
        ("1", "3.5", False),
        ("image,0,1,2", "a.png,3.5,4,5", True),
        ("x,5.1,3.5", "y,1.2,2.2", False),
        ("cat,dog", None, True),
        ("1,2", None, False),
    ],
)
def test_whether_the_first_row_is_a_header(first: str, second: str | None, *, header: bool) -> None:
    """The first two rows decide, over the columns that are numbers in the second."""
    assert is_header(first.split(","), None if second is None else second.split(",")) is header


def test_a_single_row_of_both_is_ambiguous() -> None:
    """It could be a header or data: the option must say."""
    with pytest.raises(DataError) as error:
        is_header(["a", "1"], None)
    assert "--header or --no-header" in (error.value.hint or "")


NAMES = ["id", "cat", "dog", "bird", "is_wet", "is_old", "!odd", "a:b"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("cat,bird", ["cat", "bird"]),
        ("bird,cat", ["bird", "cat"]),
        ("cat:bird", ["cat", "dog", "bird"]),
        ("is_*", ["is_wet", "is_old"]),
        ("cat,is_*,cat", ["cat", "is_wet", "is_old"]),
        ("cat:bird,!dog", ["cat", "bird"]),
        ("!is_*", ["cat", "dog", "bird", "!odd", "a:b"]),  # from what would be chosen without the option
        ("!odd", ["!odd"]),  # exact names win
        ("a:b", ["a:b"]),
        ('"cat",dog', ["cat", "dog"]),
    ],
)
def test_selecting_classes(pattern: str, expected: list[str]) -> None:
    """Names, ranges, globs, and what to leave out."""
    found, _ = select(pattern, NAMES, range(1, len(NAMES)))
    assert [NAMES[position] for position in found] == expected


@pytest.mark.parametrize("pattern", ["fish", "cat:fish", "was_*", "bird:cat", "!fish", "", "cat,,dog", '"cat'])
def test_selecting_what_is_not_there(pattern: str) -> None:
    """A name that the input does not have is a usage error."""
    with pytest.raises(UsageError):
        select(pattern, NAMES, range(len(NAMES)))


@pytest.mark.parametrize(
    ("names", "row", "classes", "carried"),
    [
        ("id,cat,dog", "7,1,2", "cat,dog", "id"),
        ("index,cat,dog", "7,1,2", "cat,dog", "index"),
        (",cat,dog", "7,1,2", "cat,dog", ""),
        ("file,split,cat", "a.png,test,1", "cat", "file,split"),
        ("cat,dog", "1,2", "cat,dog", None),
        ("id,cat,dog", None, "cat,dog", "id"),
    ],
)
def test_roles_by_place_and_kind(names: str, row: str | None, classes: str, carried: str | None) -> None:
    """Text before the first number is carried, and so is an index; the rest are classes."""
    called = names.split(",")
    roles = assign_roles(called, None if row is None else row.split(","), classes=None, ids=[])
    assert [called[position] for position in roles.classes] == classes.split(",")
    assert [called[position] for position in roles.carried] == ([] if carried is None else carried.split(","))
    assert roles.unasked == roles.carried


def test_leaving_columns_out_names_none() -> None:
    """What is left is checked as it would be without the option."""
    assert assign_roles(["cat", "label"], ["1", "2"], classes="!label", ids=[]).classes == (0,)
    with pytest.raises(DataError, match="label"):
        assign_roles(["cat", "dog", "label"], ["1", "2", "3"], classes="!cat", ids=[])


def test_roles_by_option() -> None:
    """What --id names is carried; with --classes everything else is."""
    called = ["cat", "year", "dog", "note"]
    row = ["1", "2001", "2", "x"]
    roles = assign_roles(called, row, classes=None, ids=["year", "note"])
    assert (roles.classes, roles.carried, roles.unasked) == ((0, 2), (1, 3), ())
    roles = assign_roles(called, row, classes="dog,cat", ids=["note"])
    assert (roles.classes, roles.carried, roles.unasked) == ((2, 0), (1, 3), (1,))


@pytest.mark.parametrize(
    ("names", "row", "message", "hint"),
    [
        ("cat,note,dog", "1,x,2", '"note"', "--id note"),
        ("a name,cat,dog", ",1,2", '"a name"', "--id 'a name'"),
        ("cat,dog", "NA,2", '"cat"', "--id cat"),
        ("cat,label", "1,2", '"label"', "--id label"),
        ("cat,target", "1,2", '"target"', "--classes"),
        ("cat,user_id", "1,2", '"user_id"', "--id user_id"),
        ("a,b", "x,y", "no column of numbers", None),
    ],
)
def test_roles_that_are_refused(names: str, row: str, message: str, hint: str | None) -> None:
    """Text among the classes, a gap where a number should be, and what looks like truth."""
    with pytest.raises(DataError) as error:
        assign_roles(names.split(","), row.split(","), classes=None, ids=[])
    assert message in error.value.message
    assert hint is None or hint in (error.value.hint or "")


def test_a_truth_like_column_may_be_a_class_if_it_is_named() -> None:
    """--classes says so."""
    assert assign_roles(["cat", "label"], ["1", "2"], classes="cat,label", ids=[]).classes == (0, 1)


@pytest.mark.parametrize(("classes", "ids"), [(None, ["fish"]), ("cat", ["cat"])])
def test_options_that_do_not_fit(classes: str | None, ids: list[str]) -> None:
    """A column that is not there, or that is asked to be both."""
    with pytest.raises(UsageError):
        assign_roles(["cat", "dog"], ["1", "2"], classes=classes, ids=ids)


def test_a_list_with_a_quote_that_is_not_closed() -> None:
    """Is no list."""
    with pytest.raises(UsageError, match="--columns"):
        split_list('a,"b', "--columns")


@pytest.mark.parametrize("task", OUTPUT)
def test_every_output_column_is_known_as_one(task: Task) -> None:
    """What actcli writes beside probabilities does not make the table another one when it is read again."""
    costs = Costs(("cat", "dog", "review"), {"cat": (0, 1, 0.5), "dog": (1, 0, 0.5)})
    taxonomy = Taxonomy({"cat": "animal", "dog": "animal", "animal": None}, 0.5)
    rules = Rules(top_k=2, abstain_below=0.5, costs=costs, taxonomy=taxonomy)
    columns = [maker(("cat", "dog"), rules) for maker in OUTPUT[task].values()]
    names = [header for column in columns for header in column.headers]
    row = ["x" if column.kind in (Kind.CODE, Kind.SET) else "0.5" for column in columns for _ in column.headers]
    roles = assign_roles(names, row, classes=None, ids=(), recorded=True)
    assert roles.recorded
    assert [names[position] for position in roles.classes] == ["p_cat", "p_dog"]


@pytest.mark.parametrize(
    ("names", "recorded"),
    [
        ("id,p_a,p_b", True),
        ("year,label,p_a,p_b", True),
        ("p_a,p_b", True),
        ("year,p_a,p_b", False),
        ("label,p_value,q_value", False),
        ("id,cat,dog", False),
        ("p_,p_x", False),
    ],
)
def test_what_actcli_wrote_is_told_by_its_names(names: str, recorded: bool) -> None:
    """Carried columns of numbers may stand before a label, and without one nowhere."""
    called = names.split(",")
    row = ["x" if name in ("id", "label") else "1" for name in called]
    assert assign_roles(called, row, classes=None, ids=(), recorded=True).recorded is recorded
    assert not assign_roles(called, row, classes="p_*" if "p_" in names else "cat", ids=(), recorded=True).recorded


def test_the_time_is_linear_in_the_text() -> None:
    """Ten million digits before a letter, and a glob of many parts, end at once: with retries they would take years."""
    assert not is_number("1" * 10_000_000 + "x")
    assert not is_number("1" * 10_000_000 + ".5e1x")
    with pytest.raises(UsageError, match="has no column"):
        select("*a" * 40 + "c,b", ["a" * 10_000, "b"], (0, 1))


@pytest.mark.parametrize("glob", ["*", "a*", "*b", "a*b", "a*b*", "*a*b*a", "ab*ab", "**", "a*a", "*aa*"])
def test_a_glob_matches_as_in_fnmatch(glob: str) -> None:
    """All names of up to five letters are selected as Python's fnmatch selects them."""
    names = ["".join(letters) for length in range(1, 6) for letters in itertools.product("ab", repeat=length)]
    expected = [position for position, name in enumerate(names) if fnmatch.fnmatchcase(name, glob)]
    assert select(glob, names, ())[0] == tuple(expected)


class _Counted(str):
    """A name that counts how often it is compared."""

    __slots__ = ()
    compared = 0
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        _Counted.compared += 1
        return str.__eq__(self, other) is True


def test_each_name_is_looked_up_once() -> None:
    """The number of comparisons grows with the number of names, not with its square."""
    names = [_Counted(f"c{number}") for number in range(2000)]
    ids = [str(name) for name in names[:1000]]
    classes = ",".join(map(str, names[1000:]))
    _Counted.compared = 0
    roles = assign_roles(names, ["1"] * len(names), classes=classes, ids=ids)
    assert len(roles.classes) == 1000
    assert _Counted.compared < 10 * len(names)


@pytest.mark.parametrize("name", ["y", "y_true", "gt", "ground_truth"])
def test_names_of_truths_are_no_classes(name: str) -> None:
    """The error names the three options of which one settles it."""
    with pytest.raises(DataError, match="does not look like a class") as caught:
        assign_roles(["score", name], ["0.3", "1"], classes=None, ids=())
    assert caught.value.hint is not None
    assert all(option in caught.value.hint for option in (f"--id {name}", "--classes", f"--truth-column {name}"))
    assert assign_roles(["score", name], ["0.3", "1"], classes=f"score,{name}", ids=()).classes == (0, 1)


def test_all_text_columns_after_the_scores_are_named_at_once() -> None:
    """The hint selects the classes as a range; what it says works."""
    names, row = ["id", "cat", "dog", "note", "who", "when"], ["7", "1", "2", "x", "y", "z"]
    with pytest.raises(DataError, match='"note": "x" is not a number; the same holds for "who", "when"') as caught:
        assign_roles(names, row, classes=None, ids=())
    assert caught.value.hint == "to carry this column along: --id note; to carry all of them along: --classes cat:dog"
    assert assign_roles(names, row, classes="cat:dog", ids=()).carried == (0, 3, 4, 5)


def test_a_list_of_names_in_one_id_is_answered_with_the_right_form() -> None:
    """An option for each column; a column whose own name holds the comma is found."""
    with pytest.raises(UsageError) as caught:
        assign_roles(["a", "b", "c"], ["1", "2", "3"], classes=None, ids=("a,b",))
    assert caught.value.hint == "each column has its own option: --id a --id b"
    assert assign_roles(["a,b", "c"], ["1", "2"], classes=None, ids=("a,b",)).carried == (0,)


def test_log_probabilities_that_actcli_wrote_are_told_by_their_names() -> None:
    """As the probabilities are; where both stand, the probabilities are taken."""
    for names, prefix in (("label,logp_a,logp_b", "logp_"), ("label,logp_a,p_a", "p_"), ("label,logp_a,x", None)):
        called = names.split(",")
        assert assign_roles(called, ["x", "1", "1"], classes=None, ids=(), recorded=True).prefix == prefix
