"""Implements ``texprior weights``, which lists, imports, fetches and hashes third-party parameters.

Parameters are identified by the hash of their content. Nothing is fetched unless the user names it.
"""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from texprior.cli.output import emit, say, table
from texprior.cli.request import discover_plugins, json_option, plugin_option
from texprior.errors import ConfigError, TexpriorError, suggest_name

if TYPE_CHECKING:
    from texprior.plugin import Weights
    from texprior.registry import Registry

_CHUNK = 1 << 20
"""Bytes read at a time, 1 MiB: a download never has to fit into memory."""


@click.group()
def weights() -> None:
    """List, import, fetch and hash third-party parameters."""


@weights.command("list")
@plugin_option
@json_option
def list_(plugins: tuple[str, ...], as_json: bool) -> None:
    """List the parameters that components need, and where they were found."""
    from texprior.weights import locate

    rows: list[dict[str, Any]] = []
    for record, users in _records(discover_plugins(plugins)).values():
        found = locate(record)
        rows.append(
            {
                "name": record.name,
                "used_by": users,
                "licence": record.licence,
                "origin": record.origin,
                "tensors_sha256": record.tensors_sha256,
                "can_fetch": bool(record.url and record.url_sha256),
                "found": str(found) if found else None,
            }
        )
    if as_json:
        emit(rows)
        return
    columns = ["name", "found", "licence", "origin", "used by"]
    shown = [[r["name"], r["found"] or "missing", r["licence"], r["origin"], ", ".join(r["used_by"])] for r in rows]
    table(columns, [[str(value) for value in row] for row in shown], wrap=columns[1:])


@weights.command("import")
@click.argument("name")
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@plugin_option
@json_option
def import_(name: str, files: tuple[str, ...], plugins: tuple[str, ...], as_json: bool) -> None:
    """Import the parameters NAME from official files (.safetensors or .pth), if their hash is right.

    If the parameters are in several files, such as a trunk and its heads, name all of them.
    """
    from texprior.weights import install

    for file in files:
        if not Path(file).is_file():
            raise ConfigError(f"{file}: there is no such file")
    _installed(name, install(_record(discover_plugins(plugins), name), [Path(file) for file in files]), as_json)


@weights.command()
@click.argument("name")
@plugin_option
@json_option
def fetch(name: str, plugins: tuple[str, ...], as_json: bool) -> None:
    """Download the parameters NAME from their pinned address, and check their hash."""
    from texprior.weights import install, locate

    record = _record(discover_plugins(plugins), name)
    here = locate(record)
    if here is not None:
        say(f"{name} is already here")
        _installed(name, here, as_json)
        return
    if not (record.url and record.url_sha256):
        raise ConfigError(
            f"'{name}' has no pinned address to fetch from; get it from {record.origin}, "
            f"then 'texprior weights import {name} FILE'"
        )

    # The file is checked in a temporary folder, so that a wrong one never reaches the folder of weights.
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / (Path(urlsplit(record.url).path).name or "weights.safetensors")
        digest = _download(record.url, file)
        if digest != record.url_sha256:
            raise TexpriorError(
                f"{record.url}: the file there has sha256 {digest[:16]}..., not {record.url_sha256[:16]}...; "
                "nothing was kept"
            )
        _installed(name, install(record, [file]), as_json)


@weights.command("hash")
@click.argument("file")
@json_option
def hash_(file: str, as_json: bool) -> None:
    """Print the hashes of FILE (.safetensors or .pth) that a plugin's Weights record needs."""
    from texprior.store import sha256
    from texprior.weights import content_hash, read

    path = Path(file)
    tensors = read(path)
    if not tensors:
        raise TexpriorError(f"{file}: it holds no tensors")
    hashes = {"tensors_sha256": content_hash(tensors), "url_sha256": sha256(path)}
    if as_json:
        emit({"file": file, **hashes})
        return
    click.echo(f"tensors_sha256: {hashes['tensors_sha256']}  (of the tensors, in any file)")
    click.echo(f"url_sha256: {hashes['url_sha256']}  (of this file, if it is the one at url)")


def _installed(name: str, path: Path, as_json: bool) -> None:
    if as_json:
        emit({"name": name, "found": path})
    else:
        click.echo(f"{name}: {path}")


def _records(registry: Registry) -> dict[tuple[str, str], tuple[Weights, list[str]]]:
    """Returns (name, content hash) -> (record, the components that need it)."""
    found: dict[tuple[str, str], tuple[Weights, list[str]]] = {}
    for entry in registry.entries():
        for record in entry.component.weights:
            users = found.setdefault((record.name, record.tensors_sha256), (record, []))[1]
            users.append(f"{entry.component.kind}/{entry.component.name}")
    return found


def _record(registry: Registry, name: str) -> Weights:
    records = [record for record, _ in _records(registry).values()]
    found = [record for record in records if record.name == name]
    if len(found) == 1:
        return found[0]
    if found:
        raise ConfigError(
            f"several plugins have different parameters called '{name}'; disable one plugin with TEXPRIOR_DISABLE"
        )
    names = sorted({record.name for record in records})
    raise ConfigError(f"no component needs parameters '{name}'; {suggest_name(name, names)}")


def _download(url: str, file: Path) -> str:
    """Downloads an address to a file and returns the file's sha256, hex.

    Raises TexpriorError if the download fails, and ConfigError if the address is not http or https.
    """
    from urllib.request import urlopen

    # ``urlopen`` also accepts file: and ftp:, which a plugin's record must not use.
    if urlsplit(url).scheme not in ("http", "https"):
        raise ConfigError(f"{url}: only http and https addresses are fetched")
    digest = hashlib.sha256()
    try:
        with urlopen(url, timeout=60) as answer, file.open("wb") as out:
            while chunk := answer.read(_CHUNK):
                digest.update(chunk)
                out.write(chunk)
    except OSError as error:
        raise TexpriorError(f"{url}: cannot be fetched ({error})") from None
    return digest.hexdigest()
