import json

import numpy as np
import pytest
import torch

from cellwise.training.config import parse_config
from cellwise.training.run import load_run, train
from tests.apps.test_cli import invoke
from tests.tolerances import TOLERANCE

EXACT = TOLERANCE[torch.float32]["exact"]

CONFIG = """
task = "classify"
[data]
train = "news.tsv"
dev = "news.tsv"
[model]
hidden_size = 3
[training]
epochs = 1
device = "cpu"
tensorboard = false
"""
NEWS = "text\tlabel\nOil prices fall\tmarkets\nThe home team wins\tsport\n"
LINES = ["oil wins", "", "the prices of the team fall and fall"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("encode")
    (folder / "news.tsv").write_text(NEWS, encoding="utf-8")
    train(parse_config(CONFIG, folder, source="test"), folder / "run")
    return folder / "run"


def test_vectors_go_to_npy_to_json_lines_and_to_standard_output(run, tmp_path):
    wanted = load_run(run).encode(LINES)
    assert wanted.shape == (3, 6) and not wanted.requires_grad
    array, lines = tmp_path / "new" / "a.npy", tmp_path / "a.jsonl"
    stdin = "".join(f"{line}\n" for line in LINES)
    assert invoke("encode", run, "-", "--out", array, "-q", stdin=stdin).output == ""
    assert np.array_equal(np.load(array), wanted.numpy())
    invoke("encode", run, *LINES, "--out", lines)
    printed = invoke("encode", run, *LINES).stdout
    assert lines.read_text(encoding="utf-8") == printed
    rows = [json.loads(line) for line in printed.splitlines()]
    assert [row["text"] for row in rows] == LINES
    assert np.array_equal(np.array([row["vector"] for row in rows], np.float32), wanted.numpy())


def test_more_lines_than_a_batch_holds_come_in_order(run, tmp_path):
    out = tmp_path / "a.npy"
    stdin = "".join(f"oil {'wins ' * (number % 7)}\n" for number in range(150))
    result = invoke("encode", run, "-", "--out", out, stdin=stdin)
    assert result.output == ""
    found = np.load(out)
    assert found.shape == (150, 6)
    one_by_one = load_run(run).encode([f"oil {'wins ' * number}" for number in range(7)])
    for number in range(7):
        np.testing.assert_allclose(
            found[number::7], [one_by_one[number]] * len(found[number::7]), **EXACT
        )


def test_mistakes_are_one_message(run, trained):
    result = invoke("encode", run, "a", "--out", "a.txt", status=2)
    assert result.stderr == (
        "cellwise: --out a.txt: the name of the file must end in .npy or .jsonl\n"
    )
    result = invoke("encode", trained, "a", status=2)
    assert result.stderr == "cellwise: a run of task 'toy' makes no vectors of texts\n"


def test_evaluate_shows_the_confusion(run):
    result = invoke("evaluate", run, "--part", "dev", "--confusion", "-q")
    assert "  right \\ given  " in result.stdout
    assert "  class  " in result.stdout
    found = json.loads(
        invoke("evaluate", run, "--part", "dev", "--confusion", "--json", "-q").stdout
    )
    assert found["confusion"]["classes"] == ["markets", "sport"]
    assert sum(map(sum, found["confusion"]["counts"])) == 2
    assert "confusion" not in json.loads(invoke("evaluate", run, "--part", "dev", "--json").stdout)


def test_a_task_without_classes_has_no_confusion(trained):
    result = invoke("evaluate", trained, "--confusion", "-q", status=2)
    assert result.stderr == (
        "cellwise: --confusion: a run of task 'toy' tells nothing of single classes\n"
    )
