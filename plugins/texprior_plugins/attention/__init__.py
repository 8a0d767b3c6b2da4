"""Registers the first-party attention backends.

They are PyTorch's own function, that of xformers (an extra), and the plain formula.
"""

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
_XFORMERS = """@misc{lefaudeux2022xformers,
  title = {{xFormers}: A modular and hackable Transformer modelling library},
  author = {Lefaudeux, Benjamin and Massa, Francisco and Liskovich, Diana and Xiong, Wenhan and Caggiano, Vittorio and
            Naren, Sean and Xu, Min and Hu, Jieru and Tintore, Marta and Zhang, Susan and Labatut, Patrick and
            Haziza, Daniel and Wehrstedt, Luca and Reizenstein, Jeremy and Sizov, Grigory},
  howpublished = {https://github.com/facebookresearch/xformers},
  year = {2022}
}"""


@hookimpl
def texprior_attentions() -> list[Attention]:
    """Returns the records of the attention backends."""
    return [
        Attention(
            name="sdpa",
            impl="texprior_plugins.attention.sdpa:Sdpa",
            summary="PyTorch's scaled_dot_product_attention, for every device.",
            api=2,
            citation=_ATTENTION,
        ),
        Attention(
            name="xformers",
            impl="texprior_plugins.attention.xformers:Xformers",
            summary="xformers' memory_efficient_attention, for CUDA devices; needs the extra 'xformers'.",
            api=2,
            tags=("extra",),
            citation=_XFORMERS,
            requires=("xformers",),
        ),
        Attention(
            name="reference",
            impl="texprior_plugins.attention.reference:Reference",
            summary="The plain formula with all weights in memory: the reference that the others are tested against.",
            api=2,
            citation=_ATTENTION,
        ),
    ]
