"""Describes what each command answers with ``--json``, as pydantic models.

The models are read by ``cli.json_page``, which makes the reference page and the JSON schema of them, and by the tests,
which hold every answer against its model. No command imports them.

- ``base``: what all answers have in common, and the answer of a command that failed
- ``trainings``, ``studies``, ``pictures``, ``scores``, ``runs``, ``components``: the answers of the commands
"""

from __future__ import annotations

from typing import Any

from texprior.cli.answers import components, pictures, runs, scores, studies, trainings
from texprior.cli.answers.base import Failure

ANSWERS: dict[str, Any] = {
    "demo": studies.DemoAnswer,
    "demo --dry-run": trainings.DryRun,
    "init": trainings.InitAnswer,
    "prior": trainings.PriorAnswer,
    "prior --dry-run": trainings.DryRun,
    "adapt": trainings.AdaptAnswer,
    "adapt --dry-run": trainings.DryRun,
    "restore": pictures.RestoreAnswer,
    "evaluate": scores.EvaluateAnswer,
    "score": scores.ScoreAnswer,
    "figure": pictures.FigureAnswer,
    "sweep": studies.SweepAnswer,
    "sweep --dry-run": trainings.DryRun,
    "sweep --status": studies.SweepStatusAnswer,
    "ablate": studies.AblateAnswer,
    "ablate --dry-run": studies.AblateDryRun,
    "ablate --status": studies.AblateStatusAnswer,
    "decompose": pictures.DecomposeAnswer,
    "decompose --match-std": pictures.MatchAnswer,
    "decompose --report": pictures.DecomposeReport,
    "degrade": pictures.DegradeAnswer,
    "alpha-curve": scores.AlphaCurveAnswer,
    "plugins list": list[components.ListedComponent],
    "plugins show": components.ShownComponent,
    "plugins new": components.NewPluginAnswer,
    "plugins check": components.CheckAnswer,
    "models list": list[components.ListedModel],
    "models show": components.ShownModel,
    "models export": list[components.ListedModel],
    "weights list": list[components.ListedWeights],
    "weights import": components.FoundWeights,
    "weights fetch": components.FoundWeights,
    "weights hash": components.WeightsHash,
    "runs list": list[runs.ListedRun],
    "runs show": runs.ShownRun,
    "runs compare": runs.CompareAnswer,
    "runs diff": list[runs.SettingDifference],
    "runs export": list[runs.ExportedTable],
    "runs tag": runs.TagAnswer,
    "runs note": runs.NoteAnswer,
    "runs delete": runs.DeleteAnswer,
    "runs clean": runs.CleanAnswer,
    "runs unsent": list[runs.UnsentFolder],
    "runs resend": runs.ResendAnswer,
    "ui --check": components.UiAnswer,
    "doctor": components.DoctorAnswer,
    "any command that failed": Failure,
}
"""Command, with the option that changes what it answers -> its answer."""
