import json
import math
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from PIL import Image

from cellwise.data.captions import Captioned
from cellwise.data.vocabulary import END, PAD, START
from cellwise.errors import ConfigError, DataError
from cellwise.tasks import TASKS
from cellwise.tasks.base import Part
from cellwise.tasks.describe import EMBEDDING_SIZE, Describe
from cellwise.tasks.describe_answers import CaptionAnswer
from cellwise.tasks.describe_config import DescribeData, DescribeDecoding, DescribeModel
from cellwise.training.config import load_config
from tests.tasks import photos
from tests.tasks.training_steps import trained
from tests.tolerances import TOLERANCE

EXACT = TOLERANCE[torch.float32]["exact"]


def task_of(folder, model=None, decoding=None, **data):
    captions = str(folder / "captions.csv")
    given = {"images": str(folder), "train": captions, "dev": captions, "test": captions, **data}
    settings = {
        "image_size": 32,
        "channels": (16, 32, 32),
        "augment": False,
        "embedding_size": 16,
        "hidden_size": 32,
        "dropout": 0.0,
        **(model or {}),
    }
    options = {"beam_size": 2, "max_length": 12, **(decoding or {})}
    return Describe(DescribeData(**given), DescribeModel(**settings), DescribeDecoding(**options))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return photos.write(tmp_path_factory.mktemp("describe"))


@pytest.fixture(scope="module")
def describer(folder):
    task = task_of(folder)
    return task, trained(task, task.read("train"), epochs=60, rate=0.003)


def evaluated(task, model, examples, **options):
    with torch.no_grad():
        return task.evaluate(
            model, examples, **{"batch_size": 8, "advance": lambda _: None, **options}
        )


def answered(task, model, lines):
    with torch.no_grad():
        return list(task.predict(model, lines))


def again(task, **decoding):
    """The same task with another decoding."""
    other = Describe(task.data, task.model, DescribeDecoding(**decoding))
    other.restore(json.loads(json.dumps(task.vocabularies())))
    return other


def test_it_is_registered():
    assert TASKS["describe"] is Describe


def test_it_learns_what_is_where(describer, tmp_path):
    task, model = describer
    metrics = evaluated(task, model, task.read("train"))
    assert metrics["bleu"] == pytest.approx(100)
    assert metrics["distinct_captions"] == 6
    assert metrics["loss"] < 0.3
    assert metrics["perplexity"] == pytest.approx(math.exp(metrics["loss"]))
    new = tmp_path / "new.png"
    Image.fromarray(photos.photo("green", "right", top=12)).save(new)
    (answer,) = answered(task, model, [str(new)])
    assert answer.text == "a green square, on the right."


def test_every_image_counts_as_progress(describer):
    task, model = describer
    counts: list[int] = []
    evaluated(task, model, task.read("train"), batch_size=5, advance=counts.append)
    assert sum(counts) == 18


def test_a_report_has_the_signature_of_bleu(describer):
    task, model = describer
    with torch.no_grad():
        report = task.report(model, task.read("dev"), batch_size=8, advance=lambda _: None)
    assert report.notes["bleu_signature"].startswith("nrefs:2|case:lc|eff:no|tok:13a|")
    assert report.metrics == evaluated(task, model, task.read("dev"))


def test_predict_takes_paths_and_names(describer, folder):
    task, model = describer
    lines = [str(folder / "red_left_2.png"), "", "blue_right_8.png"]
    answers = answered(task, model, lines)
    assert [a.text for a in answers] == [
        "a red square, on the left.",
        "",
        "a blue square, on the right.",
    ]
    apart = [answer for line in lines for answer in answered(task, model, [line])]
    assert [a.text for a in apart] == [a.text for a in answers]
    assert [a.text for a in answered(task, model, iter(lines))] == [a.text for a in answers]
    record = json.loads(json.dumps(answers[0].record))
    assert record["image"] == lines[0]
    assert record["caption"] == answers[0].text
    assert record["symbols"] == "a red square , on the left .".split()
    assert -1 < record["log_probability"] < 0
    assert "attention" not in record
    assert answers[1].record.keys() == record.keys()


def test_what_stands_before_a_bad_image_is_answered(describer, folder, tmp_path):
    task, model = describer
    (tmp_path / "bad.png").write_bytes((folder / "red_left_2.png").read_bytes()[:60])
    lines = ["red_left_2.png", "", str(tmp_path / "bad.png"), "blue_right_8.png"]
    for found in (task.predict(model, lines), task.encode(model, lines)):
        with torch.no_grad():
            next(found), next(found)
            with pytest.raises(DataError, match="is no image that can be read"):
                next(found)


def test_a_blank_line_has_a_vector_of_zeros(describer):
    task, model = describer
    with torch.no_grad():
        red, nothing, again = task.encode(model, ["red_left_2.png", " ", "red_left_2.png"])
    assert torch.equal(red, again) and not nothing.any() and nothing.shape == red.shape


def test_attention_is_told_where_it_is_asked_for(describer, folder):
    task, model = describer
    (answer,) = answered(again(task, attention=True), model, ["red_left_2.png"])
    assert isinstance(answer, CaptionAnswer) and answer.looked is not None
    attention = answer.record["attention"]
    assert attention["grid"] == [4, 4] and attention["target"] == answer.record["symbols"]
    weights = np.array(attention["weights"])
    assert weights.shape == (8, 16)
    np.testing.assert_allclose(weights.sum(1), 1, rtol=0, atol=16 * 1e-6)  # rounded to 6 digits
    assert answer.looked.symbols == tuple(answer.record["symbols"])
    np.testing.assert_array_equal(
        np.round(answer.looked.weights.reshape(8, 16), 6), weights.astype("f4").round(6)
    )
    assert answer.looked.picture(16).shape == (16, 16, 3)


def test_a_model_without_attention(folder):
    task = task_of(folder, {"attention": "none"}, {"attention": True})
    model = trained(task, task.read("train"), epochs=1)
    with pytest.raises(ConfigError) as error:
        answered(task, model, ["red_left_2.png"])
    assert str(error.value) == "there is no attention to show: model.attention is 'none'"


def test_a_batch_holds_each_image_once_and_all_captions(folder):
    task = task_of(folder)
    task.fit(task.read("train"))
    items = [
        Captioned("red_left_2.png", ("A red square", "A zebra")),
        Captioned("blue_left_8.png", ("square",)),
    ]
    batch = task.collate(items)
    a, red, square = task.words.encode(["a", "red", "square"])
    assert batch.images.shape == (2, 3, 32, 32)
    assert batch.names == ("red_left_2.png", "blue_left_8.png")
    assert batch.captions.rows.tolist() == [0, 0, 1]
    assert batch.captions.before.T.tolist() == [
        [START, a, red, square],
        [START, a, 1, PAD],
        [START, square, PAD, PAD],
    ]
    assert batch.captions.after.T.tolist() == [
        [a, red, square, END],
        [a, 1, END, PAD],
        [square, END, PAD, PAD],
    ]
    assert batch.captions.lengths.tolist() == [4, 3, 2] and batch.n_units == 9
    assert batch.to(torch.device("meta")).images.device.type == "meta"
    assert task.size(items[0]) == 3


def test_the_loss_is_that_of_each_caption_alone(describer):
    task, model = describer
    items = [
        Captioned("red_left_2.png", ("A red square .", "left")),
        Captioned("blue_left_8.png", ("A",)),
    ]
    with torch.no_grad():
        whole, n_units = task.loss(model, task.collate(items))
        alone = [
            task.loss(model, task.collate([Captioned(item.image, (caption,))]))[0]
            for item in items
            for caption in item.captions
        ]
    assert n_units == 9
    torch.testing.assert_close(sum(alone), whole, **EXACT)


def test_long_captions_are_left_out_of_training_alone(folder):
    task = task_of(folder, max_length=7)
    with pytest.raises(DataError) as error:
        task.read("train")
    assert str(error.value) == "every training caption is longer than data.max_length = 7 symbols"
    assert len(task.read("dev")) == 18
    assert len(task_of(folder, max_length=8).read("train")) == 18


def test_features_from_a_file(folder, tmp_path):
    names = [item.image for item in task_of(folder).read("train")]
    columns = {"red": 0, "green": 1, "blue": 2, "left": 3, "right": 4}
    rows = np.zeros((len(names), 5), np.float32)
    for row, name in zip(rows, names, strict=True):
        for word in name.split("_")[:2]:
            row[columns[word]] = 1
    np.save(tmp_path / "features.npy", rows)
    (tmp_path / "features.names.txt").write_text("\n".join(names))
    task = task_of(folder, {"encoder": "features"}, features=str(tmp_path / "features.npy"))
    model = trained(task, task.read("train"), epochs=60, rate=0.003)
    assert evaluated(task, model, task.read("train"))["bleu"] == pytest.approx(100)
    (answer,) = answered(task, model, ["photos/green_left_2.png"])
    assert answer.text == "a green square, on the left."
    vectors = list(task.encode(model, ["red_left_2.png"]))
    assert vectors[0].tolist() == [1, 0, 0, 1, 0]
    restored = task_of(tmp_path / "gone", {"encoder": "features"})
    restored.restore(json.loads(json.dumps(task.vocabularies())))
    restored.build().load_state_dict(model.state_dict())


def test_a_saved_run_needs_no_files(describer, tmp_path):
    task, model = describer
    restored = task_of(tmp_path / "gone")
    restored.restore(json.loads(json.dumps(task.vocabularies())))
    restored.build().load_state_dict(model.state_dict())
    image = tmp_path / "new.png"
    Image.fromarray(photos.photo("red", "right")).save(image)
    (answer,) = answered(restored, model, [str(image)])
    assert answer.text == "a red square, on the right."


def test_vectors_are_read_from_a_file(folder, tmp_path):
    file = tmp_path / "vectors.txt"
    file.write_text("square 1 2 3\nzebra 4 5 6\n")
    task = task_of(folder, {"embedding_size": 0}, vectors=str(file))
    task.fit(task.read("train"))
    model = task.build()
    assert model.target.weight[task.words.encode(["square"])].tolist() == [[1, 2, 3]]
    plain = task_of(folder, {"embedding_size": 0})
    plain.fit(plain.read("train"))
    assert plain.build().target.embedding_dim == EMBEDDING_SIZE


def test_vectors_of_images_are_means_of_their_regions(describer):
    task, model = describer
    names = [f"red_left_{top}.png" for top in (2, 8, 16)]
    with torch.no_grad():
        vectors = list(task.encode(model, names))
        regions = model.regions(task.collate([Captioned(names[1], ("a",))]).images)
    assert len(vectors) == 3 and vectors[0].shape == (32,)
    torch.testing.assert_close(vectors[1], regions[:, 0].mean(0), **EXACT)


def test_complaints(describer, folder, tmp_path):
    task, model = describer
    text = tmp_path / "more.csv"
    text.write_text("image,caption\nred_left_2.png,A square .\nzebra.png,A zebra .\n")
    with pytest.raises(DataError) as error:
        task.read_file(text)
    assert str(error.value) == (
        f"'zebra.png' has a caption, but there is no such image in {folder}"
    )
    with pytest.raises(DataError) as error:
        answered(task, model, ["zebra.png"])
    assert str(error.value) == f"there is no image file 'zebra.png', and no such name in {folder}"
    with pytest.raises(DataError, match="there is no image to evaluate on"):
        evaluated(task, model, [])
    other = task_of(folder, {"encoder": "features"})
    with pytest.raises(ConfigError) as config_error:
        other.read("train")
    assert str(config_error.value) == (
        "model.encoder = 'features' needs an .npy file as data.features"
    )


@pytest.mark.parametrize(
    "model",
    [
        {"attention": "additive", "start": "state", "num_layers": 2},
        {"cell": "gru", "input_feeding": True, "share_embeddings": True},
        {"cell": "slstm", "label_smoothing": 0.1, "word_dropout": 0.2, "dropout": 0.1},
        {"cell": "y[t] = tanh(U @ x[t])"},
        {"augment": True, "image_size": 33},
    ],
)
def test_other_models_learn(folder, model):
    task = task_of(folder, model, unit="subwords", n_subwords=30)
    items = task.read("train")
    before = evaluated(task, trained(task, items, epochs=0), items)["loss"]
    assert evaluated(task, trained(task, items, epochs=4), items)["loss"] < 0.95 * before


@pytest.mark.real_data
def test_flickr8k_as_it_comes():
    photos_folder = Path(__file__).parents[3] / "shared/data/caption_flickr8k_800"
    if not photos_folder.exists():
        pytest.skip("the data set is not here")
    captions, features = photos_folder / "captions.txt", photos_folder / "features_256.npy"
    settings = [
        f"data.images={photos_folder / 'images.zip'}",
        f"data.train={captions}",
        f"data.features={features}",
    ]
    task = load_config("describe", settings).make_task()
    parts = [task.read(part) for part in get_args(Part)]
    assert [len(part) for part in parts] == [600, 100, 100]
    assert all(len(item.captions) == 5 for part in parts[1:] for item in part)
    assert sum(len(item.captions) for item in parts[0]) > 2950
    task.fit(parts[0])
    assert task.collate(parts[0][:2]).images.shape == (2, 3, 96, 96)
    other = load_config("describe", [*settings, "model.encoder=features"]).make_task()
    other.fit(other.read("train"))
    assert other.collate(parts[0][:2]).images.shape == (2, 1, 256)
