"""What one symbol of a text is: a character, a word, a token, or a piece of a word."""

from __future__ import annotations

import functools
import importlib.util
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from cellwise.data.vocabulary import SPECIALS
from cellwise.errors import ConfigError, DataError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Unit = Literal["characters", "words", "tokens", "subwords"]

BLANK = "▁"
"""What stands for the blank before a word in its first piece (the mark that SentencePiece uses)."""

LEAST_MERGED = 2
"""How often pieces of words must meet to become one.

Words that come once so stay in pieces, and pieces that new words consist of are learnt.
"""

ASCII_TOKEN = re.compile(r"\w+(?:['\-]\w+)*|[^\w\s]", re.ASCII)
"""A word, also with apostrophes and hyphens inside, or a single mark."""

CLOSING_MARKS, OPENING_MARKS = ".,;:!?%)]}", "([{¿¡"
"""Marks that stand right after the token before them, and right before the token after them."""

CLOSING = re.compile(f" ([{re.escape(CLOSING_MARKS)}])")
OPENING = re.compile(f"([{re.escape(OPENING_MARKS)}]) ")

PRICE = re.compile(r"(?<!\d )([$€£]) (?=\d)")
"""A currency ahead of its number, and not behind one."""

TIME = re.compile(r"(?<=\d): (?=\d\d(?!\d))")
"""The blank within 10:30. Whether one belongs into "3. 5" or "1, 200" nobody can tell."""


@dataclass(frozen=True)
class Symbols:
    """Cuts texts into symbols and joins them again.

    `characters`: every character. `words`: what stands between blanks. `tokens`: words and
    punctuation marks, for raw text; joined, most texts come back, but not all (a dash and a
    quotation mark stand between blanks, and one stands behind the point of a number). `subwords`:
    pieces of words that were learnt from the training texts, by byte-pair encoding (Sennrich et al.
    2016, arXiv:1508.07909), with the library tokenizers; joined, they give the text back, apart
    from runs of blanks.

    Example:
        >>> Symbols("tokens").cut("It's good, isn't it?")
        ("It's", 'good', ',', "isn't", 'it', '?')
        >>> Symbols("tokens").join(("It's", "good", ",", "isn't", "it", "?"))
        "It's good, isn't it?"
    """

    unit: Unit
    lowercase: bool = False
    pieces: Tokenizer | None = None

    @classmethod
    def fit(
        cls, unit: Unit, texts: Iterable[str], *, n_subwords: int = 8000, lowercase: bool = False
    ) -> Symbols:
        """The symbols of a unit; subwords are learnt from the texts, `n_subwords` at most.

        Raises:
            ConfigError: subwords are asked for, and the library tokenizers is not installed.
        """
        if unit != "subwords":
            return cls(unit, lowercase)
        folded = (text.lower() for text in texts) if lowercase else texts
        return cls(unit, lowercase, _learnt(folded, n_subwords))

    def cut(self, text: str) -> tuple[str, ...]:
        """The symbols of a text."""
        text = text.lower() if self.lowercase else text
        if self.unit == "characters":
            return tuple(text)
        if self.unit == "words":
            return tuple(text.split())
        if self.unit == "tokens":
            return tuple((ASCII_TOKEN if text.isascii() else _token()).findall(text))
        assert self.pieces is not None
        return tuple(self.pieces.encode(" ".join(text.split())).tokens)

    @property
    def learnt(self) -> tuple[str, ...]:
        """All pieces of words that were learnt; the texts may hold some of them in others only."""
        known = self.pieces.get_vocab() if self.pieces is not None else {}
        return tuple(sorted(piece for piece in known if piece != SPECIALS[1]))

    def join(self, symbols: Sequence[str]) -> str:
        """The text of symbols."""
        if self.unit == "subwords":
            return "".join(symbols).replace(BLANK, " ").strip()
        text = ("" if self.unit == "characters" else " ").join(symbols)
        if self.unit != "tokens":
            return text
        text = OPENING.sub(r"\1", CLOSING.sub(r"\1", text))
        return TIME.sub(":", PRICE.sub(r"\1", text))

    def to_json(self) -> dict[str, Any]:
        """The symbols as JSON values."""
        learnt = None if self.pieces is None else self.pieces.to_str()
        return {"unit": self.unit, "lowercase": self.lowercase, "pieces": learnt}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Symbols:
        """The symbols that `to_json` gave. Raises DataError when the values are none."""
        try:
            unit, lowercase, learnt = values["unit"], values["lowercase"], values["pieces"]
            if learnt is None:
                return cls(unit, lowercase)
            return cls(unit, lowercase, _library().Tokenizer.from_str(learnt))
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(
                "these are no saved symbols: they need 'unit', 'lowercase' and 'pieces'"
            ) from error


@functools.cache
def _token() -> re.Pattern[str]:
    """As `ASCII_TOKEN`, for every script.

    A letter keeps the combining marks behind it (Unicode's category M), which are no letters to
    Python: vowels of Hindi and Thai, points of Hebrew, accents that stand by themselves.
    """
    codes = (*range(0x300, 0x20000), *range(0xE0100, 0xE01F0))
    combining = "".join(chr(code) for code in codes if unicodedata.category(chr(code))[0] == "M")
    word = rf"\w[\w{combining}\u200c\u200d]*"
    return re.compile(rf"{word}(?:['’\-]{word})*|[^\w\s]")


def _library() -> Any:
    if importlib.util.find_spec("tokenizers") is None:
        raise ConfigError("subwords need the library tokenizers: pip install 'cellwise[subwords]'")
    import tokenizers

    return tokenizers


def _learnt(texts: Iterable[str], n_subwords: int) -> Tokenizer:
    """Byte-pair encoding, learnt from texts; each word's first piece starts with the blank mark."""
    library = _library()
    learnt = library.Tokenizer(library.models.BPE(unk_token=SPECIALS[1]))
    learnt.pre_tokenizer = library.pre_tokenizers.Sequence(
        [library.pre_tokenizers.Metaspace(BLANK), library.pre_tokenizers.Punctuation()]
    )
    trainer = library.trainers.BpeTrainer(
        vocab_size=n_subwords,
        min_frequency=LEAST_MERGED,
        special_tokens=[SPECIALS[1]],
        show_progress=False,
    )
    learnt.train_from_iterator((" ".join(text.split()) for text in texts), trainer)
    made: Tokenizer = learnt
    return made
