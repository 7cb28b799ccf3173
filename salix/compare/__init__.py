"""Comparison of models by what they look at, region by region, from rows alone.

After the published description of IMACS (Schoop et al., 2022, arXiv:2201.11196), whose settings
are not known: the settings here are Salix's own.
"""

from salix.compare.causal import CausalCheck
from salix.compare.claims import ComparisonHeadline, headline
from salix.compare.comparison import Comparison
from salix.compare.differences import ConceptDifference, concept_differences
from salix.compare.export import write_tables
from salix.compare.from_runs import compare
from salix.compare.header import comparison_header
from salix.compare.null_panel import NullPanel, SeedPair
from salix.compare.quality import ModelQuality
from salix.compare.ranking import RankingStability
from salix.compare.reading import read_regions
from salix.compare.region_table import RegionTable
from salix.compare.shares import concept_shares
from salix.compare.slices import ImageSlice

__all__ = [
    "CausalCheck",
    "Comparison",
    "ComparisonHeadline",
    "ConceptDifference",
    "ImageSlice",
    "ModelQuality",
    "NullPanel",
    "RankingStability",
    "RegionTable",
    "SeedPair",
    "compare",
    "comparison_header",
    "concept_differences",
    "concept_shares",
    "headline",
    "read_regions",
    "write_tables",
]
