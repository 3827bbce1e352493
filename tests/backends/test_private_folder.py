from __future__ import annotations

import os

import pytest

from cellwise.backends.cache import Store
from tests.backends.stores import CONTENT, KEY, OTHER, STRANGER, kept, posix, root


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "cache")


@posix
def test_folder_and_files_are_for_us_alone_whatever_the_umask(store):
    before = os.umask(0)
    try:
        path = kept(store)
    finally:
        os.umask(before)
    assert store.folder.stat().st_mode & 0o777 == 0o700
    assert path.stat().st_mode & 0o777 == 0o600


@posix
@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666, 0o777])
def test_an_entry_that_others_can_write_is_left_and_not_used_until_made_again(store, mode):
    path = kept(store)
    path.chmod(mode)
    assert store.fetch(KEY) is None
    assert path.exists()
    assert store.made(KEY, lambda: b"again") == b"again"
    assert store.fetch(KEY) == b"again"


@posix
def test_an_entry_that_others_can_only_read_is_used(store):
    kept(store).chmod(0o644)
    assert store.fetch(KEY) == CONTENT


@posix
@pytest.mark.parametrize("mode", [0o770, 0o707, 0o1777])
def test_a_folder_that_others_can_write_is_left_and_not_used(store, mode):
    path = kept(store)
    store.folder.chmod(mode)
    assert store.fetch(KEY) is None
    store.keep(OTHER, CONTENT)
    store.trim()
    assert list(store.folder.iterdir()) == [path]
    store.folder.chmod(0o700)
    assert store.fetch(KEY) == CONTENT


@root
def test_an_entry_of_another_user_is_not_used(store):
    path = kept(store)
    os.chown(path, STRANGER, STRANGER)
    assert store.fetch(KEY) is None
    assert path.read_bytes().endswith(CONTENT)


@root
def test_a_folder_of_another_user_is_not_used(store):
    path = kept(store)
    os.chown(store.folder, STRANGER, STRANGER)
    assert store.fetch(KEY) is None
    store.keep(OTHER, CONTENT)
    assert list(store.folder.iterdir()) == [path]


@posix
def test_a_link_is_not_followed(store, tmp_path):
    path = kept(store)
    target = tmp_path / "elsewhere"
    path.rename(target)
    path.symlink_to(target)
    before = target.read_bytes()
    assert store.fetch(KEY) is None
    assert path.is_symlink()
    store.keep(KEY, b"new")
    assert not path.is_symlink()
    assert store.fetch(KEY) == b"new"
    assert target.read_bytes() == before


@posix
def test_a_link_to_a_folder_is_not_used(store, tmp_path):
    kept(store)
    link = tmp_path / "link"
    link.symlink_to(store.folder)
    linked = Store(link)
    assert linked.fetch(KEY) is None
    linked.keep(OTHER, CONTENT)
    assert store.fetch(OTHER) is None
    link.unlink()
    link.symlink_to(tmp_path / "nowhere")
    linked.keep(KEY, CONTENT)
    assert not (tmp_path / "nowhere").exists()


@posix
def test_neither_a_pipe_nor_a_folder_in_place_of_an_entry_is_used(store):
    path = kept(store)
    path.unlink()
    os.mkfifo(path)
    assert store.fetch(KEY) is None  # and does not wait for a writer
    path.unlink()
    path.mkdir()
    assert store.made(KEY, lambda: CONTENT) == CONTENT
    assert path.is_dir()


def test_without_handles_on_folders_the_names_serve(store, monkeypatch):
    """As on Windows."""
    monkeypatch.setattr("cellwise.backends.private_folder._HAS_HANDLES", False)
    path = kept(store)
    assert store.fetch(KEY) == CONTENT
    path.write_bytes(b"short")
    assert store.fetch(KEY) is None
    assert not path.exists()
    kept(store)
    Store(store.folder, limit_bytes=10).trim()
    assert list(store.folder.iterdir()) == []
