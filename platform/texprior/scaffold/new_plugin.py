"""Creates a complete, working plugin package from the templates of a kind."""

from __future__ import annotations

import keyword
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from texprior._version import __version__
from texprior.errors import ConfigError, TexpriorError
from texprior.plugin import KINDS

_NAME = re.compile(r"[a-z][a-z0-9]*([_-][a-z0-9]+)*")
"""Names that make a valid module, package and distribution."""
_SUMMARIES = {
    "degradation": "Vignetting: the corners of a picture are darker than its middle.",
    "decomposition": "Box filter: the structure is the mean over a square window.",
    "encoder": "Mean and standard deviation of the colours in the fields of a grid.",
    "denoiser": "Residual blocks at half resolution, shifted by noise level and code.",
    "predictor": "A stack of convolutions that predicts what the degradation took away.",
    "adapter": "Adds a convolution of the estimate after each block.",
    "noise_levels": "ln sigma is a power of a normal number, so that its tails are heavier or lighter.",
    "schedule": "ln sigma falls with a power of u, so that steps are small at one end of the range.",
    "augmentation": "Exchanges the colour channels of all pictures of a patch.",
    "objective": "Focal frequency loss: frequencies with a large error count more.",
    "optimizer": "Lion: steps by the sign of a momentum.",
    "lr_decay": "A power of the rest of the budget.",
    "process": "A line from the clean to the degraded picture, with noise that grows on the way.",
    "sampler": "Runge-Kutta of order 2 with the second slope at a place of choice.",
    "metric": "The mean p-norm of the difference from the reference.",
    "dataset": "Dead leaves: discs of random colour, size and place that hide each other.",
    "attention": "A chunk of queries at a time, which bounds the memory.",
    "events": "A folder for each run, with a table of values, pictures and files.",
    "launcher": "A program of choice, such as sbatch, that runs a command line for each worker.",
    "command": "Mean and standard deviation of the colours of a picture.",
}
"""Kind -> summary of the example component in its template, which the author replaces."""


@dataclass(frozen=True)
class Made:
    """A rendered package: its folder, its files relative to the folder, and its names."""

    folder: Path
    files: list[str]
    distribution: str
    package: str


def new_plugin(kind: str, name: str, folder: Path) -> Made:
    """Renders a package with one component into a new folder.

    Raises ConfigError if the kind is unknown, the name makes no valid module, or the folder is not empty. Raises
    TexpriorError if a file cannot be written.
    """
    _require_usable(kind, name, folder)
    package = f"texprior_{name.replace('-', '_')}"
    distribution = f"texprior-{name.replace('_', '-')}"
    values = {
        "kind": kind,
        "name": name,
        "module": name.replace("-", "_"),
        "package": package,
        "distribution": distribution,
        "Class": _class_of(name),
        "summary": _SUMMARIES[kind],
        # The major and minor version: the package depends on the interface of this release.
        "texprior": ".".join(__version__.split(".")[:2]),
    }

    targets = {
        "package/pyproject.toml": "pyproject.toml",
        "package/README.md": "README.md",
        "package/gitignore": ".gitignore",
        "package/ci.yml": ".github/workflows/ci.yml",
        "package/test_conformance.py": "tests/test_conformance.py",
        f"kinds/{kind}/test.py": f"tests/test_{values['module']}.py",
        f"kinds/{kind}/__init__.py": f"src/{package}/__init__.py",
        f"kinds/{kind}/impl.py": f"src/{package}/impl.py",
    }

    # Everything is rendered before the first file is written, so that a faulty template leaves no partial package.
    rendered = {target: _render(template, values) for template, target in targets.items()}
    try:
        for target, text in rendered.items():
            path = folder / target
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise TexpriorError(f"{folder}: the package cannot be written ({error})") from None
    return Made(folder, sorted(rendered), distribution, package)


def _require_usable(kind: str, name: str, folder: Path) -> None:
    if kind not in KINDS:
        raise ConfigError(f"there is no kind '{kind}'; the kinds are: {', '.join(KINDS)}")
    if not _NAME.fullmatch(name) or keyword.iskeyword(_class_of(name)):
        raise ConfigError(f"'{name}' is not a valid component name; write it like rain or light-rain, in lower case")
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise ConfigError(f"{folder} already exists; name a new folder with -o")


def _class_of(name: str) -> str:
    return "".join(part.title() for part in re.split("[_-]", name))


def _render(template: str, values: dict[str, Any]) -> str:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("texprior.scaffold"),
        # A misspelt variable is an error instead of an empty text.
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,
    )
    return environment.get_template(f"{template}.jinja").render(values)
