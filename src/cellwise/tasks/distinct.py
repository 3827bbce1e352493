"""How varied answers are: distinct-n.

Source: Li et al. 2016 (arXiv:1510.03055), section 5.3: the number of different n-grams in all
answers, over the number of all n-grams in them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def distinct(answers: Iterable[Sequence[str]], n: int) -> float:
    """The share of different n-grams among all n-grams of the answers; 0 where there is none.

    Example:
        >>> distinct([["i", "do", "not", "know"], ["i", "do"]], 1)
        0.6666666666666666
    """
    found = [
        tuple(answer[i : i + n]) for answer in answers for i in range(max(0, len(answer) - n + 1))
    ]
    return len(set(found)) / len(found) if found else 0.0
