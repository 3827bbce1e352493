import importlib.util

import numpy as np
import pytest

from cellwise.errors import ConfigError
from cellwise.explain.attention_image import (
    COLUMNS,
    DARKEST,
    attention_figure,
    lit,
    write_attention,
)
from cellwise.tasks.describe_answers import Looked

WHITE = np.full((32, 32, 3), 255, np.uint8)


def looked(n_symbols=6):
    weights = np.full((n_symbols, 2, 4), 0.05, np.float32)
    weights[:, 1, 2] = 0.65
    symbols = ("a", "$x_1", "dog", ".", "é", "<b>")[:n_symbols]
    return Looked(symbols, weights, lambda size: WHITE[:size, :size])


def test_the_light_falls_where_the_weight_is():
    weights = np.array([[0.0, 0.2], [0.0, 0.8]], np.float32)
    shown = lit(WHITE, weights)[..., 0]
    assert shown.max() == 255 and shown[-1, -1] == 255
    assert shown.min() == shown[0, 0] == round(255 * DARKEST)
    # In the middle of a region the light is its own, a quarter of the greatest here.
    middle = 255 * (DARKEST + (1 - DARKEST) * 0.25)
    assert shown[:8, 24:].max() == pytest.approx(middle, abs=1)
    # Between two regions it is between theirs.
    assert (np.diff(shown[-1].astype(int)) >= 0).all()
    assert shown[-1, 15] < 255 * 0.6 < shown[-1, 17] + 5


def test_even_weights_leave_the_image_as_it_is():
    image = np.random.default_rng(1).integers(0, 255, (16, 16, 3)).astype(np.uint8)
    assert np.array_equal(lit(image, np.full((3, 5), 1 / 15, np.float32)), image)
    assert lit(image, np.zeros((3, 5), np.float32)).max() <= 255 * DARKEST + 1


def test_a_panel_a_symbol_after_the_image():
    figure = attention_figure(looked())
    assert len(figure.axes) == 2 * COLUMNS
    titles = [place.get_title() for place in figure.axes]
    assert titles[:7] == ["", "a  65%", "$x_1  65%", "dog  65%", ".  65%", "é  65%", "<b>  65%"]
    assert titles[7:] == ["", "", ""]
    panels = [np.asarray(place.images[0].get_array()) for place in figure.axes if place.images]
    assert len(panels) == 7
    assert np.array_equal(panels[0], WHITE)
    assert np.array_equal(panels[1], lit(WHITE, looked().weights[0]))


@pytest.mark.parametrize(("name", "start"), [("a.png", b"\x89PNG"), ("b/c.svg", b"<?xml")])
def test_the_name_of_the_file_says_its_format(tmp_path, name, start):
    write_attention(looked(), tmp_path / name)
    assert (tmp_path / name).read_bytes().startswith(start)


def test_complaints(tmp_path, monkeypatch):
    with pytest.raises(ConfigError) as error:
        write_attention(looked(1), tmp_path / "a.docx")
    assert str(error.value) == f"{tmp_path / 'a.docx'}: the name has to end in .png, .svg or .pdf"
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError) as error:
        write_attention(looked(1), tmp_path / "a.png")
    assert str(error.value) == (
        "pictures need the library matplotlib: pip install 'cellwise[plots]'"
    )
