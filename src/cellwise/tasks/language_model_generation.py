"""Drawing texts from a language model, symbol by symbol."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from cellwise.data.symbols import BLANK, CLOSING_MARKS, OPENING_MARKS, Symbols
from cellwise.data.vocabulary import END, PAD, START, UNKNOWN, Vocabulary
from cellwise.errors import ConfigError
from cellwise.heads.sampling import Sampling
from cellwise.tasks.base import device_of
from cellwise.tasks.language_model_network import LanguageModel, State


@dataclass(frozen=True)
class Drawing:
    """How a text is drawn.

    Attributes:
        sampling: how a symbol is drawn from the model's distribution.
        length: the most symbols, line ends counted.
        one_line: whether the end of the line ends the text.
        seed: fixes the text.

    Raises:
        ConfigError: the length is below 1, or the seed is none.
    """

    sampling: Sampling
    length: int = 200
    one_line: bool = False
    seed: int = 1

    def __post_init__(self) -> None:
        if self.length < 1:
            raise ConfigError(f"length must be 1 or more, not {self.length}")
        if not 0 <= self.seed < 2**63:
            raise ConfigError(f"seed must be from 0 to 2**63 - 1, not {self.seed}")


def draw_numbers(
    model: LanguageModel, read: list[int], drawing: Drawing, *, barred: Sequence[int] = ()
) -> Iterator[int]:
    """The numbers of symbols that the model goes on with, each as soon as it is drawn.

    Padding, starts and unknown symbols are never drawn, nor what the drawing bars besides.

    Args:
        model: in eval mode.
        read: what the model has read before, at least one symbol; it begins at a line's start.
        drawing: how they are drawn.
        barred: symbols that the model was not trained to give.
    """
    generator = torch.Generator().manual_seed(drawing.seed)
    device = device_of(model)
    last = torch.tensor(read[-1:], device=device)
    step = model.stepper(_state_after(model, read[:-1], device), batch_size=1)
    for _ in range(drawing.length):
        with torch.no_grad():
            log_p = step(last)
            log_p[:, [PAD, START, UNKNOWN, *barred]] = -torch.inf
            last = drawing.sampling.choose(log_p, generator)
        number = int(last)
        yield number
        if drawing.one_line and number == END:
            return


def _state_after(model: LanguageModel, read: list[int], device: torch.device) -> State:
    if not read:
        return None
    with torch.no_grad():
        _, state = model(torch.tensor(read, device=device)[:, None])
    found: State = state
    return found


class Spelling:
    """The text of symbols that come one by one.

    Example:
        >>> spell = Spelling(Symbols("words"), Vocabulary(["tea", "time"]))
        >>> "".join(spell(number) for number in (4, 5, 5))
        'tea time time'

    Args:
        symbols: what a symbol is.
        words: their numbers.
        at_start: whether a line starts here, where no blank stands before a word.
    """

    def __init__(self, symbols: Symbols, words: Vocabulary, *, at_start: bool = True):
        self.unit, self.words, self.at_start = symbols.unit, words, at_start
        self._opened = False

    def __call__(self, number: int) -> str:
        """What the next symbol adds to the text."""
        before, self.at_start = self.at_start or self._opened, number == END
        self._opened = False
        if number == END:
            return "\n"
        (symbol,) = self.words.decode([number])
        if self.unit == "characters":
            return symbol
        if self.unit == "tokens":
            self._opened = symbol in OPENING_MARKS
            before = before or symbol in CLOSING_MARKS
        text = symbol.replace(BLANK, " ") if self.unit == "subwords" else f" {symbol}"
        return text.removeprefix(" ") if before else text
