"""Each fault of the previous version, and the tests that would find it."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent
STUB = "test_an_ai_error_does_not_become_stub_text_marked_completed_as_in_the_earlier_version"
FAULTS = {
    "items whose fetch failed stayed pending for ever and were never queued again": [
        "sources/test_ingest_pull.py::test_items_whose_job_was_lost_are_queued_again_and_given_up_in_the_end"
    ],
    "a half-done item could never be retried": [
        "sources/test_fetch_content.py::test_what_may_pass_is_tried_again_and_ends_in_its_reason",
        "sources/test_fetch_content.py::test_an_item_that_failed_at_first_becomes_a_story_later",
    ],
    "enqueue and write were separate, so that a crash between them lost work at every hop": [
        "sources/test_ingest_pull.py::test_a_crash_between_marking_and_sending_marks_nothing",
        "sources/test_ingest_source.py::test_a_crash_between_storing_and_sending_stores_nothing",
        "sources/test_fetch_content.py::test_a_crash_between_storing_and_sending_stores_nothing",
        "insights/test_analyze_story.py::test_an_enqueue_is_never_apart_from_its_write_as_in_the_earlier_version",
        "test_every_hop.py::test_an_enqueue_is_never_apart_from_its_write_at_any_hop_as_in_the_earlier_version",
    ],
    "score-relevance raced extract-highlights and found none": [
        "insights/test_highlight_chain.py::test_score_relevance_does_not_race_extract_highlights_as_in_the_earlier_version"
    ],
    "a retry doubled the highlights": [
        "insights/test_highlight_chain.py::test_a_retry_does_not_double_the_highlights_as_in_the_earlier_version"
    ],
    "concurrency was a batch run one by one where one failure re-ran all": [
        "sources/test_fetch_content.py::test_one_failure_does_not_run_the_others_again"
    ],
    "an AI error became stub text marked completed": [f"insights/test_analyze_story.py::{STUB}"],
    "stub vectors were labelled with the real model": [
        "ai/test_local.py::test_embeddings_carry_their_true_name_unlike_those_of_the_earlier_version"
    ],
    "retries nested to 36 attempts": [
        "ai/test_openai.py::test_each_refusal_has_one_meaning_and_retries_do_not_nest_to_36_as_in_the_earlier_version"
    ],
    "two workers made two stories of one text": [
        "sources/test_filing_stories.py::test_workers_at_the_same_time_make_one_story_of_one_text"
    ],
    "the keyword rag matched storage": [
        "insights/test_relevance_formula.py::test_keyword_rag_does_not_match_storage_as_in_the_earlier_version"
    ],
    "authority was never used": [
        "insights/test_relevance_formula.py::test_authority_is_used_which_the_earlier_version_never_did"
    ],
    "the feed was polled unconditionally every 5 minutes": [
        "sources/test_polling_manners.py::test_a_feed_is_asked_conditionally_with_what_it_sent_verbatim",
        "sources/test_polling_manners.py::test_how_often_a_source_is_asked_follows_how_often_it_publishes",
    ],
    "bad dates raised": ["engine/test_feeds.py::test_an_unreadable_date_is_none"],
    "Atom with several links gave no URL": [
        "engine/test_feeds.py::test_an_atom_entry_with_several_links_gives_the_page"
    ],
    "RSS 1.0 was ignored": ["engine/test_feeds.py::test_rss_1_0_is_read"],
    "timeouts ended at the headers": [
        "engine/test_fetch_limits.py::test_a_server_that_drips_for_ever_is_left_at_the_deadline"
    ],
    "one-off URLs could reach private addresses": [
        "sources/test_fetch_content.py::test_a_private_address_of_a_oneoff_is_refused"
    ],
    "no cost was recorded": [
        "ai/test_openai.py::test_every_call_is_recorded_with_tokens_and_cost_which_the_earlier_version_never_did"
    ],
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_of_the_earlier_version_has_a_test_that_names_it(fault: str) -> None:
    is_named = False
    for name in FAULTS[fault]:
        path, _, test = name.partition("::")
        _, found, rest = (HERE / path).read_text(encoding="utf-8").partition(f"def {test}(")
        assert found, name
        is_named |= "earlier version" in (test.replace("_", " ") + rest.partition("\ndef ")[0]).lower()
    assert is_named
