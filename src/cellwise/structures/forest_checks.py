"""What makes a forest no forest: circles, second roots, numbers of nodes that are not there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal, NoReturn

import numpy as np

from cellwise.errors import StructureError, nearest
from cellwise.structures.forest_levels import Integers, by_value, offsets, readers_of

_LONGEST_PATH = 8
"""How many nodes of a circle are shown."""


def whole_numbers(values: Any, what: str) -> Integers:
    """A list, an array or a tensor as int64 [n].

    Raises:
        StructureError: it holds other things, or other than one row of them.
    """
    try:
        found = np.asarray(values)
    except (ValueError, TypeError) as error:
        raise StructureError(f"{what} must be a list of whole numbers: {error}") from error
    if not found.size and found.ndim == 1:
        return np.zeros(0, np.int64)
    if found.ndim != 1 or found.dtype.kind not in "iu":
        raise StructureError(
            f"{what} must be a list of whole numbers, "
            f"but are of type {found.dtype} with shape {list(found.shape)}"
        )
    if found.dtype == np.uint64 and found.max() > np.iinfo(np.int64).max:
        raise StructureError(f"{what} must be whole numbers below 2**63, not {found.max()}")
    return found.astype(np.int64)


def listed(values: Iterable[Any], what: str) -> list[Any]:
    """All of an iterable.

    Raises:
        StructureError: it is none.
    """
    if isinstance(values, str):
        raise StructureError(f"{what} must be a list, not one text, {values!r}")
    try:
        return list(values)
    except TypeError as error:
        raise StructureError(f"{what} must be a list, not {type(values).__name__}") from error


def checked_tree(item: Any, number: int) -> Any:
    """One of a list of trees that others have read.

    Raises:
        StructureError: it is none.
    """
    if callable(getattr(item, "label", None)):
        return item
    what = "a text among trees" if isinstance(item, str) else f"a {type(item).__name__}"
    raise StructureError(
        f"item {number} is {what}; trees come as texts in brackets, or all of them as trees that "
        "nltk or cellwise.data.trees has read"
    )


def check_sizes(sizes: Integers) -> None:
    """Refuse a tree without nodes.

    Raises:
        StructureError: there is one.
    """
    for tree in np.flatnonzero(sizes < 1)[:1]:
        found = "is empty" if sizes[tree] == 0 else f"has {sizes[tree]} nodes"
        raise StructureError(f"tree {tree} {found}; a tree has one node at least")


def check_parents(parents: Integers, sizes: Integers) -> None:
    """Refuse parents, numbered within their tree, that are no nodes or not one root.

    Raises:
        StructureError: naming the first tree and node where this is so.
    """
    trees = np.repeat(np.arange(len(sizes)), sizes)
    for node in np.flatnonzero((parents < -1) | (parents >= sizes[trees]))[:1]:
        tree = trees[node]
        raise StructureError(
            f"{place_of(node, sizes)}: its parent is {parents[node]}, "
            f"but must be from 0 to {sizes[tree] - 1}, or -1 for the root"
        )
    roots = np.flatnonzero(parents == -1)
    n_roots = np.bincount(trees[roots], minlength=len(sizes))
    for tree in np.flatnonzero(n_roots != 1)[:1]:
        _not_one_root(int(tree), roots[trees[roots] == tree] - offsets(sizes)[tree])


def _not_one_root(tree: int, roots: Integers) -> NoReturn:
    if not len(roots):
        raise StructureError(
            f"tree {tree} has no root: every node has a parent, so that they run in a circle; "
            "the root has none (-1)"
        )
    raise StructureError(
        f"tree {tree}, node {roots[1]}: is a second root, beside node {roots[0]}; "
        "in a tree one node alone has no parent (-1)"
    )


def raise_circle(
    above: Integers, start: int, sizes: Integers, kind: Literal["ancestor", "descendant"]
) -> NoReturn:
    """Complain of the circle that one reaches from `start` by going to `above` again and again."""
    seen: dict[int, int] = {}
    while start not in seen:
        seen[start] = len(seen)
        start = int(above[start])
    circle = list(seen)[seen[start] :]
    least = circle.index(min(circle))
    circle = circle[least:] + circle[:least]
    base = first_node_of(circle[0], sizes)
    shown = [str(node - base) for node in circle[:_LONGEST_PATH]]
    shown += ["…"] * (len(circle) > _LONGEST_PATH)
    path = " → ".join([*shown, shown[0]])
    raise StructureError(f"{place_of(circle[0], sizes)}: is its own {kind}: {path}")


def check_levels(children: Integers, first: Integers, levels: Integers, sizes: Integers) -> None:
    """Refuse a graph with a circle; `levels` is -1 for the nodes that reach one.

    Raises:
        StructureError: naming the tree and the circle's least node.
    """
    if levels.min(initial=0) >= 0:
        return
    readers = readers_of(first)
    stuck = np.flatnonzero((levels[readers] < 0) & (levels[children] < 0))
    below = np.full(len(levels), -1, np.int64)
    below[readers[stuck]] = children[stuck]
    raise_circle(below, int(readers[stuck[0]]), sizes, "descendant")


def check_children(readers: Integers, children: Integers, sizes: Integers) -> None:
    """Refuse edges, numbered over the whole batch, that give a node two parents.

    Raises:
        StructureError: naming the first tree and node where this is so.
    """
    order = by_value(children)
    again = np.flatnonzero(np.diff(children[order]) == 0)
    for place in again[:1]:
        base = first_node_of(children[order[place]], sizes)
        one, two = (int(readers[order[place + i]] - base) for i in (0, 1))
        found = f"is twice a child of node {one}"
        if one != two:
            found = f"is a child of node {one} and of node {two}"
        raise StructureError(
            f"{place_of(children[order[place]], sizes)}: {found}; in a tree a node has one parent "
            "(Forest.from_edges takes graphs whose nodes are shared)"
        )


def check_range(children: Integers, readers: Integers, trees: Integers, sizes: Integers) -> None:
    """Refuse edges, numbered within their trees, to or from nodes that are not there.

    Raises:
        StructureError: naming the first tree and node where this is so.
    """
    last = sizes[trees] - 1
    for edge in np.flatnonzero((readers < 0) | (readers > last))[:1]:
        raise StructureError(
            f"tree {trees[edge]}: the edge ({readers[edge]}, {children[edge]}) starts at node "
            f"{readers[edge]}, which is not there; nodes are numbered from 0 to {last[edge]}"
        )
    for edge in np.flatnonzero((children < 0) | (children > last))[:1]:
        raise StructureError(
            f"tree {trees[edge]}, node {readers[edge]}: its child {children[edge]} is not there; "
            f"nodes are numbered from 0 to {last[edge]}"
        )


def check_slots(
    readers: Integers, children: Integers, slots: Integers, names: Sequence[str], sizes: Integers
) -> None:
    """Refuse a second child in a slot, or, without slots (`names` empty), one child twice.

    Raises:
        StructureError: naming the first tree and node where this is so.
    """
    order = np.lexsort((slots, readers) if names else (children, readers))
    key = slots[order] if names else children[order]
    for place in np.flatnonzero((np.diff(readers[order]) == 0) & (np.diff(key) == 0))[:1]:
        node = int(readers[order[place]])
        base = first_node_of(node, sizes)
        one, two = (int(children[order[place + i]] - base) for i in (0, 1))
        found = f"holds node {one} twice as a child; a set of children holds it once"
        if names:
            name = names[int(key[place])]
            found = f"the slot '{name}' holds nodes {one} and {two}; a slot holds one child"
        raise StructureError(f"{place_of(node, sizes)}: {found}")


def check_slot_names(names: Any) -> tuple[str, ...]:
    """The names of slots.

    Raises:
        StructureError: they are no names, or two are the same.
    """
    found = tuple(names if isinstance(names, str) else listed(names, "slots"))
    if isinstance(names, str) or not all(isinstance(name, str) for name in found):
        raise StructureError(f"slots must be a list of names, not {names!r}")
    for place, name in enumerate(found):
        if name in found[:place]:
            raise StructureError(f"two slots are called '{name}'; each needs a name of its own")
    return found


def slot_number(name: object, names: Sequence[str], place: str) -> int:
    """The number of a slot.

    Raises:
        StructureError: there is no such slot.
    """
    if name in names:
        return list(names).index(str(name))
    known = " and ".join(f"'{known}'" for known in names)
    hint = nearest(str(name), names)
    raise StructureError(
        f"{place}: there is no slot '{name}'; the slots are {known}" + (f". {hint}" if hint else "")
    )


def first_node_of(node: int | np.int64, sizes: Integers) -> int:
    """The first node of the tree that holds `node`."""
    starts = offsets(sizes)
    return int(starts[np.searchsorted(starts, node, side="right") - 1])


def place_of(node: int | np.int64, sizes: Integers, noun: str = "node") -> str:
    """Tree and node (or edge), numbered within its tree, as errors name them."""
    starts = offsets(sizes)
    tree = int(np.searchsorted(starts, node, side="right")) - 1
    return f"tree {tree}, {noun} {node - starts[tree]}"
