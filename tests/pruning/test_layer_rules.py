"""Rules for single layers, and groups that a user ties: what becomes of the search space."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from made_up_tables import made_up_table
from pruning_cases import random_kept
from torch import nn

from autoprune.errors import InputError, ModelError
from autoprune.models.registry import build_model
from autoprune.pruning.cost import CostModel
from autoprune.pruning.criteria import choose_units
from autoprune.pruning.groups import find_groups
from autoprune.pruning.masking import masked_state
from autoprune.pruning.network import read_network
from autoprune.pruning.space import SearchSpace
from autoprune.pruning.surgery import fit, prune
from autoprune.rules import Rule
