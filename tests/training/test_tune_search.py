from __future__ import annotations

import itertools

import pytest

from cellwise.errors import ConfigError
from cellwise.training.config import load_config
from cellwise.training.tune_search import Search, check_same
from tests.training.tune_search import VARY, configure, search

GRID = {"model.hidden_size": "4..12:4", "model.cell": "lstm|gru"}


def test_a_search_knows_its_metric_and_how_many_trials_it_has():
    found = search()
    assert (found.metric, found.goal, found.n_trials) == ("accuracy", "max", 20)
    assert search(trials=3).n_trials == 3
    labels = load_config("classify", ["data.multi_label=true", "data.label_separator=,"])
    assert Search(labels, found.settings, found.space).metric == "micro_f1"
    assert search(GRID, sampler="grid").n_trials == 6
    assert search(GRID, sampler="grid", trials=4).n_trials == 4
    assert search(GRID, sampler="grid", trials=9).n_trials == 6


def test_a_grid_has_every_combination_once_in_an_order_of_the_seed():
    points = [tuple(point.values()) for point in search(GRID, sampler="grid").grid()]
    assert sorted(points) == sorted(itertools.product([4, 8, 12], ["lstm", "gru"]))
    again = [tuple(point.values()) for point in search(GRID, sampler="grid").grid()]
    other = search(GRID, "training.seed=5", sampler="grid").grid()
    assert points == again != [tuple(point.values()) for point in other]
    assert search(GRID).grid() == []


def test_the_configuration_of_a_trial_has_what_was_proposed():
    config = search(GRID).trial_config({"model.hidden_size": 8, "model.cell": "gru"})
    assert config.model.model_dump()["hidden_size"] == 8
    assert config.model.model_dump()["cell"] == "gru"
    assert config.training == configure().training


def test_a_record_gives_the_search_again():
    before = search(GRID, "training.epochs=5", sampler="random", trials=8)
    after = Search.of(before.record(), {"trials": 9, "keep": 2}, {})
    assert (after.config, after.space) == (before.config, before.space)
    assert (after.settings.trials, after.settings.keep) == (9, 2)
    assert (after.settings.sampler, after.n_trials) == ("random", 9)


def test_what_may_change_when_a_search_goes_on():
    saved = search(trials=3).record()
    check_same(saved, search(VARY, "training.threads=1", trials=9, keep=4).record())


CHANGES = [
    ({**VARY, "training.learning_rate": "1e-3..1"}, (), {}, "--vary training.learning_rate"),
    ({**VARY, **GRID}, (), {}, "--vary model.hidden_size"),
    (dict(list(VARY.items())[:1]), (), {}, "--vary model.hidden_size"),
    (VARY, ("training.epochs=9",), {}, "training.epochs"),
    (VARY, ("model.hint=some",), {}, "model.hint"),
    (VARY, (), {"sampler": "random"}, "sampler"),
]


@pytest.mark.parametrize(("vary", "overrides", "settings", "key"), CHANGES)
def test_what_may_not_change_is_named(vary, overrides, settings, key):
    saved = search(VARY).record()
    with pytest.raises(ConfigError) as caught:
        check_same(saved, search(vary, *overrides, **settings).record())
    text = str(caught.value)
    assert text.startswith(f"'{key}' cannot change when a search goes on: it was ")
    assert text.endswith("Start a new search, with another --out")


def test_a_changed_range_is_told_as_it_is_written():
    with pytest.raises(ConfigError) as caught:
        check_same(search(VARY).record(), search({**VARY, "model.hidden_size": "4|8"}).record())
    assert "it was '4..32:4', and is now '4|8'." in str(caught.value)


def test_a_search_without_anything_to_vary_says_how_to_write_it():
    with pytest.raises(ConfigError) as caught:
        search({})
    assert str(caught.value) == (
        "say what to vary: --vary training.learning_rate=1e-4..1e-2, "
        "--vary model.hidden_size=64..512:64, --vary 'model.cell=lstm|gru'"
    )


def test_a_grid_that_is_endless_or_too_large_is_refused():
    with pytest.raises(ConfigError, match=r"^a grid needs a step or choices for 'training\.l"):
        search(VARY, sampler="grid")
    with pytest.raises(ConfigError) as caught:
        search({"model.hidden_size": "1..200:1", "training.epochs": "1..99"}, sampler="grid")
    assert str(caught.value) == "a grid of 19,800 trials is too large; at most 10,000"
