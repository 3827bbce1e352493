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
        "tag",
        "tag_ner",
        "translate",
    ]


@pytest.mark.parametrize("name", recipe_names())
def test_a_recipe_is_a_configuration(name):
    config = load_config(name)
    assert config.task in TASKS
    assert config.training.seed == 1


def test_the_demonstration_is_limited_in_time_and_reads_the_same_data():
    demo, full = load_config("pronounce_demo"), load_config("pronounce")
    assert demo.data == full.data
    assert 0 < demo.training.max_minutes <= 5
