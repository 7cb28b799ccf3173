"""From the rows of runs to numbers: summary, differences, agreement, subsets, series.

`analyse(runs)` is the entry; its parts are computed when they are first used.
"""

from salix.analysis.agreement import (
    RunSimilarity,
    SharedMaps,
    group_agreement,
    run_similarity,
    shared_maps,
)
from salix.analysis.analysis import Analysis, analyse
from salix.analysis.columns import TableColumn
from salix.analysis.cose import CoseScores, cose_score, cose_scores
from salix.analysis.differences import compare_all
from salix.analysis.frame import Frame
from salix.analysis.leaderboard import Leaderboard
from salix.analysis.map_motion import (
    RunVideoMaps,
    VideoMaps,
    measure_maps,
    run_video_maps,
    video_maps,
)
from salix.analysis.method_ranking import MethodRanking
from salix.analysis.run_metrics import DatasetMetric, column_mean, dataset_metrics
from salix.analysis.run_stability import Stability, cross_stability, stability
from salix.analysis.series import Series, find_series
from salix.analysis.significance import Difference, Differences
from salix.analysis.subset_split import subset_names
from salix.analysis.subset_tables import SubsetTable, subset_table
from salix.analysis.summary import GroupSummary, RunSummary, Summary, summarise, summary_rows

__all__ = [
    "Analysis",
    "CoseScores",
    "DatasetMetric",
    "Difference",
    "Differences",
    "Frame",
    "GroupSummary",
    "Leaderboard",
    "MethodRanking",
    "RunSimilarity",
    "RunSummary",
    "RunVideoMaps",
    "Series",
    "SharedMaps",
    "Stability",
    "SubsetTable",
    "Summary",
    "TableColumn",
    "VideoMaps",
    "analyse",
    "column_mean",
    "compare_all",
    "cose_score",
    "cose_scores",
    "cross_stability",
    "dataset_metrics",
    "find_series",
    "group_agreement",
    "measure_maps",
    "run_similarity",
    "run_video_maps",
    "shared_maps",
    "stability",
    "subset_names",
    "subset_table",
    "summarise",
    "summary_rows",
    "video_maps",
]
