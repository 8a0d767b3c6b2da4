"""What a trained folder's card says of a component is found again if its plugin is missing."""

import importlib.metadata

import pytest
import yaml

from texprior.config import resolve
from texprior.errors import ConfigError
from texprior.plugin import Adapter
from texprior.registry import Entry, Plugin, Registry
from texprior.registry.origins import origin_line, origin_of

RECORD = Adapter("mine", "my_idea:Mine", api=2)


def plugin(version, file=""):
    return Plugin("my-idea", version, "loaded", components=(RECORD,), file=file)


@pytest.fixture
def folder(tmp_path):
    """folder(origin): a trained folder whose experiment has the adapter ``mine``, and whose card names its origin."""

    def folder(of):
        lines = [origin_line("encoder", Registry.discover().find("encoder", "none")), origin_line("adapter", of)]
        card = "# Model\n\n## Components\n\n" + "".join(f"- {line}\n" for line in lines)
        (tmp_path / "README.md").write_text(card, encoding="utf-8")
        (tmp_path / "config.yaml").write_text(yaml.safe_dump({"name": "x", "adapter": {"mine": {}}}), encoding="utf-8")
        return tmp_path

    return folder


ORIGINS = [
    (plugin("sha256-0123", "/home/me/ideas/my_idea.py"), "single file my_idea.py: add --plugin FOLDER/my_idea.py"),
    (plugin("1.2"), "used my-idea/mine 1.2: install the plugin my-idea 1.2"),
    (plugin("sha256-0123"), "of a registered module: register it with texprior.register"),
]


@pytest.mark.parametrize(("of", "said"), ORIGINS, ids=["file", "distribution", "module"])
def test_a_missing_component_is_named_with_what_it_came_from(folder, of, said):
    trained = folder(Entry(RECORD, of))
    data = yaml.safe_load((trained / "config.yaml").read_text())
    with pytest.raises(ConfigError) as caught:
        resolve(data, Registry.discover(), source=str(trained / "config.yaml"), stored=True)
    assert "adapter: there is no adapter 'mine'; known are: " in str(caught.value)
    assert said in str(caught.value)
    version = importlib.metadata.version("texprior")
    assert origin_of("encoder", trained).endswith(
        f"used texprior/none {version}: install the plugin texprior {version}"
    )


@pytest.mark.parametrize("card", [None, b"", b"\xff\xfe", b"- `adapter`: mine\n- `predictor`: a/b 1\n"])
def test_a_card_that_is_silent_adds_nothing(tmp_path, card):
    if card is not None:
        (tmp_path / "README.md").write_bytes(card)
    assert origin_of("adapter", tmp_path) == ""


def test_an_experiment_of_the_user_is_no_trained_folder(folder):
    trained = folder(Entry(RECORD, plugin("1.2")))
    with pytest.raises(ConfigError) as caught:
        resolve({"name": "x", "adapter": "mine"}, Registry.discover(), source=str(trained / "mine.yaml"))
    assert "was trained here" not in str(caught.value)
