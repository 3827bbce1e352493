from __future__ import annotations

from pathlib import Path

import pytest

from cellwise.data.spooled import Form, Spooled
from cellwise.errors import DataError
from cellwise.tasks.parts import files_of, read_parts
from cellwise.tasks.tag_config import TagData


def words(path: Path) -> list[str]:
    return path.read_text().split()


def parts_of(path: Path, **changes):
    data = TagData(train=str(path), **changes)
    return read_parts(data, words, key=lambda word: word[0], what="words", form=Form(str, str))


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "train.txt"
    path.write_text(" ".join(f"{letter}{i}" for letter in "abcdefghij" for i in range(3)))
    return path


def test_named_files_are_the_parts(path, tmp_path):
    dev = tmp_path / "dev.txt"
    dev.write_text("x y")
    found = parts_of(path, dev=str(dev))
    assert dict(found) == {"train": words(path), "dev": ["x", "y"], "test": []}


def test_a_part_is_read_when_it_is_asked_for(tmp_path):
    (tmp_path / "test.txt").write_text("x y")
    parts = parts_of(tmp_path / "gone.txt", test=str(tmp_path / "test.txt"))
    assert parts["test"] == ["x", "y"]
    with pytest.raises(FileNotFoundError):
        parts["dev"]  # a share of train


def test_without_a_dev_file_a_share_of_train_is_dev_and_equal_keys_stay_together(path):
    parts = parts_of(path, dev_share=0.4)
    assert sorted(parts["train"] + parts["dev"]) == sorted(words(path))
    assert parts["dev"]
    assert not {word[0] for word in parts["train"]} & {word[0] for word in parts["dev"]}


def test_too_few_examples_cannot_be_split(tmp_path):
    path = tmp_path / "train.txt"
    path.write_text("one")
    with pytest.raises(DataError) as caught:
        parts_of(path)["train"]
    assert str(caught.value) == (
        f"{path}: too few words to split off data.dev_share = 0.05 of them; name a file as data.dev"
    )


def test_a_pattern_names_all_files_that_match(tmp_path):
    for name in "bac":
        (tmp_path / f"{name}.txt").write_text(f"{name}1 {name}2")
    (tmp_path / "d.txt").write_text("x")
    parts = parts_of(tmp_path / "[abc].txt", dev=str(tmp_path / "d.txt"))
    assert parts["train"] == ["a1", "a2", "b1", "b2", "c1", "c2"]


def test_a_pattern_that_matches_nothing_is_an_error(tmp_path):
    said = r"\*\.none: there is no such file, and no file matches this pattern"
    with pytest.raises(DataError, match=said):
        parts_of(tmp_path / "*.none")["train"]


def test_a_split_is_made_once(path):
    parts = parts_of(path, dev_share=0.4)
    assert parts["dev"] is parts["dev"]
    assert len(parts) == len(list(parts)) == 3


def test_a_pattern_may_lie_in_a_folder_with_marks_in_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "br[1]"
    folder.mkdir()
    (folder / "a.tsv").touch()
    assert files_of("br[1]/*.tsv") == [Path("br[1]/a.tsv")]
    assert files_of(f"{folder}/*.tsv") == [folder / "a.tsv"]
    with pytest.raises(DataError, match="no file matches"):
        files_of("br[1]/*.csv")
    with pytest.raises(DataError, match="no file matches"):
        files_of("nowhere*/x/*.csv")


@pytest.mark.parametrize("name", ["**.tsv", "a" * 300 + "*"])
def test_what_is_no_pattern_is_refused(tmp_path, name):
    with pytest.raises(DataError, match="is no pattern of files: "):
        files_of(f"{tmp_path}/{name}")


@pytest.mark.parametrize("dev", ["", "train.txt"])
def test_training_examples_are_kept_where_the_configuration_says(path, dev):
    dev = str(path) if dev else ""
    inside, outside = (
        parts_of(path, dev=dev, dev_share=0.4, in_memory=kept) for kept in (True, False)
    )
    assert {part: list(found) for part, found in outside.items()} == dict(inside)
    assert isinstance(outside["train"], Spooled) and isinstance(inside["train"], list)
    assert isinstance(outside["dev"], list)
