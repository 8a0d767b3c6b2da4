"""A model that has learned nothing, and a real browser: chromium without a window, in its DevTools protocol."""

import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from texprior import config, pipeline
from texprior.cli.app import restoring
from texprior.cli.app.restoring import Restorer
from texprior.diffusion.process import Process
from texprior.flow.kinds import PREDICTOR
from texprior.models.build import Model, build_adapter, build_prior
from texprior.registry import Registry
from texprior.runtime.session import Session

LIMIT_S = 120
FLAGS = "--headless=new --no-sandbox --disable-gpu --hide-scrollbars --no-first-run --remote-debugging-pipe"


class Browser:
    """One page of a browser; ``asked`` lists the address of every request of it, also of those that are refused."""

    def __init__(self, program, folder):
        # chromium reads commands from file descriptor 3 and writes answers to 4
        (command, self._out), (self._in, answer) = os.pipe(), os.pipe()
        line = f'exec "$0" {FLAGS} --user-data-dir="$1" 3<&{command} 4>&{answer}'
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self._process = subprocess.Popen(
            ["bash", "-c", line, program, str(folder)], pass_fds=(command, answer), **quiet
        )
        os.close(command)
        os.close(answer)
        self._number, self._rest, self._session, self.asked, self.said = 0, b"", {}, [], []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = {"sessionId": attached["sessionId"]}
        for domain in ("Page", "Network", "Runtime"):
            self.call(f"{domain}.enable")

    def call(self, method, **params):
        """The answer to a command of the protocol."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params, **self._session}
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            got = self._next()
            if got.get("id") == self._number:
                assert "error" not in got, got
                return got["result"]

    def _next(self):
        while b"\0" not in self._rest:
            assert select.select([self._in], [], [], LIMIT_S)[0], "the browser does not answer"
            more = os.read(self._in, 2**20)
            assert more, "the browser ended"
            self._rest += more
        first, _, self._rest = self._rest.partition(b"\0")
        got = json.loads(first)
        if got.get("method") == "Network.requestWillBeSent":
            self.asked.append(got["params"]["request"]["url"])
        if got.get("method") == "Runtime.exceptionThrown":
            self.said.append(got["params"]["exceptionDetails"])
        return got

    def open(self, address, width, height=1000):
        """Opens an address in a window of this size, px."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self.call("Emulation.setDeviceMetricsOverride", **size)
        self.call("Page.navigate", url=address)

    def evaluate(self, script):
        """The value of a script."""
        got = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in got, got["exceptionDetails"]
        return got["result"].get("value")

    def wait(self, script):
        """Waits until a script's value is true, such as that of an element which is there."""
        end = time.monotonic() + LIMIT_S
        while time.monotonic() < end:
            if self.evaluate(f"!!({script})"):
                return
            time.sleep(0.05)
        raise AssertionError(f"not so within {LIMIT_S} s: {script}; the page is: {self.evaluate(TEXT)}")

    def upload(self, selector, path):
        """Gives a file to an input of the page."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=[str(path)])

    def screenshot(self, path):
        """Writes the whole page as a picture."""
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    def close(self):
        """Ends the browser."""
        with contextlib.suppress(AssertionError, OSError):
            self._session = {}
            self.call("Browser.close")
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._in)
        os.close(self._out)


TEXT = "document.body.innerText"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """A browser; skips the test where there is none."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("chromium is not here")
    browser = Browser(program, tmp_path_factory.mktemp("browser"))
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def model():
    """A model that has learned nothing: its layer is the noise of the first call, shrunk."""
    small = {"unet": {"width": 8, "levels": 1, "blocks": 1}}
    data = {"name": "untrained", "encoder": "none", "denoiser": small, "predictor": small, "events": [], "seed": 3}
    data |= {"degradation": {"defocus": {"radius": 2.0, "noise": 2.0}}, "sampling": {"steps": 2}}
    registry = Registry.discover()
    session = Session.start(config.resolve(data, registry), registry)
    prior = build_prior(session.builder, 0.1, Path())
    prior.network.requires_grad_(False)
    predictor, adapter = session.build(PREDICTOR), build_adapter(session.builder, prior)
    return Model(session.experiment, prior, predictor, adapter, Process(0.1), Path("untrained"), registry)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "photo.png"
    values = np.random.default_rng(0).integers(40, 216, (40, 56, 3), dtype=np.uint8)
    Image.fromarray(values).save(path)
    return str(path)


@pytest.fixture
def restorer(model):
    return Restorer(model, seed=3, limit=1.0)


@pytest.fixture
def sampled(monkeypatch):
    """Counts what is sampled."""
    calls = []

    def counted(model, degraded, *rest, **more):
        calls.append(tuple(degraded.shape))
        return pipeline.restore(model, degraded, *rest, **more)

    monkeypatch.setattr(restoring, "restore", counted)
    return calls
