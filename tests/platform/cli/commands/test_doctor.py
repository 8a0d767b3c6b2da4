"""``texprior doctor`` on a machine where all is well, and on one where nothing can be written."""


def test_the_doctor_says_what_will_be_used(texprior, runs):
    import torch

    answer = texprior("doctor", "--json")
    assert answer.code == 0, answer.err
    found = answer.json
    assert found["torch"] == torch.__version__
    uri = f"sqlite:///{runs / 'mlflow.db'}"
    assert found["store"] == {"runs": str(runs), "tracking_uri": uri, "writable": True, "unsent": []}
    assert {"name": "texprior/sdpa", "device": "cpu", "reason": ""} in found["attention"]
    assert [p["status"] for p in found["plugins"] if p["distribution"] == "texprior"] == ["loaded"]
    assert all(w["found"] for w in found["weights"] if w["name"] in ("lpips_alex", "niqe", "mobilenet_v2_14"))
    assert found["wrong"] == []
    assert not runs.exists()
    assert "nothing is wrong" in texprior("doctor").out


def test_the_doctor_sees_a_store_that_cannot_be_written(texprior, tmp_path, monkeypatch):
    file = tmp_path / "file"
    file.write_text("x", encoding="utf-8")
    monkeypatch.setenv("TEXPRIOR_RUNS", str(file / "runs"))
    answer = texprior("doctor", "--json")
    assert answer.code == 1
    assert "cannot be written; name another folder in TEXPRIOR_RUNS" in answer.json["wrong"][0]
