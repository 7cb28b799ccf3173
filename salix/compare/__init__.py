"""Comparison of models by what they look at, region by region, from rows alone.

After the published description of IMACS (Schoop et al., 2022, arXiv:2201.11196), whose settings
are not known: the settings here are Salix's own.
"""

from salix.compare.reading import read_regions
from salix.compare.region_table import RegionTable
from salix.compare.shares import concept_shares

__all__ = ["RegionTable", "concept_shares", "read_regions"]
