"""Tests that do not hold yet: still open, shown as expected failures."""

from __future__ import annotations

UNMET: frozenset[tuple[str, str]] = frozenset()
_WAS = frozenset(
    {
        ("test_bombs_answers.py", "test_an_answer_that_is_whole_is_taken"),
        ("test_bombs_answers.py", "test_what_stands_around_a_body_is_bounded_too"),
        ("test_bombs_crowds.py", "test_one_network_does_not_shut_the_door_to_newcomers"),
        ("test_bombs_crowds.py", "test_others_are_answered_while_bombs_go_off"),
        ("test_bombs_crowds.py", "test_slow_peers_do_not_keep_arrivals_waiting"),
        ("test_bombs_crowds.py", "test_slow_peers_do_not_keep_fast_ones_waiting"),
        ("test_bombs_documents.py", "test_a_bomb_beyond_the_list"),
        ("test_bombs_documents.py", "test_a_bomb_that_is_fetched"),
        ("test_bombs_documents.py", "test_what_is_said_about_one_thing_does_not_add_up"),
        ("test_bombs_requests.py", "test_a_body_without_an_announced_length_is_cut_at_the_limit"),
        ("test_bombs_requests.py", "test_a_body_that_is_announced_too_large_is_refused_at_once"),
        ("test_bombs_requests.py", "test_what_follows_a_refusal_is_not_read"),
        ("test_bombs_requests.py", "test_a_file_that_looks_like_boundaries_costs_little"),
        ("test_bombs_requests.py", "test_a_form_of_very_many_fields_is_refused"),
        ("test_bombs_requests.py", "test_a_multipart_body_of_very_many_parts_is_refused"),
        ("test_bombs_requests.py", "test_too_many_header_fields_are_refused"),
        ("test_bombs_types.py", "test_a_wrong_type_is_nobodys_fault"),
        ("test_bombs_types.py", "test_an_inbox_full_of_large_documents_is_read"),
        ("test_bombs_types.py", "test_no_number_breaks_the_inbox"),
        ("test_domains.py", "test_without_the_rule_each_place_has_its_effect"),
        ("test_floods.py", "test_the_fields_tell_an_unverified_client_the_truth"),
        ("test_inspect.py", "test_a_bomb_is_stopped_at_once"),
        ("test_inspect.py", "test_a_tampered_proof_names_the_step"),
        ("test_inspect.py", "test_our_own_come_from_the_database"),
        ("test_inspect.py", "test_proofs_on_the_object_inside_are_judged"),
        ("test_lookup.py", "test_our_own_come_from_the_database"),
    }
)
