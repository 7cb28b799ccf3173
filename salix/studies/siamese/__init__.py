"""Similarity of two inputs by a Siamese encoder, attributed to pairs of their parts."""

from salix.studies.siamese.attribution import PairAttribution
from salix.studies.siamese.pairs import ExplainedPair, attribute

__all__ = ["ExplainedPair", "PairAttribution", "attribute"]
