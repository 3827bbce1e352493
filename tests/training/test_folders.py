from __future__ import annotations

import json
import shutil

import pytest

from cellwise.errors import ConfigError, DataError
from cellwise.training import run
from cellwise.training.folders import locked
from tests.training.test_loop import configure
from tests.training.toy import Toy


@pytest.fixture
def folder(tmp_path):
    run.train(configure(tmp_path, "training.epochs=1"), tmp_path / "run")
    return tmp_path / "run"


def refusal(tmp_path, folder):
    """What is said to a resume, which must leave every file as it is."""
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(ConfigError) as caught:
        run.train(configure(tmp_path), folder, resume=True)
    assert before == {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return str(caught.value)


def test_a_trained_model_without_a_checkpoint_is_not_overwritten(tmp_path, folder):
    shutil.rmtree(folder / "last")
    assert refusal(tmp_path, folder) == (
        f"{folder} holds a trained model, but no checkpoint to go on from: what its folder "
        "'last' held is gone. Use the model as it is, or start a new run with another --out"
    )


def test_a_run_stopped_before_its_first_checkpoint_starts_again(tmp_path, folder):
    shutil.rmtree(folder / "last")
    (folder / "model.safetensors").unlink()
    assert run.train(configure(tmp_path), folder, resume=True).epochs == 4


def test_a_folder_of_other_files_is_no_run_to_resume(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "letter.txt").write_text("precious")
    assert refusal(tmp_path, folder) == (
        f"{folder} holds files, but no run to resume. Choose another --out, without --resume"
    )


def test_a_saved_configuration_cut_short_is_damaged(tmp_path, folder):
    path = folder / "config.toml"
    text = path.read_text()
    path.write_text(text[: text.index("[training]")])
    with pytest.raises(ConfigError) as caught:
        run.load_run_config(folder)
    assert str(caught.value) == (
        f"{path} is damaged: it lacks 'training.epochs', and a saved run holds every key. "
        "Put it back from a copy, or start a new run"
    )


def test_changed_data_is_refused(tmp_path, folder, monkeypatch):
    from tests.training import toy

    original = toy.make
    monkeypatch.setattr(toy, "make", lambda count, seed: original(count + 1, seed))
    assert refusal(tmp_path, folder) == (
        "the train examples changed since the run stopped: there were 64, and are 65 now. "
        "Put the old data back, or start a new run with another --out"
    )
    monkeypatch.setattr(toy, "make", lambda count, seed: original(count, seed + 7))
    assert "there are 64 still, but not the same" in refusal(tmp_path, folder)


def test_a_checkpoint_without_a_fingerprint_goes_on(tmp_path, folder):
    path = folder / "last" / "state.json"
    state = json.loads(path.read_text())
    del state["data"]
    path.write_text(json.dumps(state))
    assert run.train(configure(tmp_path), folder, resume=True).epochs == 4


def test_one_training_at_a_time_in_a_folder(tmp_path, folder):
    pytest.importorskip("fcntl", reason="this system has no such locks")
    with locked(folder):
        assert refusal(tmp_path, folder) == (
            f"another process trains in {folder}; wait until it ends, or choose another --out"
        )
    run.train(configure(tmp_path), folder, resume=True)


@pytest.mark.parametrize("values", ["{}", "[]"])
def test_damaged_vocabularies_are_named(folder, values):
    path = folder / "vocabularies.json"
    path.write_text(values)
    with pytest.raises(DataError) as caught:
        run.load_run(folder)
    assert str(caught.value) == f"{path} is damaged: it holds no vocabularies of the task"


def test_a_damaged_position_is_named(tmp_path, folder):
    path = folder / "last" / "state.json"
    state = json.loads(path.read_text())
    path.write_text(json.dumps({**state, "position": {}}))
    with pytest.raises(DataError) as caught:
        run.train(configure(tmp_path), folder, resume=True)
    assert str(caught.value) == f"{folder}/last is damaged: its parts are not a checkpoint's"


def test_an_unknown_device_is_said(folder):
    with pytest.raises(ConfigError) as caught:
        run.load_run(folder, device="foo")
    assert str(caught.value) == '"foo" is no device; write "cpu", "cuda" or "auto"'


def test_a_run_killed_while_it_wrote_its_first_checkpoint_starts_again(tmp_path, folder):
    (folder / "last" / "state.json").unlink()
    (folder / "last" / "begun").touch()
    (folder / "last" / ".step-8.safetensors.77.part").write_bytes(b"half")
    (folder / ".model.safetensors.77.part").write_bytes(b"half")
    assert run.train(configure(tmp_path), folder, resume=True).epochs == 4
    assert not list(folder.rglob("*.part"))
    assert not (folder / "last" / "begun").exists()


def test_a_checkpoint_that_was_emptied_is_not_one_that_was_never_there(tmp_path, folder):
    for path in (folder / "last").iterdir():
        path.unlink()
    assert "what its folder 'last' held is gone" in refusal(tmp_path, folder)


@pytest.mark.parametrize("change", ["training.precision=float16", "training.processes=2"])
def test_a_refused_resume_leaves_the_run_as_it_is(tmp_path, folder, change, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "1")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(ConfigError):
        run.train(configure(tmp_path, change), folder, resume=True)
    assert before == {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_refused_run_leaves_no_folder(tmp_path):
    with pytest.raises(ConfigError, match="float16"):
        run.train(configure(tmp_path, "training.precision=float16"), tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_what_the_count_of_steps_depends_on_stays(tmp_path, folder):
    with pytest.raises(ConfigError, match=r"training\.accumulate"):
        run.train(configure(tmp_path, "training.accumulate=2"), folder, resume=True)


DAMAGE = (
    {"batch": "x"},
    {"batch": -3},
    {"step": "x"},
    {"epoch": None},
    {"since_line": {"loss": "a"}},
    {"best_value": "x"},
    {"metrics_bytes": "q"},
    {"more": 1},
)


@pytest.mark.parametrize("damage", DAMAGE, ids=str)
def test_a_damaged_position_is_said_to_be(tmp_path, folder, damage):
    path = folder / "last" / "state.json"
    state = json.loads(path.read_text())
    state["position"] |= damage
    path.write_text(json.dumps(state))
    with pytest.raises(DataError, match="is damaged: its parts are not a checkpoint's"):
        run.train(configure(tmp_path), folder, resume=True)


def test_a_damaged_note_of_the_data_is_said_to_be(tmp_path, folder):
    path = folder / "last" / "state.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "data": "x"}))
    with pytest.raises(ConfigError, match="what the run noted of them cannot be read"):
        run.train(configure(tmp_path), folder, resume=True)


@pytest.mark.parametrize("error", [ValueError, IndexError, KeyError])
def test_damaged_vocabularies_are_said_to_be(tmp_path, folder, monkeypatch, error):
    def restore(self, values):
        raise error("no such thing")

    monkeypatch.setattr(Toy, "restore", restore)
    with pytest.raises(DataError, match=r"vocabularies\.json is damaged"):
        run.train(configure(tmp_path), folder, resume=True)
