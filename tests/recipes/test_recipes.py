import pytest

from cellwise.tasks import TASKS
from cellwise.training.config import load_config
from cellwise.training.sources import recipe_names


def test_the_recipes_are_there():
    assert recipe_names() == [
        "classify",
        "compose",
        "converse",
        "describe",
        "language_model",
        "language_model_characters",
        "parse",
        "pronounce",
        "pronounce_demo",
        "pronounce_large",
        "tag",
        "tag_ner",
        "translate",
    ]


@pytest.mark.parametrize("name", recipe_names())
def test_a_recipe_is_a_configuration(name):
    config = load_config(name)
    assert config.task in TASKS
    assert config.training.seed == 1


def test_in_little_and_in_large_the_same_is_learnt():
    little, middle, large = map(load_config, ("pronounce_demo", "pronounce", "pronounce_large"))
    assert little.data == middle.data == large.data
    sizes = [config.model.model_dump()["hidden_size"] for config in (little, middle, large)]
    assert sizes == sorted(set(sizes))


def test_the_demonstration_is_limited_in_time_and_reads_the_same_data():
    demo, full = load_config("pronounce_demo"), load_config("pronounce")
    assert demo.data == full.data
    assert 0 < demo.training.max_minutes <= 5
