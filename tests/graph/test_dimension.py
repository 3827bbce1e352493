"""Symbolic sizes."""

from __future__ import annotations

import pytest

from cellwise.graph.dimension import Dim

H, X = Dim.of("h"), Dim.of("x")


def test_sums_and_differences():
    assert H + X == X + H
    assert (H + X) - X == H
    assert Dim() == H - H
    assert (H + H + X).terms == (("h", 2), ("x", 1))


def test_substitute_replaces_once():
    assert (H + X).substitute({"h": X + X, "x": H}) == Dim((("h", 1), ("x", 2)))
    assert (H + Dim((), 2)).substitute({"h": Dim((), 3)}) == Dim((), 5)


def test_evaluate():
    assert (H + H + X + Dim((), 1)).evaluate({"h": 4, "x": 3}) == 12
    with pytest.raises(KeyError):
        H.evaluate({})


@pytest.mark.parametrize(
    ("size", "text"),
    [(H, "h"), (X + H + H, "2 h + x"), (Dim(), "0"), (H - Dim((), 1), "h - 1"), (Dim((), 3), "3")],
)
def test_text(size, text):
    assert str(size) == text


def test_names():
    assert (X + H).names() == ("h", "x")
