"""Networks of torchvision as encoders of images: all but their last layers."""

from __future__ import annotations

import importlib.util
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn

from cellwise.errors import ConfigError, DataError, nearest


class Backbone(nn.Module):
    """A convolutional network of torchvision up to its last grid of features, by its name.

    Its weights are random: nothing is downloaded. Networks that keep their layers in `features`
    (VGG, DenseNet, MobileNet, EfficientNet, ConvNeXt …) and those that end in an average and one
    linear layer (ResNet, ResNeXt, RegNet …) will do.

    Args:
        name: as `torchvision.models.list_models()` knows it, such as "resnet18".

    Raises:
        ConfigError: torchvision is not installed, has no such network, or it has no grid.
    """

    def __init__(self, name: str):
        super().__init__()
        self.name = name
        self.layers, self._prefix = _up_to_the_grid(name, _whole(name))
        with torch.no_grad():
            self.output_size = int(self.layers.eval()(torch.zeros(1, 3, 64, 64)).shape[1])
        self.layers.train()

    def take(self, weights: Mapping[str, Tensor], *, source: str) -> None:
        """Set the weights: those of the whole network, by torchvision's names.

        Raises:
            DataError: some are missing, or are of another shape.
        """
        state = self.layers.state_dict()
        for name, own in state.items():
            given = weights.get(self._prefix + name)
            if given is None or given.shape != own.shape:
                found = "missing" if given is None else f"of shape {list(given.shape)}"
                raise DataError(
                    f"{source}: '{self._prefix + name}' is {found}; {self.name} needs "
                    f"{list(own.shape)}"
                )
            state[name] = given
        self.layers.load_state_dict(state)

    def forward(self, x: Tensor) -> Tensor:
        """x: `[B, 3, S, S]`; out: a grid of regions `[B, F, h, w]`."""
        return cast(Tensor, self.layers(x))


def _whole(name: str) -> nn.Module:
    models = _library().models
    known = list(models.list_models(module=models))
    if name not in known:
        hint = nearest(name, ["cnn", "features", *known])
        raise ConfigError(
            f"model.encoder = '{name}': 'cnn', 'features' or a network of torchvision. {hint}"
        )
    return cast(nn.Module, models.get_model(name, weights=None))


def _up_to_the_grid(name: str, network: nn.Module) -> tuple[nn.Module, str]:
    """The layers below the last average, and what their names start with in the whole network."""
    features = getattr(network, "features", None)
    if isinstance(features, nn.Module):
        return features, "features."
    names = [child for child, _ in network.named_children()]
    if names[-2:] != ["avgpool", "fc"]:
        raise ConfigError(f"model.encoder = '{name}': this network has no grid of features")
    children = OrderedDict((child, network.get_submodule(child)) for child in names[:-2])
    return nn.Sequential(children), ""


def _library() -> Any:
    if importlib.util.find_spec("torchvision") is None:
        raise ConfigError(
            "networks of torchvision need it: pip install torchvision; without it, "
            "model.encoder = 'cnn' trains a small network along"
        )
    try:
        import torchvision
    except (ImportError, OSError, RuntimeError) as error:  # such as of another build than torch
        raise ConfigError(
            f"torchvision is installed, but cannot be imported beside torch {torch.__version__}: "
            f"{error}; install the two of one build"
        ) from error
    return torchvision
