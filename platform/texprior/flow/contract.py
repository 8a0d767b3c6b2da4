"""Checks what components return where it enters the platform.

Type, shape, dtype and device are compared at every call: no data is read, so a GPU is not waited for. Values are read
where the data is on the CPU anyway, once per picture, or at an instance's first call.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

import torch
from torch import Tensor

from texprior.errors import ContractError
from texprior.plugin.origin import is_first, name_of

SLACK = 1e-3
"""How far a picture may leave [0, 1]: rounding, and less than half a step of 8 bits."""


def refuse(component: object, found: str, expected: str) -> NoReturn:
    """Raises ContractError, which names the component and what was found and expected of it."""
    raise ContractError(name_of(component), f"{found}; expected {expected}")


def require_type(component: object, found: object, wanted: type, what: str) -> None:
    """Raises ContractError unless a component returned an instance of the type."""
    if not isinstance(found, wanted):
        refuse(component, f"{what} is a {type(found).__name__}", f"a {wanted.__module__}.{wanted.__qualname__}")


def require_tensor(
    component: object, found: object, shape: Sequence[int], like: Tensor, what: str, any_float: bool = False
) -> Tensor:
    """Returns a component's result if it is a tensor of this shape, and of the dtype and device of ``like``.

    With ``any_float`` every floating-point dtype is right, such as that of a network in half precision. Otherwise
    raises ContractError.
    """
    if not isinstance(found, Tensor):
        refuse(component, f"{what} is a {type(found).__name__}", f"a tensor of shape {tuple(shape)}")
    if found.shape != shape:
        refuse(component, f"{what} has shape {tuple(found.shape)}", f"{tuple(shape)}")
    if found.dtype != like.dtype and not (any_float and found.is_floating_point()):
        refuse(component, f"{what} is {found.dtype}", "a floating-point dtype" if any_float else f"{like.dtype}")
    if found.device != like.device:
        refuse(component, f"{what} is on {found.device}", f"{like.device}, where its input is")
    return found


def require_picture(component: object, picture: Tensor, what: str) -> None:
    """Raises ContractError if a picture on the CPU leaves [0, 1].

    Values that are not finite pass: a training leaves out the steps that meet them, and says so.
    """
    low, high = (float(end) for end in torch.aminmax(picture)) if picture.numel() else (0.0, 0.0)
    if low < -SLACK or high > 1 + SLACK:
        refuse(component, f"{what} has values from {low:.4g} to {high:.4g}", "values in [0, 1]")


def require_finite(component: object, found: Tensor, what: str) -> None:
    """Raises ContractError if not all values are finite."""
    if not torch.isfinite(found).all():
        refuse(component, f"{what} has values that are not finite", "finite values")


@contextmanager
def inputs_kept(component: object, **inputs: Tensor | None) -> Iterator[None]:
    """Raises ContractError if a component changes one of its inputs while the block runs.

    Other components get the same tensors, so scores would compare changed pictures. torch counts changes in place,
    which costs nothing. It does not see those of NumPy, so that the values are compared at an instance's first call.
    """
    # a tensor of ``torch.inference_mode``, in which a script may restore, has no count
    given = {name: tensor for name, tensor in inputs.items() if tensor is not None and not tensor.is_inference()}
    counts = {name: tensor._version for name, tensor in given.items()}
    copies = {name: tensor.clone() for name, tensor in given.items()} if is_first(component, "inputs") else {}
    yield
    for name, tensor in given.items():
        same = name not in copies or torch.equal(tensor.nan_to_num(), copies[name].nan_to_num())
        if tensor._version != counts[name] or not same:
            refuse(component, f"it changes the {name} that it is given", "an input that stays as it is")
