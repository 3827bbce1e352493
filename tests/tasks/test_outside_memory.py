"""Training examples in a temporary file teach the same as those in memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from cellwise.data.spooled import Spooled
from cellwise.tasks.parse_config import ParseModel
from cellwise.training.config import load_config, parse_config
from cellwise.training.run import train
from tests.tasks import phrases, treebank
from tests.training.heard import Heard

SENTENCES = [f"the {noun} sees a {other} ." for noun in "dog cat".split() for other in "abcdef"]
SMALL = ("model.hidden_size=4", "training.batch_size=4", "training.epochs=2")


def tag(folder: Path) -> list[str]:
    path = folder / "a.tsv"
    blocks = ("".join(f"{word}\t{word[0]}\n" for word in line.split()) for line in SENTENCES)
    path.write_text("\n".join(blocks))
    return [f"data.train={path}", "data.format=columns", "data.dev_share=0.3"]


def classify(folder: Path) -> list[str]:
    path = folder / "a.tsv"
    path.write_text("text\tlabel\n" + "".join(f"{line}\t{line[4]}\n" for line in SENTENCES))
    return [f"data.train={path}", "data.dev_share=0.3"]


def converse(folder: Path) -> list[str]:
    path = folder / "a.txt"
    path.write_text("".join(f"{line}\nyes .\nfine .\n\n" for line in SENTENCES))
    return [f"data.train={path}", "data.dev_share=0.3", "data.min_count=1"]


def transduce(folder: Path) -> list[str]:
    path = folder / "a.tsv"
    path.write_text("".join(f"{line}\t{line[4:7]}\n" for line in SENTENCES))
    return [f"data.train={path}", "data.dev_share=0.3", "data.source_unit=subwords"]


def parse(folder: Path) -> list[str]:
    path = phrases.write(folder / "a.mrg")
    small = [f"model.{key}=4" for key in ParseModel.model_fields if key.endswith("_size")]
    return [f"data.train={path}", f"data.dev={path}", "data.max_length=4", *small]


def compose(folder: Path) -> list[str]:
    return [f"data.train={treebank.write(folder / 'a.txt')}", "data.dev_share=0.2"]


DATA = {write.__name__: write for write in (tag, classify, converse, transduce, parse, compose)}


@pytest.mark.parametrize("task", DATA)
def test_the_same_model_is_learnt(task, tmp_path):
    settings = [*DATA[task](tmp_path), *SMALL]
    weights, judged = set(), []
    for in_memory in ("true", "false"):
        overrides = [*settings, f"data.in_memory={in_memory}"]
        config = parse_config(f'task = "{task}"', tmp_path, source="here", overrides=overrides)
        assert isinstance(config.make_task().read("train"), Spooled) is (in_memory == "false")
        outcome = train(config, tmp_path / in_memory)
        weights.add((tmp_path / in_memory / "model.safetensors").read_bytes())
        judged.append((outcome.steps, outcome.best_value))
    assert len(weights) == 1
    assert judged[0] == judged[1]


def test_it_goes_on_from_data_outside_memory(tmp_path):
    settings = [*tag(tmp_path), *SMALL, "data.in_memory=false"]
    train(load_config("tag", settings), tmp_path / "run")
    longer = load_config("tag", [*settings, "training.epochs=3"])
    assert train(longer, tmp_path / "run", resume=True).epochs == 3


def test_reading_is_shown(tmp_path):
    heard = Heard()
    train(load_config("tag", [*tag(tmp_path), *SMALL]), tmp_path / "run", reporter=heard)
    begun = [word[0] for word in heard.words if len(word) == 3]
    assert begun[:2] == ["reading", "vocabulary"]
