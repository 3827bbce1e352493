from __future__ import annotations

import zipfile

import numpy as np
import pytest

from benchmarks import captions
from benchmarks.captions import HEAD, Plan, Result, exchanged, measure, rows
from benchmarks.captions_baselines import (
    agreed,
    best_for_all,
    central,
    centred,
    most_frequent,
    nearest,
    scores,
    typical,
)
from cellwise.data.captions import Captioned
from cellwise.tasks import TASKS
from cellwise.training.progress import Reporter
from tests.tasks import photos

DOGS = ("a dog runs .", "a dog .", "a brown dog runs .")
CATS = ("a cat sleeps .", "a grey cat sleeps .", "A DOG .")
TRAIN = [Captioned("dog", DOGS), Captioned("cat", CATS)]
VECTORS = {
    name: np.array(numbers, np.float32)
    for name, numbers in {"dog": (1, 0), "cat": (0, 2), "pet": (0.1, 0.3)}.items()
}
PET = [Captioned("pet", ("a cat sleeps .",))]


def test_one_caption_for_all():
    assert most_frequent(TRAIN)(PET[0]) == "a dog ."
    assert scores(most_frequent(TRAIN), PET)["bleu_1"] == pytest.approx(
        100 * np.exp(1 - 4 / 3) * 2 / 3
    )
    assert best_for_all(TRAIN, PET)(PET[0]) == "a cat sleeps ."


def test_captions_of_neighbours():
    assert nearest(TRAIN, VECTORS)(PET[0]) == "a cat sleeps ."
    assert nearest(TRAIN, VECTORS)(Captioned("dog", ())) == "a dog runs ."
    assert agreed(TRAIN, PET, VECTORS)(PET[0]) == "a cat sleeps ."


def test_a_typical_and_a_central_caption():
    assert typical(TRAIN[0]) == "a dog runs ."
    assert typical(PET[0]) == "a cat sleeps ."
    # Sums of shares in the union: 1 + 0 + 2/3 + 1/2, less than 2/3 + 1/4 + 1 + 1/3.
    assert central(["a b", "c d", "a b d", "a"]) == "a b d"


def test_vectors_are_compared_without_their_mean():
    found = centred(VECTORS, TRAIN)
    assert found["dog"].tolist() == [0.5, -1] and found["cat"].tolist() == [-0.5, 1]
    assert np.allclose(found["pet"], (-0.4, -0.7))


def test_exchanged_photos_keep_their_captions():
    assert exchanged([*TRAIN, *PET]) == [
        Captioned("cat", DOGS),
        Captioned("pet", CATS),
        Captioned("dog", PET[0].captions),
    ]


def test_the_whole_table_in_little(tmp_path, monkeypatch):
    monkeypatch.setitem(TASKS, captions.PEER.name, captions.PEER)
    folder = photos.write(tmp_path / "photos")
    names = sorted(path.name for path in folder.glob("*.png"))
    with zipfile.ZipFile(folder / "images.zip", "w") as archive:
        for name in names:
            archive.write(folder / name, name)
    (folder / "captions.csv").rename(folder / "captions.txt")
    np.save(folder / "features_256.npy", np.random.rand(len(names), 4).astype(np.float32))
    (folder / "features_256.names.txt").write_text("\n".join(names))
    overrides = ["training.epochs=2", "training.tensorboard=false", "training.device=cpu"]
    overrides += ["model.image_size=16", "model.channels=[4, 8]", "model.hidden_size=8"]
    overrides += ["model.embedding_size=4", "decoding.max_length=5", "data.min_count=1"]
    found = measure(
        folder,
        overrides,
        tmp_path / "runs",
        plan=Plan(1, list(captions.MODELS)),
        reporter=Reporter(),
    )
    ours = found["describe, network trained along"].metrics[0]
    theirs = found["describe, network trained along, torch.nn writes"].metrics[0]
    assert ours["loss"] == pytest.approx(theirs["loss"], rel=1e-3)
    table = rows(found)
    assert len(table) == 11 and all(len(row) == len(HEAD) for row in table)
    assert [row[0] for row in table if not row[4]] == [row[0] for row in table[:8]]


def test_a_row_holds_means_and_deviations():
    metrics = {"bleu": 10.0, "bleu_1": 50.0, "distinct_captions": 7.0, "loss": 3.0}
    more = {name: value + 1 for name, value in metrics.items()}
    found = {"one": Result((metrics,)), "two": Result((metrics, more), (9.0, 9.0), (2.0, 4.0))}
    assert rows(found) == [
        ("one", "10.0", "50.0", "7", "3.00", "", ""),
        (
            *("two", "10.5 ± 0.7", "50.5 ± 0.7", "8 ± 1", "3.50 ± 0.71", "9.0 ± 0.0"),
            "3.0 ± 1.4",
        ),
    ]
