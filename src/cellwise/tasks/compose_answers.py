"""What `compose` says of a tree: a class for each phrase."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cellwise.brackets import Tree
from cellwise.data.trees_reshape import expand, own_name
from cellwise.tasks.base import Answer
from cellwise.tasks.compose_trees import is_marked


@dataclass(frozen=True)
class Scale:
    """The classes of a model, and which of them are poles.

    Attributes:
        classes: all of them.
        negative: the negative ones, the strongest first.
        positive: the positive ones, the strongest last.
    """

    classes: tuple[str, ...]
    negative: tuple[str, ...] = ()
    positive: tuple[str, ...] = ()

    @property
    def shown(self) -> Scale:
        """The same with the classes as a person reads them."""
        return Scale(
            *(tuple(map(own_name, n)) for n in (self.classes, self.negative, self.positive))
        )

    @property
    def has_poles(self) -> bool:
        """Whether there are negative classes and positive ones."""
        return bool(self.negative and self.positive)


@dataclass(frozen=True)
class LabelledTree:
    """A tree with what a model says of its nodes; without those that only make it binary.

    Attributes:
        tree: the tree, each label the class of the node; "" where the model says nothing.
        probabilities: of each node's class; 0 where the model says nothing; none at all where it
            knows none.
        scale: the classes that there are, as the labels show them.
    """

    tree: Tree
    probabilities: tuple[float, ...]
    scale: Scale

    def spans(self) -> list[tuple[int, int]]:
        """For each node the places of its first word and of its last one."""
        first = [0] * len(self.tree)
        last = [-1] * len(self.tree)
        n_words = 0
        for node, word in enumerate(self.tree.words):
            first[node] = n_words
            n_words += word is not None
            last[node] = n_words - 1
        for node in range(len(self.tree) - 1, 0, -1):
            parent = self.tree.parents[node]
            last[parent] = max(last[parent], last[node])
        return list(zip(first, last, strict=True))


@dataclass(frozen=True)
class TreeAnswer(Answer):
    """An answer with its tree.

    Attributes:
        labelled: the tree; None for a line without words.
        given: whether the tree was given; else it is one that branches to the right.
    """

    labelled: LabelledTree | None = None
    given: bool = True


def empty(scale: Scale) -> TreeAnswer:
    """The answer to a line without words, with the keys of every other one."""
    record: dict[str, Any] = {"words": [], "structure": None, "label": None, "probabilities": {}}
    record |= {"tree": "", "phrases": []}
    return TreeAnswer("", {**record, "polarity": None} if scale.has_poles else record)


def answer(
    tree: Tree,
    probabilities: Sequence[Mapping[str, float]],
    scale: Scale,
    *,
    given: bool,
    only_root: bool,
) -> TreeAnswer:
    """The answer for a tree as the network saw it.

    Args:
        tree: the tree.
        probabilities: for each node, that of each class.
        scale: the classes.
        given: whether the tree was given.
        only_root: whether the model knows of roots alone.
    """
    classes = [max(found, key=found.__getitem__) for found in probabilities]
    labels = [
        (tree.labels[n] if is_marked(tree.labels[n]) and n else "" if n and only_root else name)
        for n, name in enumerate(classes)
    ]
    sure = [found[name] for found, name in zip(probabilities, classes, strict=True)]
    labelled = _without_marks(Tree(tuple(labels), tree.words, tree.parents), sure, scale)
    text = str(expand(Tree(tuple(label or "_" for label in labels), tree.words, tree.parents)))
    record = {
        "words": list(tree.sentence()),
        "structure": "given" if given else "right-branching",
        "label": own_name(classes[0]),
        "probabilities": {own_name(name): round(p, 6) for name, p in probabilities[0].items()},
        "tree": text,
        "phrases": _phrases(labelled),
    }
    if scale.has_poles:
        record["polarity"] = polarity(probabilities[0], scale)
    return TreeAnswer(text, record, labelled, given)


def polarity(probabilities: Mapping[str, float], scale: Scale) -> str:
    """Whether the positive classes together are at least as probable as the negative ones."""
    positive = sum(probabilities[name] for name in scale.positive)
    return "positive" if positive >= sum(probabilities[n] for n in scale.negative) else "negative"


def _without_marks(tree: Tree, probabilities: Sequence[float], scale: Scale) -> LabelledTree:
    kept: list[int] = []
    place: list[int] = []
    for node, (label, parent) in enumerate(zip(tree.labels, tree.parents, strict=True)):
        if is_marked(label) and parent >= 0:
            place.append(place[parent])
        else:
            place.append(len(kept))
            kept.append(node)
    whole = Tree(
        tuple(own_name(tree.labels[node]) for node in kept),
        tuple(tree.words[node] for node in kept),
        tuple(place[tree.parents[node]] if tree.parents[node] >= 0 else -1 for node in kept),
    )
    sure = tuple(probabilities[n] if tree.labels[n] else 0.0 for n in kept)
    return LabelledTree(whole, sure, scale.shown)


def _phrases(labelled: LabelledTree) -> list[dict[str, Any]]:
    """The classes of all phrases, as JSON values; places of words are counted from 0."""
    rows = zip(labelled.tree.labels, labelled.probabilities, labelled.spans(), strict=True)
    return [
        {"first": first, "last": last, "label": label, "probability": round(sure, 6)}
        for label, sure, (first, last) in rows
        if label
    ]
