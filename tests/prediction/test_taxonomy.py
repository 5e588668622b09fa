"""Taxonomies: the roll-up against plain Python, and the files that hold trees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actcli.errors import DataError, UsageError
from actcli.prediction.taxonomy import RollUp, Taxonomy, read_taxonomy, settled_taxonomy

if TYPE_CHECKING:
    from pathlib import Path

    Array = np.ndarray[Any, np.dtype[Any]]


def ancestors(parents: dict[str, str | None], name: str) -> list[str]:
    """Return a node and its ancestors, up to the root."""
    way = [name]
    while (parent := parents[way[-1]]) is not None:
        way.append(parent)
    return way


@st.composite
def trees(draw: st.DrawFn) -> tuple[list[str], dict[str, str | None]]:
    """Return class names and the parents of a forest whose leaves they are, in any order."""
    classes = [f"c{number}" for number in range(draw(st.integers(2, 7)))]
    parents: dict[str, str | None] = {}
    tops = list(classes)
    for number in range(draw(st.integers(0, 6))):
        chosen = draw(st.lists(st.sampled_from(tops), min_size=1, max_size=3, unique=True))
        parents |= dict.fromkeys(chosen, f"n{number}")
        tops = [name for name in tops if name not in chosen] + [f"n{number}"]
    parents |= dict.fromkeys(tops)
    return classes, dict(draw(st.permutations(list(parents.items()))))


@given(trees(), st.data(), st.sampled_from([np.float32, np.float64]))
def test_the_lowest_node_that_is_probable_enough(
    tree: tuple[list[str], dict[str, str | None]], data: st.DataObject, dtype: Any
) -> None:
    """Walking from the leaf to its root; shares are multiples of 1/64, so that sums are exact."""
    classes, parents = tree
    at = data.draw(st.integers(0, 64)) / 64
    rows = data.draw(st.lists(st.lists(st.integers(0, 20), min_size=len(classes), max_size=len(classes)), max_size=5))
    leaves = np.array(rows, dtype=dtype).reshape(-1, len(classes)) / 64
    rule = settled_taxonomy(Taxonomy(parents, at), classes)
    names = [*classes, *rule.names]
    leaf = leaves.argmax(axis=1)
    probabilities = rule.probabilities(leaves)
    nodes = rule.rolled_up(leaf, probabilities)
    lineages = rule.lineages(nodes)
    assert probabilities.dtype == dtype
    for row, shares in enumerate(leaves.tolist()):
        of_node = dict.fromkeys(parents, 0.0)
        for name, share in zip(classes, shares, strict=True):
            for node in ancestors(parents, name):
                of_node[node] += share
        assert probabilities[row].tolist() == [of_node[name] for name in names]
        way = ancestors(parents, classes[leaf[row]])
        label = next((name for name in way if of_node[name] >= at), way[-1])
        assert names[nodes[row]] == label
        codes = lineages.codes[lineages.offsets[row] : lineages.offsets[row + 1]]
        assert [names[code] for code in codes] == ancestors(parents, label)[::-1]


def test_no_lineage_of_no_node() -> None:
    """Where the label is withheld; and of no rows."""
    rule = settled_taxonomy(Taxonomy({"a": "x", "b": "x", "x": None}, 0.5), ("a", "b"))
    found = rule.lineages(np.array([-1, 2, 0, -1]))
    assert (found.offsets.tolist(), found.codes.tolist()) == ([0, 0, 1, 3, 3], [2, 2, 0])
    nothing = rule.lineages(np.zeros(0, dtype=np.int64))
    assert (nothing.offsets.tolist(), nothing.codes.tolist()) == ([0], [])


def test_a_row_does_not_depend_on_its_neighbours() -> None:
    """To the last bit."""
    classes = [str(number) for number in range(200)]
    parents: dict[str, str | None] = {name: f"group {int(name) % 7}" for name in classes}
    parents |= {f"group {number}": "all" for number in range(7)} | {"all": None}
    rule = settled_taxonomy(Taxonomy(parents, 0.5), classes)
    leaves = np.random.default_rng(3).dirichlet(np.full(200, 0.1), 50)
    together = rule.probabilities(leaves)
    np.testing.assert_array_equal(together, np.concatenate([rule.probabilities(row[np.newaxis]) for row in leaves]))
    np.testing.assert_allclose(together[:, -1], 1, rtol=1e-12)


def chain(length: int) -> tuple[list[str], RollUp]:
    """Return two classes and a tree in which the second is `length` nodes below the root."""
    parents: dict[str, str | None] = {f"n{number}": f"n{number + 1}" for number in range(length)}
    parents |= {f"n{length}": None, "a": f"n{length}", "b": "n0"}
    return ["a", "b"], settled_taxonomy(Taxonomy(parents, 0.9), ["a", "b"])


def test_a_deep_tree() -> None:
    """30,000 nodes, one below the other, take no recursion."""
    _, rule = chain(30_000)
    leaves = np.array([[0.4, 0.6], [0.05, 0.95]])
    nodes = rule.rolled_up(leaves.argmax(axis=1), rule.probabilities(leaves))
    assert rule.names[nodes[0] - 2] == "n30000"
    assert nodes[1] == 1
    assert np.diff(rule.lineages(nodes).offsets).tolist() == [1, 30_002]


# Files


def written(folder: Path, text: str | bytes) -> str:
    """Write a file, and return its path."""
    path = folder / "tree.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


@pytest.mark.parametrize(
    "text",
    [
        "name,parent\ncat,pet\ndog,pet\npet,\n",
        "\ufeffcat,pet\r\ndog,pet\r\npet,\r\n",
        '\n"cat","pet"\n \ndog,pet\npet," "',
    ],
)
def test_a_taxonomy_from_a_file(text: str, tmp_path: Path) -> None:
    """With or without a line of names."""
    assert read_taxonomy(written(tmp_path, text), 0.5).parents == {"cat": "pet", "dog": "pet", "pet": None}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "tree.csv: holds no taxonomy"),
        ("name,parent\n", "tree.csv: holds no taxonomy"),
        (b"\xff", "tree.csv: is not UTF-8 text"),
        ("cat\n", "tree.csv:1: 1 cell, not a name and its parent"),
        ("cat,pet,animal\n", "tree.csv:1: 3 cells"),
        (",pet\n", "tree.csv:1: the name is empty"),
        ("cat,pet\npet,\ncat,\n", "tree.csv:3: 'cat' is named again, after line 1"),
        ("cat,pet\n", "tree.csv:1: 'cat': its parent 'pet' has no line"),
        ("cat,cat\n", "tree.csv:1: 'cat': is its own ancestor"),
        ("cat,pet\npet,animal\nanimal,pet\n", "tree.csv:2: 'pet': is its own ancestor"),
        ("dog,\ncat,pet\npet,cat\n", "tree.csv:2: 'cat': is its own ancestor"),
        ('"cat,pet\n', "tree.csv:1: is not CSV"),
        ('{"cat": "pet"}', "tree.csv:1: 1 cell"),
    ],
)
def test_files_that_hold_no_taxonomy(text: str | bytes, words: str, tmp_path: Path) -> None:
    """One line: the file, its line, what was found."""
    with pytest.raises(DataError, match=words) as caught:
        read_taxonomy(written(tmp_path, text), 0.5)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("cat,\n", "tree.csv: has no line for the class 'dog'"),
        ("cat,dog\ndog,\n", "tree.csv:1: 'cat': its parent 'dog' is a class"),
        ("cat,\ndog,\nox,\n", "tree.csv:3: 'ox': is neither a class nor a parent"),
        ("cat,pet\ndog,pet\npet,\nox,pet\n", "tree.csv:4: 'ox': is neither a class nor a parent"),
    ],
)
def test_a_tree_of_other_classes(text: str, words: str, tmp_path: Path) -> None:
    """The classes are the leaves."""
    taxonomy = read_taxonomy(written(tmp_path, text), 0.5)
    with pytest.raises(DataError, match=words):
        settled_taxonomy(taxonomy, ("cat", "dog"))


def test_other_names_for_the_classes() -> None:
    """A new name that is another node is refused."""
    taxonomy = Taxonomy({"0": "pet", "1": "pet", "pet": None}, 0.5)
    assert taxonomy.with_names({"0": "cat", "1": "dog"}).parents == {"cat": "pet", "dog": "pet", "pet": None}
    with pytest.raises(UsageError, match="'pet' is a node of the taxonomy"):
        taxonomy.with_names({"0": "pet", "1": "dog"})
