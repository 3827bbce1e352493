from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from cellwise.errors import DataError
from cellwise.training.checkpoints import (
    Checkpoint,
    load_checkpoint,
    load_weights,
    read_tensors,
    save_checkpoint,
    write_atomically,
    write_tensors,
)


def make(step):
    tensors = {"model": {"w": torch.full((2,), float(step))}, "random": {"cpu": torch.ones(3)}}
    return Checkpoint({"position": {"step": step}}, tensors)


def test_a_checkpoint_comes_back(tmp_path):
    save_checkpoint(tmp_path, make(3), step=3)
    found = load_checkpoint(tmp_path)
    assert found.state["position"] == {"step": 3}
    assert torch.equal(found.tensors["model"]["w"], torch.tensor([3.0, 3.0]))
    assert set(found.tensors) == {"model", "random"}


def test_only_the_newest_tensors_are_kept(tmp_path):
    for step in (1, 2, 2, 10):
        save_checkpoint(tmp_path, make(step), step=step)
    assert sorted(p.name for p in (tmp_path / "last").iterdir()) == [
        "state.json",
        "step-10.safetensors",
    ]


@pytest.mark.parametrize("survivors", [0, 1])
def test_a_run_killed_while_saving_keeps_the_checkpoint_before(tmp_path, monkeypatch, survivors):
    save_checkpoint(tmp_path, make(1), step=1)
    left = [survivors]
    original = Path.replace

    def replace(self, target):
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        return original(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(tmp_path, make(2), step=2)
    monkeypatch.undo()
    found = load_checkpoint(tmp_path)
    assert found.state["position"] == {"step": 1}
    assert torch.equal(found.tensors["model"]["w"], torch.tensor([1.0, 1.0]))


def test_a_failed_write_leaves_the_old_file_and_no_rubbish(tmp_path, monkeypatch):
    write_atomically(tmp_path / "a", b"old")

    def fail(_handle):
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        write_atomically(tmp_path / "a", b"new")
    assert [p.name for p in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == b"old"


def test_tensors_that_share_memory_are_saved(tmp_path):
    base = torch.arange(4.0)
    write_tensors(tmp_path / "t", {"all": base, "view": base[1:3], "turned": base.view(2, 2).T})
    found = read_tensors(tmp_path / "t")
    assert torch.equal(found["view"], base[1:3])
    assert torch.equal(found["turned"], base.view(2, 2).T)


def test_damage_is_a_data_error(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"rubbish")
    with pytest.raises(DataError, match="cannot be read"):
        read_tensors(tmp_path / "model.safetensors")
    with pytest.raises(DataError, match="cannot be read"):
        load_checkpoint(tmp_path)
    (tmp_path / "last").mkdir()
    (tmp_path / "last" / "state.json").write_text('{"version": 99}')
    with pytest.raises(DataError) as caught:
        load_checkpoint(tmp_path)
    path = tmp_path / "last" / "state.json"
    assert str(caught.value) == f"{path} is not of version 1, the one that this Cellwise reads"
    for text in ('{"version": 1}', '{"version": 1, "tensors": "t", "position": 3}'):
        path.write_text(text)
        with pytest.raises(DataError) as caught:
            load_checkpoint(tmp_path)
        assert str(caught.value) == f"{path} is damaged: it lacks 'tensors' or 'position'"


def test_weights_of_another_model_are_refused():
    with pytest.raises(DataError, match=r"here does not fit the model of config\.toml"):
        load_weights(torch.nn.Linear(2, 3), {"weight": torch.ones(5, 5)}, source="here")
