"""NetAdapt: greedy descent on the measured cost (Yang et al., 2018, arXiv 1804.03230)."""

from searchers.netadapt.searcher import NetAdapt

__all__ = ["NetAdapt"]
