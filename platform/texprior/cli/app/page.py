"""Lays out the page of ``texprior app``; the only module that imports Gradio."""

from __future__ import annotations

import logging
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr

from texprior.cli.app.drawing import crops_html, place_of, shown, spread_shown, texture_shown
from texprior.cli.app.layers import decompositions, split
from texprior.cli.app.restoring import Asked, Restorer, Result
from texprior.cli.pictures import AMPLIFIED
from texprior.errors import TexpriorError, error_text, printable

log = logging.getLogger(__name__)
STYLE = """
.crops { display: flex; flex-wrap: wrap; gap: 12px }
.crops figure { margin: 0; max-width: 100%; overflow: hidden }
.crops img { max-width: none; image-rendering: pixelated }
.crops figcaption { font-size: 13px }
.error { border-left: 4px solid #c62828; padding: 8px 12px; overflow-wrap: anywhere }
.said { overflow-wrap: anywhere }
footer { display: none !important }
"""
FONTS = ["system-ui", "sans-serif"], ["ui-monospace", "monospace"]
"""Fonts that are on every machine: Gradio's own would be fetched."""
FIRST = "Choose a photograph."
INPUT, ESTIMATE = "input", "prediction"
MOST_STEPS, MOST_SAMPLES = 50, 16
"""The ends of the sliders, if the model's own settings are not beyond."""
_KEEP = gr.skip()
_PROGRESS = gr.Progress()
"""Gradio finds this default, and puts in its place what shows the progress of the call."""


class Look(NamedTuple):
    """How a result is shown; nothing of it samples again."""

    strength: float
    left: str
    across: float
    down: float


class Page:
    """The page of one model. Its methods are what the page's controls call."""

    def __init__(self, restorer: Restorer, first: str | None = None, degrade: bool = False) -> None:
        self.restorer, self.first, self.degrade = restorer, first, degrade
        self.decompositions = decompositions(restorer.model.registry)

    def restore(
        self,
        path: str | None,
        steps: int,
        samples: int,
        degrade: bool,
        strength: float,
        left: str,
        across: float,
        down: float,
        progress: Any = _PROGRESS,
    ) -> list[Any]:
        """Restores the picture and shows it. Returns the values of the outputs, as ``compose``."""
        if path is None:
            return [_said(FIRST), *[_KEEP] * 5]
        asked, look = Asked(path, int(steps), int(samples), degrade), Look(strength, left, across, down)

        def tell(done: int, calls: int) -> None:
            progress((done, calls), unit="calls of the network")

        # after an error, the pictures of another photograph must not stay
        return self._answer(path, lambda: self._shown(asked, look, tell), [None, "", None, None, None])

    def compose(self, asked: Asked | None, *look: Any) -> list[Any]:
        """Shows the last result in another way, such as at another strength."""
        if asked is None:
            return [_KEEP] * 6
        return self._answer(asked.path, lambda: self._shown(asked, Look(*look)), [_KEEP] * 5)

    def split(self, path: str | None, name: str) -> list[Any]:
        """Splits the picture by a decomposition. Returns message, structure and texture."""
        if path is None:
            return [_said(FIRST), _KEEP, _KEEP]
        return self._answer(path, lambda: self._layers(path, name), [None, None])

    def _answer(self, path: str, work: Callable[[], list[Any]], otherwise: list[Any]) -> list[Any]:
        """Returns what ``work`` does; if it fails, a sentence in place of the message, and ``otherwise``."""
        try:
            return work()
        except TexpriorError as error:
            sentence = str(error)
        # a plugin may raise anything, and whoever looks at the page sees no terminal
        except Exception as error:
            log.warning("the page could not answer", exc_info=True)
            sentence = f"internal error: {error_text(error)}; please report it"
        # where the server keeps an upload says nothing to its user
        return [_error(sentence.replace(path, printable(Path(path).name))), *otherwise]

    def _shown(self, asked: Asked, look: Look, tell: Callable[[int, int], None] = lambda _d, _c: None) -> list[Any]:
        result = self.restorer.restored(asked, tell)
        now = result.at(look.strength)
        texture, (spread, largest) = texture_shown(result.texture(look.strength)), spread_shown(now.spread)
        pictures = {"photograph": shown(result.picture)} if asked.degrade else {}
        pictures |= {INPUT: shown(result.degraded), ESTIMATE: shown(result.found.estimate.clamp(0, 1))}
        pictures |= {"restored": shown(now.picture), "texture": texture}
        several = asked.samples > 1
        spread_label = f"Spread of {asked.samples} samples; white is {largest:.3g} of the range"
        crops = crops_html(pictures, place_of(result.size, look.across / 100, look.down / 100))
        return [
            _said(_about(result)),
            gr.update(value=(pictures[look.left], pictures["restored"]), label=f"{look.left} | restored"),
            crops,
            texture,
            gr.update(value=spread if several else None, label=spread_label, visible=several),
            asked,
        ]

    def _layers(self, path: str, name: str) -> list[Any]:
        picture = self.restorer.picture(path)[None]
        layers = split(self.restorer.model.registry, self.decompositions[name], picture, path)
        std = float(layers.texture.std(correction=0))
        options = ", ".join(f"{key} {value}" for key, value in self.decompositions[name].options.items())
        said = f"{name}: {options or 'no options'}; standard deviation of the texture {std:.4f}"
        return [_said(said), shown(layers.structure.clamp(0, 1)), texture_shown(layers.texture)]

    def blocks(self) -> gr.Blocks:
        """Returns the laid-out page."""
        with gr.Blocks(title="texprior", analytics_enabled=False) as blocks:
            gr.HTML(f"<h1>texprior</h1><p class='said'>{escape(self._of_model())}</p>")
            file = gr.File(value=self.first, label="Photograph", height=120, elem_id="file")
            with gr.Tabs():
                with gr.Tab("Restore"):
                    self._restore_tab(blocks, file)
                with gr.Tab("Layers") as tab:
                    self._layers_tab(tab, file)
        return blocks

    def _restore_tab(self, blocks: gr.Blocks, file: Any) -> None:
        message = gr.HTML(_said(FIRST), elem_id="said")
        with gr.Row():
            with gr.Column(scale=1, min_width=280):
                asking, strength, left = self._settings()
                button = gr.Button("Restore", variant="primary", elem_id="restore")
            with gr.Column(scale=3, min_width=300):
                slider = gr.ImageSlider(
                    format="png", type="numpy", label="input | restored", max_height=720, elem_id="compared"
                )
        with gr.Row():
            across = gr.Slider(0, 100, 50, step=1, label="Crop, across (%)", min_width=140)
            down = gr.Slider(0, 100, 50, step=1, label="Crop, down (%)", min_width=140)
        crops = gr.HTML(elem_id="crops")
        with gr.Row():
            texture = _picture(f"Texture layer, times {AMPLIFIED:g} around grey")
            spread = _picture("Spread", visible=False)
        look, last = [strength, left, across, down], gr.State(None)
        outputs = [message, slider, crops, texture, spread, last]
        started = [button.click, file.upload, *([blocks.load] if self.first else [])]
        gr.on(started, self.restore, [file, *asking, *look], outputs, show_progress_on=slider, api_visibility="private")
        moved = [control.input for control in look]
        # only the last place of a slider counts
        how = {"trigger_mode": "always_last", "show_progress": "hidden", "api_visibility": "private"}
        gr.on(moved, self.compose, [last, *look], outputs, **how)

    def _settings(self) -> tuple[list[Any], Any, Any]:
        """Returns what decides the sampling, the texture strength, and what is left of the slider."""
        own = self.restorer.model.experiment.sampling
        most = max(MOST_STEPS, own.steps), max(MOST_SAMPLES, own.samples)
        strength = gr.Slider(0, 2, own.texture_strength, step=0.05, label="Texture strength", elem_id="strength")
        left = gr.Radio([INPUT, ESTIMATE], value=INPUT, label="Compare with")
        steps = gr.Slider(1, most[0], own.steps, step=1, label="Sampling steps")
        samples = gr.Slider(
            1, most[1], own.samples, step=1, label="Samples (from 2 on: map of their spread)", elem_id="samples"
        )
        label = "The photograph is sharp: degrade it first, as in the training"
        degrade = gr.Checkbox(self.degrade, label=label, visible=self.restorer.can_degrade, elem_id="degrade")
        return [steps, samples, degrade], strength, left

    def _layers_tab(self, tab: Any, file: Any) -> None:
        own = self.restorer.model.prior.experiment.decomposition.name
        names = list(self.decompositions)
        name = gr.Dropdown(names, value=own if own in names else names[0], label="Decomposition")
        message = gr.HTML(elem_id="split")
        with gr.Row():
            structure, texture = _picture("Structure"), _picture(f"Texture, times {AMPLIFIED:g} around grey")
        inputs, outputs = [file, name], [message, structure, texture]
        gr.on([tab.select, name.input, file.upload], self.split, inputs, outputs, api_visibility="private")

    def _of_model(self) -> str:
        model = self.restorer.model
        ref = model.experiment.degradation
        task = f"degradation {ref.name}" if ref else "pairs"
        return f"{model.folder.name}: trained on {task}; adapter {model.experiment.adapter.name}"


def _picture(label: str, **how: Any) -> Any:
    return gr.Image(
        label=label, format="png", interactive=False, buttons=["download", "fullscreen"], min_width=280, **how
    )


def _about(result: Result) -> str:
    height, width = result.size
    found = result.found
    return f"{width}x{height} px, {found.calls} calls of the network, {found.elapsed_s:.2f} s on {found.picture.device}"


def _said(sentence: str) -> str:
    return f'<p class="said">{escape(sentence)}</p>'


def _error(sentence: str) -> str:
    return f'<p class="error" role="alert">{escape(sentence)}</p>'
