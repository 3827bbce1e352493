import gzip
import json
import zipfile
from pathlib import Path

import pytest

from cellwise.brackets import parse
from cellwise.data.labelled import (
    Labelled,
    Layout,
    phrases,
    read_labelled,
    split_labels,
)
from cellwise.data.labelled_rows import Columns
from cellwise.errors import DataError

TREES = "(3 (2 It) (4 (2 's) (4 good)))\n(1 bad)\n"


def write(tmp_path, name, text, *, encoding="utf-8"):
    path = tmp_path / name
    path.write_bytes(
        gzip.compress(text.encode(encoding)) if name.endswith(".gz") else text.encode(encoding)
    )
    return path


def read(path, format_, **layout):
    return [(e.text, *e.labels) for e in read_labelled(path, Layout(format_, **layout))]


@pytest.mark.parametrize("name", ["a.tsv", "a.tsv.gz"])
def test_columns_by_name_are_those_of_the_first_line(tmp_path, name):
    path = write(tmp_path, name, 'id\tlabel\ttext\n\n1\tgood\t a "b" , c \n2\tbad\td\r\n')
    assert read(path, "tsv") == [('a "b" , c', "good"), ("d", "bad")]


def test_columns_by_number_need_no_names(tmp_path):
    path = write(tmp_path, "a.tsv", "good\ta\nbad\tb\n")
    assert read(path, "tsv", columns=Columns((2,), 1)) == [("a", "good"), ("b", "bad")]
    assert read(path, "tsv", columns=Columns((2,), 1, header=True)) == [("b", "bad")]


def test_quotes_hold_cells_of_csv_together(tmp_path):
    path = write(tmp_path, "a.csv", '3,"Oil, ""again""","up\nand up"\n\n4,Gold,down\n')
    columns = Columns((2, 3), 1)
    assert read(path, "csv", columns=columns) == [
        ('Oil, "again" up\nand up', "3"),
        ("Gold down", "4"),
    ]


def test_a_cell_of_csv_may_be_longer_than_python_s_own_limit(tmp_path):
    path = write(tmp_path, "a.csv", f"text,label\n{'x' * 200_000},long\n")
    assert [len(e.text) for e in read_labelled(path, Layout("csv"))] == [200_000]


def test_labels_of_json_lines_are_texts_numbers_and_lists(tmp_path):
    rows = [{"text": "a", "label": "x"}, {"label": 3, "text": "b"}, {"text": "c", "label": True}]
    path = write(tmp_path, "a.jsonl", "\n".join(map(json.dumps, rows)) + "\n\n")
    assert read(path, "jsonl") == [("a", "x"), ("b", "3"), ("c", "true")]
    several = [{"text": "a", "label": ["x", "y", "x"]}, {"text": "b", "label": []}]
    path = write(tmp_path, "b.jsonl", "\n".join(map(json.dumps, several)))
    assert read(path, "jsonl", separator=",") == [("a", "x", "y"), ("b",)]


def test_several_labels_stand_between_marks(tmp_path):
    path = write(tmp_path, "a.tsv", "text\tlabel\na\tx | y\nb\t\nc\tx|x\n")
    assert read(path, "tsv", separator="|") == [("a", "x", "y"), ("b",), ("c", "x")]


def folder_of(tmp_path):
    for name in ("pos/a.txt", "neg/2", "neg/1", "README", "pos/.hidden"):
        file = tmp_path / "data" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"text of\n{name}", encoding="utf-8")
    return tmp_path / "data"


WANTED = [("text of\nneg/1", "neg"), ("text of\nneg/2", "neg"), ("text of\npos/a.txt", "pos")]


def test_a_file_s_folder_is_its_class(tmp_path):
    assert read(folder_of(tmp_path), "folders") == WANTED


def test_folders_in_an_archive_are_read_the_same(tmp_path):
    folder, path = folder_of(tmp_path), tmp_path / "data.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.mkdir("pos")
        for file in folder.rglob("*"):
            if file.is_file():
                archive.write(file, file.relative_to(folder))
        archive.writestr("__MACOSX/pos/a.txt", b"\xff")
    assert read(path, "folders") == WANTED


def test_questions_have_coarse_and_fine_classes(tmp_path):
    path = write(
        tmp_path, "a.txt", "NUM:dist How far ?\n\nHUM:ind Who is José ?\n", encoding="latin-1"
    )
    assert read(path, "trec", encoding="latin-1") == [
        ("How far ?", "NUM"),
        ("Who is José ?", "HUM"),
    ]
    assert read(path, "trec", encoding="latin-1", fine=True)[0] == ("How far ?", "NUM:dist")


def test_of_trees_the_root_counts(tmp_path):
    path = write(tmp_path, "a.txt", TREES)
    assert read(path, "trees") == [("It 's good", "3"), ("bad", "1")]


def test_phrases_are_what_each_node_spans():
    first, second = parse(TREES.splitlines())
    assert list(phrases(first)) == [
        Labelled("It 's good", ("3",)),
        Labelled("It", ("2",)),
        Labelled("'s good", ("4",)),
        Labelled("'s", ("2",)),
        Labelled("good", ("4",)),
    ]
    assert list(phrases(second)) == [Labelled("bad", ("1",))]
    (chain,) = parse(["(3 (2 (2 so) (4 good)))"])
    assert [phrase.text for phrase in phrases(chain)] == ["so good", "so good", "so", "good"]


def test_labels_are_split_once_each():
    assert split_labels(" a, b,,a ", ",") == ("a", "b")
    assert split_labels("a, b", "") == ("a, b",)
    assert split_labels(" ", "") == ()


COMPLAINTS = [
    (
        "tsv",
        "txt\tlabel\na\tx\n",
        ", line 1: there is no column 'text'; the columns are 'txt', 'label'. Did you mean 'txt'? "
        "Columns without names are chosen by number, as in data.text_column = 1",
    ),
    ("tsv", "text\tlabel\nalone\n", ", line 2: column 2 is missing; the row has 1"),
    ("tsv", "text\tlabel\n \tx\n", ", line 2: the text is empty"),
    ("tsv", "text\tlabel\na\t \n", ", line 2: the label is empty"),
    ("tsv", "text\tlabel\n", ": there is no text in it"),
    ("csv", 'text,label\na,x\n"b,y\nc,z\n', ", line 3: no row of CSV: unexpected end of data"),
    ("csv", 'text,label\n"a\nb",x\nc\n', ", line 4: column 2 is missing; the row has 1"),
    ("csv", 'text,label\n"a" b,x\n', ", line 2: no row of CSV: ',' expected after '\"'"),
    ("jsonl", '{"text": "a"\n', ", line 1, column 13: no JSON: Expecting ',' delimiter"),
    ("jsonl", "[1]\n", ', line 1: expected a JSON object, as in {"text": …, "label": …}'),
    (
        "jsonl",
        '{"Text": "a", "label": "x"}\n',
        ", line 1: there is no key 'text'; the keys are 'Text', 'label'. Did you mean 'Text'?",
    ),
    ("jsonl", '{"text": 1, "label": "x"}\n', ", line 1: the value of 'text' is no text"),
    (
        "jsonl",
        '{"text": "nice \\ud83d day", "label": "x"}\n',
        ", line 1: the value of 'text' holds half a character (\\ud83d); it was cut within it",
    ),
    ("jsonl", "[" * 100_000 + "\n", ", line 1: lists or objects are nested too deep"),
    (
        "jsonl",
        '{"text": "a", "label": null}\n',
        ", line 1: the value of 'label' is no label and no list of labels",
    ),
    (
        "jsonl",
        '{"text": "a", "label": ["x", "y"]}\n',
        ", line 1: there are 2 labels; for texts with several set data.multi_label = true",
    ),
    ("trec", "NUM How far ?\n", ", line 1: expected 'COARSE:fine question'"),
    ("folders", "a", ": is no folder; data.format = 'folders' needs one, or a .zip"),
]


@pytest.mark.parametrize(("format_", "text", "complaint"), COMPLAINTS)
def test_complaints(tmp_path, format_, text, complaint):
    path = write(tmp_path, "a.txt", text)
    with pytest.raises(DataError) as error:
        list(read_labelled(path, Layout(format_)))
    assert str(error.value) == f"{path}{complaint}"


def test_complaints_about_folders_and_archives(tmp_path):
    cases = {
        "none": ": there is no such folder; data.format = 'folders' needs one, or a .zip",
        "none.zip": ": there is no such file",
        "a.zip": ": the file is no intact zip archive: File is not a zip file",
    }
    write(tmp_path, "a.zip", "text")
    for name, complaint in cases.items():
        with pytest.raises(DataError) as error:
            list(read_labelled(tmp_path / name, Layout("folders")))
        assert str(error.value) == f"{tmp_path / name}{complaint}"


@pytest.mark.parametrize(
    ("field", "value", "complaint"), [(8, 1, "password required"), (10, 99, "compression method")]
)
def test_an_archive_that_is_packed_as_nobody_can_read_is_refused(tmp_path, field, value, complaint):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("pos/a", "text")
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + field] = value  # of its entry in the central directory
    data[field - 2] = value  # and of its own head
    path.write_bytes(data)
    with pytest.raises(DataError, match=rf"a\.zip: the archive cannot be read: .*{complaint}"):
        list(read_labelled(path, Layout("folders")))


def test_bytes_of_another_encoding_are_named(tmp_path):
    path = write(tmp_path, "a.tsv", "text\tlabel\né\tx\n", encoding="latin-1")
    with pytest.raises(DataError) as error:
        list(read_labelled(path, Layout("tsv")))
    assert str(error.value) == (
        f"{path}, line 2: byte 1 of the line (0xe9) is not UTF-8; convert the file to UTF-8 first"
    )
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("pos/b", "a\nbé".encode())
    with pytest.raises(DataError) as error:
        list(read_labelled(tmp_path / "a.zip", Layout("folders", encoding="ascii")))
    assert str(error.value) == (
        f"{tmp_path}/a.zip/pos/b, line 2: byte 2 of the line (0xc3) is not ASCII; "
        "convert the file to ASCII first"
    )


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "layout", "n_texts", "n_classes"),
    [
        ("cls_trec_qc/train.txt.gz", Layout("trec", encoding="latin-1"), 5452, 6),
        ("cls_trec_qc/train.txt.gz", Layout("trec", encoding="latin-1", fine=True), 5452, 50),
        ("cls_movie_reviews/movie_reviews.zip", Layout("folders"), 2000, 2),
        ("cls_ag_news_test/test.csv.gz", Layout("csv", Columns((2, 3), 1)), 7600, 4),
        (
            "cls_mini_newsgroups/mini_newsgroups.zip",
            Layout("folders", encoding="latin-1"),
            2000,
            20,
        ),
        ("trees_sst/dev.txt.gz", Layout("trees"), 1101, 5),
    ],
)
def test_real_data_have_the_sizes_that_they_are_known_to_have(name, layout, n_texts, n_classes):
    path = Path(__file__).parents[3] / "shared/data" / name
    if not path.exists():
        pytest.skip("the data set is not here")
    found = list(read_labelled(path, layout))
    assert len(found) == n_texts
    assert len({example.labels for example in found}) == n_classes
