import importlib.util
import sys
from types import ModuleType, SimpleNamespace

import pytest
import torch
from torch import nn

from cellwise.errors import ConfigError, DataError
from cellwise.heads.image_backbones import Backbone


class Residual(nn.Module):
    """What a ResNet looks like from outside."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 3, stride=4, padding=1)
        self.bn1 = nn.BatchNorm2d(4)
        self.layer1 = nn.Conv2d(4, 6, 3, stride=2, padding=1)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(6, 10)


class Featured(nn.Module):
    """What a VGG looks like from outside."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 5, 3, stride=8))
        self.classifier = nn.Linear(5, 10)


NETWORKS = {"resnet18": Residual, "vgg11": Featured, "vit_b_16": lambda: nn.Linear(3, 3)}


@pytest.fixture
def torchvision(monkeypatch):
    """Stands for torchvision: the three calls that are made of it."""
    module = ModuleType("torchvision")
    models = SimpleNamespace(
        list_models=lambda module: list(NETWORKS), get_model=lambda name, weights: NETWORKS[name]()
    )
    monkeypatch.setattr(module, "models", models, raising=False)
    monkeypatch.setitem(sys.modules, "torchvision", module)
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: name if name == "torchvision" else find(name)
    )


@pytest.mark.usefixtures("torchvision")
def test_a_network_goes_up_to_its_last_grid():
    found = Backbone("resnet18")
    assert found.output_size == 6
    assert found(torch.zeros(2, 3, 32, 32)).shape == (2, 6, 4, 4)
    assert [name for name, _ in found.layers.named_children()] == ["conv1", "bn1", "layer1"]
    other = Backbone("vgg11")
    assert other.output_size == 5
    assert other(torch.zeros(2, 3, 32, 32)).shape == (2, 5, 4, 4)


@pytest.mark.usefixtures("torchvision")
@pytest.mark.parametrize("name", ["resnet18", "vgg11"])
def test_weights_are_those_of_the_whole_network(name):
    whole, found = NETWORKS[name](), Backbone(name)
    found.take(whole.state_dict(), source="weights.safetensors")
    x = torch.randn(1, 3, 32, 32)
    parts = ("features",) if name == "vgg11" else ("conv1", "bn1", "layer1")
    expected = nn.Sequential(*(whole.get_submodule(part) for part in parts))(x)
    assert torch.equal(found(x), expected)


@pytest.mark.usefixtures("torchvision")
def test_complaints():
    with pytest.raises(ConfigError) as error:
        Backbone("resnet81")
    assert str(error.value) == (
        "model.encoder = 'resnet81': 'cnn', 'features' or a network of torchvision. "
        "Did you mean 'resnet18'?"
    )
    with pytest.raises(ConfigError) as error:
        Backbone("vit_b_16")
    assert str(error.value) == ("model.encoder = 'vit_b_16': this network has no grid of features")
    weights = NETWORKS["resnet18"]().state_dict()
    with pytest.raises(DataError) as data_error:
        Backbone("vgg11").take(weights, source="w.safetensors")
    assert str(data_error.value) == (
        "w.safetensors: 'features.0.weight' is missing; vgg11 needs [5, 3, 3, 3]"
    )
    weights["layer1.bias"] = torch.zeros(7)
    with pytest.raises(DataError) as data_error:
        Backbone("resnet18").take(weights, source="w.safetensors")
    assert str(data_error.value) == (
        "w.safetensors: 'layer1.bias' is of shape [7]; resnet18 needs [6]"
    )


def test_without_torchvision_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError) as error:
        Backbone("resnet18")
    assert str(error.value) == (
        "networks of torchvision need it: pip install torchvision; without it, "
        "model.encoder = 'cnn' trains a small network along"
    )


def test_a_torchvision_of_another_build_is_said_to_be_one(monkeypatch, tmp_path):
    package = tmp_path / "torchvision"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('operator nms does not exist')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "torchvision", raising=False)
    with pytest.raises(ConfigError, match=r"cannot be imported beside torch 2.*nms does not exist"):
        Backbone("resnet18")
