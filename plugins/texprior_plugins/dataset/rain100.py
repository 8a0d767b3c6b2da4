"""Rain100L and Rain100H: synthetic streaks, light and heavy, in the two forms that the authors published.

Photographs repeat under several streaks, and many of train are those of test (546 of 1,800 of Rain100H in its first
form, Ren et al., CVPR 2019, PReNet), under other names. They are told apart by the bytes of their files: val takes all
pairs of a photograph, and what test shows is left out of train.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from texprior_plugins.dataset._published import Items, Layout, Part, Published, with_scenes


class Rain100(Published):
    """What both have in common."""

    letter: str
    word: str
    train_count: int

    def layouts(self) -> Sequence[Layout]:
        """The form of the authors' page now, and the first one, which most papers use."""
        renewed = {"clean": r"norain/\1", "degraded": r"rain/X2/(norain-\d+)x2"}
        looks = "rain/X2/norain-1x2.png and norain/norain-1.png"
        tests = tuple(f"rain_data_test_{self.word}{inner}" for inner in (f"/rain_{self.word.lower()}_test", ""))
        first = {"clean": r"norain-\1", "degraded": r"rain-(\d+)"}
        return [
            {
                "train": (Part((f"rain_data_train_{self.word}",), **renewed, count=1800, looks=looks),),
                "test": (Part(tests, **renewed, count=200, looks=looks),),
            },
            {
                "train": (
                    Part(
                        (f"RainTrain{self.letter}",), **first, count=self.train_count, looks="rain-1.png, norain-1.png"
                    ),
                ),
                "test": (
                    Part(
                        (f"Rain100{self.letter}",),
                        clean=r"norain-\1",
                        degraded=r"rainy/rain-(\d+)",
                        count=100,
                        looks="rainy/rain-001.png and norain-001.png",
                    ),
                ),
            },
        ]

    def arranged(self, splits: dict[str, Items]) -> dict[str, Items]:
        """Scenes by content; train without the photographs of test."""
        content = _contents(item.clean for items in splits.values() for item in items.values())
        named = {
            split: with_scenes(items, {key: content[item.clean] for key, item in items.items()})
            for split, items in splits.items()
        }
        shown = {item.scene for item in named.get("test", {}).values()}
        named["train"] = {key: item for key, item in named.get("train", {}).items() if item.scene not in shown}
        return named


class Rain100L(Rain100):
    """Light rain."""

    name, letter, word, train_count = "Rain100L", "L", "Light", 200


class Rain100H(Rain100):
    """Heavy rain."""

    name, letter, word, train_count = "Rain100H", "H", "Heavy", 1800


def _contents(files: Iterable[Path]) -> dict[Path, str]:
    """File -> what is equal for files of equal bytes; only files of equal length are read."""
    by_size: dict[int, set[Path]] = defaultdict(set)
    for file in files:
        by_size[file.stat().st_size].add(file)
    return {
        file: hashlib.sha256(file.read_bytes()).hexdigest() if len(group) > 1 else f"{length} bytes"
        for length, group in by_size.items()
        for file in group
    }
