"""Messages are text, whatever the names of files are."""

import os

from texprior.errors import ConfigError, printable


def test_bytes_that_are_not_utf_8_are_escaped_and_other_text_is_kept():
    name = os.fsdecode(b"caf\xe9-\xc3\xa9.png")
    assert printable(name) == "caf%E9-é.png"
    assert printable("100 % ä 漢 \\ %41") == "100 % ä 漢 \\ %41"
    assert str(ConfigError(f"{name}: broken")) == "caf%E9-é.png: broken"
