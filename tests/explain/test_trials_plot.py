from __future__ import annotations

from pathlib import Path

import pytest
from matplotlib.figure import Figure
from PIL import Image

from cellwise.errors import ConfigError
from cellwise.explain.trials_plot import draw_trials
from cellwise.tasks import TASKS
from cellwise.training.tune_results import Found
from cellwise.training.tune_trials import Row, State
from tests.training.toy import Toy
from tests.training.tune_search import search

VARY = {
    "training.learning_rate": "1e-4..1",
    "model.hidden_size": "4..32:4",
    "model.cell": "lstm|gru",
    "model.dropout": "0..0.5",
}


@pytest.fixture(autouse=True)
def _toy(monkeypatch):
    monkeypatch.setitem(TASKS, "toy", Toy)


def rows():
    states: list[State] = ["done", "failed", "done", "pruned", "done"]
    values = [0.5, None, 0.75, 0.25, 0.6]
    return [
        Row(number, state, settings(number), value)
        for number, (state, value) in enumerate(zip(states, values, strict=True))
    ]


def settings(number):
    return {
        "training.learning_rate": 10.0 ** -(number / 2),
        "model.hidden_size": 4 * number + 4,
        "model.cell": ["lstm", "gru"][number % 2],
        "model.dropout": number / 10,
    }


@pytest.fixture
def drawn(monkeypatch):
    """The figures that were saved."""
    figures = []
    save = Figure.savefig

    def keep(self, *arguments, **options):
        figures.append(self)
        save(self, *arguments, **options)

    monkeypatch.setattr(Figure, "savefig", keep)
    return figures


def draw(folder, found_rows, vary=VARY):
    path = folder / "trials.png"
    draw_trials(Found(search(vary), Path("search"), "", found_rows), path)
    return path


def test_a_picture_has_a_plot_of_all_trials_and_one_a_setting(tmp_path, drawn):
    path = draw(tmp_path, rows())
    with Image.open(path) as image:
        assert image.format == "PNG"
        assert min(image.size) > 500
        assert len(set(image.convert("L").tobytes())) > 20
    assert list(tmp_path.iterdir()) == [path]
    course, *plots = drawn[0].axes
    assert course.get_xlabel() == "trial"
    assert course.get_ylabel() == "dev accuracy"
    names = ["learning_rate", "hidden_size", "cell", "dropout"]
    assert [axes.get_xlabel() for axes in plots] == names
    assert [axes.get_xscale() for axes in plots] == ["log", "linear", "linear", "linear"]
    assert [label.get_text() for label in plots[2].get_xticklabels()] == ["lstm", "gru"]


def test_points_and_the_line_of_the_best_stand_where_the_trials_do(tmp_path, drawn):
    draw(tmp_path, rows())
    course, rates, *_ = drawn[0].axes
    points = {found.get_label(): found.get_offsets().tolist() for found in course.collections}
    assert points["done"] == [[0.0, 0.5], [2.0, 0.75], [4.0, 0.6]]
    assert points["pruned"] == [[3.0, 0.25]]
    assert [x for x, _ in points["failed"]] == [1.0]
    low, high = course.get_xlim()
    assert -1 < low < 0
    assert 4 < high < 5
    line, star = course.lines
    assert line.get_xydata().tolist() == [[0.0, 0.5], [2.0, 0.75], [4.0, 0.75]]
    assert star.get_xydata().tolist() == [[2.0, 0.75]]
    low, high = rates.get_xlim()
    assert 0 < low < 1e-4
    assert 1 < high < 10
    assert rates.lines[0].get_xydata().tolist() == [[0.1, 0.75]]


def test_trials_without_any_result_are_drawn_as_well(tmp_path, drawn):
    vary = dict(list(VARY.items())[:1])
    draw(tmp_path, [Row(0, "failed", {"training.learning_rate": 0.5})], vary)
    assert len(drawn[0].axes) == 2


def test_without_matplotlib_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(ConfigError) as caught:
        draw(tmp_path, rows())
    assert str(caught.value) == ("plots need the library matplotlib: pip install 'cellwise[plots]'")
