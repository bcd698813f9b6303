"""Networks with habits of their own: some can be pruned as they are, some are to be changed."""

from __future__ import annotations

import torch
from tiny_net import WIDTH, TinyNet, network
from torch import Tensor, nn
from torch.nn.utils import parametrizations


def _seeded(make: type[nn.Module], classes: int) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return make(classes)


class Branching(TinyNet):
    """What it computes depends on the values of its images."""

    def forward(self, images: Tensor) -> Tensor:
        if images.sum() > 0:
            images = -images
        return super().forward(images)


def branching(num_classes: int) -> nn.Module:
    return _seeded(Branching, num_classes)


class ChangesItsInput(TinyNet):
    """Normalises the caller's images in place."""

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images.sub_(0.5))


def changes_its_input(num_classes: int) -> nn.Module:
    return _seeded(ChangesItsInput, num_classes)


class TrainingInPlace(TinyNet):
    """Adds noise to the caller's images while it trains."""

    def forward(self, images: Tensor) -> Tensor:
        if self.training:
            images += 0.1 * torch.randn_like(images)
        return super().forward(images)


def training_in_place(num_classes: int) -> nn.Module:
    return _seeded(TrainingInPlace, num_classes)


class Tied(TinyNet):
    """Two layers of one weight."""

    def __init__(self, classes: int) -> None:
        super().__init__(classes)
        self.third[0].weight = self.second[0].weight


def tied(num_classes: int) -> nn.Module:
    return _seeded(Tied, num_classes)


class HalfTied(Tied):
    """One layer more, which shares nothing."""

    def __init__(self, classes: int) -> None:
        super().__init__(classes)
        self.fourth = nn.Conv2d(WIDTH, WIDTH, 1)

    def forward(self, images: Tensor) -> Tensor:
        x = self.third(self.second(self.first(images).relu()).relu()).relu()
        return self.classifier(self.fourth(x).relu().mean(dim=(2, 3)))


def half_tied(num_classes: int) -> nn.Module:
    return _seeded(HalfTied, num_classes)


class CalledTwice(TinyNet):
    """One layer runs twice."""

    def forward(self, images: Tensor) -> Tensor:
        x = self.first(images).relu()
        x = self.second(self.second(x).relu()).relu()
        return self.classifier(self.third(x).relu().mean(dim=(2, 3)))


def called_twice(num_classes: int) -> nn.Module:
    return _seeded(CalledTwice, num_classes)


class EvaluatingNorm(nn.BatchNorm2d):
    """Keeps its statistics while the network trains."""

    def train(self, mode: bool = True) -> EvaluatingNorm:
        return super().train(False)


class ConstantNorm(nn.Module):
    """A batch norm of buffers alone, as detectors use it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("weight", torch.linspace(0.5, 1.5, channels))
        self.register_buffer("bias", torch.linspace(-0.2, 0.2, channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        scale = self.weight * (self.running_var + 1e-5).rsqrt()
        shift = self.bias - self.running_mean * scale
        return x * scale[None, :, None, None] + shift[None, :, None, None]


class FrozenNorms(TinyNet):
    """Three kinds of batch norm that do not learn."""

    def __init__(self, classes: int) -> None:
        super().__init__(classes)
        self.first[1].requires_grad_(False)
        self.second[1] = EvaluatingNorm(WIDTH)
        self.third[1] = ConstantNorm(WIDTH)


def frozen_norms(num_classes: int) -> nn.Module:
    return _seeded(FrozenNorms, num_classes)


def lazy(num_classes: int) -> nn.Module:
    """Layers that take their size from the first images they see."""
    model = network(num_classes)
    model.second[0] = nn.LazyConv2d(WIDTH, 3, padding=1)
    model.second[1] = nn.LazyBatchNorm2d()
    model.classifier = nn.LazyLinear(num_classes)
    return model


def lazy_on_other_images(num_classes: int) -> nn.Module:
    model = lazy(num_classes)
    model.first[0] = nn.Conv2d(3, WIDTH, 3, padding=1)
    return model


def weight_norm(num_classes: int) -> nn.Module:
    model = network(num_classes)
    parametrizations.weight_norm(model.second[0])
    return model


def spectral_norm(num_classes: int) -> nn.Module:
    model = network(num_classes)
    parametrizations.spectral_norm(model.second[0])
    return model


def old_spectral_norm(num_classes: int) -> nn.Module:
    model = network(num_classes)
    nn.utils.spectral_norm(model.second[0])
    return model


def old_weight_norm(num_classes: int) -> nn.Module:
    model = network(num_classes)
    nn.utils.weight_norm(model.second[0])
    return model


def quantised(num_classes: int) -> nn.Module:
    return torch.ao.quantization.quantize_dynamic(network(num_classes), {nn.Linear})


def on_another_device(num_classes: int) -> nn.Module:
    return network(num_classes).to("meta")


def partly_on_another_device(num_classes: int) -> nn.Module:
    model = network(num_classes)
    model.third.to("meta")
    return model


def half(num_classes: int) -> nn.Module:
    return network(num_classes).half()


def bfloat16(num_classes: int) -> nn.Module:
    return network(num_classes).bfloat16()


def double(num_classes: int) -> nn.Module:
    return network(num_classes).double()


class AuxiliaryInTraining(TinyNet):
    """Gives a second head's scores too while it trains."""

    def __init__(self, classes: int) -> None:
        super().__init__(classes)
        self.auxiliary = nn.Linear(WIDTH, classes)

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        scores = super().forward(images)
        if self.training:
            return scores, self.auxiliary(self.first(images).mean(dim=(2, 3)))
        return scores


def auxiliary_in_training(num_classes: int) -> nn.Module:
    return _seeded(AuxiliaryInTraining, num_classes)


def first_layer_in_place(num_classes: int) -> nn.Module:
    """No line of its own writes to the images, its first layer does."""
    return nn.Sequential(nn.ReLU(inplace=True), network(num_classes))


def ten_outputs() -> nn.Module:
    return network(10)


class TrainingOnlyLayer(TinyNet):
    """Adds what one more layer computes, while it trains."""

    def __init__(self, classes: int) -> None:
        super().__init__(classes)
        self.shortcut = nn.Linear(WIDTH, classes)

    def forward(self, images: Tensor) -> Tensor:
        scores = super().forward(images)
        if self.training:
            scores = scores + self.shortcut(self.first(images).mean(dim=(2, 3)))
        return scores


def training_only_layer(num_classes: int) -> nn.Module:
    return _seeded(TrainingOnlyLayer, num_classes)


class KeepsFeatures(TinyNet):
    """Remembers what its last convolution computed."""

    def forward(self, images: Tensor) -> Tensor:
        x = self.second(self.first(images).relu()).relu()
        self.features = self.third(x).relu()
        return self.classifier(self.features.mean(dim=(2, 3)))


def keeps_features(num_classes: int) -> nn.Module:
    return _seeded(KeepsFeatures, num_classes)


def all_frozen(num_classes: int) -> nn.Module:
    return network(num_classes).requires_grad_(False)


class SoftmaxInEvaluation(TinyNet):
    """Tells probabilities once it is trained."""

    def forward(self, images: Tensor) -> Tensor:
        scores = super().forward(images)
        return scores if self.training else scores.softmax(1)


def softmax_in_evaluation(num_classes: int) -> nn.Module:
    return _seeded(SoftmaxInEvaluation, num_classes)


class LooksUp(TinyNet):
    """Takes its images for whole numbers."""

    def __init__(self, classes: int) -> None:
        super().__init__(classes)
        self.table = nn.Embedding(10, 64)

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(self.table(images[:, 0, 0]).unflatten(2, (8, 8)))


def looks_up(num_classes: int) -> nn.Module:
    return _seeded(LooksUp, num_classes)


class TakesChannelsLast(TinyNet):
    """Turns its images round itself."""

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images.permute(0, 3, 1, 2))


def takes_channels_last(num_classes: int) -> nn.Module:
    return _seeded(TakesChannelsLast, num_classes)
