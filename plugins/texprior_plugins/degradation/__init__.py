"""First-party degradations: each makes a degraded picture of a clean one from its own random generator.

The files that begin with an underscore hold options, citations, and what several degradations share.
"""

from __future__ import annotations

from texprior.plugin import Degradation, Options, hookimpl
from texprior_plugins.degradation import _citations as cite
from texprior_plugins.degradation._camera import (
    AlbumentationsOptions,
    CameraNoiseOptions,
    ChoiceOptions,
    DefocusOptions,
    DownscaleOptions,
    JpegOptions,
    LowLightOptions,
    MotionBlurOptions,
    NoiseJpegOptions,
    RealEsrganOptions,
    SequenceOptions,
)
from texprior_plugins.degradation._weather import (
    HazeOptions,
    RaindropOptions,
    RainHazeOptions,
    RainOptions,
    SnowOptions,
)

__all__ = [
    "AlbumentationsOptions",
    "CameraNoiseOptions",
    "ChoiceOptions",
    "DefocusOptions",
    "DownscaleOptions",
    "HazeOptions",
    "JpegOptions",
    "LowLightOptions",
    "MotionBlurOptions",
    "NoiseJpegOptions",
    "RainHazeOptions",
    "RainOptions",
    "RaindropOptions",
    "RealEsrganOptions",
    "SequenceOptions",
    "SnowOptions",
]


def _one(name: str, impl: str, options: type[Options], summary: str, tags: str, citation: str = "") -> Degradation:
    """The record of the class ``impl`` in the file of this name."""
    where = f"texprior_plugins.degradation.{name}:{impl}"
    return Degradation(name, where, options, summary, ("synthetic", *tags.split()), citation)


DEGRADATIONS = [
    _one("rain", "Rain", RainOptions, "Rain streaks in layers of distance.", "weather", cite.RAIN),
    _one(
        "rain_haze",
        "RainHaze",
        RainHazeOptions,
        "Heavy rain: streaks under the veil of far rain, which grows with depth.",
        "weather",
        f"{cite.OUTDOOR_RAIN}\n{cite.RAIN}\n{cite.HAZE}",
    ),
    _one("haze", "Haze", HazeOptions, "Haze by the scattering model over a plausible depth.", "weather", cite.HAZE),
    _one(
        "snow", "Snow", SnowOptions, "Falling flakes of several sizes, moving and out of focus.", "weather", cite.SNOW
    ),
    _one(
        "raindrop",
        "Raindrop",
        RaindropOptions,
        "Drops on a pane of glass, each a lens that shows the scene upside down.",
        "weather",
        cite.RAINDROP,
    ),
    _one(
        "low_light",
        "LowLight",
        LowLightOptions,
        "Short exposure with the sensor's noise and a colour cast.",
        "light noise",
        f"{cite.UNPROCESSING}\n{cite.NOISE}",
    ),
    _one(
        "defocus",
        "Defocus",
        DefocusOptions,
        "Defocus: blur by an antialiased disc, then Gaussian noise.",
        "blur noise",
        cite.DEFOCUS,
    ),
    _one("motion_blur", "MotionBlur", MotionBlurOptions, "Blur along a camera's random way.", "blur", cite.MOTION),
    _one(
        "camera_noise",
        "CameraNoise",
        CameraNoiseOptions,
        "Poisson-Gaussian noise of a sensor, in linear light.",
        "noise",
        f"{cite.NOISE}\n{cite.UNPROCESSING}",
    ),
    _one("jpeg", "Jpeg", JpegOptions, "JPEG compression (Pillow).", "compression deterministic", cite.JPEG),
    _one("downscale", "Downscale", DownscaleOptions, "Made smaller and brought back.", "resolution", cite.RESIZE),
    _one(
        "noise_jpeg",
        "NoiseJpeg",
        NoiseJpegOptions,
        "Gaussian noise, then JPEG compression (albumentations).",
        "noise compression",
        cite.ALBUMENTATIONS,
    ),
    _one(
        "real_esrgan",
        "RealEsrgan",
        RealEsrganOptions,
        "Real-ESRGAN's second order: twice blur, resize, noise and JPEG, brought back to size.",
        "blur noise compression resolution",
        cite.REAL_ESRGAN,
    ),
    _one(
        "albumentations",
        "Albumentations",
        AlbumentationsOptions,
        "Any pixel transform of albumentations, by name.",
        "any",
        cite.ALBUMENTATIONS,
    ),
    _one("sequence", "Sequence", SequenceOptions, "Several degradations, one after the other.", "composition"),
    _one("choice", "Choice", ChoiceOptions, "One of several degradations for each picture.", "composition"),
]


@hookimpl
def texprior_degradations() -> list[Degradation]:
    """The components."""
    return DEGRADATIONS
