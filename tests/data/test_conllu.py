import gzip
from pathlib import Path

import pytest

from cellwise.data.columns import Tagged
from cellwise.data.conllu import read_conllu
from cellwise.errors import DataError

TEXT = """\
# text = vámonos al mar
1-2\tvámonos\t_\t_\t_\t_\t_\t_\t_\t_
1\tvamos\tir\tVERB\tvmip\tMood=Imp\t0\troot\t_\t_
2\tnos\tnosotros\tPRON\tpp\tCase=Acc\t1\tobj\t_\t_
2.1\tnada\tnada\tX\t_\t_\t_\t_\t_\t_

# text = hoy
1\thoy\thoy\tADV\trg\t_\t0\troot\t_\t_
"""


def file_of(tmp_path, text):
    path = tmp_path / "data.conllu"
    path.write_text(text, encoding="utf-8")
    return path


def test_multiword_tokens_and_empty_nodes_are_skipped(tmp_path):
    assert list(read_conllu(file_of(tmp_path, TEXT))) == [
        Tagged(("vamos", "nos"), ("VERB", "PRON")),
        Tagged(("hoy",), ("ADV",)),
    ]


def test_the_column_is_chosen(tmp_path):
    sentences = list(read_conllu(file_of(tmp_path, TEXT), "xpos"))
    assert [s.labels for s in sentences] == [("vmip", "pp"), ("rg",)]


def test_gzip_is_read(tmp_path):
    path = tmp_path / "data.conllu.gz"
    path.write_bytes(gzip.compress(TEXT.encode()))
    assert len(list(read_conllu(path))) == 2


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            "# a\n1\tx\tX\n",
            ", line 2: a CoNLL-U line has 10 columns separated by tabs, this one has 3",
        ),
        (
            "one" + "\tx" * 9 + "\n",
            ", line 1: the first column, 'one', is no word number",
        ),
        ("# a\n\n", ": the file holds no sentence, only comments or blank lines"),
    ],
)
def test_complaints(tmp_path, text, complaint):
    path = file_of(tmp_path, text)
    with pytest.raises(DataError) as error:
        list(read_conllu(path))
    assert str(error.value) == f"{path}{complaint}"


@pytest.mark.real_data
def test_a_real_treebank_has_the_size_that_it_is_known_to_have():
    path = Path(__file__).parents[3] / "shared/data/ud_english_ewt/en_ewt-ud-dev.conllu.gz"
    if not path.exists():
        pytest.skip("the English Web Treebank is not here")
    sentences = list(read_conllu(path))
    assert len(sentences) == 2001
    assert sum(len(s.tokens) for s in sentences) == 25_147


def test_an_empty_label_is_refused(tmp_path):
    path = tmp_path / "a.conllu"
    path.write_text("1\ta\ta\t\t_\t_\t0\troot\t_\t_\n\n", encoding="utf-8")
    with pytest.raises(DataError) as caught:
        list(read_conllu(path))
    assert str(caught.value) == (
        f"{path}, line 1: the column 'upos' is empty; what is not known is '_'"
    )
    (sentence,) = list(read_conllu(path, "xpos"))
    assert sentence.labels == ("_",)


def test_a_number_of_thousands_of_digits_is_none(tmp_path):
    path = tmp_path / "a.conllu"
    path.write_text("9" * 5000 + "\ta" * 9 + "\n", encoding="utf-8")
    with pytest.raises(DataError, match="is no word number"):
        list(read_conllu(path))
