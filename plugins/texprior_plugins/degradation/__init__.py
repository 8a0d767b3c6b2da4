"""Declares the first-party degradations.

A degradation makes a degraded picture from a clean one; all random numbers come from the generator that it gets.
Files whose names begin with an underscore hold options, citations, and code that several degradations share.
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


def _one(
    name: str,
    impl: str,
    options: type[Options],
    summary: str,
    tags: str,
    citation: str = "",
    fixed: bool = False,
    falls: bool = False,
) -> Degradation:
    """Returns the record of the class ``impl`` in the file ``name``.py.

    ``fixed`` says that it draws nothing, ``falls`` that something in it falls down.
    """
    where, words = f"texprior_plugins.degradation.{name}:{impl}", ("synthetic", *tags.split())
    says = {"deterministic": fixed, "directional": falls}
    return Degradation(name, where, options, summary, api=2, tags=words, citation=citation, **says)


DEGRADATIONS = [
    _one(
        "rain",
        "Rain",
        RainOptions,
        "Rain streaks at several distances from the camera.",
        "weather",
        cite.RAIN,
        falls=True,
    ),
    _one(
        "rain_haze",
        "RainHaze",
        RainHazeOptions,
        "Heavy rain: streaks, and a veil of far rain that gets thicker with depth.",
        "weather",
        f"{cite.OUTDOOR_RAIN}\n{cite.RAIN}\n{cite.HAZE}",
        falls=True,
    ),
    _one(
        "haze",
        "Haze",
        HazeOptions,
        "Haze after the atmospheric scattering model, over an estimated depth.",
        "weather",
        cite.HAZE,
    ),
    _one(
        "snow",
        "Snow",
        SnowOptions,
        "Falling snowflakes of several sizes, with motion blur and defocus.",
        "weather",
        cite.SNOW,
        falls=True,
    ),
    _one(
        "raindrop",
        "Raindrop",
        RaindropOptions,
        "Raindrops on a glass pane; each drop acts as a lens that shows the scene upside down.",
        "weather",
        cite.RAINDROP,
    ),
    _one(
        "low_light",
        "LowLight",
        LowLightOptions,
        "A short exposure with sensor noise and a colour cast.",
        "light noise",
        f"{cite.UNPROCESSING}\n{cite.NOISE}",
    ),
    _one(
        "defocus",
        "Defocus",
        DefocusOptions,
        "Defocus: blur with an antialiased disc, then Gaussian noise.",
        "blur noise",
        cite.DEFOCUS,
    ),
    _one(
        "motion_blur",
        "MotionBlur",
        MotionBlurOptions,
        "Blur along the random path of a shaking camera.",
        "blur",
        cite.MOTION,
    ),
    _one(
        "camera_noise",
        "CameraNoise",
        CameraNoiseOptions,
        "Poisson-Gaussian sensor noise, added in linear light.",
        "noise",
        f"{cite.NOISE}\n{cite.UNPROCESSING}",
    ),
    _one("jpeg", "Jpeg", JpegOptions, "JPEG compression (Pillow).", "compression", cite.JPEG, fixed=True),
    _one(
        "downscale",
        "Downscale",
        DownscaleOptions,
        "Downscales the picture, then upscales it to its original size.",
        "resolution",
        cite.RESIZE,
    ),
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
        "Real-ESRGAN's second-order degradation: blur, resize, noise and JPEG, twice; then the original size.",
        "blur noise compression resolution",
        cite.REAL_ESRGAN,
    ),
    _one(
        "albumentations",
        "Albumentations",
        AlbumentationsOptions,
        "Any pixel transform of albumentations, chosen by name.",
        "any",
        cite.ALBUMENTATIONS,
    ),
    _one("sequence", "Sequence", SequenceOptions, "Several degradations, one after the other.", "composition"),
    _one("choice", "Choice", ChoiceOptions, "One of several degradations, drawn for each picture.", "composition"),
]


@hookimpl
def texprior_degradations() -> list[Degradation]:
    """Returns the records of all degradations in this folder."""
    return DEGRADATIONS
