import copy
from typing import cast

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from cellwise.errors import ConfigError, DataError
from cellwise.heads.image_backbones import Backbone
from cellwise.tasks import describe_regions
from cellwise.tasks.describe_config import DescribeModel
from cellwise.tasks.describe_regions import (
    GivenRegions,
    PixelRegions,
    pixel_regions,
    read_weights,
)
from tests.tolerances import TOLERANCE

EXACT = TOLERANCE[torch.float32]["exact"]
SMALL = {"image_size": 16, "channels": (4, 6)}


class Stand(Backbone):
    """Stands for a network of torchvision."""

    def __init__(self, name):
        nn.Module.__init__(self)
        self.name, self._prefix, self.output_size = name, "features.", 5
        self.layers = nn.Sequential(nn.Conv2d(3, 5, 4, stride=4), nn.BatchNorm2d(5))
        self.n_calls = torch.zeros((), dtype=torch.int64)

    def forward(self, x):
        self.n_calls += len(x)
        return super().forward(x)


def photos(n=3):
    return torch.randint(0, 256, (n, 3, 16, 16), dtype=torch.uint8)


def frozen(**settings):
    config = DescribeModel(encoder="resnet18", image_size=16, **settings)
    regions = PixelRegions(Stand("resnet18"), config)
    cast(Stand, regions.network).n_calls.zero_()
    return regions


def test_regions_are_numbered_row_by_row():
    regions = pixel_regions(DescribeModel(**SMALL, augment=False), {}).eval()
    images = photos()
    found, grid = regions(images), regions.network(regions.views(images))
    assert (regions.count, regions.size, regions.grid) == (16, 6, (4, 4))
    torch.testing.assert_close(found[6, 2], grid[2, :, 1, 2], **EXACT)


def test_features_come_as_they_are():
    rows = torch.randn(2, 9, 5)
    assert torch.equal(GivenRegions(9, 5)(rows), rows.transpose(0, 1))
    assert GivenRegions(9, 5).grid == (3, 3)
    assert GivenRegions(10, 5).grid is None


def test_features_of_a_frozen_network_are_computed_once():
    regions, images = frozen().train(), photos()
    network = cast(Stand, regions.network)
    assert not any(p.requires_grad for p in regions.parameters())
    assert not regions.network.training
    first = regions(images, ("a", "b", "c"))
    assert network.n_calls == 3 and not first.requires_grad
    assert torch.equal(regions(images[[1, 0]], ("b", "a")), first[:, [1, 0]])
    assert network.n_calls == 3
    assert torch.equal(regions(images), first)
    assert network.n_calls == 6
    before = copy.deepcopy(network.layers.state_dict())
    regions.train()(images)
    assert all(torch.equal(now, before[name]) for name, now in network.layers.state_dict().items())


def test_a_network_that_is_tuned_learns():
    regions = frozen(tune_encoder=True).train()
    found = regions(photos(), ("a", "b", "c"))
    found.sum().backward()
    assert all(p.grad is not None for p in regions.parameters())
    regions(photos(), ("a", "b", "c"))
    assert cast(Stand, regions.network).n_calls == 6


def test_weights_are_taken_from_a_file(tmp_path, monkeypatch):
    monkeypatch.setattr(describe_regions, "Backbone", Stand)
    path, whole = tmp_path / "w.safetensors", Stand("vgg11")
    state = {f"features.{name}": part for name, part in whole.layers.state_dict().items()}
    save_file({**state, "classifier.weight": torch.zeros(3)}, path)
    config = DescribeModel(encoder="vgg11", encoder_weights=str(path), image_size=16)
    regions = pixel_regions(config, read_weights(config))
    assert all(
        torch.equal(own, whole.layers.state_dict()[name])
        for name, own in cast(Stand, regions.network).layers.state_dict().items()
    )
    assert read_weights(DescribeModel()) == {}


def test_complaints(tmp_path):
    with pytest.raises(ConfigError) as config_error:
        read_weights(DescribeModel(encoder_weights="w.safetensors"))
    assert str(config_error.value) == (
        "model.encoder_weights are for networks of torchvision, not for 'cnn'"
    )
    path = tmp_path / "w.safetensors"
    config = DescribeModel(encoder="resnet18", encoder_weights=str(path))
    with pytest.raises(DataError) as error:
        read_weights(config)
    assert str(error.value) == f"there is no file {path}"
    path.write_text("text")
    with pytest.raises(DataError, match=r"w\.safetensors is no \.safetensors file: "):
        read_weights(config)
