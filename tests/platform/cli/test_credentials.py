"""Passwords and tokens of addresses are in nothing that a command prints, and in no file that it writes."""

SECRET = "S3cret"


def found_in(folder):
    return [path for path in folder.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]


def test_nothing_shows_the_credentials_of_a_tracking_server(texprior, write, runs, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://me:{SECRET}@127.0.0.1:9/a?token={SECRET}")
    short = {"space": {"adapter.cga.kernel": [1, 3]}, "metric": "psnr_rgb", "trials": 1, "confirm": {"top": 0}}
    file = write(events=["mlflow"], sweep=short)
    answers = [
        texprior("sweep", file, "--json"),
        texprior("doctor"),
        texprior("doctor", "--json"),
        texprior("ui"),
        texprior("runs", "unsent", "--json"),
        texprior("runs", "resend", "--json"),
    ]
    assert [answer.code for answer in answers] == [0, 1, 1, 0, 0, 1]
    assert "cannot be reached" in answers[0].err
    assert "http://me:***@127.0.0.1:9/a?token=***" in answers[2].out
    assert [a for a in answers if SECRET in a.out + a.err] == []
    assert found_in(runs) == []


def test_nothing_shows_the_password_of_a_storage(texprior, write, runs):
    server = "127.0.0.1:1/x"
    for user, query in ((f"me:{SECRET}@", ""), ("", f"?password={SECRET}")):
        answer = texprior("sweep", write(), "--storage", f"postgresql+psycopg://{user}{server}{query}", "--json")
        assert answer.code == 2
        assert "cannot be used" in answer.err
        assert SECRET not in answer.out + answer.err
    assert found_in(runs) == []


def test_an_experiment_holds_no_password_because_it_is_stored(texprior, write, runs):
    for address in (f"http://me:{SECRET}@h:1", f"postgresql://h/x?password={SECRET}"):
        answer = texprior("prior", write(events=[{"mlflow": {"tracking_uri": address}}]), "--dry-run")
        assert answer.code == 2
        assert (
            "events.mlflow.tracking_uri: an experiment is stored with every run, so it must hold no password"
            in answer.err
        )
        assert SECRET not in answer.out + answer.err
