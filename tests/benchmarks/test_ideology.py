import zipfile

import pytest

from benchmarks.ideology import (
    Sentence,
    balanced,
    parts,
    read_speeches,
    recursive_network,
    row,
)
from cellwise.errors import DataError
from cellwise.training.progress import Reporter

SMALL = [
    "data.labels=root",
    "model.cell=recursive",
    "model.hidden_size=4",
    "training.epochs=1",
    "training.tensorboard=false",
]


@pytest.fixture
def corpus(tmp_path):
    """A dozen debates of two speeches each to train on, one for the test."""
    for name, debates in (("training_set", range(12)), ("development_set", range(50, 51))):
        with zipfile.ZipFile(tmp_path / f"{name}.zip", "w") as archive:
            for debate in debates:
                for party, word in (("D", "health"), ("R", "taxes"), ("I", "nothing")):
                    path = f"{name}/{debate:03}_400011_0327014_{party}ON.txt"
                    archive.writestr(path, f"we speak of {word} ( today ) .\nyes .\n\n")
    return tmp_path


def test_sentences_have_the_party_in_the_name_of_the_file(corpus):
    found = list(read_speeches(corpus / "training_set.zip", shortest=3))
    assert len(found) == 24
    assert found[0] == Sentence(0, "D", tuple("we speak of health ( today ) .".split()))
    assert str(found[0].tree()).startswith("(D (_ we) (_ (_ speak) ")
    assert "(_ -LRB-)" in found[0].tree()
    with pytest.raises(DataError, match="there is no such file"):
        list(read_speeches(corpus / "none.zip", shortest=3))


def test_parts_are_of_different_debates(corpus):
    data = parts(corpus, shortest=3)
    debates = {part: {s.debate for s in found} for part, found in data.items()}
    assert debates["dev"] == {0, 10}
    assert debates["test"] == {50}
    assert not debates["train"] & debates["dev"]


def test_a_balanced_share_gives_both_parties_the_same_weight():
    assert balanced(["D", "D", "D", "R"], ["D", "D", "D", "D"]) == 0.5


def test_the_network_in_little(corpus, tmp_path):
    data = parts(corpus, shortest=3)
    found = recursive_network(data, tmp_path, SMALL, Reporter())
    assert {part: len(answers) for part, answers in found.items()} == {"dev": 4, "test": 2}
    assert set(found["test"]) <= {"D", "R"}
    assert row("x", data, {"dev": ["D"] * 4, "test": ["D", "R"]}) == (
        *("x", "20", "50.0 %", "100.0 %", "100.0 %"),
    )


def test_a_bag_of_words_in_little(corpus):
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    from benchmarks.ideology import bag_of_words

    data = parts(corpus, shortest=3)
    assert bag_of_words(data)["test"] == ["D", "R"]
