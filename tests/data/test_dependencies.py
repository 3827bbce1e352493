from pathlib import Path

import pytest

from cellwise.data.dependencies import Dependencies, read_dependencies
from cellwise.errors import DataError

TEXT = """\
# text = vámonos
1-2\tvámonos\t_\t_\t_\t_\t_\t_\t_\t_
1\tvamos\tir\tVERB\tvmip\tMood=Imp\t0\troot\t_\t_
2\tnos\tnosotros\tPRON\tpp\tCase=Acc\t1\texpl:pv\t_\t_
2.1\tnada\tnada\tX\t_\t_\t_\t_\t_\t_

1\thoy\thoy\tADV\trg\t_\t0\troot\t_\t_
"""


def file_of(tmp_path, text):
    path = tmp_path / "data.conllu"
    path.write_text(text, encoding="utf-8")
    return path


def words(*heads):
    blank = "\t_" * 4
    return "".join(f"{i}\tw{blank}\t{head}\tdep\t_\t_\n" for i, head in enumerate(heads, 1))


def test_heads_become_parents(tmp_path):
    assert read_dependencies(file_of(tmp_path, TEXT)) == [
        Dependencies(("vamos", "nos"), (-1, 0), ("root", "expl:pv")),
        Dependencies(("hoy",), (-1,), ("root",)),
    ]


def test_subtypes_may_be_left_out(tmp_path):
    sentences = read_dependencies(file_of(tmp_path, TEXT), subtypes=False)
    assert sentences[0].relations == ("root", "expl")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            words(2, 3, "x", 0),
            ", line 3: the head is 'x', but must be the number of a word, "
            "from 1 to 4, or 0 for the root",
        ),
        (
            words(0, 3),
            ", line 2: the head is '3', but must be the number of a word, "
            "from 1 to 2, or 0 for the root",
        ),
        (
            "\n" + words(2, 0, 2, 0),
            ", line 5: word 4 is a second root, beside word 2; one word alone has the head 0",
        ),
        (
            "# a\n" + words(2, 1),
            ", line 2: the sentence that begins here has no root; one word alone has the head 0",
        ),
        (
            words(0, 1, 5, 3, 4, 5),
            ", line 3: the heads of word 3 lead back to it; they must lead to the root",
        ),
        (
            words(0, 1) + words(0),
            ", line 3: the word is numbered 1, but is word 3 of its sentence; "
            "a blank line separates sentences",
        ),
        ("# a\n\n", ": the file holds no sentence, only comments or blank lines"),
    ],
)
def test_complaints(tmp_path, text, complaint):
    path = file_of(tmp_path, text)
    with pytest.raises(DataError) as error:
        read_dependencies(path)
    assert str(error.value) == f"{path}{complaint}"


@pytest.mark.real_data
def test_a_real_treebank_is_all_trees():
    path = Path(__file__).parents[3] / "shared/data/ud_english_ewt/en_ewt-ud-dev.conllu.gz"
    if not path.exists():
        pytest.skip("the English Web Treebank is not here")
    sentences = read_dependencies(path)
    assert len(sentences) == 2001
    assert sum(len(sentence.parents) for sentence in sentences) == 25_147
