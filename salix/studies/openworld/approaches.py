"""Approaches that the study compares: a loss, and how its network names the images."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from salix.studies.openworld.baselines import ContrastiveDiscovery, SelfLabelling
from salix.studies.openworld.data import OpenWorldSetting
from salix.studies.openworld.experiment import OpenWorldTrial
from salix.studies.openworld.losses import CPL
from salix.studies.openworld.protocol_files import ProtocolSetting
from salix.studies.openworld.training import SUPERVISED, BatchLoss, OpenWorldTraining

# Rows of clusters of the features of the network of "CE".
CLUSTERED = "CE, k-means"
SEMI_SUPERVISED = "CE, semi-supervised k-means"
ESTIMATED = "CE, number of classes estimated"


@dataclass(frozen=True)
class Approach:
    """A loss after the labels, iterations with pseudo-labels, and whether clusters are the result.

    Otherwise the classifier is.
    """

    loss: BatchLoss
    iterations: int = 0
    clustered: bool = False

    def trial(
        self,
        faces: str,
        setting: OpenWorldSetting | ProtocolSetting,
        training: OpenWorldTraining,
        *,
        seed: int,
    ) -> OpenWorldTrial:
        """Return the trial of this approach on faces of an origin."""
        return OpenWorldTrial(faces, setting, self.loss, training, seed, self.iterations)


# The entropy belongs to the losses that learn from unlabelled images.
APPROACHES: Mapping[str, Approach] = MappingProxyType(
    {
        "CE": Approach(SUPERVISED),
        "CE + GLV": Approach(CPL(pseudo=0)),
        "CE + CSP": Approach(CPL(voting=0)),
        "CPL": Approach(CPL()),
        "CPL, weight detached": Approach(CPL(detached=True)),
        "CPL, iterated": Approach(CPL(), iterations=1),
        "self-labelling": Approach(SelfLabelling()),
        "GCD-style": Approach(ContrastiveDiscovery(), clustered=True),
    }
)
