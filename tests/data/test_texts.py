"""Compact sequences behave as lists of the same items."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from salix.data.text_buffer import Texts
from salix.data.texts import Categories, Chained, Mapped, repeated

texts = st.lists(st.text() | st.sampled_from(["a", "é", "\ud800", ""]))
labels = st.lists(st.sampled_from([None, 0, 1, True, 1.0, "1", "real", ""]))


def check(compact, items):
    assert isinstance(compact, Sequence)
    assert len(compact) == len(items)
    assert list(compact) == items
    assert [type(x) for x in compact] == [type(x) for x in items]
    assert compact == items == compact == tuple(items)
    assert compact[1:3] == tuple(items[1:3])
    assert compact[::-1] == tuple(items[::-1])
    assert [compact[i] for i in range(-len(items), len(items))] == items + items
    for i in (len(items), -len(items) - 1):
        with pytest.raises(IndexError, match=f"of {len(items)}"):
            compact[i]
    assert compact != [*items, "more"]
    assert compact != "text"


@given(texts)
def test_texts(items):
    check(Texts(iter(items)), items)
    check(Mapped(str.upper, items), [t.upper() for t in items])
    assert hash(Texts(items)) == hash(tuple(items))


@given(labels)
def test_categories(items):
    check(Categories(iter(items)), items)


def test_constants_take_no_memory():
    check(Categories.constant(None, 3), [None] * 3)
    check(Categories.constant("a", 0), [])
    assert Categories.constant(1, 10**15)[10**14] == 1


@given(st.lists(st.lists(st.integers())))
def test_chained(parts):
    check(Chained(parts), [x for part in parts for x in part])


@given(texts)
def test_the_first_repeated_text(items):
    expected = next((t for i, t in enumerate(items) if t in items[:i]), None)
    assert repeated(items) == expected
    assert repeated(iter(items)) == expected


@given(texts)
def test_order_and_repeats_of_texts(items):
    compact = Texts(items)
    order = compact.order()
    ascending = sorted(range(len(items)), key=lambda i: (items[i], i))
    assert (order is None) == (ascending == [*range(len(items))])
    assert order is None or order.tolist() == ascending
    check(compact.take(order), sorted(items))
    assert compact.take(None) is compact
    assert compact.repeats().tolist() == [
        i for i in range(1, len(items)) if items[i] == items[i - 1]
    ]


def test_texts_of_several_pieces_are_taken(monkeypatch):
    monkeypatch.setattr("salix.data.text_buffer.PIECE", 3)
    items = ["é", "", "long enough", "a", "é", "\ud800", "b"]
    taken = Texts(items).take(np.array([6, 0, 0, 5, 1, 2, 4]))
    check(taken, ["b", "é", "é", "\ud800", "", "long enough", "é"])


def test_a_text_takes_its_bytes_and_a_position():
    many = Texts(f"{i:09d}" for i in range(70_000))
    assert many[69_999] == "000069999"
    assert many._ends.dtype == np.uint32
    assert many._ends.nbytes + len(many._bytes) == 70_000 * 13 + 4
