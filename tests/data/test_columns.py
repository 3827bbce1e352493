import pytest

from cellwise.data.columns import Tagged, TextPair, read_pairs, read_tagged
from cellwise.errors import DataError


def file_of(tmp_path, text):
    path = tmp_path / "data.tsv"
    path.write_text(text, encoding="utf-8")
    return path


def test_pairs_keep_blanks_inside_and_skip_blank_lines(tmp_path):
    path = file_of(tmp_path, "ab c\tx y\n\n d \t z \n")
    assert list(read_pairs(path)) == [TextPair("ab c", "x y"), TextPair("d", "z")]


def test_blank_lines_separate_tagged_sentences(tmp_path):
    path = file_of(tmp_path, "\nthe\tDET\ndog\tNOUN\n\n\nruns\tVERB\n")
    assert list(read_tagged(path)) == [
        Tagged(("the", "dog"), ("DET", "NOUN")),
        Tagged(("runs",), ("VERB",)),
    ]


def test_comments_carriage_returns_and_blank_tokens(tmp_path):
    path = tmp_path / "data.tsv"
    path.write_bytes("# id 7\r\n#\tSYM\r\n\tO\r\n\t\r\n#end\r\nrün\tVERB".encode())
    assert list(read_tagged(path)) == [Tagged(("#", ""), ("SYM", "O")), Tagged(("rün",), ("VERB",))]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            "a\tb\nalone\n",
            ", line 2: expected two columns separated by a tab, 'source TAB target', and found 1",
        ),
        (
            "a\tb\tc\n",
            ", line 1: expected two columns separated by a tab, 'source TAB target', and found 3",
        ),
        ("\tb\n", ", line 1: the source is empty"),
        ("a\t \n", ", line 1: the target is empty"),
        ("\n\n", ": the file holds no pair, only blank lines"),
    ],
)
def test_complaints_about_pairs(tmp_path, text, complaint):
    path = file_of(tmp_path, text)
    with pytest.raises(DataError) as error:
        list(read_pairs(path))
    assert str(error.value) == f"{path}{complaint}"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            "a\tX\nb Y\n",
            ", line 2: expected two columns separated by a tab, 'token TAB label', and found 1",
        ),
        ("a\t\n", ", line 1: the label is empty"),
        ("\n", ": the file holds no sentence, only blank lines"),
    ],
)
def test_complaints_about_tagged_sentences(tmp_path, text, complaint):
    path = file_of(tmp_path, text)
    with pytest.raises(DataError) as error:
        list(read_tagged(path))
    assert str(error.value) == f"{path}{complaint}"
