"""Tables of labels: what is wrong is named with its line."""

import pytest

from server.evaluation.labels import EvaluationError, kind_of, read_labels, read_rows


@pytest.mark.parametrize(
    ("header", "kind"),
    [
        ("first,second,same", "pairs"),
        ("role,person,file,group", "openset"),
        ("file,gender,age", "attributes"),
        ("gender,file", "attributes"),
    ],
)
def test_the_columns_say_what_a_table_is_for(header, kind):
    assert kind_of([header, "…"]) == kind


@pytest.mark.parametrize("lines", [[], [""], ["name,photo"], ["file"], ['"' + "x" * 200_000]])
def test_a_table_for_nothing_is_refused(lines):
    with pytest.raises(EvaluationError):
        kind_of(lines)


def test_rows_have_the_optional_columns_too():
    rows = read_labels("attributes", ["file,gender,note", "a.jpg,female,x"])
    assert rows == [{"file": "a.jpg", "gender": "female", "age": "", "group": ""}]


@pytest.mark.parametrize(
    ("kind", "lines", "says"),
    [
        ("pairs", ["first,second,same", "a,b,yes"], "line 2: same must be 0 or 1, not 'yes'"),
        ("openset", ["role,person,file", "enrol,p,a", "guest,p,b"], "line 3: role must be one of enrol"),
        ("attributes", ["file,gender", "a,f"], "line 2: gender must be male or female, not 'f'"),
        ("attributes", ["file,gender,age", "a,male,-3"], "line 2: age"),
        ("attributes", ["file,gender,age", "a,male,121"], "line 2: age"),
        ("attributes", ["file,gender,age", "a,male,²"], "line 2: age"),
        ("attributes", ["file,gender", ",male"], "line 2: a value is missing"),
        ("attributes", ["file,gender", "a"], "line 2: a value is missing"),
        ("attributes", ["file,gender", "", "", "a,f"], "line 4: gender"),
        ("attributes", ["file,gender,age", f"a,male,{'9' * 5000}"], "line 2: age"),
        ("attributes", ["file,gender"], "there are no rows"),
        ("attributes", ["file,age", "a,3"], "column gender is missing; needed: file, gender"),
        ("pairs", ["first,second,same", '"' + "x" * 200_000], "line"),
    ],
)
def test_what_is_wrong_is_named(kind, lines, says):
    with pytest.raises(EvaluationError, match=says):
        read_labels(kind, lines)


def test_more_cells_than_columns_are_left_alone():
    assert read_rows(["a,b", "1,2,3"], ["a"], ["b"]) == [{"a": "1", "b": "2"}]
