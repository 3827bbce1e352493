"""The configuration sections of `classify`."""

from __future__ import annotations

import codecs
from typing import Annotated

from pydantic import Field, field_validator

from cellwise.data.labelled import Format, Layout
from cellwise.data.labelled_rows import Columns
from cellwise.data.symbols import Unit
from cellwise.heads.pooling import PoolingKind
from cellwise.tasks.base import Section
from cellwise.tasks.fields import (
    CellName,
    InMemory,
    MoreWords,
    VectorsFile,
    WeightDropout,
    WordDropout,
    Zoneout,
)

Column = Annotated[int, Field(ge=1)] | str


class ClassifyData(Section):
    """Where the texts come from, what their labels mean, and what a symbol of a text is."""

    format: Format = Field(
        "tsv",
        description="'tsv', 'csv', 'jsonl' (a JSON object a line), 'folders' (a file a text, in a "
        "folder named as its class, also in a .zip), 'trec' (COARSE:fine question), 'trees' (in "
        "brackets; the root's label counts)",
    )
    train: str = Field("train.tsv", description="training texts; .gz is read, too")
    dev: str = Field("", description="texts that choose the best checkpoint; empty: from train")
    test: str = Field("", description="texts for the final test; empty: from train, if any")
    dev_share: float = Field(
        0.1,
        gt=0,
        lt=1,
        description="share of train that is dev when dev is empty, by a hash of the text",
    )
    test_share: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="share of train that is test when test is empty, by a hash of the text",
    )
    text_column: Column | list[Column] = Field(
        "text",
        description="the column of the text, by name (in the first line; in JSON a key) or by "
        "number, from 1; several in a list are joined by a blank",
    )
    label_column: Column = Field("label", description="the column of the label, by name or number")
    header: bool = Field(
        False, description="with columns by number: whether the first line is none of the data"
    )
    encoding: str = Field("utf-8", description="of the files, such as 'utf-8' or 'latin-1'")
    in_memory: InMemory = True
    multi_label: bool = Field(False, description="whether a text may have several labels, or none")
    label_separator: str = Field(
        ",", min_length=1, description="what stands between the labels of a text that has several"
    )
    fine_labels: bool = Field(False, description="for 'trec': learn COARSE:fine rather than COARSE")
    phrases: bool = Field(
        False, description="for 'trees': train on every phrase of the trees, each once"
    )
    classes: dict[str, str] = Field(
        {},
        description="the class that a label counts as, where it is not the label itself; empty: "
        "none, the text is left out",
    )
    unit: Unit = Field(
        "tokens",
        description="what a symbol is: 'tokens' (words and marks of raw text), 'words' (between "
        "blanks), 'characters', 'subwords' (learnt from the training texts)",
    )
    n_subwords: int = Field(8000, ge=1, description="subwords to learn, at most")
    lowercase: bool = Field(True, description="read texts in lower case")
    min_count: int = Field(
        1, ge=1, description="symbols that the training data holds less often are unknown ones"
    )
    max_length: int = Field(
        2000, ge=1, description="symbols of a text that are read; longer texts are cut there"
    )
    vectors: VectorsFile = ""
    more_words: MoreWords = 50_000

    @field_validator("encoding")
    @classmethod
    def _check_encoding(cls, name: str) -> str:
        try:
            plain = "\n".encode(codecs.lookup(name).name) == b"\n"
        except (LookupError, TypeError):
            plain = False
        if not plain:
            raise ValueError(
                "the name of an encoding that ends lines as ASCII does, such as utf-8 or latin-1"
            )
        return name

    def layout(self) -> Layout:
        """How the files hold texts and labels."""
        text = self.text_column if isinstance(self.text_column, list) else [self.text_column]
        return Layout(
            self.format,
            Columns(tuple(text), self.label_column, self.header),
            separator=self.label_separator if self.multi_label else "",
            fine=self.fine_labels,
            encoding=self.encoding,
        )


class ClassifyModel(Section):
    """Vectors of symbols, recurrent layers, pooling over the text, and a class."""

    cell: CellName = "lstm"
    embedding_size: int = Field(
        0, ge=0, description="numbers per symbol; 0: as in the file of vectors, else as hidden_size"
    )
    embedding_range: float = Field(
        0.1,
        gt=0,
        allow_inf_nan=False,
        description="vectors that are learnt start uniform between plus and minus this",
    )
    tune_vectors: bool = Field(
        True, description="go on learning vectors from a file; false: keep all vectors fixed"
    )
    hidden_size: int = Field(128, ge=1, description="hidden size of each direction")
    num_layers: int = Field(1, ge=1, description="recurrent layers")
    bidirectional: bool = Field(True, description="read texts from both sides")
    pooling: PoolingKind = Field(
        "max",
        description="the vector of a text, from all steps: 'last', 'mean', 'max' or 'attention' (a "
        "mean with learnt weights)",
    )
    attention_size: int = Field(
        0, ge=0, description="numbers that attention is reckoned from; 0: as the layers' output"
    )
    embedding_dropout: float = Field(
        0.3, ge=0, lt=1, description="dropout on the symbols' vectors, the same mask at every step"
    )
    dropout: float = Field(
        0.5, ge=0, lt=1, description="dropout between layers and on the text's vector"
    )
    word_dropout: WordDropout = 0.25
    crop: int = Field(
        0,
        ge=0,
        description="in training a text of more symbols than this is read from a stretch of so "
        "many, drawn anew each time; 0: all of it",
    )
    zoneout: Zoneout = 0.0
    weight_dropout: WeightDropout = 0.0
    label_smoothing: float = Field(
        0.0, ge=0, lt=1, description="share of a right label's probability spread over all"
    )
    class_weights: bool = Field(
        False,
        description="let rare classes count for more in training, in inverse proportion to their "
        "number of texts",
    )


class ClassifyDecoding(Section):
    """How texts are labelled."""

    batch_size: int = Field(64, ge=1, description="texts of a list that are labelled together")
    threshold: float = Field(
        0.5,
        gt=0,
        lt=1,
        description="where texts may have several labels: the least probability of one to be given",
    )
