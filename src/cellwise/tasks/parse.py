"""`parse`: a sentence in, its constituent tree out, written bracket by bracket."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, cast

from torch import Tensor

from cellwise.brackets import Tree
from cellwise.data.batches import lengths_of, pad
from cellwise.data.linearise import WORD, linearise, tree_of, without_top
from cellwise.data.spooled import Form, held
from cellwise.data.symbols import Symbols
from cellwise.data.trees import TREE, read_treebank
from cellwise.data.trees_reshape import TRACE, expand, reshape
from cellwise.data.vocabulary import PAD, Vocabulary
from cellwise.errors import DataError
from cellwise.heads.search import Found, State, Step
from cellwise.tasks.attentive_decoder import Reading
from cellwise.tasks.base import Answer, Part, Report, Section
from cellwise.tasks.bracket_scores import SHORT, Compared, compare, n_words
from cellwise.tasks.encoder_decoder import EncoderDecoder
from cellwise.tasks.pairs import Pair, PairBatch
from cellwise.tasks.parse_answers import parse_answer
from cellwise.tasks.parse_config import ParseData, ParseDecoding, ParseModel, check_parse
from cellwise.tasks.parse_network import SpeltBatch, TreeNetwork
from cellwise.tasks.parse_rules import Bounds, TreeRules, TreeWriter, fewest_symbols
from cellwise.tasks.parse_words import numbers_of, words_and_forms
from cellwise.tasks.parts import Parts, files_of, read_parts
from cellwise.tasks.transduce import Network, Transduce
from cellwise.tasks.transduce_scores import Cut
from cellwise.tasks.word_tagger import spell
from cellwise.tasks.word_vectors import WordVectors

NO_TRAIN = (
    "there is no {path} here. Say where trees are, in brackets, such as\n"
    "  (S (NP (PRP It)) (VP (VBZ works)) (. .)):\n"
    "  --set data.train=FILE --set data.dev=FILE --set data.test=FILE"
)


@dataclass(frozen=True)
class Sentence(Pair):
    """A sentence, the symbols of its tree, the tree, and the file that it is from.

    `top` is the label of a bracket that was around the tree and told nothing, "" if none was.
    """

    tree: Tree
    top: str
    file: str


SENTENCE: Form[Sentence] = Form(
    lambda one: [one.source, one.targets, TREE.write(one.tree), one.top, one.file],
    lambda found: Sentence(found[0], tuple(found[1]), TREE.read(found[2]), *found[3:]),
)
"""A sentence as JSON values."""


class Parse(Transduce):
    """Grammar as a foreign language: from words to the brackets of a tree over them.

    What it writes is always a tree over exactly the words given.

    Source: Vinyals et al. 2015 (arXiv:1412.7449). Ours reads the words from both sides instead of
    reversed, knows rare words by their form and their characters, and is held to what is a tree.
    """

    name: ClassVar[str] = "parse"
    summary = "find the phrases of sentences: constituent trees"
    Data = ParseData
    Model = ParseModel
    Decoding = ParseDecoding
    goal = "max"

    data: ParseData  # type: ignore[assignment] # of files of trees, where others have columns
    model: ParseModel
    decoding: ParseDecoding

    def __init__(self, data: Section, model: Section, decoding: Section):
        super().__init__(data, model, decoding)
        check_parse(self.model)
        self.goal = "max"

    # From trees to pairs.

    def read(self, part: Part) -> Sequence[Pair]:
        """The sentences of a part; none for a test part that the configuration does not name."""
        found = self._sentences[part]
        if part != "train":
            return found
        most = self.data.max_length
        short = (one for one in found if n_words(one.tree) <= most)
        kept = held(short, SENTENCE, in_memory=self.data.in_memory)
        if not kept:
            raise DataError(f"every training sentence has more than data.max_length = {most} words")
        if len(kept) < len(found):
            self.tell(
                f"{len(found) - len(kept):,} of {len(found):,} training sentences have more than "
                f"data.max_length = {most} words, and are left out"
            )
        return kept

    def read_file(self, path: Path) -> Sequence[Pair]:
        """The sentences of a treebank."""
        return list(self._read(path))

    def grouped(self, pairs: Sequence[Pair]) -> Sequence[Pair]:
        """Every sentence, also one that occurs twice."""
        return pairs

    @cached_property
    def _sentences(self) -> Parts[Sequence[Sentence]]:
        several = _holds_files(self.data.train)
        return read_parts(
            self.data,
            self._read,
            key=lambda one: Path(one.file).name if several else one.source,
            what="files" if several else "sentences",
            form=SENTENCE,
            passing=self.passing,
        )

    def _read(self, path: Path) -> Iterator[Sentence]:
        if path == Path(ParseData().train) and not path.exists():
            raise DataError(NO_TRAIN.format(path=path))
        return (_sentence(tree, name) for name, tree in read_treebank(path) if _has_words(tree))

    # From pairs to tensors.

    def fit(self, train: Sequence[Pair]) -> None:
        """Build the vocabularies of words, characters and brackets, and read the vectors."""
        self.source_symbols = Symbols(self.data.source_unit)
        self.target_symbols = Symbols("words")
        rows = (self._looked_up(self.cut_source(one.source)) for one in train)
        self._vectors = self._vectors_of(words_and_forms(rows, min_count=self.data.min_count))
        self.targets = Vocabulary.build(self.cut_target(one.targets[0]) for one in train)
        self.characters = Vocabulary.build(
            word for one in train for word in self.cut_source(one.source)
        )
        ((self.top, _),) = Counter(cast(Sentence, one).top for one in train).most_common(1)

    def vocabularies(self) -> dict[str, Any]:
        """The vocabularies of words, brackets and characters, and the top, as JSON values."""
        own = {"characters": self.characters.to_json(), "top": self.top}
        return super().vocabularies() | own

    def restore(self, vocabularies: dict[str, Any]) -> None:
        """Take the vocabularies of a saved run over."""
        words = Vocabulary.from_json(vocabularies["source"])
        self._vectors = WordVectors(words, int(vocabularies["embedding_size"]))
        self.targets = Vocabulary.from_json(vocabularies["target"])
        self.source_symbols = Symbols.from_json(vocabularies["source_symbols"])
        self.target_symbols = Symbols.from_json(vocabularies["target_symbols"])
        self.characters = Vocabulary.from_json(vocabularies["characters"])
        self.top = str(vocabularies["top"])

    def folded(self, text: str) -> str:
        """A sentence with blanks between its words; its brackets are words, as in treebanks."""
        words = Symbols(self.data.source_unit).cut(text.replace("(", " ( ").replace(")", " ) "))
        return " ".join({"(": "-LRB-", ")": "-RRB-"}.get(word, word) for word in words)

    def cut_source(self, text: str) -> Cut:
        """The words of a sentence that was `folded`."""
        return tuple(text.split())

    def _looked_up(self, words: Sequence[str]) -> Sequence[str]:
        return [word.lower() for word in words] if self.data.lowercase else words

    def build(self) -> TreeNetwork:
        """A fresh model for the vocabularies at hand."""
        config = cast(ParseModel, self.sized_model())
        model = TreeNetwork(
            config,
            self.sources,
            len(self.characters),
            len(self.targets),
            written_word=self.targets.encode([WORD])[0],
        )
        self._vectors.put_into(model.source)
        return model

    def collate(self, examples: Sequence[Pair]) -> SpeltBatch:
        """The tensors of a batch, with the characters of each different word."""
        plain = super().collate(examples)
        rows = [self.cut_source(pair.source) for pair in examples]
        numbers = [numbers_of(self._looked_up(words), self.sources) for words in rows]
        words, spelling = spell(rows)
        characters = [self.characters.encode(word) for word in words]
        tensors = {**vars(plain), "source": pad(numbers, PAD)}
        return SpeltBatch(
            **tensors,
            spelling=pad(spelling, 0),
            characters=pad(characters, PAD),
            character_lengths=lengths_of(characters),
        )

    # What the network reads and writes, and how right it is.

    def read_batch(self, network: EncoderDecoder, batch: PairBatch) -> Reading:
        """What the encoder makes of a batch's sentences."""
        return cast(TreeNetwork, network).encode_words(cast(SpeltBatch, batch))

    def writer(self, network: Network, reading: Reading, batch: PairBatch) -> tuple[Step, State]:
        """The decoder, held to trees over exactly the words of each sentence."""
        step, state = super().writer(network, reading, batch)
        rules = TreeRules(self.targets, Bounds(self.decoding.max_depth, self.decoding.max_chain))
        book = rules.first(batch.lengths, self.limits(batch))
        return TreeWriter(step, rules), (*state, book[None])

    def limits(self, batch: PairBatch) -> Tensor:
        """The most symbols that each tree may have: never fewer than the smallest one has."""
        return super().limits(batch).maximum(fewest_symbols(batch.lengths))

    def scores(self, answers: Sequence[Cut], pairs: Sequence[Pair]) -> Report:
        """Labelled brackets by the rules of EVALB, of all sentences and of short ones."""
        whole, short = Compared(), Compared()
        n_trees = 0
        for symbols, pair in zip(answers, pairs, strict=True):
            gold = cast(Sentence, pair).tree
            found = tree_of(symbols, gold.sentence()) if symbols else None
            one = compare(gold, found)
            n_trees += found is not None
            whole += one
            short += one if n_words(gold) <= SHORT else Compared()
        metrics = whole.metrics() | short.metrics(f"_{SHORT}")
        return Report({**metrics, "well_formed": 100 * n_trees / len(pairs)})

    def answer(self, text: str, found: Found) -> Answer:
        """The tree over a sentence."""
        return parse_answer(
            text,
            self.cut_source(self.folded(text)),
            self.targets.decode(found.symbols),
            log_probability=found.log_probability,
            top=self.top,
        )


def _sentence(tree: Tree, file: str) -> Sentence:
    """The sentence of a tree without traces, function tags and a bracket that tells nothing."""
    kept = expand(reshape(tree, keep_unary=True, branching="as_is").tree)
    top, kept = without_top(kept)
    words = ("_".join(word.split()) for word in kept.sentence())
    return Sentence(" ".join(words), (" ".join(linearise(kept)),), kept, top, file)


def _holds_files(name: str) -> bool:
    """Whether a name stands for several files: a pattern, a folder or an archive."""
    try:
        names = files_of(name)
    except DataError:  # so says who reads them; a run is judged without
        return False
    return len(names) > 1 or names[0].is_dir() or names[0].suffix == ".zip"


def _has_words(tree: Tree) -> bool:
    leaves = zip(tree.labels, tree.words, strict=True)
    return any(word is not None and label != TRACE for label, word in leaves)
