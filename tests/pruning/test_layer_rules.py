"""Rules for single layers: which widths of a search space they make legal."""

from __future__ import annotations

import pytest
import torch
from attention_networks import network
from pydantic import ValidationError

from autoprune.errors import InputError
from autoprune.models.attention import prunable_attention
from autoprune.models.registry import build_model
from autoprune.pruning.groups import find_groups
from autoprune.pruning.space import SearchSpace
from autoprune.rules import Rule


def digits_space(*rules: Rule) -> SearchSpace:
    model = build_model("autoprune:digits_cnn", classes=10)
    example = torch.randn(1, 1, 8, 8)
    return find_groups(model, example, divisor=12, min_keep=0.25, rules=rules)


def choices(space: SearchSpace) -> dict[str, tuple[int, ...]]:
    return {group.name: group.choices for group in space.groups}


def test_a_rule_replaces_what_the_job_says_in_the_groups_that_hold_such_a_layer() -> None:
    plain = choices(digits_space())
    ruled = choices(
        digits_space(
            Rule(layers="layer1.0.conv2", min_keep=0.9),
            Rule(layers="layer2.0.conv1", divisor=16),
            Rule(layers="layer2.1.*1", widths=(20, 7, 20)),
        )
    )
    assert ruled["conv1"] == (24,)
    assert plain["layer2.0.conv1"] == (12, 24, 36, 48)
    assert ruled["layer2.0.conv1"] == (16, 32, 48)
    assert ruled["layer2.1.conv1"] == (7, 20, 48)
    others = plain.keys() - {"conv1", "layer2.0.conv1", "layer2.1.conv1"}
    assert {name: ruled[name] for name in others} == {name: plain[name] for name in others}


def test_later_rules_win_and_leave_what_they_do_not_speak_of() -> None:
    ruled = choices(
        digits_space(
            Rule(layers="layer?.?.conv1", min_keep=0.5),
            Rule(layers="layer2.*", divisor=8),
            Rule(layers="layer2.0.conv1", widths=(5,)),
            Rule(layers="layer3.0.conv1", widths=(5,)),
            Rule(layers="layer3.0.*", divisor=32),
            Rule(layers="layer1.0.conv1", min_keep=0.75),
        )
    )
    assert ruled["layer1.0.conv1"] == (24,)
    assert ruled["layer1.1.conv1"] == (12, 24)
    assert ruled["layer2.1.conv1"] == (24, 32, 40, 48)
    assert ruled["layer2.0.conv1"] == (5, 48)
    assert ruled["layer3.0.conv1"] == (64, 96)


def test_full_leaves_a_group_whole_unless_a_later_rule_takes_it_back() -> None:
    space = digits_space(
        Rule(layers="layer2.*", widths="full"),
        Rule(layers="layer2.1.conv1", divisor=24),
        Rule(layers="layer1.0.conv1", widths=24),
    )
    assert choices(space)["layer2.1.conv1"] == (24, 48)
    whole = {left.name: left.reason for left in space.left_out}
    assert "kept whole by the rule for 'layer2.*'" in whole["layer2.0.conv1"]
    assert "tied to it: layer2.1.conv2" in whole["layer2.0.conv2"]
    assert "layer1.0.conv1" in whole
    assert not {"layer2.0.conv1", "layer2.0.conv2", "layer1.0.conv1"} & choices(space).keys()


def test_heads_have_rules_too_and_are_counted_singly() -> None:
    model, inputs = network("vit")
    model = prunable_attention(model)
    plain = find_groups(model, inputs)
    heads = next(group for group in plain.groups if group.slices[0].index.shape[1] > 1)
    least = Rule(layers=heads.name, min_keep=1 - 1 / heads.units)
    step = Rule(layers=heads.name, divisor=heads.units)
    ruled = find_groups(model, inputs, rules=[least, step])
    assert choices(ruled)[heads.name] == (heads.units - 1, heads.units)
    listed = find_groups(model, inputs, rules=[least, Rule(layers=heads.name, widths=(1,))])
    assert choices(listed)[heads.name] == (1, heads.units)


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        (Rule(layers="layr1.*", divisor=8), "'layr1.*' matches no layer.*layer1.0.conv1"),
        (
            Rule(layers="layer?.0.conv1", widths=(16, 32)),
            "layer.*32.*'layer1.0.conv1'.*24",
        ),
        (Rule(layers="conv1", widths=25), "25.*'conv1'.*24 units"),
        (Rule(layers="conv1", widths=16), r"fixes the width 16.*24 units.*widths: \[16\].*full"),
    ],
)
def test_a_rule_that_a_network_cannot_follow_is_refused(rule: Rule, says: str) -> None:
    with pytest.raises(InputError, match=says):
        digits_space(rule)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"widths": []}, "whole numbers"),
        ({"widths": [0, 8]}, "whole numbers"),
        ({"widths": [8.5]}, "whole numbers"),
        ({"widths": [True]}, "whole numbers"),
        ({"widths": "half"}, "or full"),
        ({"min_keep": 0}, "greater than 0"),
        ({"min_keep": 1.5}, "less than or equal to 1"),
        ({"divisor": 0}, "greater than or equal to 1"),
        ({"keep": 0.5}, "keep"),
        ({}, "min_keep, divisor or widths"),
        ({"widths": [8], "divisor": 8}, "leave min_keep and divisor out"),
    ],
)
def test_a_rule_that_says_nothing_legal_is_refused(fields: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        Rule.model_validate({"layers": "conv1", **fields})
