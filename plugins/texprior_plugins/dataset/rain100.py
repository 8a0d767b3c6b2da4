"""Describes the files of Rain100L and Rain100H: light and heavy synthetic rain streaks.

The authors published two forms. A photograph repeats with several streaks. Many photographs of train are also in test,
under other names (546 of 1,800 of Rain100H in its first form, Ren et al., CVPR 2019, PReNet). So photographs are
identified by the bytes of their files: val gets all pairs of a photograph, and photographs of test are removed from
train.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from texprior_plugins.dataset._published import Items, Layout, Part, Published, with_scenes


class Rain100(Published):
    """Base class of both data sets."""

    letter: str
    word: str
    train_count: int

    def layouts(self) -> Sequence[Layout]:
        """Returns the two published forms.

        One is now on the authors' page. The other was the first, and most papers use it.
        """
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
        """Returns the splits with scenes by file content, and train without the photographs of test."""
        content = _contents(item.clean for items in splits.values() for item in items.values())
        named = {
            split: with_scenes(items, {key: content[item.clean] for key, item in items.items()})
            for split, items in splits.items()
        }
        shown = {item.scene for item in named.get("test", {}).values()}
        named["train"] = {key: item for key, item in named.get("train", {}).items() if item.scene not in shown}
        return named


class Rain100L(Rain100):
    """The data set with light rain."""

    name, letter, word, train_count = "Rain100L", "L", "Light", 200


class Rain100H(Rain100):
    """The data set with heavy rain."""

    name, letter, word, train_count = "Rain100H", "H", "Heavy", 1800


def _contents(files: Iterable[Path]) -> dict[Path, str]:
    """Maps each file to a text that is equal for files with equal bytes."""
    # Files of different lengths differ anyway, so only files of equal length are read and hashed.
    by_size: dict[int, set[Path]] = defaultdict(set)
    for file in files:
        by_size[file.stat().st_size].add(file)
    return {
        file: hashlib.sha256(file.read_bytes()).hexdigest() if len(group) > 1 else f"{length} bytes"
        for length, group in by_size.items()
        for file in group
    }
