"""An ablation's figures: which mark an arm has."""

import numpy as np

from texprior.ablations.report.figures import BETTER, OPEN, WORSE, draw_compute, draw_forest, draw_strips, figure_svg


def test_marks_show_who_is_separated_and_who_is_not_tested(training, found):
    rng = np.random.default_rng(0)
    values = rng.normal(0.2, 0.03, 12)

    def arm(shift, noise, trainings=3):
        return [training({"lpips": values + shift + rng.normal(0, noise, 12)}) for _ in range(trainings)]

    results = found(
        base=arm(0, 1e-4), good=arm(-0.02, 1e-3), even=arm(0, 0.02), bad=arm(0.03, 1e-3), once=arm(0.06, 1e-3, 1)
    )
    assert results.ranking()[-1] == "once"
    axes = draw_forest(results).axes[0]
    names = [label.get_text() for label in axes.get_yticklabels()]
    marks = {names[int(line.get_ydata()[0])]: line for line in axes.lines if line.get_marker() in ("D", "o")}
    shown = {name: (line.get_marker(), line.get_color(), line.get_markerfacecolor()) for name, line in marks.items()}
    assert shown == {
        "good": ("D", BETTER, BETTER),
        "even": ("o", OPEN, OPEN),
        "bad": ("D", WORSE, WORSE),
        "once": ("o", OPEN, "white"),
    }


def test_the_dots_of_many_pictures_are_pixels(training, found):
    """As shapes, 6,000 dots would be a megabyte of the page."""
    pictures = [f"p{n}" for n in range(1000)]
    values = np.random.default_rng(0).normal(0.2, 0.03, (7, 1000))
    arms = {f"arm{n}": [training({"lpips": row}, pictures)] for n, row in enumerate(values)}
    drawing = figure_svg(draw_strips(found(**arms)))
    assert b"<image" in drawing
    assert len(drawing) < 300_000


def test_arms_stand_over_their_compute_with_their_interval(training, found):
    values = np.random.default_rng(0).normal(0.2, 0.03, 12)
    results = found(base=[training({"lpips": values})], other=[training({"lpips": values + 0.1})])
    axes = draw_compute(results, {"base": 1e12, "other": 4e12}).axes[0]
    assert axes.get_xscale() == "log"
    points = {line.get_label(): line for line in axes.lines if not line.get_label().startswith("_")}
    assert {name: (line.get_xdata()[0], line.get_marker()) for name, line in points.items()} == {
        "base": (1e12, "s"),
        "other": (4e12, "o"),
    }
    (low, high) = next(line.get_ydata() for line in axes.lines if list(line.get_xdata()) == [1e12, 1e12])
    # Student's interval of a mean over 12 pictures
    half = 2.201 * values.std(ddof=1) / np.sqrt(12)
    assert points["base"].get_ydata()[0] == values.mean()
    assert np.allclose([low, high], [values.mean() - half, values.mean() + half], atol=0.2 * half)
