"""The data side of tasks over pairs of texts: from files to pairs, from pairs to tensors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from cellwise.data.batches import lengths_of, pad
from cellwise.data.cmu import read_cmudict
from cellwise.data.columns import TEXT_PAIR, TextPair
from cellwise.data.marked import marked
from cellwise.data.spooled import held
from cellwise.data.symbols import Symbols
from cellwise.data.vocabulary import PAD, Vocabulary
from cellwise.errors import DataError
from cellwise.tasks.base import Part, Task
from cellwise.tasks.pairs import PAIR, SIDES, Pair, PairBatch, Side, merged
from cellwise.tasks.pairs_files import read_texts, target_files
from cellwise.tasks.parts import read_parts
from cellwise.tasks.transduce_config import TransduceData, TransduceModel
from cellwise.tasks.transduce_scores import Cut
from cellwise.tasks.word_vectors import VectorFile, WordVectors, take_vectors


class PairTask(Task[Pair, PairBatch]):
    """Reads pairs of texts, learns what their symbols are, and makes batches of them.

    It has `source_symbols` and `target_symbols`, which cut texts, and the vocabularies `sources`
    and `targets`, after `fit` or `restore`.
    """

    data: TransduceData
    model: TransduceModel

    # From files to pairs.

    def read(self, part: Part) -> Sequence[Pair]:
        """The pairs of a part; none for a test part that the configuration does not name."""
        # Without a file of its own dev is a share of train.
        names = {"dev": self.data.target_dev if self.data.dev else self.data.target_train}
        names |= {"train": self.data.target_train, "test": self.data.target_test}
        alone = bool(names[part])
        pairs = (self._pair(text, alone) for text in self._parts[part])
        return self.short_ones(pairs) if part == "train" else self.grouped(list(pairs))

    def short_ones(self, pairs: Iterable[Pair]) -> Sequence[Pair]:
        """The training pairs that are not too long; how many are, is told.

        Raises:
            DataError: all are.
        """
        most, count = self.data.max_length, 0

        def short() -> Iterator[Pair]:
            nonlocal count
            for pair in pairs:
                count += 1
                if self._is_short(pair):
                    yield pair

        kept = held(short(), PAIR, in_memory=self.data.in_memory)
        if not kept:
            raise DataError(f"every training pair is longer than data.max_length = {most} symbols")
        if count > len(kept):
            self.tell(
                f"{count - len(kept):,} of {count:,} training pairs are longer than "
                f"data.max_length = {most} symbols, and left out"
            )
        return kept

    def read_file(self, path: Path) -> Sequence[Pair]:
        """The pairs of a two-column file, or of one whose targets the configuration names."""
        alone = path.resolve() in self._target_files
        return self.grouped([self._pair(text, alone) for text in self.read_texts(path)])

    def grouped(self, pairs: Sequence[Pair]) -> Sequence[Pair]:
        """The pairs to judge by: each source once with all its targets, or line by line.

        They stay line by line where sources and targets are in two files.
        """
        return merged(pairs)

    def read_texts(self, path: Path) -> Iterator[TextPair]:
        """The texts of a file: two columns, or sources whose targets are in another file."""
        return read_texts(path, self._target_files.get(path.resolve()))

    @cached_property
    def _target_files(self) -> dict[Path, Path]:
        return {path.resolve(): target for path, target in target_files(self.data).items()}

    @cached_property
    def _parts(self) -> Mapping[Part, Sequence[TextPair]]:
        if self.data.source == "cmudict":
            return read_cmudict()
        return read_parts(
            self.data,
            self.read_texts,
            key=lambda pair: pair.source,
            what="sources",
            form=TEXT_PAIR,
            passing=self.passing,
        )

    def _pair(self, text: TextPair, alone: bool) -> Pair:
        return Pair(self.folded(text.source), (text.target,), alone=alone)

    def folded(self, text: str) -> str:
        """A source as it is read: without needless blanks, in lower case where that is set."""
        text = text if self.data.source_unit == "characters" else " ".join(text.split())
        return text.lower() if self.data.lowercase else text

    def _is_short(self, pair: Pair) -> bool:
        units = (self.data.source_unit, self.data.target_unit)
        sides = zip((pair.source, pair.targets[0]), units, strict=True)
        # Subwords are learnt from the pairs that are left, so they cannot be counted yet.
        lengths = (len(Symbols("words" if u == "subwords" else u).cut(text)) for text, u in sides)
        return max(lengths) <= self.data.max_length

    # From pairs to tensors.

    def fit(self, train: Sequence[Pair]) -> None:
        """Learn what the symbols are, build the vocabularies, and read the file of vectors."""
        if self.model.share_embeddings == "all":
            self.source_symbols = self.target_symbols = self._learnt(train, SIDES)
            self._vectors = self._vectors_of(self._known(train, SIDES))
            self.targets = self.sources
            return
        self.source_symbols = self._learnt(train, SIDES[:1])
        self.target_symbols = self._learnt(train, SIDES[1:])
        self._vectors = self._vectors_of(self._known(train, SIDES[:1]))
        self.targets = self._known(train, SIDES[1:])

    def _learnt(self, train: Sequence[Pair], sides: Sequence[Side]) -> Symbols:
        unit = self.data.source_unit if "source" in sides else self.data.target_unit
        texts = (text for pair in train for side in sides for text in pair.texts(side))
        return Symbols.fit(unit, texts, n_subwords=self.data.n_subwords)

    def _known(self, train: Sequence[Pair], sides: Sequence[Side]) -> Vocabulary:
        cuts = {"source": self.cut_source, "target": self.cut_target}
        found = (cuts[side](text) for pair in train for side in sides for text in pair.texts(side))
        symbols = self.source_symbols if "source" in sides else self.target_symbols
        return Vocabulary.build(found, min_count=self.data.min_count, known=symbols.learnt)

    def _vectors_of(self, sources: Vocabulary) -> WordVectors:
        asked = self.model.embedding_size
        asked = asked if self.data.vectors else asked or self.model.hidden_size
        file = VectorFile(self.data.vectors, self.data.more_words, self.data.lowercase)
        return take_vectors(sources, file, size=asked, tell=self.tell)

    @property
    def sources(self) -> Vocabulary:
        """The symbols of sources that the model knows."""
        return self._vectors.words

    def vocabularies(self) -> dict[str, Any]:
        """The symbols and vocabularies of both sides, and the size of vectors, as JSON values."""
        return {
            "source": self.sources.to_json(),
            "target": self.targets.to_json(),
            "source_symbols": self.source_symbols.to_json(),
            "target_symbols": self.target_symbols.to_json(),
            "embedding_size": self._vectors.size,
        }

    def restore(self, vocabularies: dict[str, Any]) -> None:
        """Take the vocabularies of a saved run over; early runs saved no symbols and no size."""
        sources = Vocabulary.from_json(vocabularies["source"])
        size = vocabularies.get("embedding_size", self.model.embedding_size)
        self._vectors = WordVectors(sources, int(size))
        self.targets = Vocabulary.from_json(vocabularies["target"])
        self.source_symbols, self.target_symbols = (
            Symbols.from_json(saved) if (saved := vocabularies.get(name)) else Symbols(unit)
            for name, unit in (
                ("source_symbols", self.data.source_unit),
                ("target_symbols", self.data.target_unit),
            )
        )

    def cut_source(self, text: str) -> Cut:
        """The symbols of a source."""
        return self.source_symbols.cut(text)

    def cut_target(self, text: str) -> Cut:
        """The symbols of a target."""
        return self.target_symbols.cut(text)

    def size(self, example: Pair) -> int:
        """By the source's length, then the target's: little padding on both sides."""
        return len(self.cut_source(example.source)) * 1000 + len(
            self.cut_target(example.targets[0])
        )

    def collate(self, examples: Sequence[Pair]) -> PairBatch:
        """The tensors of a batch; of several targets the first one counts."""
        sources = [self.sources.encode(self.cut_source(pair.source)) for pair in examples]
        targets = [self.targets.encode(self.cut_target(pair.targets[0])) for pair in examples]
        written = marked(targets)
        return PairBatch(pad(sources, PAD), lengths_of(sources), *written, written.n_symbols)
