"""How what is there is told from what is wanted."""

from nommerctl.domain.stack import Difference, differences, present

LONG = "x" * 200


def test_what_nobody_wants_may_be_there() -> None:
    assert differences({"A": 1, "B": {"C": 2, "D": 3}}, {"B": {"C": 2}}) == ()


def test_a_difference_has_its_path_and_both_values_as_json() -> None:
    assert differences({"A": {"B": "x"}, "L": [1]}, {"A": {"B": "y", "C": True}, "L": [1, 2]}) == (
        Difference("A.B", '"x"', '"y"'),
        Difference("A.C", "", "true"),
        Difference("L", "[1]", "[1,2]"),
    )


def test_what_is_not_to_be_there_is_a_difference_only_where_it_is() -> None:
    assert differences({"A": "x"}, {"A": None}) == (Difference("A", '"x"', ""),)
    assert differences({}, {"A": None}) == ()


def test_a_long_text_is_shown_by_its_digest_and_size() -> None:
    assert differences({"A": LONG}, {"A": "y"}) == (Difference("A", "sha256:9d9613fcb584 (202 bytes)", '"y"'),)


def test_of_long_lists_only_the_elements_that_differ_are_shown() -> None:
    there = [{"Name": LONG, "Size": 1}, {"Name": LONG, "Size": 2}]
    wanted = [{"Name": LONG, "Size": 1}, {"Name": LONG, "Size": 3}]

    assert differences({"A": there}, {"A": wanted}) == (Difference("A.1.Size", "2", "3"),)


def test_statements_of_a_policy_are_told_apart_by_their_names() -> None:
    there = [{"Sid": "Read", "Action": ["a"]}, {"Sid": "Old", "Action": ["b"]}]
    wanted = [{"Sid": "New", "Action": ["c"]}, {"Sid": "Read", "Action": ["a", "d"]}]

    assert differences({"Statement": there}, {"Statement": wanted}) == (
        Difference("Statement.New", "", '{"Action":["c"],"Sid":"New"}'),
        Difference("Statement.Read.Action", '["a"]', '["a","d"]'),
        Difference("Statement.Old", '{"Action":["b"],"Sid":"Old"}', ""),
    )


def test_what_is_not_to_be_there_is_left_out_of_a_call() -> None:
    assert present({"A": None, "B": [{"C": None, "D": 1}], "E": {"F": None}}) == {"B": [{"D": 1}], "E": {}}
