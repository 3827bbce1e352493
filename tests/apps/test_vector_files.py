import io
import json

import numpy as np
import pytest

from cellwise.apps.vector_files import JsonLines, NpyFile

ROWS = np.arange(12, dtype=np.float32).reshape(4, 3) / 7


@pytest.mark.parametrize("count", [0, 1, 4, 12_345])
def test_numpy_reads_what_was_written_row_by_row(tmp_path, count):
    rows = np.resize(ROWS, (count, 3)).astype(np.float32)
    path = tmp_path / "a.npy"
    with NpyFile(path) as file:
        for row in rows:
            file.write("text", row)
        assert not path.exists()
    found = np.load(path)
    assert found.dtype == np.float32
    assert found.shape == (count, 3 if count else 0)
    assert not count or np.array_equal(found, rows)
    assert [file.name for file in tmp_path.iterdir()] == ["a.npy"]


def test_what_breaks_off_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.npy"
    path.write_bytes(b"old")

    def write_some() -> None:
        with NpyFile(path) as file:
            file.write("text", ROWS[0])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_some()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_json_lines_keep_float32_exactly():
    stream = io.BytesIO()
    numbers = np.array([1 / 3, 1e-30, -123456.789, 16777217.0], np.float32)
    JsonLines(stream).write("é\n", numbers)
    (line,) = stream.getvalue().decode().splitlines()
    found = json.loads(line)
    assert found["text"] == "é\n"
    assert np.array_equal(np.array(found["vector"], np.float32), numbers)


def test_a_folder_is_no_file_to_write_to(tmp_path):
    (tmp_path / "d.npy").mkdir()
    for path in (tmp_path / "d.npy", tmp_path / "nowhere" / "a.npy"):
        with pytest.raises(OSError, match="directory") as caught:
            NpyFile(path)
        assert caught.value.filename == str(path)
    assert [file.name for file in tmp_path.iterdir()] == ["d.npy"]


def test_what_cannot_take_its_name_leaves_nothing_behind(tmp_path):
    path = tmp_path / "a.npy"
    with pytest.raises(OSError), NpyFile(path) as file:  # noqa: PT011, PT012 - of another system
        file.write("text", ROWS[0])
        path.mkdir()
    assert [one.name for one in tmp_path.iterdir()] == ["a.npy"]
