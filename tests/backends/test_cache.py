from __future__ import annotations

import errno
import multiprocessing
import os
import shutil
import sys
from pathlib import Path

import pytest

from cellwise.backends.cache import (
    FORGOTTEN_S,
    VARIABLE,
    Store,
    cache_folder,
    key_of,
    user_store,
)
from cellwise.backends.cache_entries import HEADER_BYTES, entry_name
from tests.backends.stores import CONTENT, KEY, OTHER, kept


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "cache")


def used_at(path, time_s):
    os.utime(path, (time_s, time_s))


def test_keys_are_equal_only_if_all_parts_are():
    assert key_of("ab", "c") == key_of(b"ab", "c")
    assert len({key_of(), key_of(""), key_of("", ""), key_of("ab"), key_of("a", "b")}) == 5


@pytest.mark.parametrize("key", ["", "../../etc/passwd", "A" * 64, "0" * 63, "0" * 64 + "\n"])
def test_what_is_no_key_is_refused(store, key):
    with pytest.raises(ValueError, match="a key is what key_of gives"):
        store.fetch(key)
    with pytest.raises(ValueError, match="a key is what key_of gives"):
        store.keep(key, b"")


def test_what_was_kept_is_fetched_by_every_store(store):
    assert store.fetch(KEY) is None
    assert not store.folder.exists()
    store.keep(KEY, CONTENT)
    store.keep(OTHER, b"")
    assert Store(store.folder).fetch(KEY) == CONTENT
    assert store.fetch(OTHER) == b""
    store.keep(KEY, b"new")
    assert store.fetch(KEY) == b"new"


def test_made_makes_once(store):
    calls = []

    def make():
        calls.append(1)
        return CONTENT

    assert [store.made(KEY, make) for _ in range(3)] == [CONTENT] * 3
    assert len(calls) == 1


def test_a_failure_to_make_is_raised_and_nothing_is_kept(store):
    with pytest.raises(ZeroDivisionError):
        store.made(KEY, lambda: bytes(1 // 0))
    assert store.fetch(KEY) is None


def test_without_a_folder_nothing_is_kept():
    store = Store(None)
    store.keep(KEY, CONTENT)
    store.trim()
    assert store.fetch(KEY) is None
    assert store.made(KEY, lambda: CONTENT) == CONTENT


def unusable_folders(tmp_path):
    file = tmp_path / "file"
    file.write_text("here")
    return [file, file / "below", tmp_path / ("long" * 100)]


@pytest.mark.parametrize("which", range(3))
def test_a_folder_that_cannot_be_is_no_failure(tmp_path, which):
    store = Store(unusable_folders(tmp_path)[which])
    assert store.made(KEY, lambda: CONTENT) == CONTENT
    assert store.fetch(KEY) is None
    store.trim()
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("call", ["os.fsync", "os.replace", "os.fdopen"])
def test_a_full_disk_is_no_failure_and_leaves_nothing(store, monkeypatch, call):
    def full(*_arguments, **_options):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(f"cellwise.backends.private_folder.{call}", full)
        assert store.made(KEY, lambda: CONTENT) == CONTENT
    assert list(store.folder.iterdir()) == []
    assert store.made(KEY, lambda: b"later") == b"later"
    assert store.fetch(KEY) == b"later"


def test_an_entry_that_cannot_be_touched_is_used(store, monkeypatch):
    def read_only(*_arguments, **_options):
        raise OSError(errno.EROFS, "Read-only file system")

    kept(store)
    monkeypatch.setattr("cellwise.backends.private_folder.os.utime", read_only)
    assert store.fetch(KEY) == CONTENT


def keep_and_fetch(folder, number, n_rounds):
    """A process that writes and reads one key among others; what it read that nobody wrote."""
    store = Store(Path(folder))
    wrong = 0
    for count in range(n_rounds):
        store.keep(KEY, bytes([number]) * (1000 * number + count))
        found = store.fetch(KEY)
        wrong += found is None or len(set(found)) != 1 or len(found) // 1000 != found[0]
    sys.exit(min(wrong, 100))


def keep_and_die(folder):
    """A process that is stopped between writing and renaming."""
    os.replace = lambda *_arguments, **_options: os._exit(7)
    Store(Path(folder)).keep(KEY, CONTENT)


def run(function, *arguments):
    process = multiprocessing.get_context("spawn").Process(target=function, args=arguments)
    process.start()
    return process


def exit_code(process):
    process.join()
    return process.exitcode


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps open files from being replaced")
def test_writers_at_once_leave_a_whole_entry_at_all_times(store):
    processes = [run(keep_and_fetch, store.folder, number, 200) for number in (1, 2, 3)]
    assert [exit_code(process) for process in processes] == [0, 0, 0]
    assert [path.name for path in store.folder.iterdir()] == [entry_name(KEY)]


def test_a_crash_leaves_a_partial_file_that_goes_when_it_is_old(store):
    assert exit_code(run(keep_and_die, store.folder)) == 7
    (partial,) = store.folder.iterdir()
    assert store.fetch(KEY) is None
    assert store.made(KEY, lambda: b"made") == b"made"
    assert partial.exists()  # its writer might still be at work
    used_at(partial, partial.stat().st_mtime - FORGOTTEN_S - 1)
    store.trim()
    assert store.fetch(KEY) == b"made"
    assert not partial.exists()


def test_the_least_recently_used_go_first(store):
    keys = [key_of(str(number)) for number in range(8)]
    paths = [kept(store, key, bytes(1000)) for key in keys]
    for age, path in enumerate(paths):
        used_at(path, 1_000_000 - age)
    assert store.fetch(keys[7]) is not None  # the oldest, used now
    Store(store.folder, limit_bytes=6000).trim()
    # 8 files of 1116 bytes: four fit into 7/8 of 6000.
    assert [path.exists() for path in paths] == [True] * 3 + [False] * 4 + [True]


def test_trimming_leaves_the_files_of_others(store):
    path = kept(store)
    strange = [store.folder / "notes.compiled", store.folder / f"{KEY}.txt"]
    for file in strange:
        file.write_bytes(bytes(5000))
        used_at(file, 0)
    Store(store.folder, limit_bytes=10).trim()
    assert not path.exists()
    assert all(file.exists() for file in strange)


def test_keeping_keeps_to_the_limit(tmp_path):
    limit = 32_000
    store = Store(tmp_path, limit_bytes=limit)
    for number in range(200):
        store.keep(key_of(str(number)), bytes(500))
        total = sum(path.stat().st_size for path in tmp_path.iterdir())
        assert total <= limit + limit // 16 + 2 * (500 + HEADER_BYTES)
    assert store.fetch(key_of("199")) is not None


def test_looking_at_the_whole_is_rare(tmp_path, monkeypatch):
    looks = []
    store = Store(tmp_path, limit_bytes=160_000)
    monkeypatch.setattr(store, "trim", lambda: looks.append(1))
    for number in range(100):
        store.keep(key_of(str(number)), bytes(1000))
    assert len(looks) == 1 + 99 // 11


def test_the_folder_is_named_by_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(tmp_path / "mine"))
    assert cache_folder() == (tmp_path / "mine", "")
    assert user_store().folder == tmp_path / "mine"
    assert user_store() is user_store()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv(VARIABLE, "~/mine")
    assert cache_folder() == (tmp_path / "mine", "")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(VARIABLE, "here")
    assert cache_folder() == (tmp_path / "here", "")


@pytest.mark.parametrize("value", ["", "off", "OFF"])
def test_the_environment_turns_the_cache_off(monkeypatch, value):
    monkeypatch.setenv(VARIABLE, value)
    assert cache_folder() == (None, f"it is off: CELLWISE_CACHE is '{value}'")
    assert user_store().folder is None
    assert user_store().made(KEY, lambda: CONTENT) == CONTENT


HOMES = {
    "linux": ".cache/cellwise",
    "darwin": "Library/Caches/cellwise",
    "win32": "AppData/Local/cellwise/cache",
}


@pytest.mark.parametrize("platform", HOMES)
def test_without_it_the_platforms_own_folder_is_used(tmp_path, monkeypatch, platform):
    for name in (VARIABLE, "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setattr("cellwise.backends.cache.sys.platform", platform)
    assert cache_folder() == (tmp_path / HOMES[platform], "")


def test_the_platforms_variables_are_heeded(tmp_path, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    monkeypatch.setattr("cellwise.backends.cache.sys.platform", "linux")
    assert cache_folder() == (tmp_path / "xdg" / "cellwise", "")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # which XDG says to ignore
    assert cache_folder() == (tmp_path / ".cache" / "cellwise", "")
    monkeypatch.setattr("cellwise.backends.cache.sys.platform", "win32")
    assert cache_folder() == (tmp_path / "local" / "cellwise" / "cache", "")


def test_without_a_home_there_is_no_cache(monkeypatch):
    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr("cellwise.backends.cache.sys.platform", "linux")
    monkeypatch.setattr(Path, "home", homeless)
    reason = "no folder can be found for it: Could not determine home directory."
    assert cache_folder() == (None, reason)
    assert user_store().made(KEY, lambda: CONTENT) == CONTENT


def test_a_folder_that_goes_while_in_use_is_made_again(store):
    kept(store)
    shutil.rmtree(store.folder)
    assert store.fetch(KEY) is None
    kept(store)
    assert store.fetch(KEY) == CONTENT
