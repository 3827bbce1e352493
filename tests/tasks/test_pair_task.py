import json
from pathlib import Path

import pytest

from cellwise.data.symbols import Symbols
from cellwise.errors import DataError
from cellwise.tasks.pairs import Pair
from tests.tasks.transductions import (
    ENGLISH,
    GERMAN,
    SMALL,
    file_of,
    fitted,
    parallel,
    reversals,
    task_of,
)


@pytest.fixture
def texts(tmp_path):
    """The keys of a data section for two files of raw text, line by line."""
    return parallel(tmp_path)


def test_texts_in_two_files_are_pairs_line_by_line(texts, tmp_path):
    texts["dev"] = file_of(tmp_path, "y.en", [ENGLISH[0], ENGLISH[0]])
    texts["target_dev"] = file_of(tmp_path, "y.de", GERMAN[:2])
    task = task_of(data={**texts, "source_unit": "words"})
    assert task.read("train") == [
        Pair(one, (other,)) for one, other in zip(ENGLISH, GERMAN, strict=True)
    ]
    assert task.read("dev") == [Pair(ENGLISH[0], (text,)) for text in GERMAN[:2]]


def test_each_file_says_whether_its_lines_are_judged_alone(texts, tmp_path):
    columns = file_of(tmp_path, "columns.tsv", [f"{ENGLISH[0]}\t{text}" for text in GERMAN[:2]])
    lines = file_of(tmp_path, "y.en", [ENGLISH[0], ENGLISH[0]])
    targets = file_of(tmp_path, "y.de", GERMAN[:2])
    together, alone = (
        [Pair(ENGLISH[0], tuple(GERMAN[:2]))],
        [Pair(ENGLISH[0], (text,)) for text in GERMAN[:2]],
    )
    words = {"source_unit": "words"}
    beside = task_of(data={**texts, **words, "dev": columns, "target_dev": ""})
    assert beside.read("dev") == together == beside.read_file(Path(columns))
    train = {"train": columns, "target_train": "", "dev": lines, "target_dev": targets}
    apart = task_of(data={**texts, **words, **train})
    assert apart.read("dev") == alone == apart.read_file(Path(lines))
    assert apart.grouped(apart.read("dev")) == alone


def test_a_share_of_two_files_is_judged_line_by_line(tmp_path):
    lines = [f"word {n % 5}" for n in range(100)]
    names = {
        "train": file_of(tmp_path, "x.en", lines),
        "target_train": file_of(tmp_path, "x.de", [f"Wort {n}" for n in range(100)]),
    }
    shares = {"dev": "", "target_dev": "", "dev_share": 0.3, "source_unit": "words"}
    found = task_of(data={**names, **shares}).read("dev")
    assert len(found) > len({pair.source for pair in found})
    assert all(len(pair.targets) == 1 for pair in found)


def test_it_is_told_how_many_pairs_are_too_long(texts):
    task = task_of(data={**texts, "source_unit": "characters", "max_length": 24})
    said: list[str] = []
    task.tell = said.append
    n_kept = len(task.read("train"))
    assert 0 < n_kept < len(ENGLISH)
    assert said == [
        f"{len(ENGLISH) - n_kept} of {len(ENGLISH)} training pairs are longer than "
        "data.max_length = 24 symbols, and left out"
    ]


@pytest.mark.parametrize("sharing", ["none", "target", "all"])
def test_subwords_are_learnt_and_saved(texts, sharing):
    units = {"source_unit": "subwords", "target_unit": "subwords", "n_subwords": 40}
    sections = {"data": {**texts, **units}, "model": {"share_embeddings": sharing}}
    task, again = fitted(**sections), task_of(**sections)
    again.restore(json.loads(json.dumps(task.vocabularies())))
    for text in GERMAN:
        cut = task.cut_target(text)
        assert len(cut) > len(text.split())
        assert task.target_symbols.join(cut) == text
        assert again.cut_target(text) == cut
    assert (task.targets is task.sources) == (sharing == "all")
    assert task.build().target.num_embeddings == len(task.targets)
    for name, one in again.build().state_dict().items():
        assert one.shape == task.build().state_dict()[name].shape


def test_one_vocabulary_holds_both_sides(texts):
    units = {"source_unit": "words", "target_unit": "words"}
    task = fitted(data={**texts, **units}, model={"share_embeddings": "all"})
    assert {"dog", "Hund"} <= set(task.sources.symbols)
    model = task.build()
    assert model.source is model.target


def test_runs_of_before_saved_no_symbols_and_no_size(tmp_path):
    task = fitted(data=reversals(tmp_path))
    saved = task.vocabularies()
    again = task_of(data=reversals(tmp_path))
    again.restore({name: saved[name] for name in ("source", "target")})
    assert again.source_symbols == Symbols("characters") == again.target_symbols
    assert again.build().state_dict().keys() == task.build().state_dict().keys()


def test_data_that_is_not_in_memory_trains_the_same_model(texts, tmp_path):
    units = {"source_unit": "words", "target_unit": "words", "max_length": 5}
    one = fitted(data={**texts, **units})
    other = fitted(data={**texts, **units, "in_memory": False})
    assert list(other.read("train")) == list(one.read("train"))
    assert len(other.read("train")) == 2
    assert other.vocabularies() == one.vocabularies()
    texts["train"] = texts["target_train"] = file_of(tmp_path, "long", ["a b c d e f g"])
    with pytest.raises(DataError) as error:
        task_of(data={**texts, **units, "in_memory": False}).read("train")
    assert str(error.value) == "every training pair is longer than data.max_length = 5 symbols"
    blank = texts["train"] = texts["target_train"] = file_of(tmp_path, "blank", ["", ""])
    with pytest.raises(DataError) as error:
        task_of(data={**texts, **units, "in_memory": False}).read("train")
    assert str(error.value) == f"{blank}: the file holds no pair, only blank lines"


def test_vectors_of_source_symbols_come_from_a_file(texts, tmp_path):
    vectors = file_of(tmp_path, "vectors.txt", ["dog 1 2 3", "never 4 5 6", "zebra 7 8 9"])
    data = {**texts, "source_unit": "words", "vectors": vectors, "more_words": 2}
    task = fitted(data=data, model={"embedding_size": 0})
    model = task.build()
    assert model.source.weight[task.sources.encode(["dog"])].tolist() == [[1, 2, 3]]
    assert model.source.weight[task.sources.encode(["never"])].tolist() == [[4, 5, 6]]
    assert "zebra" not in task.sources
    again = task_of(data=data, model={"embedding_size": 0})
    again.restore(json.loads(json.dumps(task.vocabularies())))
    again.build().load_state_dict(model.state_dict())
    without = fitted(data=texts, model={"embedding_size": 0})
    assert without.build().source.embedding_dim == SMALL["hidden_size"]
