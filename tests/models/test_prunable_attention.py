"""Attention with prunable heads computes what torch's, torchvision's and timm's own does."""

from __future__ import annotations

import copy
import importlib.util
import io
import warnings
from typing import Any

import onnxruntime
import pytest
import torch
from attention_networks import NETWORKS, network, vit
from timm_attention import Attention
from torch import nn

from autoprune.errors import ModelError
from autoprune.models.attention import (
    CosineWindowAttention,
    HeadedAttention,
    PartitionAttention,
    SelfAttention,
    TokenAttention,
    WindowAttention,
    prunable_attention,
)
from autoprune.torchvision_import import torchvision
from latency_tables.runtimes.onnx_export import export_onnx


def attentions(model: nn.Module) -> dict[str, HeadedAttention]:
    return {n: m for n, m in model.named_modules() if isinstance(m, HeadedAttention)}


@pytest.mark.parametrize(
    ("name", "kind", "heads"),
    [
        ("vit", SelfAttention, [(4, 8), (4, 8)]),
        ("swin", WindowAttention, [(3, 8), (3, 8), (6, 8), (6, 8)]),
        ("swin_v2", CosineWindowAttention, [(3, 8), (3, 8), (6, 8), (6, 8)]),
        ("maxvit", PartitionAttention, [(2, 8), (2, 8), (4, 8), (4, 8)]),
        ("timm_vit", TokenAttention, [(4, 8), (3, 16)]),
        ("length_first", SelfAttention, [(3, 4), (2, 6)]),
    ],
)
def test_every_attention_of_a_network_is_replaced_under_its_name(
    name: str, kind: type[nn.Module], heads: list[tuple[int, int]]
) -> None:
    model, _ = network(name)
    replaced = prunable_attention(model)
    found = attentions(replaced)
    assert [type(module) for module in found.values()] == [kind] * len(heads)
    assert [(module.heads, module.head_dim) for module in found.values()] == heads
    assert [module.num_heads for module in found.values()] == [each for each, _ in heads]
    shapes = [{n: t.shape for n, t in each.state_dict().items()} for each in (model, replaced)]
    assert shapes[0] == shapes[1]
    assert not attentions(model)


@pytest.mark.parametrize("name", NETWORKS)
def test_outputs_and_gradients_are_those_of_the_original(name: str) -> None:
    model, inputs = network(name)
    replaced = prunable_attention(model)
    expected, got = model(inputs), replaced(inputs)
    assert (got - expected).abs().max() <= 1e-5
    expected.square().sum().backward()
    got.square().sum().backward()
    for (tensor, one), other in zip(model.named_parameters(), replaced.parameters(), strict=True):
        assert one.grad is not None, tensor
        assert other.grad is not None, tensor
        assert (one.grad - other.grad).abs().max() <= 1e-5 * max(1.0, one.grad.abs().max()), tensor


@pytest.mark.parametrize("name", ["vit", "swin", "swin_v2", "timm_vit"])
def test_training_drops_attention_as_the_original_does(name: str) -> None:
    model, inputs = network(name)
    replaced = prunable_attention(model).train()
    plain = replaced.eval()(inputs)
    outputs = []
    for each in (model.train(), replaced.train()):
        torch.manual_seed(7)
        outputs.append(each(inputs))
    assert (outputs[0] - outputs[1]).abs().max() <= 1e-5
    assert (outputs[1] - plain).abs().max() > 1e-4


@pytest.mark.parametrize("name", NETWORKS)
def test_replaced_networks_can_be_copied_and_exported(name: str) -> None:
    model, inputs = network(name)
    replaced = copy.deepcopy(prunable_attention(model))
    expected = model(inputs)
    program = torch.export.export(replaced, (inputs,))
    assert (program.module()(inputs) - expected).abs().max() <= 1e-5
    session = onnxruntime.InferenceSession(export_onnx(replaced, inputs))
    (got,) = session.run(None, {"input": inputs.numpy()})
    assert (torch.from_numpy(got) - expected).abs().max() <= 1e-4


@pytest.mark.skipif(
    importlib.util.find_spec("onnxscript") is None, reason="torch's newer exporter needs onnxscript"
)
@pytest.mark.parametrize("name", ["vit", "swin", "swin_v2", "maxvit", "timm_vit"])
def test_the_newer_exporter_takes_replaced_networks_too(name: str) -> None:
    model, inputs = network(name)
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program: Any = torch.onnx.export(prunable_attention(model), (inputs,), dynamo=True)
    program.save(buffer)
    session = onnxruntime.InferenceSession(buffer.getvalue())
    (got,) = session.run(None, {session.get_inputs()[0].name: inputs.numpy()})
    assert (torch.from_numpy(got) - model(inputs)).abs().max() <= 1e-4


def test_a_shift_that_one_window_makes_needless_is_left_out() -> None:
    """The image is one window high and several wide."""
    kind = torchvision().models.swin_transformer.ShiftedWindowAttention
    torch.manual_seed(0)
    original = kind(8, [4, 4], [2, 2], 2).eval()
    for size in [(3, 10), (4, 4), (9, 4), (8, 8)]:
        inputs = torch.randn(2, *size, 8)
        assert (prunable_attention(original)(inputs) - original(inputs)).abs().max() <= 1e-5


@pytest.mark.parametrize("weights", [True, False])
@pytest.mark.parametrize("batch_first", [True, False])
def test_masks_and_weights_are_those_of_the_original(batch_first: bool, weights: bool) -> None:
    torch.manual_seed(0)
    original = nn.MultiheadAttention(12, 3, batch_first=batch_first).eval()
    attention = prunable_attention(original)
    x = torch.randn(2, 5, 12) if batch_first else torch.randn(5, 2, 12)
    unbatched = torch.randn(5, 12)
    per_head = (torch.rand(6, 5, 5) > 0.8) & ~torch.eye(5, dtype=torch.bool)
    last = torch.tensor([[False] * 4 + [True]] * 2)
    calls: list[tuple[torch.Tensor, dict[str, Any]]] = [
        (x, {"attn_mask": torch.randn(5, 5), "key_padding_mask": torch.randn(2, 5)}),
        (x, {"attn_mask": per_head, "average_attn_weights": False}),
        (x, {"key_padding_mask": last}),
        (x, {"attn_mask": torch.full((5, 5), -1e9).triu(1), "is_causal": True}),
        (unbatched, {"key_padding_mask": last[0]}),
    ]
    for given, options in calls:
        expected = original(given, given, given, need_weights=weights, **options)
        got = attention(given, given, given, need_weights=weights, **options)
        for one, other in zip(expected, got, strict=True):
            assert (one is None) == (other is None)
            assert one is None or one.shape == other.shape
            assert one is None or (one - other).abs().max() <= 1e-5


@pytest.mark.parametrize("options", [{"is_causal": True}, {"attn_mask": torch.rand(5, 5) > 0.4}])
def test_masks_of_timms_attention_are_those_of_the_original(options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    original, x = Attention(12, 3, 4).eval(), torch.randn(2, 5, 12)
    attention = prunable_attention(original)
    assert (attention(x, **options) - original(x, **options)).abs().max() <= 1e-6
    assert (attention(x, **options) - attention(x)).abs().max() > 1e-3


@pytest.mark.parametrize("fused", [True, False])
def test_timms_own_networks_are_replaced_and_compute_the_same(fused: bool) -> None:
    torchvision()  # timm imports it too
    timm = pytest.importorskip("timm")
    sizes = {"img_size": 16, "patch_size": 4, "embed_dim": 32, "depth": 2, "num_heads": 4}
    torch.manual_seed(0)
    model = timm.models.VisionTransformer(**sizes, qkv_bias=False, num_classes=5).eval()
    for block in model.blocks:
        block.attn.fused_attn = fused
    replaced, x = prunable_attention(model), torch.randn(2, 3, 16, 16)
    assert [type(each) for each in attentions(replaced).values()] == [TokenAttention] * 2
    assert (replaced(x) - model(x)).abs().max() <= 1e-5


def test_torchs_encoder_layers_run_with_replaced_attention() -> None:
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(12, 2, 16, batch_first=True)
    model = nn.TransformerEncoder(layer, 2).eval()
    replaced, inputs = prunable_attention(model), torch.randn(2, 5, 12)
    assert len(attentions(replaced)) == 2
    with torch.inference_mode():
        assert (replaced(inputs) - model(inputs)).abs().max() <= 1e-5


def test_a_mask_for_each_head_does_not_fit_fewer_heads() -> None:
    attention = prunable_attention(nn.MultiheadAttention(12, 3)).eval()
    attention.heads = 2
    attention.in_proj_weight = nn.Parameter(torch.randn(24, 12))
    attention.in_proj_bias = None
    attention.out_proj = nn.Linear(8, 12)
    x = torch.randn(5, 1, 12)
    with pytest.raises(ModelError, match="one mask for all heads"):
        attention(x, x, x, attn_mask=torch.zeros(3, 5, 5))


def test_models_without_such_modules_come_back_themselves() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU())
    assert prunable_attention(model) is model


class Subclass(nn.MultiheadAttention):
    """Computes something else, perhaps."""


@pytest.mark.parametrize(
    "original",
    [
        Subclass(8, 2),
        nn.MultiheadAttention(8, 2, kdim=4),
        nn.MultiheadAttention(8, 2, add_bias_kv=True),
        nn.MultiheadAttention(8, 2, add_zero_attn=True),
        Attention(8, 2, 4, scale_norm=True),
        Attention(8, 2, 4, gated=True),
    ],
)
def test_what_is_more_than_self_attention_stays(original: nn.Module) -> None:
    assert prunable_attention(original) is original


def test_a_module_with_a_forward_of_its_own_stays() -> None:
    original = nn.MultiheadAttention(8, 2)
    original.forward = lambda x: x  # type: ignore[method-assign]
    assert prunable_attention(original) is original


def test_hooks_flags_and_shared_modules_stay() -> None:
    shared = nn.MultiheadAttention(8, 2, batch_first=True)
    seen: list[int] = []
    shared.register_forward_hook(lambda *_: seen.append(1))
    shared.in_proj_weight.requires_grad_(False)
    model = nn.ModuleList([shared, shared, nn.MultiheadAttention(8, 4)]).train()
    model[2].eval()
    first, second, third = prunable_attention(model)
    assert first is second
    assert (first.training, third.training) == (True, False)
    assert not first.in_proj_weight.requires_grad
    assert third.in_proj_weight.requires_grad
    x = torch.randn(1, 3, 8)
    first(x, x, x)
    assert seen == [1]
    assert first.in_proj_weight is not shared.in_proj_weight


def test_weights_of_the_original_load_unchanged() -> None:
    model, inputs = network("vit")
    other = prunable_attention(vit().eval())
    other.load_state_dict(model.state_dict())
    assert (other(inputs) - model(inputs)).abs().max() <= 1e-5


def test_weights_that_hold_no_whole_heads_are_refused() -> None:
    attention = prunable_attention(nn.MultiheadAttention(12, 3))
    attention.out_proj.weight = nn.Parameter(torch.randn(12, 11))
    with pytest.raises(ModelError, match=r"36 rows .* 11 inputs, are no whole heads of 4 features"):
        attention.follow_weights()
