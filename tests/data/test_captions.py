import pytest

from cellwise.data.captions import Captioned, read_captions
from cellwise.errors import DataError


def read(tmp_path, text):
    path = tmp_path / "captions.csv"
    path.write_text(text, encoding="utf-8")
    return read_captions(path)


def complaint(tmp_path, text):
    with pytest.raises(DataError) as error:
        read(tmp_path, text)
    return str(error.value).removeprefix(f"{tmp_path / 'captions.csv'}")


def test_csv_with_quotes_commas_and_blank_lines(tmp_path):
    found = read(
        tmp_path,
        'image,caption\na.jpg,A dog .\n\nb.jpg,"A cat , asleep ."\n'
        'a.jpg,"A "" DOG "" shirt ."\nb.jpg,"Two\nlines"\n',
    )
    assert found == [
        Captioned("a.jpg", ("A dog .", 'A " DOG " shirt .')),
        Captioned("b.jpg", ("A cat , asleep .", "Two\nlines")),
    ]


def test_columns_with_tabs_and_numbered_images(tmp_path):
    found = read(tmp_path, "a.jpg#0\tA dog , wet .\na.jpg#1\tDogs .\n\nb.jpg\tA cat .\n")
    assert found == [
        Captioned("a.jpg", ("A dog , wet .", "Dogs .")),
        Captioned("b.jpg", ("A cat .",)),
    ]


def test_complaints(tmp_path):
    assert complaint(tmp_path, "image,caption\na.jpg,A dog\nb.jpg,A cat , asleep\n") == (
        ", line 3: expected an image and a caption, and found 3 columns; "
        'a caption with commas has to stand in quotes ("…")'
    )
    assert complaint(tmp_path, "\na.jpg,A dog\n") == (
        ", line 2: expected the header image,caption or a tab between an image and its caption, "
        "and found 'a.jpg,A dog'"
    )
    assert complaint(tmp_path, "image,caption\na.jpg, \n") == ", line 2: the caption is empty"
    assert complaint(tmp_path, "a.jpg\tA dog\n#2\tA cat\n") == (
        ", line 2: the name of the image is empty"
    )
    assert complaint(tmp_path, "image,caption\n") == ": the file holds no caption"
    assert complaint(tmp_path, 'image,caption\na.jpg,"A dog\n') == (
        ", line 2: unexpected end of data"
    )
    assert complaint(tmp_path, "a.jpg\tA\tdog\n").startswith(
        ", line 1: expected an image and a caption, and found 3 columns"
    )


def test_a_header_with_an_open_quote_is_no_header(tmp_path):
    path = tmp_path / "captions.csv"
    path.write_text('"image,caption\na.jpg,A dog\n')
    with pytest.raises(DataError, match=r"captions\.csv, line"):
        read_captions(path)
