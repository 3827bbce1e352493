from __future__ import annotations

import json

import pytest

from cellwise.apps.attention import AttentionOutput
from cellwise.errors import ConfigError
from cellwise.tasks.base import Answer
from cellwise.training import run
from cellwise.training.config import load_config
from tests.apps.test_cli import invoke
from tests.tasks import photos

PNG = b"\x89PNG"


@pytest.fixture(scope="module")
def described(tmp_path_factory):
    """The folder of a trained run of the recipe `describe`, small."""
    folder = photos.write(tmp_path_factory.mktemp("describe"))
    settings = [
        f"data.images={folder}",
        f"data.train={folder / 'captions.csv'}",
        "data.min_count=1",
        "model.image_size=16",
        "model.channels=[4, 8]",
        "model.hidden_size=8",
        "model.embedding_size=4",
        "decoding.max_length=4",
        "training.epochs=1",
        "training.tensorboard=false",
        "training.device=cpu",
    ]
    run.train(load_config("describe", settings), folder / "run")
    return folder / "run"


def test_where_words_looked_is_drawn_in_files(described, tmp_path):
    photo = described.parent / "red_left_2.png"
    found = invoke(
        "predict", described, photo, "blue_left_2.png", "--attention", tmp_path / "a.png"
    )
    assert len(found.stdout.splitlines()) == 2 and found.exit_code == 0
    assert (tmp_path / "a.png").read_bytes().startswith(PNG)
    assert (tmp_path / "a-2.png").read_bytes().startswith(PNG)
    invoke("predict", described, photo, "--attention", tmp_path / "pictures")
    assert (tmp_path / "pictures" / "1.png").read_bytes().startswith(PNG)


def test_json_tells_the_attention_where_it_is_asked_for(described):
    asked = ("predict", described, "blue_left_2.png", "--json")
    assert "attention" not in json.loads(invoke(*asked).stdout)
    record = json.loads(invoke(*asked, "--set", "decoding.attention=true").stdout)
    assert record["attention"]["grid"] == [4, 4]
    assert len(record["attention"]["weights"]) == len(record["symbols"])


def test_both_a_picture_and_the_weights_may_be_asked_for(described, tmp_path):
    settings = ("--set", "decoding.attention=true", "--attention", tmp_path / "a.png")
    found = invoke("predict", described, "blue_left_2.png", "--json", *settings)
    assert json.loads(found.stdout)["attention"]["grid"] == [4, 4]
    assert (tmp_path / "a.png").read_bytes().startswith(PNG)


def test_a_bad_image_is_one_message(described):
    found = invoke("predict", described, described / "config.toml", status=2)
    assert found.stdout == ""
    assert found.stderr == (
        f"cellwise: {described / 'config.toml'} is no image that can be read: "
        "its format is unknown\n"
    )


def test_evaluation_tells_how_bleu_was_computed(described):
    found = invoke("evaluate", described, "-q")
    assert "bleu_signature: nrefs:2|case:lc|eff:no|tok:13a|smooth:exp|version:" in found.stdout


def test_attention_between_sequences_is_drawn_too(tmp_path):
    attention = {"source": ["a", "b"], "target": ["A", "</s>"], "weights": [[1, 0], [0.5, 0.5]]}
    output = AttentionOutput(tmp_path / "a.png")
    for answer in (Answer("A", {"attention": attention}), Answer("", {})) * 2:
        output.show(answer)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["a-3.png", "a.png"]  # the line that an answer is to has the number
    assert (tmp_path / "a.png").read_bytes().startswith(PNG)


def test_an_answer_without_attention_is_refused(tmp_path):
    AttentionOutput(None).show(Answer("noun", {}))
    with pytest.raises(ConfigError) as error:
        AttentionOutput(tmp_path / "a.png").show(Answer("noun", {}))
    assert str(error.value) == (
        "--attention draws where a model looked, but this one answers without attention to "
        "regions or symbols"
    )


def test_a_task_that_writes_nothing_has_no_attention_to_draw(trained, tmp_path):
    found = invoke("predict", trained, "ab", "--attention", tmp_path / "a.png", status=2)
    assert found.stderr == (
        "cellwise: --attention draws where each written symbol looked; a run of task 'toy' writes "
        "none\n"
    )
