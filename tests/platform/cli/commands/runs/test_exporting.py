"""``texprior runs export``: evaluations, trials and arms as tables."""

import csv
import io


def rows_of(answer):
    assert answer.code == 0, answer.err
    return list(csv.DictReader(io.StringIO(answer.out)))


def test_evaluations_by_method(ask):
    rows = rows_of(ask("export", "first", "second", "--format", "csv"))
    assert [(r["run"], r["method"]) for r in rows] == [
        (name, method) for name in ("first", "second") for method in ("degraded", "restored 4 calls")
    ]
    assert [float(r["psnr_rgb"]) for r in rows] == [25, 30.0625, 25, 30.2625]
    assert float(rows[1]["psnr_rgb low"]) < 30.0625 < float(rows[1]["psnr_rgb high"])
    assert {r["pictures"] for r in rows} == {"8"}


def test_without_a_run_all_evaluations_that_have_scores(ask):
    answer = ask("export", "--format", "csv")
    assert {r["run"] for r in rows_of(answer)} == {"first", "second"}
    assert "'failed' is left out: no scores.csv is stored with it (failed)" in answer.err
    assert ask("export", "--experiment", "other").code == 2


def test_json_is_not_written_to_a_file(ask, tmp_path):
    answer = ask("export", "first", "--json", "-o", str(tmp_path / "a.json"))
    assert answer.code == 2
    assert "leave -o out" in answer.err


def test_the_trials_of_a_sweep_with_what_they_searched(ask):
    rows = rows_of(ask("export", "sweep", "--format", "csv"))
    assert [(r["trial"], r["adapter.cga.kernel"], r["psnr_rgb"]) for r in rows] == [
        ("trial 0", "1", "30.0625"),
        ("trial 1", "3", "31.0625"),
    ]
    assert "val.psnr_rgb" not in rows[0]
    assert "| trial 1 | finished | 3 | **31.06** | 4 |" in ask("export", "sweep").out


def test_the_arms_of_an_ablation_with_their_differences(ask):
    latex = ask("export", "ablation", "--format", "latex").out
    assert r"wide & $\mathbf{30.25} \pm 0.5$ & $0.25 [-0.1, 0.6]$ \\" in latex
    assert r"plain\_50\% & $30 \pm 0.5$ & -- \\" in latex
    (table,) = ask("export", "ablation", "--json").json
    assert table["better"] == {"psnr_rgb": "higher", "psnr_rgb - plain_50%": ""}


def test_several_tables_are_one_text_but_no_csv(ask):
    text = ask("export", "first", "ablation", "--format", "markdown").out
    assert "Evaluations; ± standard error" in text
    assert "Arms of ablation; ± standard error" in text
    answer = ask("export", "first", "ablation", "--format", "csv")
    assert answer.code == 2
    assert "these are several tables ('Evaluations', 'Arms of ablation')" in answer.err


def test_a_run_with_nothing_to_export_is_a_sentence(ask, recorded):
    answer = ask("export", "first", "prior-a")
    assert (answer.code, answer.out) == (2, "")
    assert f"no scores, trials or arms are stored with {recorded.ids['prior-a'][:8]} 'prior-a'" in answer.err


def test_a_file_instead_of_stdout(ask, tmp_path):
    answer = ask("export", "first", "--format", "latex", "-o", tmp_path / "table.tex")
    assert (answer.code, answer.out) == (0, "")
    assert r"\bottomrule" in (tmp_path / "table.tex").read_text()
