"""Launchers: one that is right, and what goes wrong with them."""

import pickle
import subprocess
import sys
import threading

from texprior.plugin import Launcher, Options, hookimpl

CAUGHT_BY = {
    "right": [],
    "does_not_wait": ["launcher.runs"],
    "says_nothing": ["launcher.runs"],
    "one_after_the_other_here": ["launcher.separate"],
    "one_process_for_all": ["launcher.separate"],
    "stops_at_a_failure": ["launcher.raises", "launcher.killed"],
    "hides_failures": ["launcher.raises", "launcher.killed"],
    "trusts_a_killed_one": ["launcher.killed"],
    "unlike": ["any.contract"],
}
CODE = "import pickle, sys\nfor work in pickle.load(sys.stdin.buffer): work()"


class Right:
    """Sends each work to a process through a pipe."""

    def __init__(self, options):
        pass

    def start(self, *works):
        process = subprocess.Popen([sys.executable, "-c", CODE], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
        process.stdin.write(pickle.dumps(works))
        process.stdin.close()
        return process

    def run(self, works, threads, gpus):
        processes = {name: self.start(work) for name, work in works.items()}
        codes = {name: process.wait() for name, process in processes.items()}
        return {name: f"ended with {code}" for name, code in codes.items() if code}


class DoesNotWait(Right):
    def run(self, works, threads, gpus):
        for work in works.values():
            process = self.start(work)
            threading.Thread(target=process.wait).start()
        return {}


class SaysNothing(Right):
    def run(self, works, threads, gpus):
        super().run(works, threads, gpus)


class OneAfterTheOtherHere(Right):
    def run(self, works, threads, gpus):
        for work in works.values():
            work()
        return {}


class OneProcessForAll(Right):
    def run(self, works, threads, gpus):
        code = self.start(*works.values()).wait()
        return {name: f"ended with {code}" for name in works if code}


class StopsAtAFailure(Right):
    def run(self, works, threads, gpus):
        for name, work in works.items():
            if code := self.start(work).wait():
                return {name: f"ended with {code}"}
        return {}


class HidesFailures(Right):
    def run(self, works, threads, gpus):
        super().run(works, threads, gpus)
        return {}


class TrustsAKilledOne(Right):
    def run(self, works, threads, gpus):
        ended = super().run(works, threads, gpus)
        return {name: text for name, text in ended.items() if "-" not in text}


class Unlike:
    def __init__(self, options):
        pass

    def start(self, works):
        return {}


@hookimpl
def texprior_launchers():
    classes = (
        *(Right, DoesNotWait, SaysNothing, OneAfterTheOtherHere, OneProcessForAll),
        *(StopsAtAFailure, HidesFailures, TrustsAKilledOne, Unlike),
    )
    return [
        Launcher(name, f"{__name__}:{c.__name__}", Options, "Starts.", api=2, local=True)
        for name, c in zip(CAUGHT_BY, classes, strict=True)
    ]
