"""The folders of models, and the sections of their cards."""


def test_a_section_of_a_card_is_replaced_and_its_surroundings_stay(tmp_path):
    from texprior.models.folders import put_section

    card = tmp_path / "README.md"
    card.write_text("# Title\n\n## First\n\nold\n\n## Last\n\nend\n", encoding="utf-8")
    put_section(card, "First", "new\n")
    put_section(card, "Scores", "1\n")
    put_section(card, "Scores", "2\n")
    expected = "# Title\n\n## First\n\nnew\n\n## Last\n\nend\n\n## Scores\n\n2\n"
    assert card.read_text(encoding="utf-8") == expected
