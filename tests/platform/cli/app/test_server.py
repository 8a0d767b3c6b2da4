"""The page in a real browser: what a visitor sees, at a desk and on a phone, and which addresses it asks for."""

import socket
import threading
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, Request, build_opener

import pytest

from texprior.cli.app.server import POLICY, application, free_port, require_gradio, server_of, uploads
from texprior.errors import ConfigError


def free():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def restorer(model):
    from texprior.cli.app.restoring import Restorer

    return Restorer(model, seed=3, limit=0.01)


@pytest.fixture(scope="module")
def served(restorer):
    """The page of a model that learned nothing, served from this process: its address."""
    pytest.importorskip("gradio", reason="gradio is not installed; pip install 'texprior[app]'")
    require_gradio()
    port = free()
    with free_port(port) as here, uploads():
        server = server_of(application(restorer))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [here]})
        thread.start()
        yield f"http://127.0.0.1:{port}"
        server.should_exit = True
        thread.join(30)
        assert not thread.is_alive()


SHOWN = "document.querySelectorAll('.crops img').length == 4"
RIGHT = "document.querySelector('#crops figure:nth-child(3) img').src"


def test_a_photograph_is_restored_once_and_its_strength_samples_nothing_again(browser, served, file, sampled):
    browser.open(served, 1280)
    browser.wait("document.querySelector('#file input[type=file]')")
    browser.upload("#file input[type=file]", file)
    browser.wait(SHOWN)
    before = browser.evaluate(RIGHT)
    assert "56x40 px, 2 calls of the network" in browser.evaluate("document.querySelector('#said').innerText")
    assert browser.evaluate("document.querySelectorAll('#compared img').length") == 2
    browser.evaluate(
        "(s => { s.value = 0.2; s.dispatchEvent(new Event('input', {bubbles: true})) })"
        "(document.querySelector('#strength input[type=range]'))"
    )
    browser.wait(f"{RIGHT} != {before!r}")
    assert sampled == [(1, 3, 40, 56)]
    assert browser.said == []


def test_a_crop_has_one_pixel_of_the_screen_for_each_of_its_own(browser, served, file):
    shown_at(browser, served, file, 1280)
    sizes = "[...document.querySelectorAll('.crops img')].map(i => [i.getBoundingClientRect().width, i.naturalWidth])"
    assert browser.evaluate(sizes) == [[56, 56]] * 4


def shown_at(browser, served, file, width):
    browser.open(served, width)
    browser.wait("document.querySelector('#file input[type=file]')")
    browser.upload("#file input[type=file]", file)
    browser.wait(SHOWN)


def test_a_phone_shows_the_page_without_scrolling_sideways(browser, served, file):
    shown_at(browser, served, file, 375)
    assert browser.evaluate("[innerWidth, document.documentElement.scrollWidth]") == [375, 375]
    beyond = (
        "[...document.querySelectorAll('button, img, label, p, input')].filter(e => e.offsetParent && "
        "!e.closest('.sr-only') && e.getBoundingClientRect().right > 376).map(e => e.outerHTML.slice(0, 120))"
    )
    assert browser.evaluate(beyond) == []


def test_the_second_tab_shows_the_layers(browser, served, file):
    shown_at(browser, served, file, 1280)
    browser.evaluate("[...document.querySelectorAll('button[role=tab]')].find(t => t.innerText == 'Layers').click()")
    browser.wait("document.querySelector('#split').innerText.includes('standard deviation of the texture')")
    browser.wait("document.querySelectorAll('.tabitem:not([style*=none]) img').length >= 2")


def test_what_is_no_picture_is_a_sentence_on_the_page(browser, served, tmp_path):
    broken = tmp_path / "notes.txt"
    broken.write_text("no picture", encoding="utf-8")
    browser.open(served, 1280)
    browser.wait("document.querySelector('#file input[type=file]')")
    browser.upload("#file input[type=file]", broken)
    browser.wait("document.querySelector('#said .error')")
    said = browser.evaluate("document.querySelector('#said').innerText")
    assert said.strip() == "notes.txt: this is not a picture that can be read"
    assert "Traceback" not in browser.evaluate("document.body.innerText")


def test_no_request_goes_elsewhere(browser, served, file):
    shown_at(browser, served, file, 1280)
    schemes = {urlsplit(address).scheme for address in browser.asked}
    asked = {urlsplit(address).netloc for address in browser.asked if not address.startswith(("data:", "blob:"))}
    assert "http" in schemes
    assert asked == {urlsplit(served).netloc}


def answer(address, **headers):
    with build_opener(ProxyHandler({})).open(Request(address, headers=headers), timeout=30) as got:
        return got


def test_the_browser_is_told_to_ask_nobody_else_and_other_names_are_refused(served):
    assert answer(served).headers["Content-Security-Policy"] == POLICY
    assert "http" not in POLICY
    with pytest.raises(OSError, match="400"):
        answer(served, Host="evil.example")


def test_a_port_in_use_is_a_sentence():
    with free_port(free()) as here:
        address, port = here.getsockname()
        assert address == "127.0.0.1"
        with pytest.raises(ConfigError, match=f"port {port} of 127.0.0.1 cannot be used"), free_port(port):
            pass
