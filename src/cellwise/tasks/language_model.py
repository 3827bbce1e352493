"""`language_model`: the probability of a text, symbol by symbol, and texts drawn from it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import Any
from weakref import WeakSet

import torch
from torch import Tensor, nn

from cellwise.data.batches import in_chunks
from cellwise.data.symbols import Symbols
from cellwise.data.text_stream import Text, TextStream, Window, windows_in_lanes
from cellwise.data.vocabulary import END, Vocabulary
from cellwise.errors import ConfigError, DataError
from cellwise.tasks.base import Advance, Answer, Part, Task
from cellwise.tasks.language_model_config import (
    LanguageModelData,
    LanguageModelDecoding,
    LanguageModelModel,
)
from cellwise.tasks.language_model_generation import Drawing, Spelling, draw_numbers
from cellwise.tasks.language_model_network import LanguageModel
from cellwise.tasks.language_model_scores import (
    line_answer,
    line_scores,
    line_vectors,
    score_windows,
)
from cellwise.tasks.language_model_windows import Carried, WindowBatch, batch_of_windows
from cellwise.tasks.parts import Parts, files_of
from cellwise.tasks.word_vectors import VectorFile, WordVectors, take_vectors


class LanguageModelling(Task[Window, WindowBatch]):
    """The symbols of a text, each from all before it, with any cell.

    The training text is one stream that is read in `training.batch_size` lanes side by side, window
    by window; the states go on from window to window, gradients do not.
    """

    name = "language_model"
    summary = "the probability of a text from symbol to symbol; draws new texts"
    Data = LanguageModelData
    Model = LanguageModelModel
    Decoding = LanguageModelDecoding
    metric = "perplexity"
    goal = "min"
    unit = "symbols"
    carries = True

    data: LanguageModelData
    model: LanguageModelModel
    decoding: LanguageModelDecoding

    def __init__(
        self,
        data: LanguageModelData,
        model: LanguageModelModel,
        decoding: LanguageModelDecoding,
    ):
        super().__init__(data, model, decoding)
        self._carried = Carried()
        self._learnt_from: Text | None = None
        self._streams: WeakSet[TextStream] = WeakSet()

    # The text

    def read(self, part: Part) -> Sequence[Window]:
        """The windows of a part; none for a test part that the configuration does not name."""
        text = self._texts[part]
        return [] if text is None else self._stream(text)

    def read_file(self, path: Path) -> TextStream:
        """The windows of any text file."""
        text = Text((path,))
        text.check()
        return self._stream(text)

    def fit(self, train: Sequence[Window]) -> None:
        """Learn the symbols from the training text, and read the file of vectors."""
        text = train.text if isinstance(train, TextStream) else self._texts["train"]
        if text is not None and text != self._learnt_from:
            self._learn(text)
            self._learnt_from = text

    def _learn(self, text: Text) -> None:
        data = self.data
        self._check_vectors()
        self.symbols = Symbols.fit(
            data.unit,
            self.passing(text, "subwords"),
            n_subwords=data.n_subwords,
            lowercase=data.lowercase,
        )
        lines = self.passing(text, "vocabulary")
        words = Vocabulary.build(
            map(self.symbols.cut, lines), min_count=data.min_count, known=self.symbols.learnt
        )
        if data.max_symbols:
            kept = slice(data.max_symbols)
            words = Vocabulary(words.symbols[kept], words.counts[kept])
        if not words.symbols and not data.line_ends:
            raise DataError(
                f"{text.paths[0]}: no symbol is there data.min_count = {data.min_count} times, so "
                "there is nothing to learn"
            )
        file = VectorFile(data.vectors, lowercase=data.lowercase)
        size = self.model.embedding_size
        self._vectors = take_vectors(words, file, size=size, tell=self.tell)

    def vocabularies(self) -> dict[str, Any]:
        """The symbols, their numbers and the size of their vectors, as JSON values."""
        return {
            "symbols": self.symbols.to_json(),
            "words": self.words.to_json(),
            "embedding_size": self._vectors.size,
        }

    def restore(self, vocabularies: dict[str, Any]) -> None:
        """Take the vocabularies of a saved run over."""
        self.symbols = Symbols.from_json(vocabularies["symbols"])
        words = Vocabulary.from_json(vocabularies["words"])
        self._vectors = WordVectors(words, int(vocabularies["embedding_size"]))
        for stream in self._streams:
            stream.forget()

    @property
    def words(self) -> Vocabulary:
        """The symbols that the model knows."""
        return self._vectors.words

    def build(self) -> LanguageModel:
        """A fresh model for the vocabulary at hand."""
        return LanguageModel(self.model, self._vectors)

    def numbers(self, line: str) -> list[int]:
        """The numbers of a line's symbols, with that of its end, if this is one."""
        numbers = self.words.encode(self.symbols.cut(line))
        return [*numbers, END] if self.data.line_ends else numbers

    # Training

    def size(self, example: Window) -> int:
        """The symbols of a window."""
        return example.stop - example.start

    def plan(
        self, sizes: Sequence[int], batch_size: int, *, seed: int, epoch: int
    ) -> list[list[int]]:
        """The windows in their order, in `batch_size` lanes; the same in every epoch."""
        return windows_in_lanes(len(sizes), batch_size)

    def collate(self, examples: Sequence[Window]) -> WindowBatch:
        """The symbols of windows, and those that come one place later."""
        return batch_of_windows(examples)

    def loss(self, model: nn.Module, batch: WindowBatch) -> tuple[Tensor, int]:
        """The cross-entropy of the windows' symbols; the states go on from the batch before.

        In training they restart from time to time, as in Melis et al. 2018 (arXiv:1707.05589).
        """
        assert isinstance(model, LanguageModel)
        restarts = model.training and float(torch.rand(())) < self.model.restart_rate
        before = None if restarts else self._carried.before(batch)
        features, last = model(batch.symbols, before, batch.lengths)
        self._carried.keep(batch, last)
        right = batch.real(batch.right)
        return model.nats(batch.real(features), right), len(right)

    def carried(self) -> dict[str, Tensor]:
        """The states after the last batch, and where its rows stopped."""
        return self._carried.tensors()

    def carry(self, tensors: Mapping[str, Tensor]) -> None:
        """Go on from what `carried` gave; with no tensors, from the start."""
        self._carried = Carried.of(tensors)

    # Using the model

    def evaluate(
        self, model: nn.Module, examples: Sequence[Window], *, batch_size: int, advance: Advance
    ) -> dict[str, float]:
        """Loss, perplexity, and bits per character of whole texts, read in order.

        Where windows were left out, the layers begin without memory after each gap. With
        `decoding.dynamic_rate` a copy of the model learns from what it has read.
        """
        assert isinstance(model, LanguageModel)
        if not examples:
            raise DataError("there is no text to evaluate on")
        return score_windows(model, examples, decoding=self.decoding, advance=advance)

    def predict(self, model: nn.Module, lines: Iterable[str]) -> Iterator[Answer]:
        """The log probability and the perplexity of each line, as if another had ended before it.

        A list is scored in batches, a stream line by line.
        """
        assert isinstance(model, LanguageModel)
        for chunk in in_chunks(lines, self._together(lines)):
            rows = [self.numbers(line) for line in chunk]
            for line, row, scores in zip(chunk, rows, line_scores(model, rows), strict=True):
                yield line_answer(line, self.words.decode(row), scores)

    def encode(self, model: nn.Module, lines: Iterable[str]) -> Iterator[Tensor]:
        """The mean of the last layer's outputs over the symbols of each line, `[F]`."""
        assert isinstance(model, LanguageModel)
        for chunk in in_chunks(lines, self._together(lines)):
            rows = [self.words.encode(self.symbols.cut(line)) for line in chunk]
            yield from line_vectors(model, rows)

    def generate(self, model: nn.Module, prompt: str, drawing: Drawing) -> Iterator[str]:
        """What the model goes on with after a prompt, in pieces of text as they are drawn.

        The prompt begins a line, and may hold several; its last one goes on. Where
        `data.line_ends` is false, texts have no ends of lines.
        """
        assert isinstance(model, LanguageModel)
        *lines, last = prompt.split("\n")
        whole = [number for line in lines for number in self.numbers(line)]
        read = [END, *whole, *self.words.encode(self.symbols.cut(last))]
        spell = Spelling(self.symbols, self.words, at_start=prompt[-1:] in ("", "\n"))
        barred = () if self.data.line_ends else (END,)
        for number in draw_numbers(model, read, drawing, barred=barred):
            yield spell(number)

    def _together(self, lines: Iterable[str]) -> int:
        """How many lines are read at once: those of a stream as they come."""
        return self.decoding.batch_size if isinstance(lines, Sequence) else 1

    # Files

    def _stream(self, text: Text) -> TextStream:
        data = self.data
        stream = TextStream(
            text,
            self.numbers,
            self.model.window,
            line_ends=data.line_ends,
            in_memory=data.in_memory,
            passing=self._lines,
        )
        self._streams.add(stream)
        return stream

    def _lines(self, text: Text) -> Iterable[str]:
        """The lines of a text that is about to become numbers."""
        if not hasattr(self, "_vectors"):
            # How long a text is depends on its symbols, and may be asked before they are learnt.
            self.fit(self.read("train"))
        return self.passing(text, "reading")

    @cached_property
    def _texts(self) -> Parts[Text | None]:
        """The text of each part; those without files are cut off the end of train."""
        data = self.data
        files = {"train": data.train, "dev": data.dev, "test": data.test}
        shares = {"dev": data.dev_share, "test": data.test_share}
        asked = [part for part, share in shares.items() if share and not files[part]]

        @cache
        def cut() -> dict[str, Text]:
            pieces = _text(data.train).split(*(shares[part] for part in asked))
            return dict(zip(("train", *asked), pieces, strict=True))

        def make(part: Part) -> Text | None:
            if part in asked or (asked and part == "train"):
                return cut()[part]
            return _text(files[part]) if files[part] else None

        return Parts(make)

    def _check_vectors(self) -> None:
        if self.data.vectors and self.data.unit not in ("words", "tokens"):
            raise ConfigError(
                f"data.vectors: the file holds vectors of words, but data.unit is "
                f"'{self.data.unit}'; take 'words' or 'tokens'"
            )


def _text(name: str) -> Text:
    text = Text(tuple(files_of(name)))
    text.check()
    return text
