import gzip
from pathlib import Path

import pytest

from cellwise.data.columns import TextPair
from cellwise.errors import ConfigError, DataError
from cellwise.tasks.pairs_files import read_texts, target_files
from cellwise.tasks.transduce_config import TransduceData

MULTI30K = Path(__file__).parents[3] / "shared" / "data" / "mt_multi30k"


def file_of(folder, name, text):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_two_columns_or_two_files_give_the_same_pairs(tmp_path):
    both = file_of(tmp_path, "both.tsv", "a dog\tein Hund\n\na cat\teine Katze\n")
    source = file_of(tmp_path, "train.en", "a dog\n\na cat \n")
    target = tmp_path / "train.de.gz"
    target.write_bytes(gzip.compress(b"ein Hund\n\neine Katze\n"))
    pairs = [TextPair("a dog", "ein Hund"), TextPair("a cat", "eine Katze")]
    assert list(read_texts(both, None)) == list(read_texts(source, target)) == pairs


def test_files_that_do_not_belong_together_are_refused(tmp_path):
    source = file_of(tmp_path, "s", "a\nb\nc\n")
    for text, said in (
        (
            "x\ny\n",
            "{target} has 2 lines, but {source} has more; line n of one is paired with "
            "line n of the other",
        ),
        (
            "x\ny\nz\nw\n",
            "{source} has 3 lines, but {target} has more; line n of one is paired "
            "with line n of the other",
        ),
        ("x\n\nz\n", "{target}, line 2: the line is empty, but that of {source} is not"),
    ):
        target = file_of(tmp_path, "t", text)
        with pytest.raises(DataError) as error:
            list(read_texts(source, target))
        assert str(error.value) == said.format(source=source, target=target)
    blank = file_of(tmp_path, "blank", "\n\n")
    with pytest.raises(DataError) as error:
        list(read_texts(blank, blank))
    assert str(error.value) == f"{blank}: the file holds no pair, only blank lines"


def test_patterns_of_both_sides_belong_together_in_their_order(tmp_path):
    for name in ("1.en", "2.en", "1.de", "2.de"):
        file_of(tmp_path, name, "x\n")
    data = TransduceData(train=str(tmp_path / "*.en"), target_train=str(tmp_path / "*.de"))
    found = {source.name: target.name for source, target in target_files(data).items()}
    assert found == {"1.en": "1.de", "2.en": "2.de"}
    (tmp_path / "2.de").unlink()
    with pytest.raises(DataError) as error:
        target_files(data)
    assert str(error.value) == (
        "data.train names 2 files, but data.target_train 1; they belong together one by one"
    )


def test_multi30k_is_read_line_by_line():
    if not MULTI30K.is_dir():
        pytest.skip("../shared/data/mt_multi30k is not there")
    for name, count in (("train", 29_000), ("val", 1014), ("test_2016_flickr", 1000)):
        pairs = list(read_texts(MULTI30K / f"{name}.en.gz", MULTI30K / f"{name}.de.gz"))
        assert len(pairs) == count
        assert all(pair.source and pair.target for pair in pairs)


def test_sources_with_two_files_of_targets_are_refused(tmp_path):
    x, one, other = (str(file_of(tmp_path, name, "a\n")) for name in ("x", "one", "other"))
    data = {"train": x, "target_train": one, "test": x, "target_test": one}
    assert target_files(TransduceData(**data)) == {Path(x): Path(one)}
    with pytest.raises(ConfigError) as caught:
        target_files(TransduceData(**data, dev=x, target_dev=other))
    assert str(caught.value) == (
        f"{x} is named with two files of targets, {one} and {other}: copy it, so that each part "
        "has a file of its own"
    )
