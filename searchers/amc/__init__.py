"""AMC: a DDPG agent that walks the layers (He et al., 2018, arXiv 1802.03494)."""

from searchers.amc.searcher import AMC

__all__ = ["AMC"]
