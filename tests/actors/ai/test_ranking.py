import pytest

from actors.ai.ranking import ranked


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("The new index cuts retrieval latency by three quarters.", True),
        ("Andorra runs the new index on every one of its servers.", True),
        ("And the new index cuts retrieval latency by three quarters.", False),
        ("But nobody had measured the latency of retrieval before.", False),
        ("Orchard Tokenizer 2.1 does: encode_batch now returns objects.", False),
    ],
)
def test_a_sentence_that_leans_on_the_one_before_is_no_statement(sentence: str, expected: bool) -> None:
    (only,) = ranked(sentence)
    assert only.is_statement is expected
