"""The material of checks: the global state sees every generator."""

import random

import numpy as np
import torch

from texprior.testing.material import global_state


def test_the_global_state_sees_every_generator():
    for draw in (random.random, np.random.random, lambda: torch.rand(())):
        before = global_state()
        draw()
        assert global_state() != before
