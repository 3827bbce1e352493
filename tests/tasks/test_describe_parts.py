import pytest

from cellwise.data.lines import fraction
from cellwise.errors import DataError
from cellwise.tasks.describe_config import DescribeData
from cellwise.tasks.describe_parts import read_captioned


def write(path, names):
    path.write_text("".join(f"{name}\ta photo of {name}\n" for name in names))
    return str(path)


NAMES = [f"{n}.jpg" for n in range(40)]


def parts_of(**data):
    found = read_captioned(DescribeData(**data))
    return {part: [item.image for item in items] for part, items in found.items()}


def test_shares_are_exact_disjoint_and_by_the_hash_of_the_name(tmp_path):
    path = write(tmp_path / "all.tsv", NAMES)
    parts = parts_of(train=path, dev_share=0.1, test_share=0.25)
    assert [len(parts[part]) for part in ("train", "dev", "test")] == [26, 4, 10]
    assert sorted(name for part in parts.values() for name in part) == sorted(NAMES)
    last_of_test = max(map(fraction, parts["test"]))
    last_of_dev = max(map(fraction, parts["dev"]))
    assert last_of_test < min(map(fraction, parts["dev"]))
    assert last_of_dev < min(map(fraction, parts["train"]))


def test_when_images_come_others_keep_their_part_but_at_the_borders(tmp_path):
    few = write(tmp_path / "few.tsv", NAMES[:36])
    before = parts_of(train=few, dev_share=0.25, test_share=0.25)
    after = parts_of(train=write(tmp_path / "all.tsv", NAMES), dev_share=0.25, test_share=0.25)
    moved = [name for part in before for name in before[part] if name not in after[part]]
    assert len(moved) <= 4


def test_files_of_their_own(tmp_path):
    train = write(tmp_path / "train.tsv", NAMES[:4])
    dev, test = write(tmp_path / "dev.tsv", NAMES[4:6]), write(tmp_path / "test.tsv", NAMES[6:7])
    parts = parts_of(train=train, dev=dev, test=test, dev_share=0.5, test_share=0.5)
    assert parts == {"train": NAMES[:4], "dev": NAMES[4:6], "test": NAMES[6:7]}
    parts = parts_of(train=train, dev=dev)
    assert parts["test"] == []


def test_the_captions_of_an_image_in_several_files_come_together(tmp_path):
    write(tmp_path / "1.tsv", NAMES[:4])
    write(tmp_path / "2.tsv", NAMES[2:6])
    found = read_captioned(DescribeData(train=str(tmp_path / "*.tsv"), dev=str(tmp_path / "1.tsv")))
    assert [len(item.captions) for item in found["train"]] == [1, 1, 2, 2, 1, 1]


@pytest.mark.parametrize(("dev_share", "test_share"), [(0.1, 0.0), (0.5, 0.5)])
def test_too_few_images(tmp_path, dev_share, test_share):
    path = write(tmp_path / "all.tsv", NAMES[:2])
    with pytest.raises(DataError) as error:
        parts_of(train=path, dev_share=dev_share, test_share=test_share)
    assert str(error.value) == (
        f"{path}: 2 images are too few for data.dev_share = {dev_share} and "
        f"data.test_share = {test_share}; name a file as data.dev"
    )
