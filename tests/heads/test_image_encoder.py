import pytest
import torch

from cellwise.heads.image_encoder import DEVIATION, LEAST_ZOOM, MEAN, ConvolutionalRegions, Views
from tests.tolerances import TOLERANCE

EXACT = TOLERANCE[torch.float32]["exact"]


def noise(n=3, size=16):
    return torch.randint(0, 256, (n, 3, size, size), dtype=torch.uint8)


def test_pixels_are_normalised_as_torchvision_does():
    images = noise()
    found = Views().eval()(images)
    mean, deviation = torch.tensor(MEAN), torch.tensor(DEVIATION)
    pixel = (images[1, :, 4, 7] / 255 - mean) / deviation
    torch.testing.assert_close(found[1, :, 4, 7], pixel, **EXACT)
    assert torch.equal(found, Views(augment=False).train()(images))


def ramps(n, size=32):
    """Images whose red tells how far to the right a pixel is, and whose green how far down."""
    right = (torch.arange(size, dtype=torch.uint8) * 8).expand(size, size)
    return torch.stack([right, right.T, right.new_zeros(size, size)]).expand(n, 3, size, size)


def test_training_sees_parts_of_an_image_half_of_them_mirrored():
    views = Views().train()
    seen = (views(ramps(400))[:, :2] * views.deviation[:2] + views.mean[:2]) * 255 / 8
    right, down = seen[:, 0].mean(1), seen[:, 1].mean(2)  # the columns and rows that are seen
    side, height = ((line[:, 23] - line[:, 8]) / 15 for line in (right, down))
    assert 0.4 < (side < 0).float().mean() < 0.6
    torch.testing.assert_close(side.abs(), height, **EXACT)
    assert LEAST_ZOOM <= height.min() < LEAST_ZOOM + 0.03
    assert 0.97 < height.max() <= 1
    # A part lies inside the image, and anywhere in it.
    for line in (right, down):
        edge = line[:, 8:24].min(1).values + 0.5 - 8.5 * height
        share = (edge / (32 * (1 - height)))[height < 0.95]
        assert -0.01 < share.min() < 0.05 and 0.95 < share.max() < 1.01
        assert (share.std() - 12**-0.5).abs() < 0.03  # that of a uniform distribution


def test_the_generator_decides_which_parts_training_sees():
    views, images = Views().train(), noise()
    torch.manual_seed(3)
    first = views(images)
    second = views(images)
    torch.manual_seed(3)
    assert torch.equal(views(images), first)
    assert not torch.equal(second, first)


@pytest.mark.parametrize("training", [False, True])
def test_regions_of_an_image_do_not_depend_on_its_batch_mates(training):
    network = ConvolutionalRegions((8, 16, 24)).train(training)
    x = torch.randn(4, 3, 24, 24)
    whole = network(x)
    assert whole.shape == (4, 24, 3, 3) and network.output_size == 24
    torch.testing.assert_close(network(x[2:3]), whole[2:3], **EXACT)


def test_a_region_looks_at_its_own_place():
    network = ConvolutionalRegions((8, 8))
    network.blocks = torch.nn.Sequential(
        *(block for block in network.blocks if not isinstance(block, torch.nn.GroupNorm))
    )
    x = torch.zeros(1, 3, 32, 32, requires_grad=True)
    network(x + 1)[0, :, 0, 7].sum().backward()
    assert x.grad is not None
    columns = x.grad.abs().sum((0, 1, 2)).nonzero().flatten()
    assert columns.min() >= 24
