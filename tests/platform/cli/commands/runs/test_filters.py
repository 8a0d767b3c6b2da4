"""The filters of ``runs list`` in MLflow's language."""

import pytest

from texprior.cli.commands.runs import filters
from texprior.errors import ConfigError

DAY_MS = 86_400_000


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("lpips_alex<0.2", "metrics.`lpips_alex` < 0.2"),
        ("a b/c >= 1e-3", "metrics.`a b/c` >= 0.001"),
        ("x!=-2", "metrics.`x` != -2.0"),
    ],
)
def test_a_condition_on_a_metric(text, query):
    assert filters.parse_where(text).query("{}") == query


def test_a_condition_on_the_mean_of_an_arm():
    assert filters.parse_where("x=1").query("mean/{}") == "metrics.`mean/x` = 1.0"


@pytest.mark.parametrize("text", ["", "x", "x<", "x<y", "<1", "x<<1", "a`b<1", "x<nan", "x<1e400"])
def test_what_is_no_condition_is_a_sentence(text):
    with pytest.raises(ConfigError, match="expected a metric, a sign and a number"):
        filters.parse_where(text)


def test_the_forms_of_restored_rows_are_each_named_once_and_keep_braces():
    names = ["restored 4 calls/a", "restored 4 calls/b", "restored {x}/a", "predictor/a", "restored"]
    forms = filters.restored_forms(names)
    assert [form.format("m") for form in forms] == ["restored 4 calls/m", "restored {x}/m"]


def test_ages_and_days():
    now = 1_000_000_000.0
    assert filters.since_ms("3d", now) == 10**12 - 3 * DAY_MS
    assert filters.since_ms("2w", now) == 10**12 - 14 * DAY_MS
    assert filters.since_ms("90m", now) == 10**12 - 5_400_000
    assert filters.since_ms("1970-01-03") == 2 * DAY_MS
    assert filters.since_ms("1970-01-01T02:00+01:00") == 3_600_000
    with pytest.raises(ConfigError, match="--since soon: expected an age"):
        filters.since_ms("soon")


def test_quotes_that_mlflow_cannot_read_are_refused():
    assert filters.tag_query("a b=it's") == 'tags.`a b` = "it\'s"'
    assert filters.tag_query("a=") == "tags.`a` = ''"
    with pytest.raises(ConfigError, match="both kinds of quotes"):
        filters.quoted("'\"")
    with pytest.raises(ConfigError, match="expected KEY=VALUE"):
        filters.tag_query("a")
