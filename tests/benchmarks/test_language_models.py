import pytest

from benchmarks import language_models
from benchmarks.language_models import (
    PEER,
    ROWS,
    Result,
    configured,
    counted,
    learning_on,
    table_row,
    trained,
)
from cellwise.errors import DataError
from cellwise.tasks import TASKS
from cellwise.training.progress import Reporter

LITTLE = [
    "training.epochs=1",
    "model.hidden_size=4",
    "model.window=9",
    "training.tensorboard=false",
    "training.log_every=1",
]


@pytest.fixture
def folder(tmp_path):
    for row in ROWS.values():
        for name in row.parts.values():
            path = tmp_path / name.removesuffix(".gz")
            path.parent.mkdir(exist_ok=True)
            path.write_text("the sea sings\na wind sings and sings\n" * 20, encoding="utf-8")
    return tmp_path


@pytest.fixture(autouse=True)
def _unpacked(monkeypatch):
    """The same rows, of files that are not compressed, and torch's task in the registry."""
    rows = {
        name: language_models.DataSet(
            row.recipe, {p: f.removesuffix(".gz") for p, f in row.parts.items()}, row.wanted
        )
        for name, row in ROWS.items()
    }
    monkeypatch.setattr(language_models, "ROWS", rows)
    monkeypatch.setitem(TASKS, PEER.name, PEER)


@pytest.mark.parametrize("task", ["language_model", PEER.name])
def test_a_training_in_little(folder, tmp_path, task):
    config = configured(language_models.ROWS["words"], task, folder, LITTLE)
    found = trained(config, tmp_path / "run", Reporter())
    assert found.metrics["perplexity"] > 1
    assert found.symbols_per_second > 0
    rate, learnt = learning_on(tmp_path / "run")
    assert rate in language_models.RATES
    assert learnt.metrics["perplexity"] < found.metrics["perplexity"]


@pytest.mark.parametrize("name", list(ROWS))
def test_n_grams_of_the_same_symbols(folder, name):
    config = configured(language_models.ROWS[name], "language_model", folder, LITTLE)
    result = counted(config)
    assert 1 < result.metrics["perplexity"] < 3


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(DataError, match=r"there is no .*lm_tinyshakespeare/input\.txt"):
        configured(ROWS["characters"], "language_model", tmp_path, [])


def test_a_row_holds_what_was_wanted():
    metrics = {"loss": 4.7, "perplexity": 109.947, "bits_per_character": 1.2345}
    assert table_row("words", "ours", Result(900.4, 12345.6, metrics)) == (
        *("words", "ours", "4.700", "109.9", "1.234"),
        *("perplexity 115", "900", "12,346"),
    )
