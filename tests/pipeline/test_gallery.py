"""The people a session can recognise, and what changes do to them."""

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import gallery as module
from pipeline import template_index
from pipeline.gallery import Gallery, Person
from server.commands.synthetic_templates import synthetic_templates

TEMPLATES = synthetic_templates(400, 10, seed=5)
PROBES = np.concatenate([TEMPLATES.probes, TEMPLATES.strangers])


def entry(number, template=None, name=None, negatives=None):
    return (
        Person(f"id{number}", name or f"P{number}"),
        TEMPLATES.templates[number if template is None else template],
        negatives,
    )


def build(entries, **more):
    return Gallery.build(entries, 128, "d", **more)


def found(gallery, probe, k=400):
    candidates = gallery.search(probe, k)
    return [(p.id, p.name) for p in candidates.people], candidates.similarities


def assert_same(one, other):
    assert len(one) == len(other)
    assert set(one.people()) == set(other.people())
    for person in other.people():
        assert one.person(person.id) == person
        np.testing.assert_array_equal(one.template(person.id), other.template(person.id))
        np.testing.assert_array_equal(one.negatives(person.id), other.negatives(person.id))
    for probe in PROBES:
        (a, x), (b, y) = found(one, probe), found(other, probe)
        np.testing.assert_allclose(x, y, atol=1e-6)
        assert set(a) == set(b)


numbers = st.integers(0, 11)
changes = st.lists(
    st.tuples(st.dictionaries(numbers, st.tuples(st.integers(0, 399), st.booleans()), max_size=4), st.sets(numbers)),
    max_size=8,
)


@settings(max_examples=60, deadline=None)
@given(changes, st.sampled_from([(0, 0), (3, 6), (5, 100), (1024, 0), (1024, 20_000)]))
def test_any_changes_equal_a_gallery_from_scratch(sequence, limits):
    pending, small = module.PENDING, module.SMALL
    module.PENDING, module.SMALL = limits
    try:
        gallery, truth = Gallery.empty(128, "d"), {}
        for version, (added, gone) in enumerate(sequence, 1):
            entries = [
                entry(n, template, f"N{version}", TEMPLATES.probes[:2] if marked else None)
                for n, (template, marked) in added.items()
            ]
            truth = {n: e for n, e in truth.items() if n not in gone} | dict(zip(added, entries, strict=True))
            gallery = gallery.changed(entries, {f"id{n}" for n in gone}, version)
            assert gallery.version == version
            assert_same(gallery, build(list(truth.values())))
        assert_same(gallery.compacted(), build(list(truth.values())))
    finally:
        module.PENDING, module.SMALL = pending, small


def test_nobody_is_found_among_nobody():
    nobody = Gallery.empty(128, "d")
    assert (len(nobody), list(nobody.people()), nobody.search(PROBES[0], 5).people) == (0, [], ())
    assert (nobody.person("x"), nobody.template("x"), nobody.negatives("x")) == (None, None, None)
    assert_same(nobody.changed([], ["never was here"], 1).compacted(), nobody)


def test_a_change_leaves_the_older_snapshot_as_it_was(monkeypatch):
    monkeypatch.setattr(module, "SMALL", 0)
    old = build([entry(n) for n in range(10)])
    new = old.changed([entry(3, 30, "Ada"), entry(20)], [], 1)
    assert_same(old, build([entry(n) for n in range(10)]))
    assert new.person("id3").name == "Ada"
    assert len(new) == 11


def test_who_is_gone_is_overwritten_in_every_shared_layer(monkeypatch):
    monkeypatch.setattr(module, "SMALL", 0)
    old = build([entry(n, negatives=TEMPLATES.probes[:2]) for n in range(10)])
    replaced = old.changed([entry(3, 30)], [], 1)
    replaced.changed([], ["id3"], 2)
    for gallery in (old, replaced):
        assert not gallery.template("id3").any()
        assert gallery.template("id4").any()
    assert not old.negatives("id3").any()
    assert old.negatives("id4").any()
    assert TEMPLATES.templates[3].any(), "what was handed in is not ours to overwrite"


def test_who_is_gone_from_a_small_gallery_is_overwritten_in_the_one_before():
    old = build([entry(n) for n in range(10)])
    old.changed([], ["id3"], 1)
    assert not old.template("id3").any()
    assert old.template("id4").any()


def test_negatives_follow_their_person_and_are_copies():
    gallery = build([entry(1, negatives=TEMPLATES.probes[:3]), entry(2)])
    gallery = gallery.changed([entry(5)], [], 1).compacted()
    gallery.negatives("id1")[:] = 0
    np.testing.assert_array_equal(gallery.negatives("id1"), TEMPLATES.probes[:3])
    assert gallery.negatives("id2") is None
    assert gallery.changed([entry(1)], [], 2).negatives("id1") is None


def test_guests_are_on_top_and_do_not_see_one_another():
    shared = build([entry(n) for n in range(5)], version=3)
    one, two = build([entry(10)], version=1), build([entry(11), entry(2, 20, "Mine")], version=2)
    first, second = shared.joined(one), shared.joined(two)
    assert {p.id for p in first.people()} == {"id0", "id1", "id2", "id3", "id4", "id10"}
    assert second.person("id10") is None
    assert (second.person("id2").name, len(second), second.version) == ("Mine", 6, 5)
    assert shared.person("id2").name == "P2"
    assert_same(first, build([entry(n) for n in (0, 1, 2, 3, 4, 10)]))
    assert_same(second, build([entry(n) for n in (0, 1, 3, 4, 11)] + [entry(2, 20, "Mine")]))
    assert first._layers[0].index is shared._layers[0].index
    assert_same(shared.joined(Gallery.empty(128, "d")), shared)
    with pytest.raises(ValueError, match="different packs"):
        shared.joined(Gallery.empty(128, "another"))


def test_what_changes_during_compaction_is_carried_over(monkeypatch):
    monkeypatch.setattr(module, "SMALL", 0)
    monkeypatch.setattr(module, "PENDING", 3)
    old = build([entry(n) for n in range(20)]).changed([entry(n, n + 100) for n in range(5)], ["id9"], 1)
    assert old.wants_compaction
    compacted = old.compacted()
    assert not compacted.wants_compaction
    now = old.changed([entry(30), entry(1, 201)], ["id2"], 2).changed([entry(9, 209)], ["id15"], 3)
    rebased = now.rebased(old, compacted)
    assert_same(rebased, now)
    assert rebased.version == 3
    assert len(rebased._layers[-1]) == 3, "only what changed since"
    assert_same(old.rebased(old, compacted), compacted)
    assert now.compacted().rebased(old, compacted).version == 3


@pytest.mark.skipif(not template_index.has_faiss(), reason="faiss is not installed (visavis[large])")
def test_an_approximate_gallery_changes_without_building_an_index(monkeypatch):
    monkeypatch.setattr(module, "SMALL", 0)
    made = synthetic_templates(20_000, 50, seed=6)
    entries = [(Person(str(n), f"P{n}"), t, None) for n, t in enumerate(made.templates)]
    grown = build(entries[:15_000], approximate_above=15_000)
    assert not grown.wants_compaction
    grown = grown.changed(entries[15_000:], [], 1)
    assert grown.wants_compaction
    whole = grown.compacted()
    assert not whole.wants_compaction
    monkeypatch.setattr(template_index.ApproximateIndex, "build", None)  # to be called no more
    start = time.perf_counter()
    moved = whole.changed([(Person("new", "New"), made.strangers[0], None)], [str(made.shown[0])], 2)
    assert time.perf_counter() - start < 0.5
    assert moved.search(made.strangers[0], 1).people == (Person("new", "New"),)
    assert str(made.shown[0]) not in {p.id for p in moved.search(made.probes[0], 400).people}
    right = [moved.search(p, 1).people[0].id == str(n) for p, n in zip(made.probes, made.shown, strict=True)]
    assert np.mean(right[1:]) > 0.95


def test_searches_from_many_threads_while_the_gallery_changes():
    entries = [entry(n) for n in range(200)]
    current = [build(entries)]

    def look(index):
        people = current[0].search(PROBES[index % len(PROBES)], 32).people
        return len(people) == 32 == len(set(people))

    with ThreadPoolExecutor(8) as pool:
        looks = [pool.submit(look, index) for index in range(500)]
        for version in range(100):
            current[0] = current[0].changed([entry(version, name="new")], [f"id{version + 100}"], version)
        assert all(each.result() for each in looks)
    assert len(current[0]) == 100


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([entry(1), entry(1)], "twice"),
        ([(Person("1", "Ada"), np.ones(3, np.float32), None)], "128 numbers"),
        ([(Person("1", "Ada"), np.ones(128, np.float32), None)], "unit length"),
        ([(Person("1", "Ada"), np.full(128, np.nan, np.float32), None)], "unit length"),
        ([entry(1, negatives=np.ones((2, 3), np.float32))], "negatives"),
    ],
)
def test_bad_entries_are_refused(entries, message):
    with pytest.raises(ValueError, match=message):
        build(entries)
    with pytest.raises(ValueError, match=message):
        Gallery.empty(128, "d").changed(entries, [], 1)


def test_bad_questions_are_refused():
    gallery = build([entry(1)])
    with pytest.raises(ValueError, match="128 numbers"):
        gallery.search(np.ones(3, np.float32), 5)
    with pytest.raises(ValueError, match="at least one"):
        gallery.search(PROBES[0], 0)
