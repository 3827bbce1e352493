"""A small treebank: words of good and bad sound, and a `not` that turns them round."""

from __future__ import annotations

from itertools import product
from pathlib import Path

GOOD = ("lovely", "great", "splendid", "fine")
BAD = ("dull", "awful", "grim", "poor")
THINGS = ("film", "story", "play")


def lines() -> list[str]:
    """All its trees: 48, of the classes 1 (bad), 2 (neither) and 3 (good)."""
    return [
        _tree(word, thing, turned=turned)
        for word, thing, turned in product(GOOD + BAD, THINGS, (False, True))
    ]


def _tree(word: str, thing: str, *, turned: bool) -> str:
    own = 3 if word in GOOD else 1
    whole = 4 - own if turned else own
    first = "not" if turned else "a"
    return f"({whole} (2 {first}) ({own} ({own} {word}) (2 {thing})))"


def write(path: Path) -> str:
    """Write it to a file."""
    path.write_text("\n".join(lines()) + "\n", encoding="utf-8")
    return str(path)
