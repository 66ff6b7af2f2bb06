"""The rows of the comparison: names, ratios to reach, and what they need exists."""

import os

import pytest
import suite
from suite.measures import MEASURES
from suite.rows import NETWORKS, ROWS, UNSEEN, UNSEEN_MARGIN, chosen_rows

WORKLOADS = os.path.join(os.path.dirname(os.path.dirname(suite.__file__)), "workloads")


def test_names_are_unique():
    names = [row.name for row in ROWS]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_row_can_be_measured(row):
    assert row.measure in MEASURES
    assert not row.network or row.network in NETWORKS
    assert row.aim is None or row.aim < row.reach


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_has_a_script_that_takes_its_sizes(name):
    network = NETWORKS[name]
    with open(os.path.join(WORKLOADS, f"{network.script}.py")) as file:
        text = file.read()
    for option in network.sizes:
        assert f"{option.lstrip('-').partition('=')[0]}=" in text


def test_unseen_sizes_may_miss_by_the_margin():
    for name, network in UNSEEN.items():
        known = NETWORKS[name.partition("-")[0]]
        assert network.reach == pytest.approx(known.reach + UNSEEN_MARGIN)
    sizes = {option for network in UNSEEN.values() for option in network.sizes}
    assert sizes >= {"--channels=24", "--channels=48", "--channels=100", "--height=30",
                     "--height=50", "--breadth=70", "--width=300", "--sequence=100"}


def test_chosen_rows_keep_the_order_of_the_table():
    assert [row.name for row in chosen_rows(["gpt", "cnn"])] == ["cnn", "gpt"]
    with pytest.raises(ValueError, match="and the groups training, inference, epoch"):
        chosen_rows(["nonsense"])
