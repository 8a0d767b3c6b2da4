"""Implements ``texprior doctor``, which reports what is installed, what works and what will be used."""

from __future__ import annotations

import os
import platform
from typing import TYPE_CHECKING, Any

import click

from texprior.cli.output import emit, table
from texprior.cli.request import can_be_written, discover_plugins, json_option, plugin_option
from texprior.errors import error_text
from texprior.processes import usable_cpus

if TYPE_CHECKING:
    from texprior.registry import Registry


@click.command()
@plugin_option
@json_option
def doctor(plugins: tuple[str, ...], as_json: bool) -> None:
    """Report what is installed and what will be used.

    The exit code is 1 if something is wrong.
    """
    registry = discover_plugins(plugins)
    found = {
        **_machine(),
        "attention": _attention(registry),
        "plugins": _plugins(registry),
        "weights": _weights(registry),
        "store": _store(),
    }
    wrong = _wrong(found)
    if as_json:
        emit({**found, "wrong": wrong})
    else:
        _show(found, wrong)
    if wrong:
        click.get_current_context().exit(1)


def _machine() -> dict[str, Any]:
    import torch

    from texprior._version import __version__

    devices = ["cpu", *(f"cuda:{i} {torch.cuda.get_device_name(i)}" for i in range(torch.cuda.device_count()))]
    return {
        "texprior": __version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "torch": torch.__version__,
        "devices": devices + (["mps"] if torch.backends.mps.is_available() else []),
        "threads": torch.get_num_threads(),
        "cpus": usable_cpus(),
    }


def _attention(registry: Registry) -> list[dict[str, str]]:
    """Tries every attention backend on every type of device. ``reason`` is empty if it works."""
    import torch

    from texprior.flow.kinds import ATTENTION
    from texprior.plugin import Ref

    devices = ["cpu"] + (["cuda"] if torch.cuda.is_available() else [])
    rows = []
    for entry in registry.entries("attention"):
        for device in devices:
            # A backend may be installed and still not work here, and only a try on the device shows that. A plugin may
            # raise anything, which is what the user wants to see.
            try:
                backend = registry.build(ATTENTION, Ref(name=entry.qualified))
                reason = str(backend.available(torch.device(device), torch.float32))
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                reason = error_text(error)
            rows.append({"name": entry.qualified, "device": device, "reason": reason})
    return rows


def _plugins(registry: Registry) -> list[dict[str, Any]]:
    return [
        {
            "distribution": p.distribution,
            "version": p.version,
            "status": p.status,
            "reason": p.reason or p.warning,
            "notes": list(p.notes),
            "components": len(p.components),
        }
        for p in registry.plugins
    ]


def _weights(registry: Registry) -> list[dict[str, Any]]:
    from texprior.weights import locate

    records = {w.name: w for entry in registry.entries() for w in entry.component.weights}
    found = {name: locate(record) for name, record in records.items()}
    return [{"name": name, "found": str(path) if path else None} for name, path in found.items()]


def _store() -> dict[str, Any]:
    """Returns where runs go, and whether that can be written.

    Also returns the folders of events that a tracker could not record. A tracking server is not asked.
    """
    from texprior.addresses import redact, sqlite_file
    from texprior.store import runs_root
    from texprior.track.embedded import store_in_use
    from texprior.track.resend import unsent_folders

    root = runs_root()
    writable = can_be_written(root)
    # The folder may be writable while the database in it is not.
    database = root / "mlflow.db"
    if database.exists() and sqlite_file(store_in_use()) == database:
        writable = writable and os.access(database, os.W_OK)
    unsent = [str(folder) for folder in unsent_folders(root)]
    return {"runs": str(root), "tracking_uri": redact(store_in_use()), "writable": writable, "unsent": unsent}


def _wrong(found: dict[str, Any]) -> list[str]:
    """Returns what the user should repair. Missing parameters and disabled plugins are not faults."""
    bad = [p for p in found["plugins"] if p["status"] in ("failed", "incompatible")]
    wrong = [f"plugin {p['distribution']} is {p['status']}: {p['reason']}" for p in bad]
    if not any(p["components"] for p in found["plugins"]):
        wrong.append("no plugin is loaded, not even texprior's own; install it again")
    if not found["store"]["writable"]:
        wrong.append(f"{found['store']['runs']} cannot be written; name another folder in TEXPRIOR_RUNS")
    if unsent := found["store"]["unsent"]:
        several = f"{len(unsent)} folders of events" if len(unsent) > 1 else "a folder of events"
        wrong.append(f"a tracker could not record {several} ({unsent[0]}); 'texprior runs resend' records them")
    return wrong


def _show(found: dict[str, Any], wrong: list[str]) -> None:
    for name in ("texprior", "python", "system", "torch", "devices", "threads", "cpus"):
        value = found[name]
        click.echo(f"{name}: {', '.join(value) if isinstance(value, list) else value}")
    store = found["store"]
    click.echo(f"runs: {store['runs']} ({'writable' if store['writable'] else 'not writable'})")
    click.echo(f"tracking: {store['tracking_uri']}\n")
    rows = [
        [*map(str, (p["distribution"], p["version"], p["status"], p["components"])), _said(p["reason"], p["notes"])]
        for p in found["plugins"]
    ]
    table(["plugin", "version", "status", "components", "reason"], rows, wrap=["reason"])
    table(
        ["attention", "device", "available"],
        [[a["name"], a["device"], f"no: {a['reason']}" if a["reason"] else "yes"] for a in found["attention"]],
        wrap=["available"],
    )
    table(["weights", "found"], [[w["name"], w["found"] or "missing"] for w in found["weights"]], wrap=["found"])
    click.echo("\n".join(wrong) if wrong else "nothing is wrong")


def _said(reason: str, notes: list[str]) -> str:
    return "; ".join([*([reason] if reason else []), *notes])
