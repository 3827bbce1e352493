import gzip
import zipfile
from pathlib import Path

import pytest

from cellwise.data.trees import read_treebank, read_trees
from cellwise.errors import DataError

PENN = "\n( (S \n    (NP (NN été) )\n    (VP (VBZ is) ) ))\n( (X (UH no) ) )\n"
SHOWN = ["(S (NP (NN été)) (VP (VBZ is)))", "(X (UH no))"]


@pytest.mark.parametrize("name", ["a.txt", "a.mrg", "a.tree", "a.mrg.gz", "a.zip"])
def test_every_kind_of_file_is_read(tmp_path, name):
    path = tmp_path / name
    if name.endswith(".gz"):
        path.write_bytes(gzip.compress(PENN.encode()))
    elif name.endswith(".zip"):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("in/a.mrg", PENN.replace("\n", "\r\n"))
    else:
        path.write_text(PENN, encoding="utf-8")
    assert [str(tree) for tree in read_trees(path)] == SHOWN


def test_a_folder_is_read_file_by_file(tmp_path):
    (tmp_path / "00").mkdir()
    (tmp_path / "00/b.mrg").write_text("(B y)", encoding="utf-8")
    (tmp_path / "a.MRG.gz").write_bytes(gzip.compress(b"(A x) (A z)"))
    (tmp_path / "README").write_text("no tree", encoding="utf-8")
    found = [(Path(name).name, str(tree)) for name, tree in read_treebank(tmp_path)]
    assert found == [("b.mrg", "(B y)"), ("a.MRG.gz", "(A x)"), ("a.MRG.gz", "(A z)")]


def test_the_files_of_an_archive_come_by_name(tmp_path):
    path = tmp_path / "bank.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("b.tree", "(B y)")
        archive.writestr("a.tree", "(A x)")
        archive.writestr("LICENSE", "no tree")
    assert [name for name, _ in read_treebank(path)] == [f"{path}/a.tree", f"{path}/b.tree"]


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        (
            "a.txt",
            b"(3 (2 a) (3 b))\n(3 (2 a) (3 b)\n(2 c)\n",
            ", line 2, column 1: the tree that begins here lacks a ')'; "
            "a next tree seems to begin in line 3",
        ),
        ("a.txt", b"\n (A x))\n", ", line 2, column 7: a ')' too many: no bracket is open here"),
        ("a.txt", b"\n\n", ": there is no tree in it"),
        ("a.txt", None, ": there is no such file"),
        ("a.zip", None, ": there is no such file"),
        ("a.zip", b"(A x)", ": the file is no intact zip archive: File is not a zip file"),
        ("a.txt.gz", b"(A x)", ": the file is no intact gzip file: Not a gzipped file (b'(A')"),
    ],
)
def test_complaints(tmp_path, name, content, complaint):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError) as error:
        list(read_trees(path))
    assert str(error.value) == f"{path}{complaint}"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"(A x)\n(A\n", "/b.mrg, line 2, column 1: the tree that begins here lacks a ')'"),
        (
            b"(A x)\n(A \xe9t\xe9)\n",
            "/b.mrg, line 2: byte 4 of the line (0xe9) is not UTF-8; "
            "convert the file to UTF-8 first",
        ),
    ],
)
def test_complaints_name_the_file_in_the_archive(tmp_path, content, complaint):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("b.mrg", content)
    with pytest.raises(DataError) as error:
        list(read_trees(path))
    assert str(error.value) == f"{path}{complaint}"


def test_a_broken_archive_is_refused(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("b.mrg", b"(A xxxx)")
    path.write_bytes(path.read_bytes().replace(b"xxxx", b"xyyx"))
    with pytest.raises(DataError) as error:
        list(read_trees(path))
    assert str(error.value) == (
        f"{path}: the file is no intact zip archive: Bad CRC-32 for file 'b.mrg'"
    )


@pytest.mark.real_data
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "n_trees", "n_leaves"),
    [
        ("trees_sst/train.txt.gz", 8544, 163_563),
        ("trees_sst/dev.txt.gz", 1101, 21_274),
        ("trees_sst/test.txt.gz", 2210, 42_405),
        ("trees_craft/craft-dev.tree.zip", 2780, 70_620),
        ("trees_ptb_sample/wsj_0001-0179.mrg.zip", 3669, 94_286),
    ],
)
def test_real_treebanks_have_the_sizes_that_they_are_known_to_have(name, n_trees, n_leaves):
    path = Path(__file__).parents[3] / "shared/data" / name
    if not path.exists():
        pytest.skip("the treebank is not here")
    trees = list(read_trees(path))
    assert len(trees) == n_trees
    assert sum(len(tree.sentence()) for tree in trees) == n_leaves
