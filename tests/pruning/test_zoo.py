"""Other people's networks from groups to ONNX: four families always, the others in the soak."""

import pytest

from benchmarks.zoo import FAMILIES, SIZES, TIMM, examine

QUICK = tuple(
    f"torchvision:{name}"
    for name in ("shufflenet_v2_x1_0", "squeezenet1_1", "mobilenet_v3_small", "googlenet")
)
SIZE = 96


@pytest.mark.parametrize("name", QUICK)
def test_a_network_is_pruned_trained_and_exported(name: str) -> None:
    row = examine(name, SIZE)
    assert row.macs is not None, row.unpriced
    assert row.macs > 0.8
    assert row.units[1] < row.units[0]
    assert [left.reason for left in row.space.left_out] == [
        "its channels are an output of the network"
    ]


@pytest.mark.soak
@pytest.mark.parametrize("name", [name for name in FAMILIES if name not in QUICK])
def test_every_family_is_pruned_trained_and_exported(name: str) -> None:
    row = examine(name, SIZES.get(name, 224))
    assert row.seconds < 60.0
    assert row.macs is not None, row.unpriced
    assert row.macs > 0.4


@pytest.mark.soak
@pytest.mark.parametrize("name", TIMM)
def test_timms_networks_are_pruned_trained_and_exported(name: str) -> None:
    pytest.importorskip("timm")
    row = examine(name, SIZES.get(name, 224))
    if row.macs is None:  # refused by the name of an operator, never priced wrongly
        assert "no rule prices" in row.unpriced
    else:
        assert row.macs > 0.4
