"""What a table says of whole networks, before it is calibrated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class NetworkSums:
    """Sums over the operators of each of N networks.

    Args:
        hot: latencies of operators called again at once, in seconds; [N].
        cold: latencies of operators called after many others, in seconds; [N].
        weight_bytes: size of the networks' parameters; [N].
    """

    hot: FloatArray
    cold: FloatArray
    weight_bytes: FloatArray

    @classmethod
    def of(cls, sums: NetworkSums | npt.ArrayLike) -> NetworkSums:
        """Sums as they are; of plain seconds, networks whose weights cost nothing to fetch."""
        if isinstance(sums, NetworkSums):
            return sums
        hot = np.asarray(sums, dtype=np.float64)
        return cls(hot, hot, np.zeros_like(hot))

    def __len__(self) -> int:
        return len(self.hot)

    def take(self, rows: npt.ArrayLike) -> NetworkSums:
        """Some of the networks."""
        chosen = np.asarray(rows)
        return NetworkSums(self.hot[chosen], self.cold[chosen], self.weight_bytes[chosen])

    def plus(self, other: NetworkSums) -> NetworkSums:
        """These networks, then the others."""
        return NetworkSums(
            np.concatenate([self.hot, other.hot]),
            np.concatenate([self.cold, other.cold]),
            np.concatenate([self.weight_bytes, other.weight_bytes]),
        )
