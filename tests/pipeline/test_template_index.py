"""Finding the nearest templates: exactly, and among very many approximately."""

import logging
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from click.testing import CliRunner

from pipeline import template_index
from pipeline.template_index import ApproximateIndex, ExactIndex, build_index
from server.commands.bench import bench
from server.commands.synthetic_templates import synthetic_templates

needs_faiss = pytest.mark.skipif(not template_index.has_faiss(), reason="faiss is not installed (visavis[large])")


@pytest.fixture(scope="module")
def made():
    return synthetic_templates(50_000, 200, seed=3)


@pytest.fixture(scope="module")
def approximate(made):
    return ApproximateIndex.build(made.templates)


def small(count=300):
    return synthetic_templates(count, 20, seed=4)


def test_made_up_templates_are_shaped_like_the_open_packs(made):
    strange = made.templates[:1000] @ made.templates[1000:2000].T
    same = (made.probes * made.templates[made.shown]).sum(1)
    assert (strange.mean(), strange.std()) == (pytest.approx(0.833, abs=0.004), pytest.approx(0.035, abs=0.004))
    assert (same.mean(), same.std()) == (pytest.approx(0.952, abs=0.004), pytest.approx(0.016, abs=0.004))
    np.testing.assert_array_equal(small().templates, small().templates)


@pytest.mark.parametrize("k", [1, 7, 299, 300, 500])
def test_exact_search_is_brute_force(k):
    made = small()
    index = ExactIndex(made.templates)
    for probe in made.probes:
        rows, similarities = index.search(probe, k)
        expected = made.templates @ probe
        np.testing.assert_allclose(similarities, np.sort(expected)[::-1][:k], atol=1e-6)
        np.testing.assert_allclose(similarities, expected[rows], atol=1e-6)
        assert len(set(rows.tolist())) == min(k, 300)


def test_exact_search_leaves_hidden_rows_out_without_touching_who_shares_them():
    made = small(5)
    whole = ExactIndex(made.templates)
    part = whole.hiding({0, 3})
    assert sorted(part.search(made.probes[0], 10)[0].tolist()) == [1, 2, 4]
    assert len(whole.search(made.probes[0], 10)[0]) == 5
    assert len(whole.hiding(range(5)).search(made.probes[0], 10)[0]) == 0


@needs_faiss
def test_approximate_search_finds_the_enrolled_and_the_nearest_to_strangers(made, approximate):
    for probes, least in ((made.probes, 0.99), (made.strangers, 0.98)):
        truth = (probes @ made.templates.T).argmax(1)
        found = [approximate.search(probe, 32) for probe in probes]
        assert np.mean([rows[0] == best for (rows, _), best in zip(found, truth, strict=True)]) >= least
        for probe, (rows, similarities) in zip(probes, found, strict=True):
            assert len(rows) == 32
            assert (np.diff(similarities) <= 0).all()
            np.testing.assert_allclose(similarities, made.templates[rows] @ probe, atol=1e-6)


@needs_faiss
def test_approximate_search_from_many_threads_is_the_same(made, approximate):
    alone = [approximate.search(probe, 8)[0].tolist() for probe in made.probes]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda probe: approximate.search(probe, 8)[0].tolist(), made.probes)) == alone


@needs_faiss
def test_approximate_search_leaves_hidden_rows_out_even_if_they_are_the_nearest(made, approximate):
    probe = made.probes[0]
    nearest = np.argsort(-(made.templates @ probe))
    rows, _ = approximate.hiding(nearest[:1000].tolist()).search(probe, 8)
    assert len(rows) == 8
    assert set(rows.tolist()) <= set(nearest[1000:1030].tolist())
    assert approximate.search(probe, 1)[0][0] == nearest[0]


@needs_faiss
def test_erasing_overwrites_template_and_code_of_these_rows_only():
    made = small(5000)
    original = made.templates.copy()
    index = ApproximateIndex.build(made.templates)
    gone = [7, 4999]
    codes = [index._lists.reconstruct(row) for row in range(5000)]
    index.erase(gone)
    others = np.delete(np.arange(5000), gone)
    np.testing.assert_array_equal(index.vectors(others), original[others])
    assert not index.vectors(np.array(gone)).any()
    changed = [row for row in range(5000) if (index._lists.reconstruct(row) != codes[row]).any()]
    assert changed == gone


@needs_faiss
def test_the_number_of_templates_decides_on_the_index():
    templates = small(400).templates
    assert isinstance(build_index(templates, 400), ExactIndex)
    assert isinstance(build_index(templates, 399), ApproximateIndex)


def test_without_faiss_search_is_exact_and_says_so_once(monkeypatch, caplog):
    monkeypatch.setattr(template_index.importlib.util, "find_spec", lambda name: None)
    template_index.has_faiss.cache_clear()
    try:
        with caplog.at_level(logging.WARNING):
            assert isinstance(build_index(small().templates, 10), ExactIndex)
            assert isinstance(build_index(small().templates, 10), ExactIndex)
    finally:
        template_index.has_faiss.cache_clear()
    assert [record.message for record in caplog.records] == [
        "faiss is not installed: large galleries are searched in full, slowly; install visavis[large]"
    ]


def test_bench_search_prints_exact_beside_approximate():
    result = CliRunner().invoke(bench, ["search", "--people", "2000"])
    assert result.exit_code == 0, result.output
    lines = [line.split() for line in result.output.splitlines() if line.split()[0] == "2000"]
    assert ["2000", "faces", "exact"] in [line[:3] for line in lines]
    assert ("approximate" in {line[2] for line in lines}) == template_index.has_faiss()
    assert "made up" in result.output
    assert CliRunner().invoke(bench, ["search", "--people", "0"]).exit_code == 2
