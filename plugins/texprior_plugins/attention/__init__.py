"""First-party attention backends: PyTorch's own."""

from __future__ import annotations

from texprior.plugin import Attention, hookimpl

_ATTENTION = """@inproceedings{vaswani2017attention,
  title = {Attention Is All You Need},
  author = {Vaswani, Ashish and Shazeer, Noam and Parmar, Niki and Uszkoreit, Jakob and Jones, Llion and
            Gomez, Aidan N. and Kaiser, {\\L}ukasz and Polosukhin, Illia},
  booktitle = {Advances in Neural Information Processing Systems},
  volume = {30},
  year = {2017}
}"""


@hookimpl
def texprior_attentions() -> list[Attention]:
    """The components."""
    return [
        Attention(
            name="sdpa",
            impl="texprior_plugins.attention.sdpa:Sdpa",
            summary="PyTorch's scaled_dot_product_attention; works on every device.",
            citation=_ATTENTION,
        )
    ]
