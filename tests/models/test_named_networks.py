import onnx
import pytest
import torch

from autoprune.models.channel_map import ChannelMap
from autoprune.models.registry import BUILT_IN, build_model
from latency_tables.runtimes.onnx_export import export_onnx


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_every_built_in_model_gives_logits_in_eval_mode(name: str) -> None:
    model = build_model(f"autoprune:{name}", classes=7)
    assert not model.training
    assert model(torch.randn(2, *BUILT_IN[name].input_shape)).shape == (2, 7)


def test_resnet20_has_the_published_state_dict_names() -> None:
    norm = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    expected = {"conv1.weight", "linear.weight", "linear.bias"} | {f"bn1.{n}" for n in norm}
    for stage in (1, 2, 3):
        for block in (0, 1, 2):
            for part in (1, 2):
                prefix = f"layer{stage}.{block}"
                expected |= {f"{prefix}.conv{part}.weight"}
                expected |= {f"{prefix}.bn{part}.{n}" for n in norm}
    state = build_model("autoprune:resnet20", classes=10).state_dict()
    maps = {f"layer{stage}.0.shortcut.channel_map" for stage in (2, 3)}
    assert set(state) == expected | maps
    published = {name: tensor for name, tensor in state.items() if name not in maps}
    build_model("autoprune:resnet20", classes=10).load_state_dict(published, strict=True)


@pytest.mark.parametrize(("name", "millions"), [("resnet20", 0.27), ("resnet56", 0.85)])
def test_cifar_resnets_have_the_size_of_the_paper(name: str, millions: float) -> None:
    model = build_model(f"autoprune:{name}", classes=10)
    count = sum(parameter.numel() for parameter in model.parameters())
    assert round(count / 1e6, 2) == millions


def test_the_padded_shortcut_takes_every_second_pixel_between_quarters_of_zeros() -> None:
    x = torch.randn(2, 4, 6, 6)
    y = ChannelMap.padded(4, 8, stride=2)(x)
    assert torch.equal(y[:, 2:6], x[:, :, ::2, ::2])
    assert not y[:, :2].any()
    assert not y[:, 6:].any()


def test_a_channel_map_gathers_any_channel_and_passes_gradients_back() -> None:
    x = torch.randn(1, 3, 2, 2, requires_grad=True)
    y = ChannelMap(torch.tensor([2, -1, 0, 2]))(x)
    assert torch.equal(y[:, [0, 2, 3]], x[:, [2, 0, 2]])
    y.sum().backward()
    assert x.grad is not None
    assert x.grad[0, :, 0, 0].tolist() == [1.0, 0.0, 2.0]


def test_a_channel_map_exports_to_slices_a_pad_and_a_gather() -> None:
    shortcut = ChannelMap.padded(4, 8, stride=2).eval()
    graph = onnx.load_from_string(export_onnx(shortcut, torch.randn(1, 4, 6, 6))).graph
    reached, path = {graph.input[0].name}, []
    for node in graph.node:
        if reached & set(node.input):
            reached |= set(node.output)
            path.append(node.op_type)
    assert path == ["Slice", "Slice", "Pad", "Gather"]
