"""Trees written in brackets, as in the Penn Treebank and the Stanford Sentiment Treebank.

A reader of our own: `nltk.Tree.fromstring` refuses trees deeper than 500 nodes, and its errors name
neither line nor column. Trees that nltk has read are taken as they are. Nothing here recurses.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from cellwise.errors import CellwiseError

_TOKEN = re.compile(r"[()]|[^ \t\r\n\f\v()]+")
"""Blanks are ASCII: sentences of the Sentiment Treebank hold words with a no-break space inside."""


@dataclass(frozen=True, slots=True)
class Tree:
    """A constituent tree, flat: its nodes are numbered as their brackets open, the root first.

    A word is no node of its own: `(DT the)` is one node, a leaf. Inner nodes have no word.

    >>> tree = next(parse(["(NP (DT the) (NN dog))"]))
    >>> tree.labels, tree.words, tree.parents
    (('NP', 'DT', 'NN'), (None, 'the', 'dog'), (-1, 0, 0))
    >>> str(tree)
    '(NP (DT the) (NN dog))'

    Attributes:
        labels: the label of each node; "" for an outer bracket without one around several trees.
        words: the word of each leaf, None elsewhere.
        parents: the number of each node's parent, -1 for the root.
    """

    labels: tuple[str, ...]
    words: tuple[str | None, ...]
    parents: tuple[int, ...]

    def __len__(self) -> int:
        """The number of nodes."""
        return len(self.labels)

    def __str__(self) -> str:
        """The tree in brackets, on one line."""
        pieces: list[str] = []
        still_open: list[int] = []
        for node, parent in enumerate(self.parents):
            while still_open and still_open[-1] != parent:
                still_open.pop()
                pieces.append(")")
            word = self.words[node]
            pieces.append(f"{' ' if node else ''}({self.labels[node]}{f' {word}' if word else ''}")
            still_open.append(node)
        return "".join(pieces) + ")" * len(still_open)

    def children(self) -> list[list[int]]:
        """The children of each node, in their order."""
        found: list[list[int]] = [[] for _ in self.parents]
        for node, parent in enumerate(self.parents[1:], start=1):
            found[parent].append(node)
        return found

    def sentence(self) -> tuple[str, ...]:
        """The words of the leaves, in their order."""
        return tuple(word for word in self.words if word is not None)


class BracketError(CellwiseError):
    """A text is no sequence of bracketed trees.

    Attributes:
        cause: what is wrong, without the place.
        tree: the number of the tree, counted from 0.
        line: the line, counted from 1; 0 where there is none.
        column: the column, counted from 1.
    """

    def __init__(self, cause: str, *, tree: int = 0, line: int = 0, column: int = 0):
        self.cause, self.tree, self.line, self.column = cause, tree, line, column
        super().__init__(f"line {line}, column {column}: {cause}" if line else cause)


def parse(lines: Iterable[str]) -> Iterator[Tree]:
    """The trees of a text; a tree may take several lines, and a line may hold several trees.

    An outer bracket without a label, as in `( (S …) )`, is dropped.

    Raises:
        BracketError: brackets do not match, or one holds neither one word nor trees alone.
    """
    reader, n_trees = _Reader(), 0
    place = _Place(0, "", 0)
    for number, text in enumerate(lines, start=1):
        if reader.still_open and text.startswith("(") and not place.next_line:
            place.next_line = number
        for position, token in enumerate(_TOKEN.findall(text)):
            if not reader.still_open:
                place = _Place(number, text, position)
            try:
                _TAKES.get(token, _Reader.take)(reader, token)
            except BracketError as error:
                raise _Place(number, text, position).error(error.cause, n_trees) from None
            if not reader.still_open:
                yield reader.tree()
                reader, n_trees = _Reader(), n_trees + 1
    if reader.still_open:
        raise place.error(_unclosed(len(reader.still_open), place.next_line), n_trees)


def from_nltk(tree: Any) -> Tree:
    """The flat form of an `nltk.Tree`; nltk itself is not needed for it.

    Raises:
        BracketError: a node holds neither one word nor trees alone.
    """
    reader = _Reader()
    pending: list[Any] = [tree]
    while pending:
        item = pending.pop()
        if item is _END:
            reader.close()
        elif isinstance(item, list):
            reader.open()
            reader.name(str(item.label()))  # type: ignore[attr-defined]
            pending += [_END, *reversed(item)]
        else:
            reader.take(str(item))
    return reader.tree()


_END = object()
"""Stands for the end of a bracket among the pieces that are still to be read."""


class _Reader:
    """The tree that is being read, node by node."""

    def __init__(self) -> None:
        self.labels: list[str] = []
        self.words: list[str | None] = []
        self.parents: list[int] = []
        self.still_open: list[int] = []
        self.named = True

    def open(self, _: str = "(") -> None:
        """A bracket opens: the next node."""
        if self.still_open:
            top = self.still_open[-1]
            if self.words[top] is not None:
                raise BracketError(f"{self._shown(top)} holds a word and a bracket beside it")
            if not self.named and top:
                raise BracketError("a bracket within a tree has no label before the next one")
        self.parents.append(self.still_open[-1] if self.still_open else -1)
        self.still_open.append(len(self.labels))
        self.labels.append("")
        self.words.append(None)
        self.named = False

    def name(self, label: str) -> None:
        """The label of the node that opened last."""
        self.labels[-1] = label
        self.named = True

    def take(self, token: str) -> None:
        """A label, if the last bracket has none yet, else a word."""
        if not self.still_open:
            raise BracketError(f"'{token}' stands outside of any bracket")
        if not self.named:
            return self.name(token)
        top = self.still_open[-1]
        if self.words[top] is not None:
            raise BracketError(
                f"{self._shown(top)} holds a second word, '{token}'; "
                f"every word needs a bracket with a label, as (X {token})"
            )
        if len(self.labels) - 1 > top:
            raise BracketError(
                f"'{token}' stands beside brackets in {self._shown(top)}; "
                f"every word needs a bracket with a label, as (X {token})"
            )
        self.words[top] = token
        return None

    def close(self, _: str = ")") -> None:
        """A bracket closes."""
        if not self.still_open:
            raise BracketError("a ')' too many: no bracket is open here")
        top = self.still_open.pop()
        if self.words[top] is None and len(self.labels) - 1 == top:
            raise BracketError(f"{self._shown(top)} ends without a word or a bracket in it")

    def tree(self) -> Tree:
        """The tree, complete; without an outer bracket that has no label."""
        labels, words, parents = self.labels, self.words, self.parents
        if labels[0] == "" and parents.count(0) == 1:
            labels, words, parents = labels[1:], words[1:], [parent - 1 for parent in parents[1:]]
        return Tree(tuple(labels), tuple(words), tuple(parents))

    def _shown(self, node: int) -> str:
        """The start of a bracket, as it is written."""
        word = self.words[node]
        return f"'({self.labels[node]}{f' {word}' if word else ''}'"


_TAKES: dict[str, Callable[[_Reader, str], None]] = {"(": _Reader.open, ")": _Reader.close}
"""What is done with a bracket."""


@dataclass
class _Place:
    """Where a token stands; of a tree's first one also where a next tree seems to begin."""

    line: int
    text: str
    position: int
    next_line: int = 0

    def error(self, cause: str, tree: int) -> BracketError:
        """The error at this place."""
        found = islice(_TOKEN.finditer(self.text), self.position, None)
        return BracketError(cause, tree=tree, line=self.line, column=next(found).start() + 1)


def _unclosed(n_open: int, next_line: int) -> str:
    missing = f"{n_open} ')'" if n_open > 1 else "a ')'"
    seen = f"; a next tree seems to begin in line {next_line}" if next_line else ""
    return f"the tree that begins here lacks {missing}{seen}"
