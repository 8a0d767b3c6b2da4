"""What a file and an override may say, how files extend each other, and that no tag runs code."""

import os

import pytest

from texprior.config import load, parse_override
from texprior.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "e.yaml: an experiment is a mapping of keys to values, such as 'name: defocus'"),
        ("# nothing", "e.yaml: an experiment is a mapping"),
        ("- a\n- b", "e.yaml: an experiment is a mapping"),
        ("just words", "e.yaml: an experiment is a mapping"),
        ("name: [", "e.yaml: line 1: "),
        ("name: x\n\tseed: 1", "e.yaml: line 2: found character '\\t' that cannot start any token"),
        ("name: x\nseed: 2024-13-45", "e.yaml: line 2: 2024-13-45: month must be in 1..12"),
        ("name: x\nmetrics: [psnr, !!int abc]", "e.yaml: line 2: abc: invalid literal for int()"),
        ("name: &a [*a]", "e.yaml: the file is nested too deeply, or an anchor contains itself"),
        ("name: " + "[" * 5000, "e.yaml: the file is nested too deeply, or an anchor contains itself"),
        ("name: \0", "e.yaml: "),
        ("extends: e.yaml\nname: x", "e.yaml: the files of 'extends' form a circle: e.yaml -> e.yaml"),
        ("extends: 3\nname: x", "e.yaml:1: extends: expected a file or a list of files (got 3)"),
        ("name: x\nextends:", "e.yaml:2: extends: expected a file or a list of files (got None)"),
        ("extends: none.yaml\nname: x", "none.yaml: there is no such experiment file"),
    ],
)
def test_a_file_that_is_no_experiment_gives_a_sentence(complaint, text, expected):
    assert complaint(text).startswith(expected)


def test_a_path_that_cannot_be_read_gives_a_sentence(tmp_path, registry):
    (tmp_path / "latin.yaml").write_bytes("name: caf\xe9".encode("latin-1"))
    for name, reason in (("none.yaml", "there is no such"), (".", "cannot be read"), ("latin.yaml", "cannot be read")):
        with pytest.raises(ConfigError, match=reason):
            load(tmp_path / name, registry)


@pytest.mark.parametrize("tag", ["!!python/object/apply:os.mkdir", "!!python/object/new:os.mkdir"])
def test_tags_run_no_code(complaint, tmp_path, tag):
    target = tmp_path / "made"
    said = complaint(f"name: x\nseed: {tag} ['{target}']")
    assert said.startswith("e.yaml: line 2: could not determine a constructor for the tag")
    with pytest.raises(ConfigError, match=r"the value is not valid YAML .*could not determine a constructor"):
        parse_override(f"seed={tag} ['{target}']")
    assert not target.exists()


def test_a_file_extends_others_and_says_where_things_came_from(write, registry, complaint):
    write("name: base\nseed: 1\nadapter: {cga: {width: 8, rate: 0.5}}\nsampling: {steps: 9, rho: 5}", "base.yaml")
    write("seed: 2\nsampling: {steps: 3}\nmetrics: [psnr]", "sub/other.yaml")
    path = write("extends: [base.yaml, sub/other.yaml]\nname: x\nadapter: {cga: {width: 16}}")
    e = load(path, registry)
    assert (e.name, e.seed, e.sampling.steps, e.sampling.rho) == ("x", 2, 3, 5.0)
    assert e.adapter.options == {"width": 16, "rate": 0.5, "mode": "add"}
    assert [m.name for m in e.metrics] == ["psnr"]
    write("name: base\nsampling:\n  steps: -1", "bad.yaml")
    assert complaint("extends: bad.yaml").startswith("bad.yaml:3: sampling.steps: ")


def test_a_circle_of_files_is_told(write, complaint):
    write("extends: e.yaml", "b.yaml")
    assert complaint("extends: b.yaml") == "e.yaml: the files of 'extends' form a circle: e.yaml -> b.yaml -> e.yaml"


@pytest.mark.parametrize("text", ["sampling.steps", "=3", "a=[", "", "seed=2024-13-45"])
def test_an_override_of_another_form_gives_a_sentence(text):
    with pytest.raises(ConfigError, match=f"^--set {text.replace('[', '.')}: ") as caught:
        parse_override(text)
    assert caught.value.exit_code == 2


def test_an_override_is_read_as_yaml():
    assert parse_override("a.b=3") == ("a.b", 3)
    assert parse_override("a=x=y") == ("a", "x=y")
    assert parse_override("a={b: [1, two]}") == ("a", {"b": [1, "two"]})
    assert parse_override("a=") == ("a", None)


NINE = range(9)
LISTS = "a0: &a0 [x]\n" + "".join(f"a{i + 1}: &a{i + 1} [{', '.join([f'*a{i}'] * 9)}]\n" for i in NINE)
MAPPINGS = "a0: &a0 {x: 1}\n" + "".join(f"a{i + 1}: &a{i + 1} {{p: *a{i}, q: *a{i}}}\n" for i in range(40))
MERGES = "a0: &a0 {x: 1}\n" + "".join(f"a{i + 1}: &a{i + 1} {{<<: [{', '.join([f'*a{i}'] * 9)}]}}\n" for i in NINE)
CHAIN = "a0: &a0 [x]\n" + "".join(f"a{i + 1}: &a{i + 1} [*a{i}]\n" for i in range(90))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (LISTS, "line 6: this stands for more than 50,000 values, with its aliases"),
        (MAPPINGS, "line 15: this stands for more than 50,000 values, with its aliases"),
        (MERGES, "line 6: this stands for more than 50,000 values, with its aliases"),
        (CHAIN, "the file is nested too deeply"),
        ("name: " + "[" * 100 + "]" * 100, "the file is nested too deeply"),
        ("name: x\nseed: " + "9" * 5000, "line 2: a number has 5,000 characters"),
        ("name: x\nseed: 1" + ":59" * 3000, "line 2: a number has 9,001 characters"),
        ("name: x\nseed: !!timestamp then", "line 2: then: this is no timestamp"),
        ("name: x\nseed: !!bool perhaps", "line 2: perhaps: this is no bool"),
        ("name: x\nseed: !!int ''", "line 2: : "),
        ("name: x\ndata: a\0b", "line 2: character 0x0000: special characters are not allowed"),
        ("name: '" + "x" * 2**18 + "'", "262,152 characters are more than 262,144"),
        ('name: x\nextends: "a\\0b"', r"a\x00b: this cannot be a file (ValueError: embedded null byte)"),
    ],
    ids=lambda text: text[:20],
)
def test_what_would_take_all_memory_or_hours_is_told_at_once(complaint, text, expected):
    assert complaint(text).removeprefix("e.yaml: ").startswith(expected)


def test_a_name_of_thousands_of_characters_is_cut(registry):
    with pytest.raises(ConfigError, match=r"^x{500}\.\.\. \(5000 characters\): the experiment file cannot be read"):
        load("x" * 5000, registry)


def test_aliases_within_reason_are_read(write, registry):
    path = write("name: x\nmetrics: &m [psnr]\nsweep: {space: {sampling.steps: &s [1, 2], sampling.rho: *s}}")
    assert load(path, registry).sweep.space["sampling.rho"] == [1, 2]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_a_pipe_or_device_is_not_waited_for(tmp_path, registry):
    os.mkfifo(tmp_path / "pipe.yaml")
    for path in (tmp_path / "pipe.yaml", "/dev/zero"):
        with pytest.raises(ConfigError, match="it is a pipe or a device, not a file"):
            load(path, registry)


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path, registry):
    (tmp_path / "e.yaml").write_bytes(b"\xef\xbb\xbfname: x\nevents: []\nmetrics: [psnr]")
    assert load(tmp_path / "e.yaml", registry).name == "x"
    (tmp_path / "e.yaml").write_bytes("name: x".encode("utf-16"))
    with pytest.raises(ConfigError, match="it is not text in UTF-8"):
        load(tmp_path / "e.yaml", registry)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a=" + "[" * 3000, "the file is nested too deeply"),
        ("a=&a [*a]", "the file is nested too deeply"),
        ("a=" + "9" * 10**6, "1,000,000 characters are more than 262,144"),
        ("a=" + "9" * 10**5, "a number has 100,000 characters"),
        ("a." * 3000 + "a=1", "the path has more than 64 parts"),
        ("a\n" * 3000, "expected PATH=VALUE"),
    ],
    ids=lambda text: text[:10],
)
def test_a_long_or_deep_override_gives_a_short_sentence(text, reason):
    with pytest.raises(ConfigError, match=reason) as caught:
        parse_override(text)
    assert len(str(caught.value)) < 250
    assert "\n" not in str(caught.value)
