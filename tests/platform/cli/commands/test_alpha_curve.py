"""``texprior alpha-curve``: the poster's figure."""

import csv
import importlib

import pytest
from PIL import Image

from texprior.flow.image import load_image

QUIET = ("--set", "events=[]", "--set", "threads=1")


def rows(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def curve(texprior, pictures, tmp_path_factory):
    """(answer, folder) of the command on two pictures, with two decompositions at three shares."""
    folder = tmp_path_factory.mktemp("curve")
    two = ["--with", "guided", "--with", "{guided: {eps: 0.05}}", "--alphas", "1,0.1,0.5"]
    return texprior("alpha-curve", pictures / "val", "-o", folder, *two, *QUIET, "--json"), folder


def test_scores_are_those_of_the_pictures_that_decompose_writes(texprior, pictures, curve, tmp_path):
    answer, folder = curve
    assert answer.code == 0, answer.err
    for label, named in {"guided eps=0.01": "guided", "guided eps=0.05": "{guided: {eps: 0.05}}"}.items():
        made = tmp_path / label
        shares = [part for alpha in ("0.1", "0.5", "1") for part in ("--alpha", alpha)]
        assert texprior("decompose", pictures / "val", "--with", named, *shares, "-o", made).code == 0
        for metric in ("niqe", "brisque"):
            module = importlib.import_module(f"texprior_plugins.metric.{metric}")
            score = getattr(module, metric.capitalize())(None)
            for alpha in ("0.1", "0.5", "1"):
                found = {
                    row["picture"]: float(row["value"])
                    for row in rows(folder / "alpha-curve.csv")
                    if (row["decomposition"], row["metric"], row["alpha"]) == (label, metric, alpha)
                }
                expected = {
                    name: score(load_image(made / f"{name}-alpha-{alpha}.png")[None], None).item()
                    for name in ("chelsea", "china")
                }
                assert found == pytest.approx(expected, rel=1e-5)


def test_means_intervals_and_counts_can_be_redone_from_the_table(curve):
    answer, folder = curve
    document, table = answer.json, rows(folder / "alpha-curve.csv")
    assert document["alphas"] == [0.1, 0.5, 1]
    assert document["better"] == {"niqe": "lower", "brisque": "lower"}
    assert len(table) == 2 * 3 * 2 * 2
    for label, metrics in document["curves"].items():
        for metric, points in metrics.items():
            values = [
                [
                    float(r["value"])
                    for r in table
                    if (r["decomposition"], r["metric"], r["alpha"]) == (label, metric, a)
                ]
                for a in ("0.1", "0.5", "1")
            ]
            assert [p["mean"] for p in points] == pytest.approx([sum(v) / 2 for v in values], rel=1e-5)
            # two pictures have no interval
            assert {(p["low"], p["high"]) for p in points} == {(None, None)}
            change = document["change"][label][metric]
            assert change["wins"] == sum(b < a for a, b in zip(values[0], values[2], strict=True))
            assert change["difference"]["mean"] == pytest.approx(points[2]["mean"] - points[0]["mean"], rel=1e-4)
    # all of the texture is the picture, whatever the decomposition
    whole = {label: metrics["niqe"][2]["mean"] for label, metrics in document["curves"].items()}
    assert len(set(whole.values())) == 1


def test_the_figure_is_a_picture_with_a_row_for_each_decomposition(curve):
    answer, folder = curve
    with Image.open(answer.json["figure"]) as figure:
        assert figure.format == "PNG"
        assert figure.width == 1100  # 5 inches for each of two metrics
        assert figure.height > figure.width
    assert answer.json["figure"] == str(folder / "alpha-curve.png")


def test_a_run_for_each_decomposition_holds_the_curve_and_the_files(texprior, in_study, pictures, tmp_path):
    from mlflow import MlflowClient

    options = ["--with", "guided", "--with", "l0", "--alphas", "0.1,1", "--metrics", "niqe", "--set", "threads=1"]
    answer = texprior("alpha-curve", pictures / "val" / "china.png", *options, "-o", tmp_path, "--json")
    assert answer.code == 0, answer.err
    client = MlflowClient(f"sqlite:///{in_study.runs / 'mlflow.db'}")
    assert {place["experiment"] for place in answer.json["runs"].values()} == {"alpha-curve"}
    for label, place in answer.json["runs"].items():
        run = client.get_run(place["run_id"])
        assert (run.info.run_name, run.info.status) == (label, "FINISHED")
        assert float(run.data.params[{"guided": "decomposition.guided.eps", "l0": "decomposition.l0.lam"}[label]]) > 0
        assert run.data.tags["texprior.component.decomposition"].startswith(f"texprior/{label}==")
        history = {m.step: m.value for m in client.get_metric_history(place["run_id"], "niqe")}
        points = answer.json["curves"][label]["niqe"]
        assert history == pytest.approx({10: points[0]["mean"], 100: points[1]["mean"]})
        assert run.data.metrics["niqe/improved"] == answer.json["change"][label]["niqe"]["wins"]
        assert {"alpha-curve.png", "alpha-curve.csv"} <= {f.path for f in client.list_artifacts(place["run_id"])}


def test_a_broken_picture_is_named_and_the_rest_are_done(texprior, pictures, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    command = ["alpha-curve", broken, pictures / "val", "-o", tmp_path / "out", "--alphas", "0.1,1", *QUIET]
    answer = texprior(*command, "--metrics", "brisque")
    assert answer.code == 1
    assert "broken.png: this is not a picture that can be read" in answer.err
    assert {row["picture"] for row in rows(tmp_path / "out" / "alpha-curve.csv")} == {"chelsea", "china"}
    assert "guided" in answer.out
    none = texprior("alpha-curve", broken, "-o", tmp_path / "none", *QUIET)
    assert (none.code, none.out) == (1, "")
    assert "no picture could be scored" in none.err
    assert not (tmp_path / "none" / "alpha-curve.png").exists()


def test_a_picture_that_one_metric_cannot_score_counts_for_the_others(texprior, pictures, tmp_path):
    with Image.open(pictures / "val" / "china.png") as image:
        image.crop((0, 0, 80, 80)).save(tmp_path / "small.png")
    command = ["alpha-curve", tmp_path / "small.png", pictures / "val", "-o", tmp_path / "out", "--alphas", "0.1,1"]
    answer = texprior(*command, *QUIET, "--json")
    assert answer.code == 0, answer.err
    assert answer.json["pictures"] == {"niqe": ["chelsea", "china"], "brisque": ["small", "chelsea", "china"]}
    assert answer.err.count("no score of niqe") == 1
    assert "small.png: niqe: a picture of 80x80 px is too small" in answer.err


@pytest.mark.parametrize(
    ("options", "fragment"),
    [
        (["--with", "guidd"], "there is no decomposition 'guidd'; did you mean 'guided'?"),
        (["--with", "guided", "--with", "{guided: {eps: 0.01}}"], "guided is named twice with the same options"),
        (["--metrics", "psnr"], "metric 'psnr' does not score a picture without a reference; these do: brisque, niqe"),
        (["--metrics", "kernel_distance_mobilenet_v2"], "does not score a picture without a reference"),
        (["--metrics", "niqe,niqe"], "metrics.1: niqe is named twice"),
        (["--metrics", "nique"], "there is no metric 'nique'; did you mean 'niqe'?"),
        (["--metrics", "[niqe"], "expected metrics with commas between them"),
        (["--alphas", "0.1"], "at least two are needed, each once"),
        (["--alphas", "0.1,0.1"], "at least two are needed, each once"),
        (["--alphas", "0.1,3"], "each must be a number from 0 to 2"),
        (["--alphas", "0.1,nan"], "each must be a number from 0 to 2"),
        (["--alphas", "a,b"], "expected numbers with commas between them"),
        (["--set", "sampling.steps=3"], "only threads and events can be set here"),
        (["--device", "cuda:99"], "cuda:99 is not there"),
    ],
)
def test_wrong_usage_stops_before_anything_is_written(texprior, pictures, tmp_path, options, fragment):
    answer = texprior("alpha-curve", pictures / "val", "-o", tmp_path / "out", *QUIET, *options)
    assert (answer.code, answer.out) == (2, "")
    assert fragment in answer.err
    assert not (tmp_path / "out").exists()


def test_a_result_never_overwrites_a_picture_that_is_read(texprior, pictures, tmp_path):
    (tmp_path / "alpha-curve.png").write_bytes((pictures / "val" / "china.png").read_bytes())
    before = (tmp_path / "alpha-curve.png").read_bytes()
    answer = texprior("alpha-curve", tmp_path / "alpha-curve.png", "-o", tmp_path, *QUIET)
    assert (answer.code, answer.out) == (2, "")
    assert "the result would overwrite this picture" in answer.err
    assert (tmp_path / "alpha-curve.png").read_bytes() == before


FAULTY = """
from texprior.plugin import Decomposition, Options, hookimpl

class Faulty:
    def __init__(self, options):
        pass

    def __call__(self, image_BCHW):
        raise ZeroDivisionError("no structure")

@hookimpl
def texprior_decompositions():
    return [Decomposition("faulty", f"{__name__}:Faulty", Options, "Fails.")]
"""


def test_what_a_plugin_raises_names_the_plugin_and_the_picture(texprior, pictures, tmp_path):
    file = tmp_path / "faulty_structure.py"
    file.write_text(FAULTY, encoding="utf-8")
    picture = pictures / "val" / "china.png"
    answer = texprior("alpha-curve", picture, "-o", tmp_path / "out", "--with", "faulty", "--plugin", file, *QUIET)
    assert (answer.code, answer.out) == (1, "")
    assert "decomposition 'faulty' failed on" in answer.err
    assert "china.png: ZeroDivisionError: no structure" in answer.err
