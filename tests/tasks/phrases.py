"""A small treebank in the style of the Penn Treebank: who does what, and where."""

from __future__ import annotations

from itertools import product
from pathlib import Path

WHO = (
    "(NP-SBJ (DT the) (NN dog))",
    "(NP-SBJ (PRP it))",
    "(NP-SBJ (NP (NNP Ada)) (PP (IN at) (NP (NN home))))",
)
DOES = ("(VBD saw)", "(VBD barked) (PRT (RP up))", "(VBD chased)")
WHAT = (
    "(NP (DT a) (JJ red) (NN cat))",
    "(PP-LOC (IN in) (NP (CD 27) (NNS parks)))",
    "(NP (-NONE- *T*-1))",
)


def lines(top: str = "") -> list[str]:
    """All its trees: 27, in a bracket with the label `top`."""
    return [
        f"({top} (S {who} (VP {does} {what}) (. .)))"
        for who, does, what in product(WHO, DOES, WHAT)
    ]


def write(path: Path, top: str = "") -> str:
    """Write it to a file."""
    path.write_text("\n".join(lines(top)) + "\n", encoding="utf-8")
    return str(path)
