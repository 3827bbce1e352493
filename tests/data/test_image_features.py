import numpy as np
import pytest
import torch

from cellwise.data.image_features import read_features
from cellwise.errors import DataError


def write(folder, rows, names="one.jpg\ntwo.jpg\n"):
    np.save(folder / "rows.npy", rows)
    (folder / "names.txt").write_text(names)
    return folder / "rows.npy", folder / "names.txt"


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_features_of_whole_images_are_those_of_one_region(tmp_path, dtype):
    rows = np.arange(6, dtype=dtype).reshape(2, 3)
    found = read_features(*write(tmp_path, rows))
    assert found.shape == (1, 3)
    assert found.names == ("one.jpg", "two.jpg")
    assert found["two.jpg"].dtype == torch.float32
    assert found["two.jpg"].tolist() == [[3, 4, 5]]
    assert "one.jpg" in found and "three.jpg" not in found


def test_features_of_regions(tmp_path):
    rows = np.arange(24.0).reshape(2, 4, 3)
    found = read_features(*write(tmp_path, rows))
    assert found.shape == (4, 3)
    assert found["one.jpg"].tolist() == rows[0].tolist()


def test_complaints(tmp_path):
    for rows, names, message in (
        (np.zeros((3, 2)), "a\nb\n", "rows.npy has features of 3 images, but {}names.txt names 2"),
        (np.zeros((2, 2)), "a\na\n", "names.txt: 'a' stands there twice"),
        (
            np.zeros((2, 2), int),
            "a\nb\n",
            "rows.npy is no .npy file of floating-point numbers",
        ),
        (
            np.zeros(2),
            "a\nb\n",
            "rows.npy has the shape [2], and needs [images, numbers] or [images, regions, numbers]",
        ),
        (
            np.zeros((2, 0, 5)),
            "a\nb\n",
            "rows.npy has the shape [2, 0, 5]: there is no number in it",
        ),
    ):
        paths = write(tmp_path, rows, names)
        with pytest.raises(DataError) as error:
            read_features(*paths)
        assert str(error.value) == f"{tmp_path}/{message}".format(f"{tmp_path}/")
    found = read_features(*write(tmp_path, np.zeros((2, 2))))
    with pytest.raises(DataError) as error:
        found["three.jpg"]
    assert str(error.value) == (
        f"there are no features of image 'three.jpg' in {tmp_path / 'rows.npy'}"
    )


def test_files_that_are_none(tmp_path):
    path, names = write(tmp_path, np.zeros((2, 2)))
    with pytest.raises(DataError, match=r"gone\.npy: there is no such file"):
        read_features(tmp_path / "gone.npy", names)
    path.write_text("text")
    with pytest.raises(DataError, match=r"rows\.npy is no \.npy file of numbers: "):
        read_features(path, names)
    np.savez(path.with_suffix(".npz"), a=np.zeros((2, 2)))
    with pytest.raises(DataError, match=r"rows\.npz is no \.npy file of"):
        read_features(path.with_suffix(".npz"), names)


def test_features_that_are_no_numbers_are_refused(tmp_path):
    rows = np.ones((2, 3), np.float32)
    rows[1, 2] = np.nan
    np.save(tmp_path / "f.npy", rows)
    (tmp_path / "n.txt").write_text("a\nb\n")
    found = read_features(tmp_path / "f.npy", tmp_path / "n.txt")
    assert found["a"].tolist() == [[1, 1, 1]]
    with pytest.raises(DataError, match="the features of image 'b' hold a number that is none"):
        found["b"]


def test_what_begins_as_a_zip_and_is_none_is_no_features(tmp_path):
    features, names = write(tmp_path, np.zeros((2, 2)))
    features.write_bytes(b"PK\x03\x04" + bytes(40))
    with pytest.raises(DataError, match=r"rows\.npy is no \.npy file of numbers"):
        read_features(features, names)
