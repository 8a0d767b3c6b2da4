"""Passes pictures to filters in parts that stay in the cache of a processor, and to OpenCV."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Plane = NDArray[np.floating]
"""One channel of one picture, (H, W)."""


def one_by_one(filter_: Callable[[Tensor], Tensor], image_BCHW: Tensor) -> Tensor:
    """Applies a filter to each picture of a batch by itself on a CPU, and to all together on other devices."""
    # On a CPU the intermediate pictures of a whole batch do not fit into the cache; a GPU needs the batch to be busy.
    if image_BCHW.device.type != "cpu" or len(image_BCHW) <= 1:
        return filter_(image_BCHW)
    return torch.cat([filter_(picture) for picture in image_BCHW.split(1)])


def channel_by_channel(filter_: Callable[[Tensor], Tensor], image_BCHW: Tensor) -> Tensor:
    """Applies a filter to each channel as ``one_by_one`` does to pictures, for filters that treat channels alike."""
    return one_by_one(filter_, image_BCHW.flatten(0, 1)[:, None]).view(image_BCHW.shape)


def opencv_can(image: Tensor) -> bool:
    """Returns whether OpenCV can filter a picture: it is in the memory of the CPU, and in float32 or float64."""
    return image.device.type == "cpu" and image.dtype in (torch.float32, torch.float64) and image.numel() > 0


def by_opencv(filter_: Callable[[Plane], Plane], image: Tensor) -> Tensor:
    """Applies a function of OpenCV to each plane of a picture, (..., H, W)."""
    # OpenCV knows nothing of the limit on threads that torch has, such as one thread for each of several workers.
    if cv2.getNumThreads() > torch.get_num_threads():
        cv2.setNumThreads(torch.get_num_threads())
    planes = image.detach().contiguous().flatten(0, -3).numpy()
    filtered = torch.from_numpy(np.stack([filter_(plane) for plane in planes]))
    return filtered.view(*image.shape[:-2], *filtered.shape[-2:])
