import sys

import pytest

from cellwise.errors import ConfigError
from cellwise.explain.alignment_plot import alignment_figure, draw_alignment

ATTENTION = {
    "source": ["▁a", "▁$dog"],
    "target": ["▁ein", "▁Hund", "<end>"],
    "weights": [[0.9, 0.1], [0.2, 0.8], [0.5, 0.5]],
}


def test_rows_are_what_was_written_and_columns_what_was_read():
    axes = alignment_figure(ATTENTION).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ATTENTION["target"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ATTENTION["source"]
    drawn = axes.images[0].get_array()
    assert drawn is not None
    assert drawn.tolist() == ATTENTION["weights"]


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_it_is_written_as_its_name_says(tmp_path, ending):
    path = tmp_path / "new" / f"attention.{ending}"
    draw_alignment(ATTENTION, path)
    start = path.read_bytes()[:8]
    assert start == b"\x89PNG\r\n\x1a\n" if ending == "png" else start.startswith(b"<?xml")


def test_an_answer_that_read_nothing_has_a_picture(tmp_path):
    draw_alignment({"source": [], "target": ["<end>"], "weights": [[]]}, tmp_path / "empty.png")
    assert (tmp_path / "empty.png").is_file()


def test_an_unknown_format_and_a_missing_library_are_told(tmp_path, monkeypatch):
    path = tmp_path / "attention.doc"
    with pytest.raises(ConfigError) as error:
        draw_alignment(ATTENTION, path)
    assert str(error.value) == f"{path}: the name has to end in .png, .svg or .pdf"
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError) as error:
        alignment_figure(ATTENTION)
    assert str(error.value) == (
        "pictures need the library matplotlib: pip install 'cellwise[plots]'"
    )


def test_letters_without_a_font_are_told(tmp_path, recwarn):
    """U+E123 is nobody's; in an .svg it stays what it is."""
    odd = {"source": ["\ue123x"], "target": ["a"], "weights": [[1.0]]}
    assert draw_alignment(odd, tmp_path / "a.png") == "\ue123"
    assert draw_alignment(odd, tmp_path / "a.svg") == ""
    assert "\ue123x" in (tmp_path / "a.svg").read_text(encoding="utf-8")
    assert draw_alignment(ATTENTION, tmp_path / "b.png") == ""
    assert not recwarn.list
