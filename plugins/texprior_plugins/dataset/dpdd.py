"""Describes the files of DPDD.

They are photographs of one camera with a wide and with a narrow aperture.
"""

from __future__ import annotations

from collections.abc import Sequence

from texprior_plugins.dataset._published import Layout, Part, Published


class Dpdd(Published):
    """The combined views (``_c``) of DPDD, in the three published splits.

    The names of a pair differ, because they are the numbers of two shots. So pictures are paired in sorted order.
    """

    name = "DPDD"

    def layouts(self) -> Sequence[Layout]:
        """Returns the form ``train_c/source/1P0A0917.png`` with the picture of the same rank in ``train_c/target``.

        The other splits are ``val_c`` and ``test_c``.
        """
        # The archives are unpacked with or without their outer folders.
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
