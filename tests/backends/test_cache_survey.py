from __future__ import annotations

import errno
import os

import pytest

from cellwise.backends.cache import Store, key_of
from cellwise.backends.cache_entries import HEADER_BYTES, SUFFIX, entry_name
from cellwise.backends.cache_survey import Cleared, Refused, Survey, clear, survey
from cellwise.backends.private_folder import PARTIAL, RefusedError
from tests.backends.stores import STRANGER, posix, root

KEYS = [key_of(str(number)) for number in range(4)]


@pytest.fixture
def store(tmp_path):
    """A store with an entry for each key, the last one least recently used."""
    folder = tmp_path / "cache"
    found = Store(folder)
    for number, key in enumerate(KEYS):
        found.keep(key, bytes(100))
        os.utime(folder / entry_name(key), (9000 - number, 9000 - number))
    return found


def path_of(store, number):
    return store.folder / entry_name(KEYS[number])


def reasons(found):
    return {file.name: file.reason for file in found.refused}


def test_a_survey_counts_and_orders_by_use_and_changes_nothing(store):
    before = {path: path.stat().st_mtime for path in store.folder.iterdir()}
    found = survey(store)
    assert found.folder == store.folder
    assert found.reason == ""
    assert [entry.name for entry in found.entries] == [entry_name(key) for key in KEYS[::-1]]
    assert [entry.used_s for entry in found.entries] == [8997, 8998, 8999, 9000]
    assert found.n_bytes == 4 * (100 + HEADER_BYTES)
    assert found.refused == ()
    assert {path: path.stat().st_mtime for path in store.folder.iterdir()} == before


def test_a_survey_says_what_is_damaged_and_leaves_it(store):
    os.truncate(path_of(store, 0), 30)
    os.truncate(path_of(store, 1), HEADER_BYTES + 40)
    path_of(store, 2).write_bytes(b"x" * 300)
    damaged = bytearray(path_of(store, 3).read_bytes())
    damaged[-1] ^= 1
    path_of(store, 3).write_bytes(damaged)
    found = survey(store)
    assert found.entries == ()
    assert found.n_bytes == 0
    assert reasons(found) == {
        entry_name(KEYS[0]): "is cut off within its header",
        entry_name(KEYS[1]): "holds 40 bytes where 100 were written",
        entry_name(KEYS[2]): "is of another format",
        entry_name(KEYS[3]): "differs from its checksum",
    }
    assert len(list(store.folder.iterdir())) == 4


@posix
def test_a_survey_says_what_others_could_have_written(store):
    path_of(store, 0).chmod(0o620)
    path_of(store, 1).unlink()
    path_of(store, 1).symlink_to("/dev/null")
    path_of(store, 2).unlink()
    os.mkfifo(path_of(store, 2), 0o600)
    path_of(store, 3).rename(path_of(store, 0).with_name(entry_name(key_of("another"))))
    assert reasons(survey(store)) == {
        entry_name(KEYS[0]): "is writable by its group or by everyone",
        entry_name(KEYS[1]): "is a symbolic link",
        entry_name(KEYS[2]): "is not a plain file",
        entry_name(key_of("another")): "was written under another key",
    }


@root
def test_a_survey_says_whose_a_file_is(store):
    os.chown(path_of(store, 0), STRANGER, STRANGER)
    expected = "belongs to user 65534, and we are user 0"
    assert reasons(survey(store)) == {entry_name(KEYS[0]): expected}


def test_a_survey_names_partial_files_and_no_strange_ones(store):
    partial = f"{entry_name(KEYS[0])}.{'0' * 16}{PARTIAL}"
    (store.folder / partial).write_bytes(b"half")
    for name in ("notes.txt", f"x{SUFFIX}", f"{KEYS[0]}.other", f"{KEYS[0]}{SUFFIX}.bak"):
        (store.folder / name).write_text("mine")
    found = survey(store)
    assert len(found.entries) == 4
    expected = "is not written to its end (yet, or its writer was stopped)"
    assert found.refused == (Refused(partial, expected),)


def test_a_survey_of_what_is_not_there(tmp_path):
    assert survey(Store(None, reason="none")) == Survey(None, "none")
    assert survey(Store(tmp_path / "new" / "er")) == Survey(tmp_path / "new" / "er", "")
    assert not (tmp_path / "new").exists()


def test_a_survey_says_why_a_folder_cannot_be_made(tmp_path, monkeypatch):
    monkeypatch.setattr("cellwise.backends.cache_survey.os.access", lambda *_arguments: False)
    found = survey(Store(tmp_path / "new" / "er"))
    assert found.reason == f"the folder cannot be made: {tmp_path} cannot be written to"


def test_a_survey_says_that_the_folder_is_a_file(tmp_path):
    file = tmp_path / "file"
    file.write_text("here")
    assert survey(Store(file)).reason == "the folder cannot be used: Not a directory"
    assert survey(Store(file / "below")).reason == "the folder cannot be used: Not a directory"


@posix
def test_a_survey_says_that_the_folder_is_not_ours_alone(store):
    store.folder.chmod(0o777)
    assert survey(store) == Survey(
        store.folder, "the folder is writable by its group or by everyone"
    )
    link = store.folder.with_name("link")
    link.symlink_to(store.folder)
    assert survey(Store(link)) == Survey(link, "the folder is a symbolic link")


def test_a_survey_of_a_full_disk_shows_what_can_be_read(store, monkeypatch):
    def full(_handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("cellwise.backends.private_folder.os.fsync", full)
    found = survey(store)
    assert found.reason == "nothing can be written to it: No space left on device"
    assert len(found.entries) == 4
    assert len(list(store.folder.iterdir())) == 4


def test_a_survey_of_a_read_only_folder_shows_what_can_be_read(store, monkeypatch):
    opening = os.open

    def reading(path, flags, *arguments, **options):
        if flags & os.O_CREAT:
            raise PermissionError(errno.EACCES, "Permission denied")
        return opening(path, flags, *arguments, **options)

    monkeypatch.setattr("cellwise.backends.private_folder.os.open", reading)
    found = survey(store)
    assert found.reason == "nothing can be written to it: Permission denied"
    assert len(found.entries) == 4


def test_clearing_says_what_cannot_be_removed(store, monkeypatch):
    def unremovable(*_arguments, **_options):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("cellwise.backends.private_folder.os.unlink", unremovable)
    done = clear(store)
    assert done.n_files == done.n_bytes == 0
    assert {file.reason for file in done.left} == {"cannot be removed: Permission denied"}
    assert len(done.left) == 4


def test_clearing_removes_entries_and_partial_files_and_nothing_else(store):
    (store.folder / f"{entry_name(KEYS[0])}.{'0' * 16}{PARTIAL}").write_bytes(b"half")
    os.truncate(path_of(store, 1), 3)
    mine = store.folder / "notes.txt"
    mine.write_text("mine")
    assert clear(store) == Cleared(5, 3 * (100 + HEADER_BYTES) + 3 + len("half"))
    assert list(store.folder.iterdir()) == [mine]
    assert clear(store) == Cleared()


def test_clearing_what_is_not_there(tmp_path):
    assert clear(Store(None)) == Cleared()
    assert clear(Store(tmp_path / "new")) == Cleared()


@posix
def test_clearing_removes_links_and_not_what_they_point_at(store, tmp_path):
    target = tmp_path / "target"
    target.write_text("precious")
    path_of(store, 0).unlink()
    path_of(store, 0).symlink_to(target)
    path_of(store, 1).chmod(0o666)
    assert clear(store).n_files == 4
    assert target.read_text() == "precious"


def test_clearing_leaves_folders(store):
    path_of(store, 0).unlink()
    path_of(store, 0).mkdir()
    done = clear(store)
    assert done.n_files == 3
    assert done.left == (Refused(entry_name(KEYS[0]), "is a folder"),)


@root
def test_clearing_leaves_what_belongs_to_others(store):
    os.chown(path_of(store, 0), STRANGER, STRANGER)
    done = clear(store)
    expected = "belongs to user 65534, and we are user 0"
    assert done.left == (Refused(entry_name(KEYS[0]), expected),)
    assert path_of(store, 0).exists()


@posix
def test_clearing_a_folder_that_is_not_ours_alone_is_refused(store):
    store.folder.chmod(0o770)
    with pytest.raises(RefusedError, match="is writable by its group or by everyone"):
        clear(store)
    assert len(list(store.folder.iterdir())) == 4
