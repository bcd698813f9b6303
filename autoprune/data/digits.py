"""scikit-learn's bundled digits: 1,797 images of 8x8 grey pixels, nothing to download."""

from __future__ import annotations

import numpy as np
import torch

from autoprune.data.dataset import Augmentation, Dataset
from autoprune.data.source import Source
from autoprune.data.split import Split
from autoprune.data.splitting import stratified_order

TRAIN_IMAGES = 1_000
VAL_IMAGES = 400
SPLIT_SEED = 8
BRIGHTEST = 16.0


def load_digits(source: Source) -> Dataset:
    """1,000 training, 400 validation and 397 test images, stratified, always the same ones."""
    # Imported here: it takes a second, which every process of a job on other data would pay.
    from sklearn.datasets import load_digits as load_bundled_digits

    source.check_options()
    bundled = load_bundled_digits()
    pixels = np.rint(bundled.images * (255.0 / BRIGHTEST)).astype(np.uint8)
    everything = Split(
        torch.from_numpy(pixels).unsqueeze(1),
        torch.from_numpy(bundled.target.astype(np.int64)),
    )
    order = stratified_order(everything.labels, SPLIT_SEED)
    train, val, test = order.tensor_split([TRAIN_IMAGES, TRAIN_IMAGES + VAL_IMAGES])
    return Dataset(
        name=source.name,
        classes=tuple(str(digit) for digit in range(10)),
        train=everything.take(train),
        val=everything.take(val),
        test=everything.take(test),
        mean=(0.305,),
        std=(0.376,),
        # A mirrored digit is another sign; shifted by a pixel it is still itself.
        augmentation=Augmentation(flip=False, crop_padding=1),
    )
