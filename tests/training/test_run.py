from __future__ import annotations

import pytest
import torch

from cellwise.errors import ConfigError, DataError
from cellwise.training import run
from cellwise.training.config import load_config, parse_config
from tests.training.test_loop import BASE


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    from cellwise.tasks import TASKS
    from tests.training.toy import Toy

    folder = tmp_path_factory.mktemp("runs") / "toy"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(TASKS, "toy", Toy)
        run.train(parse_config(BASE, folder, source="toy.toml"), folder)
    return folder


def test_a_loaded_run_predicts(folder):
    loaded = run.load_run(folder)
    assert loaded.predict(["aaaaa", "bbbbb"]) == ["yes", "no"]
    assert loaded.config.task == "toy"
    assert not loaded.model.training


def test_decoding_can_be_changed_for_a_call(folder):
    loaded = run.load_run(folder)
    assert loaded.predict(["aaaaa"], shout=True) == ["YES"]
    assert loaded.predict(["aaaaa"]) == ["yes"]
    with pytest.raises(ConfigError) as caught:
        loaded.predict(["aaaaa"], shot=True)
    assert str(caught.value) == "decoding: unknown key 'decoding.shot'. Did you mean 'shout'?"


def test_answers_stream_without_gradients_and_leave_them_on_in_between(folder):
    seen = []

    def lines():
        for word in ("aa", "bb"):
            seen.append(word)
            yield word

    answers = run.load_run(folder).answers(lines())
    assert next(answers).record["word"] == "aa"
    assert seen == ["aa"]
    assert torch.is_grad_enabled()


def test_a_loaded_run_is_evaluated_on_parts_and_files(folder, tmp_path):
    loaded = run.load_run(folder)
    counts: list[int] = []
    assert 0.5 < loaded.evaluate(advance=counts.append)["accuracy"] <= 1.0
    assert sum(counts) == 24
    file = tmp_path / "words.txt"
    file.write_text("aaaa bbbb")
    assert loaded.evaluate(file) == {"accuracy": 1.0}
    file.write_text("")
    with pytest.raises(DataError) as caught:
        loaded.evaluate(file)
    assert str(caught.value) == f"there are no {file} examples to evaluate on"


def test_what_is_no_run_is_said(folder, tmp_path):
    with pytest.raises(ConfigError) as caught:
        run.load_run(tmp_path)
    assert str(caught.value) == f"{tmp_path} is no run folder: it holds no config.toml"
    (tmp_path / "config.toml").write_bytes((folder / "config.toml").read_bytes())
    with pytest.raises(ConfigError) as caught:
        run.load_run(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path} holds no trained model yet: no epoch of it was finished"
    )


def test_an_absent_device_is_said(folder):
    with pytest.raises(ConfigError, match='there is no device "cuda:17" on this machine; it has'):
        run.load_run(folder, device="cuda:17")


def test_one_text_is_not_taken_for_a_list_of_letters(folder):
    with pytest.raises(ConfigError) as caught:
        run.load_run(folder).predict("aaaa")
    assert str(caught.value) == 'give a list of texts, as in predict(["text"]), not one text'


def test_parts_that_could_not_be_judged_are_refused_before_training(tmp_path):
    for name, labels in {"train": "ab", "dev": "ba", "test": "xy"}.items():
        rows = "".join(f"some {label} words\t{label}\n" for label in labels)
        (tmp_path / f"{name}.tsv").write_text(f"text\tlabel\n{rows}", encoding="utf-8")
    files = [f"data.{part}={tmp_path / part}.tsv" for part in ("train", "dev", "test")]
    config = load_config("classify", [*files, "training.device=cpu"])
    with pytest.raises(DataError) as caught:
        run.train(config, tmp_path / "run")
    assert str(caught.value) == (
        "the test part: the model knows no label of these texts: they hold 'x', 'y', "
        "the model 'a', 'b'"
    )
    assert not (tmp_path / "run").exists()
