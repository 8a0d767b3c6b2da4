"""The documents: the README's tree names every room and nothing else, links lead somewhere, examples work."""

import re
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def named(repository: Path) -> dict[Path, str]:
    """Path -> purpose, of every line of the tree. Two spaces of indentation are one level."""
    text = (repository / "README.md").read_text(encoding="utf-8")
    block = re.search(r"<!-- tree -->\s*```text\n(.*?)```", text, re.DOTALL)
    assert block, "README.md has no file tree after the comment 'tree'"
    paths: dict[Path, str] = {}
    above: list[Path] = [repository]
    for line in block.group(1).splitlines():
        name, _, purpose = line.strip().partition(" ")
        level = (len(line) - len(line.lstrip())) // 2
        path = above[level] / name
        assert path not in paths, f"{name} is named twice"
        paths[path] = purpose.strip()
        above[level + 1 :] = [path]
    return paths


def test_every_room_and_every_face_of_the_platform_is_named(named: dict[Path, str], repository: Path) -> None:
    """A room is a folder; its files are listed in the docstring of its ``__init__``."""
    root = repository / "platform" / "texprior"
    rooms = [init.parent for init in root.glob("*/__init__.py")]
    faces = [module for module in root.glob("*.py") if not module.name.startswith("_")]
    assert [path.name for path in (*rooms, *faces) if path not in named] == []


def test_every_plugin_kind_is_named(named: dict[Path, str], repository: Path) -> None:
    kinds = [init.parent for init in (repository / "plugins" / "texprior_plugins").glob("*/__init__.py")]
    assert [k.name for k in kinds if k not in named] == []


def test_everything_named_is_there_and_has_a_purpose(named: dict[Path, str], repository: Path) -> None:
    assert [str(p.relative_to(repository)) for p in named if not p.exists()] == []
    assert [str(p.relative_to(repository)) for p, purpose in named.items() if not purpose] == []


def test_every_link_between_documents_leads_somewhere(repository: Path) -> None:
    pages = [repository / "README.md", repository / "CHANGELOG.md", *(repository / "docs").rglob("*.md")]
    texts = {p: re.sub(r"```.*?```", "", p.read_text("utf-8"), flags=re.DOTALL) for p in pages}  # code has no links
    links = [(p, target) for p in pages for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", texts[p])]
    assert len(links) > 5
    assert [f"{p.name}: {target}" for p, target in links if not (p.parent / target).exists()] == []


def test_the_plugin_of_the_guide_works(repository: Path, tmp_path: Path) -> None:
    import torch

    from texprior.plugin import Ref
    from texprior.registry import Registry

    code = re.search(r"```python\n(.*?)```", (repository / "docs" / "plugins.md").read_text("utf-8"), re.DOTALL)
    assert code
    (tmp_path / "glow.py").write_text(code.group(1))
    glow = Registry.discover([tmp_path / "glow.py"]).build(
        "degradation", Ref.model_validate({"glow": {"strength": 0.5}})
    )
    picture = torch.tensor([0.0, 0.25, 0.5]).expand(3, 1, 3)
    assert glow(picture, torch.Generator()).equal(torch.tensor([0.25, 0.5, 0.75]).expand(3, 1, 3))


def test_the_experiment_of_the_guide_is_valid(repository: Path, tmp_path: Path) -> None:
    from texprior import config
    from texprior.registry import Registry

    text = re.search(r"```yaml\n(.*?)```", (repository / "docs" / "experiments.md").read_text("utf-8"), re.DOTALL)
    assert text
    (tmp_path / "base.yaml").write_text("threads: 1\n")
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "experiment.yaml").write_text(text.group(1))
    experiment = config.load(tmp_path / "study" / "experiment.yaml", Registry.discover(), ["adapter.cga.width=64"])
    assert (experiment.threads, experiment.adapter.options["width"]) == (1, 64)
