"""`describe`: an image in, a caption out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn

from cellwise.data.batches import in_chunks, plan_in_order
from cellwise.data.captions import Captioned, read_captions
from cellwise.data.marked import marked
from cellwise.data.symbols import Symbols
from cellwise.data.vocabulary import END, START, Vocabulary
from cellwise.errors import ConfigError, DataError
from cellwise.heads.search import Found, Rules, search
from cellwise.losses.perplexity import perplexity
from cellwise.tasks.attentive_decoder import Reading
from cellwise.tasks.base import Advance, Answer, Part, Report, Section, Task, device_of
from cellwise.tasks.describe_answers import BLANK, CaptionAnswer, Looked, attention_record
from cellwise.tasks.describe_config import DescribeData, DescribeDecoding, DescribeModel
from cellwise.tasks.describe_network import Captions, Describer
from cellwise.tasks.describe_parts import read_captioned
from cellwise.tasks.describe_pictures import Pictures
from cellwise.tasks.describe_regions import GivenRegions, Regions, pixel_regions, read_weights
from cellwise.tasks.describe_scores import caption_scores, signature
from cellwise.tasks.parts import Parts
from cellwise.tasks.word_vectors import VectorFile, WordVectors, take_vectors

EMBEDDING_SIZE = 128
"""The numbers of a symbol where neither the configuration nor a file of vectors says it."""


@dataclass(frozen=True)
class CaptionBatch:
    """Images and all their captions as tensors.

    Images are uint8 `[B, 3, S, S]` or features `[B, R, F]`. There are `n_units` symbols and end
    marks in the captions.
    """

    images: Tensor
    names: tuple[str, ...]
    captions: Captions
    n_units: int

    def to(self, device: torch.device) -> CaptionBatch:
        """The same batch on a device."""
        images, captions = self.images.to(device), self.captions.to(device)
        return CaptionBatch(images, self.names, captions, self.n_units)


class Describe(Task[Captioned, CaptionBatch]):
    """Captions of images: an encoder of images, attention over regions, a decoder of any cell.

    An example is an image with all its captions: its regions are computed once for all of them.
    """

    name = "describe"
    summary = "say what an image shows: captions of photos"
    Data = DescribeData
    Model = DescribeModel
    Decoding = DescribeDecoding
    metric = "bleu"
    goal: Literal["min", "max"] = "max"
    unit = "symbols"

    data: DescribeData
    model: DescribeModel
    decoding: DescribeDecoding

    def __init__(self, data: Section, model: Section, decoding: Section):
        super().__init__(data, model, decoding)
        self.metric = self.decoding.metric
        self.goal = "min" if self.metric == "loss" else "max"

    def read(self, part: Part) -> list[Captioned]:
        """The captioned images of a part; in training, those captions that are short enough."""
        items = self._parts[part]
        self._pictures.check(items)
        if part != "train":
            return items
        counting = Symbols("words" if self.data.unit == "subwords" else self.data.unit)
        most = self.data.max_length
        kept = [
            Captioned(item.image, tuple(c for c in item.captions if len(counting.cut(c)) <= most))
            for item in items
        ]
        kept = [item for item in kept if item.captions]
        n_all, n_kept = (sum(len(item.captions) for item in some) for some in (items, kept))
        if 0 < n_kept < n_all:
            self.tell(
                f"{n_all - n_kept:,} of {n_all:,} training captions are longer than "
                f"data.max_length = {most} symbols, and left out"
            )
        if not kept:
            raise DataError(
                f"every training caption is longer than data.max_length = {most} symbols"
            )
        return kept

    def read_file(self, path: Path) -> list[Captioned]:
        """The captioned images of a file; the images are those of data.images."""
        items = read_captions(path)
        self._pictures.check(items)
        return items

    def fit(self, train: Sequence[Captioned]) -> None:
        """Learn what symbols are, build their vocabulary, and read weights and vectors."""
        data = self.data
        texts = [caption for item in train for caption in item.captions]
        self.symbols = Symbols.fit(
            data.unit, texts, n_subwords=data.n_subwords, lowercase=data.lowercase
        )
        words = Vocabulary.build(
            map(self.symbols.cut, texts), min_count=data.min_count, known=self.symbols.learnt
        )
        asked = self.model.embedding_size
        asked = asked if data.vectors else asked or EMBEDDING_SIZE
        self._vectors = take_vectors(
            words, VectorFile(data.vectors, lowercase=data.lowercase), size=asked, tell=self.tell
        )
        self._shape = self._pictures.feature_shape()
        self._weights = read_weights(self.model)

    def vocabularies(self) -> dict[str, Any]:
        """The symbols, their vocabulary, and the sizes of vectors and features, as JSON values."""
        return {
            "symbols": self.symbols.to_json(),
            "words": self.words.to_json(),
            "embedding_size": self._vectors.size,
            "features": list(self._shape),
        }

    def restore(self, vocabularies: dict[str, Any]) -> None:
        """Take the vocabularies of a saved run over."""
        self.symbols = Symbols.from_json(vocabularies["symbols"])
        words = Vocabulary.from_json(vocabularies["words"])
        self._vectors = WordVectors(words, int(vocabularies["embedding_size"]))
        count, size = vocabularies["features"]
        self._shape = int(count), int(size)
        self._weights = {}

    @property
    def words(self) -> Vocabulary:
        """The symbols that the model knows."""
        return self._vectors.words

    def build(self) -> Describer:
        """A fresh model for the vocabularies at hand."""
        regions: Regions = (
            GivenRegions(*self._shape)
            if self._pictures.are_features
            else pixel_regions(self.model, self._weights)
        )
        model = Describer(self.model, regions, self.words, embedding_size=self._vectors.size)
        self._vectors.put_into(model.target)
        return model

    def size(self, example: Captioned) -> int:
        """The symbols of the longest caption."""
        return max(map(len, map(self.symbols.cut, example.captions)))

    def collate(self, examples: Sequence[Captioned]) -> CaptionBatch:
        """The tensors of a batch: each image once, all captions."""
        names = tuple(example.image for example in examples)
        captions = [
            self.words.encode(self.symbols.cut(caption))
            for example in examples
            for caption in example.captions
        ]
        counts = torch.tensor([len(example.captions) for example in examples])
        written = marked(captions)
        rows = torch.arange(len(names)).repeat_interleave(counts)
        pictures = self._pictures.stack(names)
        return CaptionBatch(pictures, names, Captions(rows, *written), written.n_symbols)

    def loss(self, model: nn.Module, batch: CaptionBatch) -> tuple[Tensor, int]:
        """The cross-entropy of the captions, their end marks included."""
        network = cast(Describer, model)
        reading = network.see(batch.images, batch.names)
        return network.caption_nats(reading, batch.captions), batch.n_units

    def evaluate(
        self, model: nn.Module, examples: Sequence[Captioned], *, batch_size: int, advance: Advance
    ) -> dict[str, float]:
        """BLEU of the captions found, how many are distinct, and the loss per symbol.

        Raises:
            DataError: there is no image, or one cannot be read.
        """
        if not examples:
            raise DataError("there is no image to evaluate on")
        network = cast(Describer, model)
        captions, nats, n_units = [""] * len(examples), 0.0, 0
        for rows in plan_in_order([self.size(example) for example in examples], batch_size):
            batch = self.collate([examples[i] for i in rows]).to(device_of(model))
            reading = network.see(batch.images, batch.names)
            nats += float(network.caption_nats(reading, batch.captions))
            n_units += batch.n_units
            for i, found in zip(rows, self._search(network, reading), strict=True):
                captions[i] = self._text(found)
            advance(len(rows))
        references = [example.captions for example in examples]
        scores = caption_scores(captions, references, lowercase=self.data.lowercase)
        loss = nats / n_units
        return {"loss": loss, "perplexity": perplexity(loss), **scores}

    def report(
        self, model: nn.Module, examples: Sequence[Captioned], *, batch_size: int, advance: Advance
    ) -> Report:
        """The metrics, and the signature of BLEU."""
        metrics = self.evaluate(model, examples, batch_size=batch_size, advance=advance)
        references = [example.captions for example in examples]
        said = signature(references, lowercase=self.data.lowercase)
        return Report(metrics, {"bleu_signature": said})

    def predict(self, model: nn.Module, lines: Iterable[str]) -> Iterator[Answer]:
        """A caption for each line, the path of an image or its name in data.images.

        With model.encoder = "features" a line is a name in data.feature_names. A list is answered
        in batches, a stream line by line.

        Raises:
            DataError: an image cannot be read.
        """
        size = self.decoding.batch_size if isinstance(lines, Sequence) else 1
        for chunk in in_chunks(lines, size):
            yield from self._answers(cast(Describer, model), [line.strip() for line in chunk])

    def encode(self, model: nn.Module, lines: Iterable[str]) -> Iterator[Tensor]:
        """The mean of the regions' vectors, `[F]`, of each image, as `predict` takes them."""
        network = cast(Describer, model)
        for chunk in in_chunks(lines, self.decoding.batch_size):
            asked = [line.strip() for line in chunk]
            images, trouble = self._pictures.take([line for line in asked if line])
            means: Iterator[Tensor] = iter(())
            if len(images):
                means = iter(network.regions(images.to(device_of(model))).mean(dim=0))
            for line in asked:
                vector = next(means, None) if line else torch.zeros(network.regions.size)
                if vector is None:
                    break
                yield vector
            if trouble is not None:
                raise trouble

    # From a line to an answer.

    def _answers(self, network: Describer, lines: Sequence[str]) -> Iterator[Answer]:
        asked = [line for line in lines if line]
        answers: Iterator[Answer] = iter(())
        images, trouble = self._pictures.take(asked)
        asked = asked[: len(images)]
        if asked:
            with torch.no_grad():
                reading = network.see(images.to(device_of(network)))
                found = self._search(network, reading)
                looks = self._looks(network, reading, found) if self.decoding.attention else None
            rows = range(len(asked))
            answers = (
                self._answer(asked[i], found[i], None if looks is None else looks[:, i], network)
                for i in rows
            )
        for line in lines:
            answer = next(answers, None) if line else BLANK
            if answer is None:
                break
            yield answer
        if trouble is not None:
            raise trouble

    def _answer(
        self, line: str, found: Found, looks: Tensor | None, network: Describer
    ) -> CaptionAnswer:
        symbols = tuple(self.words.decode(found.symbols))
        score = found.log_probability
        record: dict[str, Any] = {
            "image": line,
            "caption": self._text(found),
            "symbols": list(symbols),
            "log_probability": score if math.isfinite(score) else None,
        }
        looked, grid = None, network.regions.grid
        if looks is not None:
            weights = looks[: len(symbols)]
            record["attention"] = attention_record(symbols, weights, grid)
            if grid is not None:
                on_grid = weights.unflatten(1, grid).numpy(force=True)
                looked = Looked(symbols, on_grid, lambda size: self._pictures.show(line, size))
        return CaptionAnswer(self._text(found), record, looked)

    def _search(self, network: Describer, reading: Reading) -> list[Found]:
        options = self.decoding
        limits = torch.full_like(reading.seen[0, :, 0], options.max_length, dtype=torch.int64)
        rules = Rules(START, END, options.beam_size, options.length_penalty)
        return search(network.stepper(reading), reading.state, limits, rules)

    def _looks(self, network: Describer, reading: Reading, found: Sequence[Found]) -> Tensor:
        """Where each symbol of what was found looked, and its end: `[T, B, R]`."""
        written = marked([one.symbols for one in found]).to(device_of(network))
        weights = network.attention_weights(reading, written.before, written.lengths)
        if weights is None:
            raise ConfigError("there is no attention to show: model.attention is 'none'")
        return weights

    def _text(self, found: Found) -> str:
        return self.symbols.join(self.words.decode(found.symbols))

    @cached_property
    def _pictures(self) -> Pictures:
        return Pictures(self.data, self.model)

    @cached_property
    def _parts(self) -> Parts[list[Captioned]]:
        return read_captioned(self.data)
