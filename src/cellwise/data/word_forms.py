"""The form of a word, which stands in its place where the word is unknown: `<unknown-Cap-ing>`.

Source: the idea of Petrov and Klein's parser (2007, "Improved inference for unlexicalized
parsing"), with fewer classes: letters, marks, digits and an ending.
"""

from __future__ import annotations

from functools import cache

ENDINGS = (
    *("tion", "sion", "ment", "ness", "able", "ible", "ated", "less"),
    *("ing", "ity", "ous", "ive", "ase", "ion", "ers", "est", "ism", "ine", "ate"),
    *("ed", "er", "or", "ly", "al", "ic", "in", "es"),
    *("s", "y", "e", "a", "n"),
)
"""Endings that tell parts of speech apart, the longer first."""

START = "<unknown"
"""What every form begins with."""

SHORTEST = 4
"""Words with fewer letters have no ending."""


@cache
def form_of(word: str) -> str:
    """The form of a word.

    >>> [form_of(word) for word in ("Runx1", "phosphorylating", "knock-out", "27.5", "MAPK", "%")]
    ['<unknown-Cap-digit>', '<unknown-ing>', '<unknown-dash>', '<unknown-number>', \
'<unknown-CAPS>', '<unknown-mark>']
    """
    if not any(letter.isalpha() for letter in word):
        is_number = any(letter.isdigit() for letter in word)
        return f"{START}-number>" if is_number else f"{START}-mark>"
    parts = [_case(word)]
    parts += ["digit"] * any(letter.isdigit() for letter in word)
    parts += ["dash"] * ("-" in word or "/" in word)
    if len(word) >= SHORTEST:
        parts.append(next((end for end in ENDINGS if word.endswith(end)), ""))
    return f"{START}{''.join(f'-{part}' for part in parts if part)}>"


def is_form(symbol: str) -> bool:
    """Whether a symbol is a form rather than a word."""
    return symbol.startswith(START)


def _case(word: str) -> str:
    """How a word is capitalised: CAPS, Cap, mIxed or, for the usual one, nothing."""
    if word.isupper():
        return "CAPS" if len(word) > 1 else "Cap"
    if word.islower():
        return ""
    return "Cap" if word[0].isupper() and word[1:].islower() else "mIxed"
