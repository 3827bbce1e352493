from __future__ import annotations

import gc
from importlib import metadata

import pytest

from cellwise.backends import kept as module
from cellwise.backends.cache import VARIABLE
from cellwise.backends.kept import kept


@pytest.fixture
def made(monkeypatch, tmp_path):
    """What was made so far; the cache is empty."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "cache"))
    return []


def keep(made, *parts):
    def make():
        made.append(parts)
        return b"%d" % len(made)

    return kept(make, *parts)


def test_what_is_kept_is_made_once(made):
    assert [keep(made, "a", "b") for _ in range(3)] == [b"1"] * 3


def test_every_part_counts(made):
    parts = [("a", "b"), ("ab",), ("a", "b", ""), ("b", "a")]
    found = [keep(made, *some) for some in parts]
    assert len(set(found)) == len(parts)
    assert [keep(made, *some) for some in parts] == found


@pytest.mark.parametrize("changed", ["_version", "_sources"])
def test_another_version_or_source_finds_nothing_old(made, monkeypatch, changed):
    keep(made, "a")
    monkeypatch.setattr(module, changed, lambda: "another")
    keep(made, "a")
    assert len(made) == 2


def test_the_digest_of_sources_is_that_of_what_stands_there(monkeypatch, tmp_path):
    place = tmp_path / "cellwise" / "backends" / "cpu" / "kernel.py"
    place.parent.mkdir(parents=True)
    (tmp_path / "cellwise" / "passes").mkdir()
    monkeypatch.setattr(module, "__file__", str(tmp_path / "cellwise" / "backends" / "kept.py"))
    found = set()
    for text in ("", "a = 1", "a = 2"):
        place.write_text(text)
        found.add(module._sources.__wrapped__())
    place.rename(tmp_path / "cellwise" / "passes" / "kernel.py")
    found.add(module._sources.__wrapped__())
    assert len(found) == 4


def test_a_library_that_is_not_installed_has_no_version(monkeypatch):
    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    assert module._version.__wrapped__() == ""


@pytest.mark.parametrize("was_on", [True, False])
def test_no_garbage_is_collected_while_something_is_made(made, was_on):
    def make():
        made.append(gc.isenabled())
        return b""

    before = gc.isenabled()
    (gc.enable if was_on else gc.disable)()
    try:
        kept(make, "a")
        assert (made, gc.isenabled()) == ([False], was_on)
    finally:
        (gc.enable if before else gc.disable)()
