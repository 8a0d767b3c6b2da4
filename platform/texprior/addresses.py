"""Makes the addresses of databases, and shows addresses without their credentials."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from texprior.errors import ConfigError

if TYPE_CHECKING:
    from sqlalchemy import URL

_SETTINGS = {"cached_statements", "check_same_thread", "detect_types", "isolation_level", "timeout", "uri"}
"""What may follow the ``?`` of an SQLite address."""
# In an http address the user ends before the first slash. In a database's address the password may hold one.
_HTTP_USER = re.compile(r"(?P<scheme>\bhttps?://)(?:(?P<user>[^\s/?#:@'\"]*):)?[^\s/?#'\"]+@")
_DATABASE_USER = re.compile(r"(?P<scheme>\b(?!https?:)[a-z][\w+.-]*://)(?P<user>[^\s:/@'\"]*):[^\s'\"]*@", re.I)
_SECRET = re.compile(
    r"(?P<name>(?<=[?&;])[\w.-]*(?:password|passwd|pwd|passphrase|token|secret|api_?key|credentials?|signature)="
    r"|(?<![\w.-])password=)"
    r"(?:'[^']*'|\"[^\"]*\"|[^\s&#;,'\"]+)",
    re.I,
)


def redact(text: str) -> str:
    """Returns a text in which the passwords and tokens of all addresses are ``***``.

    These are ``user:password@``, ``token@`` of http, and values such as that of ``?password=``.
    """
    text = _HTTP_USER.sub(lambda m: m["scheme"] + (f"{m['user']}:" if m["user"] is not None else "") + "***@", text)
    text = _DATABASE_USER.sub(r"\g<scheme>\g<user>:***@", text)
    return _SECRET.sub(r"\g<name>***", text)


def page_address(address: str) -> str:
    """Returns the address of an http server as a browser opens it: without user, password and query."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}"


def sqlite_address(path: Path) -> str:
    """Returns the address of an SQLite file, which may lie in a folder of any name.

    Raises ConfigError if the installed SQLAlchemy cannot name the file.
    """
    from sqlalchemy import URL, make_url

    address = _opened(URL.create("sqlite", database=str(path)))
    if make_url(address).database != str(path):
        raise ConfigError(
            f"{path}: SQLAlchemy before version 2.1 has no address for a file below a folder of this name; "
            "rename the folder, or install sqlalchemy>=2.1"
        )
    return address


def sqlite_file(address: str) -> Path | None:
    """Returns the file of an SQLite address; None for other addresses and for a database in memory."""
    if not _is_sqlite(address):
        return None
    from sqlalchemy import make_url

    name = make_url(address).database or ":memory:"
    return None if name == ":memory:" or name.startswith("file:") else Path(name)


def checked_address(address: str) -> str:
    """Returns a database's address in the form in which it is opened.

    Raises ConfigError for an SQLite address that names another file than it seems to.
    """
    if not _is_sqlite(address):
        return address
    from sqlalchemy import make_url

    url, file = make_url(address), sqlite_file(address)
    unknown = sorted(set(url.query) - _SETTINGS)
    if "uri" not in url.query and (unknown or ("?" in address and not url.query)):
        asked = f"SQLite has no setting named '{unknown[0]}'" if unknown else "no setting follows"
        raise ConfigError(
            f"{address}: a '?' begins the settings of an address, and {asked}; write a '?' of a path as %3F"
        )
    if file is None:
        return address
    literal = Path(address.partition(":///")[2])
    if "%" in address and not file.parent.exists() and literal.parent.is_dir():
        raise ConfigError(f"{address}: this is the address of {file}; write a '%' of a path as %25")
    return _opened(url)


def _is_sqlite(address: str) -> bool:
    return address.partition(":")[0].partition("+")[0] == "sqlite"


def _opened(url: URL) -> str:
    """Returns an SQLite address as text.

    If it has quoted characters, it names its driver: MLflow makes the folder that stands in an address without one, as
    it stands there, quoted.
    """
    text = url.render_as_string(hide_password=False)
    return url.set(drivername="sqlite+pysqlite").render_as_string(hide_password=False) if "%" in text else text
