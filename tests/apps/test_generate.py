import json

import pytest

from cellwise.training.config import parse_config
from cellwise.training.run import train
from tests.apps.test_cli import invoke

CONFIG = """
task = "language_model"
[data]
train = "text.txt"
dev = "text.txt"
[model]
hidden_size = 4
num_layers = 1
[training]
epochs = 1
device = "cpu"
tensorboard = false
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("generate")
    (folder / "text.txt").write_text("the sea sings\na wind\n" * 9, encoding="utf-8")
    train(parse_config(CONFIG, folder, source="test"), folder / "run")
    return folder / "run"


def test_a_text_begins_with_its_prompt_and_ends_with_a_line(run):
    result = invoke("generate", run, "--prompt", "the sea", "--length", 3)
    assert result.stdout.startswith("the sea")
    assert result.stdout.endswith("\n")
    assert 0 < len(result.stdout.removeprefix("the sea").split()) <= 3
    assert invoke("generate", run, "--prompt", "the sea", "--length", 3).stdout == result.stdout


def test_samples_have_seeds_of_their_own(run):
    options = ("--prompt", "a", "--length", 12, "--temperature", 3, "--json")
    result = invoke("generate", run, *options, "--seed", 7, "--samples", 3)
    records = [json.loads(line) for line in result.stdout.splitlines()]
    assert [record["seed"] for record in records] == [7, 8, 9]
    assert {record["prompt"] for record in records} == {"a"}
    assert len({record["text"] for record in records}) == 3
    alone = invoke("generate", run, *options, "--seed", 8)
    assert json.loads(alone.stdout) == records[1]


def test_texts_are_told_apart_by_a_blank_line(run):
    result = invoke("generate", run, "--line", "--length", 5, "--samples", 2, "--top-k", 2)
    assert "\n\n" in result.stdout


def test_a_line_ends_the_text(run):
    result = invoke("generate", run, "--line", "--length", 400)
    assert result.stdout.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "cause"),
    [
        (("--samples", "0"), "--samples must be 1 or more, not 0"),
        (("--seed=-1",), "--seed must be from 0 to 2**63 - 1, not -1"),
        (
            (f"--seed={2**63 - 1}", "--samples=2"),
            f"--seed must be from 0 to 2**63 - 2, not {2**63 - 1}",
        ),
        (("--length", "0"), "length must be 1 or more, not 0"),
        (("--top-p", "0"), "top_p must be above 0 and at most 1, not 0.0"),
    ],
)
def test_numbers_out_of_range_are_errors(run, options, cause):
    result = invoke("generate", run, *options, status=2)
    assert result.stderr == f"cellwise: {cause}\n"


def test_only_language_models_draw_texts(trained):
    result = invoke("generate", trained, status=2)
    assert result.stderr == (
        f"cellwise: {trained} is a run of task 'toy'; texts are drawn from a run of task "
        "'language_model'\n"
    )
