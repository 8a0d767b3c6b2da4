"""DPDD: photographs with a wide and with a narrow aperture of one camera; the published three splits."""

from __future__ import annotations

from collections.abc import Sequence

from texprior_plugins.dataset._published import Layout, Part, Published


class Dpdd(Published):
    """The combined views (``_c``). Names of a pair differ by the shot's number: they pair in sorted order."""

    name = "DPDD"

    def layouts(self) -> Sequence[Layout]:
        """``train_c/source/1P0A0917.png`` and the picture of the same rank in ``train_c/target``, and so on."""
        above = ("", "dd_dp_dataset_png/", "dd_dp_dataset_canon/", "dd_dp_dataset_canon/dd_dp_dataset_png/")
        looks = "source/1P0A0917.png, and as many in target/"
        return [
            {
                split: (
                    Part(
                        tuple(f"{a}{split}_c" for a in above),
                        clean="target/(.+)",
                        degraded="source/(.+)",
                        count=count,
                        looks=looks,
                        in_order=True,
                    ),
                )
                for split, count in (("train", 350), ("val", 74), ("test", 76))
            }
        ]
