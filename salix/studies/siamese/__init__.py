"""Similarity of two inputs by a Siamese encoder, attributed to pairs of their parts."""

from salix.studies.siamese.attribution import PairAttribution
from salix.studies.siamese.pairs import Similarity, attribute

__all__ = ["PairAttribution", "Similarity", "attribute"]
