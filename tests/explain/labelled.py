"""Labelled trees for tests."""

from __future__ import annotations

from cellwise.brackets import Tree, parse
from cellwise.tasks.compose_answers import LabelledTree, Scale

SENTIMENT = Scale(("0", "1", "2", "3", "4"), ("0", "1"), ("3", "4"))


def labelled(text: str, scale: Scale = SENTIMENT) -> LabelledTree:
    """A tree in brackets, the model three quarters sure of all its labels; `_` is none."""
    (tree,) = parse([text])
    labels = tuple("" if label == "_" else label for label in tree.labels)
    return LabelledTree(Tree(labels, tree.words, tree.parents), (0.75,) * len(tree), scale)
