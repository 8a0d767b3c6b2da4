"""A warning is said once, and can be written wherever it goes."""

import logging

from texprior.flow.once import warn_once


def test_a_sentence_is_said_once_and_is_text(caplog):
    warn_once.cache_clear()
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            warn_once("caf\udce9.png: broken")
    assert [record.getMessage() for record in caplog.records] == ["caf%E9.png: broken"]
