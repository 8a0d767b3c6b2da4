"""Reports the steps of a training to the progress bar and to its run."""

from __future__ import annotations

from collections.abc import Sequence

from texprior.runtime.session import Session
from texprior.track import Run
from texprior.training.divergence import OutputsOf, first_not_finite, named_output
from texprior.training.loop import Step
from texprior.training.trainee import Trainee


class StepReports:
    """Reports progress at each step, and to the run the means over ``log_every_images``."""

    def __init__(self, session: Session, stage: str, trainee: Trainee, run: Run, outputs_of: OutputsOf) -> None:
        self.session, self.stage, self.trainee, self.run = session, stage, trainee, run
        self.outputs_of = outputs_of
        self.window: list[Step] = []
        self.has_skipped = False

    def report(self, step: Step) -> None:
        """Reports a step, and the window of steps that it ends, if it does."""
        settings = self.trainee.settings
        every, batch = settings.log_every_images, settings.batch
        self.window.append(step)
        if step.skipped and not self.has_skipped:
            self._report_first_skipped(step)
        if step.images_seen // every > (step.images_seen - batch) // every:
            self.close()
        shown = {"loss": step.loss, "images/s": step.images_per_s}
        self.session.progress(self.stage, step.images_seen, settings.budget.images, shown)

    def close(self) -> None:
        """Reports the steps since the last report, if there are any; a short training has no other window."""
        if self.window:
            means = _means(self.stage, self.window)
            skipped = {f"{self.stage}.skipped_steps": self.trainee.skipped_steps}
            self.run.step(self.window[-1].images_seen, **means, **skipped)
        self.window = []

    def _report_first_skipped(self, step: Step) -> None:
        self.has_skipped = True
        if not self.session.team.leads:
            return
        settings = self.trainee.settings
        last = self.trainee.next_number
        numbers = range(last - settings.batch, last)
        at_fault = first_not_finite(self.outputs_of, numbers, settings.microbatch or settings.batch)
        reason = named_output(self.session, at_fault) or "its loss or gradient is not finite"
        sentence = f"the step up to image {step.images_seen} was skipped: {reason}"
        self.session.say(f"{self.stage}: {sentence}; further ones are only counted")
        self.run.notes.append(f"{sentence[0].upper()}{sentence[1:]}.")


def _means(stage: str, window: Sequence[Step]) -> dict[str, float]:
    """Returns the means over the steps of a window; a loss that is not finite would make them useless."""
    taken, n = [s for s in window if not s.skipped], len(window)
    losses = {
        f"{stage}.loss": [s.loss for s in taken],
        f"{stage}.grad_norm": [s.grad_norm for s in taken],
    }
    return {
        **{name: sum(values) / len(values) for name, values in losses.items() if values},
        f"{stage}.lr": window[-1].lr,
        f"{stage}.images_per_s": n / sum(1 / s.images_per_s for s in window),
    }
