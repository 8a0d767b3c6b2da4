"""Digests are those of hashlib, and the names of stored work, which are made of them, do not change."""

import hashlib

from texprior.digests import content_version, digest


def test_a_digest_is_the_sha256_of_bytes_or_of_json(tmp_path):
    assert digest(b"abc", 64) == hashlib.sha256(b"abc").hexdigest()  # FIPS 180-2: ba7816bf...
    assert digest(b"abc") == "ba7816bf8f"
    assert digest({"b": 1, "a": [2]}) == hashlib.sha256(b'{"b": 1, "a": [2]}').hexdigest()[:10]
    assert digest({"b": 1, "a": 2}, sort_keys=True) == digest({"a": 2, "b": 1}, sort_keys=True)
    assert digest({"b": 1, "a": 2}) != digest({"a": 2, "b": 1})


def test_the_version_of_files_is_that_of_their_contents_in_their_order(tmp_path):
    a, b = tmp_path / "a", tmp_path / "b"
    a.write_bytes(b"x")
    b.write_bytes(b"yz")
    assert content_version([a, b]) == f"sha256-{hashlib.sha256(b'xyz').hexdigest()[:16]}"
    assert content_version([b, a]) == f"sha256-{hashlib.sha256(b'yzx').hexdigest()[:16]}"
