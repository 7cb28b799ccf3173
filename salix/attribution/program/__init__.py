"""The program of a score as a graph of primitives, for attribution by rules.

`trace` returns the graph, `propagate` walks it forward and backward with the rules of a method.
A primitive without a rule is an `InputError`, never a silent gradient.
"""

from salix.attribution.program.graph import Node
from salix.attribution.program.reference_rules import explain_difference
from salix.attribution.program.relevance import LayerRules, explain_relevance
from salix.attribution.program.relevance_rules import FIRST_RULES, LAYER_RULES, RelevanceOptions
from salix.attribution.program.relu import explain_by_relu
from salix.attribution.program.tracing import trace
from salix.attribution.program.walk import propagate

__all__ = [
    "FIRST_RULES",
    "LAYER_RULES",
    "LayerRules",
    "Node",
    "RelevanceOptions",
    "explain_by_relu",
    "explain_difference",
    "explain_relevance",
    "propagate",
    "trace",
]
