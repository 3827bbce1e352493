from __future__ import annotations

import json
import os
import re
from datetime import UTC, datetime

import pytest

from cellwise.apps.cache import size
from cellwise.backends.cache import LIMIT_BYTES, VARIABLE, Store, key_of
from cellwise.backends.cache_entries import HEADER_BYTES, entry_name
from tests.apps.test_cli import invoke
from tests.backends.stores import posix

KEYS = [key_of("a"), key_of("b")]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where the environment says the cache is; not made yet."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def filled(folder):
    """The folder with two entries and a file of somebody else."""
    for number, key in enumerate(KEYS):
        Store(folder).keep(key, bytes(1000))
        os.utime(folder / entry_name(key), (1_000_000 + number, 1_000_000 + number))
    (folder / "notes.txt").write_text("mine")
    return folder


@pytest.mark.parametrize("command", [["cache"], ["cache", "info"], ["cache", "clear"]])
def test_help_has_an_example(command):
    text = invoke(*command, "--help").output
    assert "Example" in text
    assert f"  cellwise {' '.join(command)}" in text


def test_info_of_a_cache_not_made_yet(folder):
    assert invoke("cache", "info").stdout == (
        f"folder     {folder}\n"
        "used       yes\n"
        "entries    0\n"
        "size       0 bytes of at most 512.0 MB\n"
    )
    assert not folder.exists()


def test_info_says_what_there_is(filled):
    lines = invoke("cache", "info").stdout.splitlines()
    assert lines[:4] == [
        f"folder     {filled}",
        "used       yes",
        "entries    2",
        "size       2.2 kB of at most 512.0 MB",
    ]
    day = r"1970-01-1\d \d\d:\d\d:\d\d[+-]\d\d:\d\d"
    assert re.fullmatch(rf"last used  {day} to {day}", lines[4])
    assert len(lines) == 5


def test_info_says_what_is_refused(filled):
    os.truncate(filled / entry_name(KEYS[0]), 10)
    lines = invoke("cache", "info").stdout.splitlines()
    assert lines[2] == "entries    1"
    assert lines[5:] == [
        "refused    1",
        f"  {entry_name(KEYS[0])} is cut off within its header",
    ]


def test_info_as_json(filled):
    os.truncate(filled / entry_name(KEYS[0]), 10)
    found = json.loads(invoke("cache", "info", "--json").stdout)
    when = datetime.fromtimestamp(1_000_001, UTC)
    assert datetime.fromisoformat(found.pop("oldest")) == when
    assert datetime.fromisoformat(found.pop("newest")) == when
    assert found == {
        "folder": str(filled),
        "used": True,
        "reason": None,
        "entries": 1,
        "bytes": 1000 + HEADER_BYTES,
        "limit_bytes": LIMIT_BYTES,
        "refused": [{"file": entry_name(KEYS[0]), "reason": "is cut off within its header"}],
    }


def test_info_of_a_cache_that_is_off(monkeypatch):
    monkeypatch.setenv(VARIABLE, "off")
    expected = "folder     none\nused       no: it is off: CELLWISE_CACHE is 'off'\n"
    assert invoke("cache", "info").stdout == expected
    assert json.loads(invoke("cache", "info", "--json").stdout) == {
        "folder": None,
        "used": False,
        "reason": "it is off: CELLWISE_CACHE is 'off'",
        "entries": 0,
        "bytes": 0,
        "limit_bytes": LIMIT_BYTES,
        "oldest": None,
        "newest": None,
        "refused": [],
    }


def test_info_of_a_folder_that_is_a_file(folder):
    folder.write_text("here")
    expected = f"folder     {folder}\nused       no: the folder cannot be used: Not a directory\n"
    assert invoke("cache", "info").stdout == expected


def test_clear_removes_entries_and_says_how_many(filled):
    assert invoke("cache", "clear").stdout == f"Removed 2 files, 2.2 kB, from {filled}.\n"
    assert [path.name for path in filled.iterdir()] == ["notes.txt"]
    assert invoke("cache", "clear").stdout == f"Removed 0 files, 0 bytes, from {filled}.\n"


def test_clear_as_json_says_what_it_left(filled):
    (filled / entry_name(KEYS[0])).unlink()
    (filled / entry_name(KEYS[0])).mkdir()
    assert json.loads(invoke("cache", "clear", "--json").stdout) == {
        "folder": str(filled),
        "removed": 1,
        "bytes": 1000 + HEADER_BYTES,
        "left": [{"file": entry_name(KEYS[0]), "reason": "is a folder"}],
    }
    assert invoke("cache", "clear").stdout == (
        f"Removed 0 files, 0 bytes, from {filled}.\n  {entry_name(KEYS[0])} is a folder\n"
    )


def test_clear_of_a_cache_that_is_off(monkeypatch):
    monkeypatch.setenv(VARIABLE, "")
    expected = "There is no cache: it is off: CELLWISE_CACHE is ''.\n"
    assert invoke("cache", "clear").stdout == expected
    assert json.loads(invoke("cache", "clear", "--json").stdout)["folder"] is None


@posix
def test_clear_refuses_a_folder_that_others_can_write(filled):
    filled.chmod(0o777)
    result = invoke("cache", "clear", status=2)
    assert result.stderr == (
        f"cellwise: the cache {filled} is writable by its group or by everyone; "
        "nothing was removed\n"
    )
    assert len(list(filled.iterdir())) == 3


def test_clear_of_a_folder_that_is_a_file(folder):
    folder.write_text("here")
    result = invoke("cache", "clear", status=2)
    assert result.stderr == f"cellwise: {folder}: Not a directory\n"


def test_sizes_are_written_for_people():
    shown = {0: "0 bytes", 1: "1 byte", 999: "999 bytes", 1000: "1.0 kB", 5_250_000: "5.2 MB"}
    assert {number: size(number) for number in shown} == shown
