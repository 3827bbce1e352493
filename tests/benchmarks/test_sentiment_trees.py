import pytest

from benchmarks.sentiment_trees import Result, data_settings, row, trained
from cellwise.errors import DataError
from cellwise.training.progress import Reporter
from tests.tasks import treebank

LITTLE = ["training.epochs=1", "model.hidden_size=6", "training.tensorboard=false"]


def result(accuracy, best_epoch):
    names = ("accuracy_root", "accuracy_root_binary", "accuracy_nodes")
    return Result(9.0, 3, best_epoch, dict.fromkeys(names, accuracy))


def test_a_row_holds_means_and_deviations():
    assert row("rntn", [result(0.44, 2), result(0.45, 3), result(0.46, 2)]) == (
        *("rntn", "3", "45.0 ± 1.0", "45.0 ± 1.0", "45.0 ± 1.0", "2, 3, 2", "3.0"),
    )


def test_parts_are_found_packed_or_not(tmp_path):
    for name in ("train.txt", "dev.txt.gz", "test.txt", "test.txt.gz"):
        (tmp_path / name).touch()
    assert data_settings(tmp_path) == [
        f"data.train={tmp_path / 'train.txt'}",
        f"data.dev={tmp_path / 'dev.txt.gz'}",
        f"data.test={tmp_path / 'test.txt'}",
    ]
    (tmp_path / "train.txt").unlink()
    with pytest.raises(DataError, match=r"holds no train\.txt and no train\.txt\.gz$"):
        data_settings(tmp_path)


def test_a_training_in_little(tmp_path):
    for part in ("train", "dev", "test"):
        treebank.write(tmp_path / f"{part}.txt")
    settings = [*data_settings(tmp_path), *LITTLE]
    found = trained(settings, tmp_path / "run", Reporter())
    assert found.epochs == found.best_epoch == 1
    assert 0 <= found.metrics["accuracy_root_binary"] <= 1
