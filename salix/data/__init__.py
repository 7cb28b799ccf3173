"""Sources of images and labels: folders, CSV tables, arrays, TensorFlow data sets; batches."""

from salix.data.datasets import Dataset
from salix.data.decode import Unreadable, fit
from salix.data.examples import Examples, ImageExamples, image_example
from salix.data.feed import Batch, batches, count_batches, image_batches
from salix.data.files import Folder, Table
from salix.data.source import Arrays, Joined, Source, Unlabelled, id_hash, open_source

__all__ = [
    "Arrays",
    "Batch",
    "Dataset",
    "Examples",
    "Folder",
    "ImageExamples",
    "Joined",
    "Source",
    "Table",
    "Unlabelled",
    "Unreadable",
    "batches",
    "count_batches",
    "fit",
    "id_hash",
    "image_batches",
    "image_example",
    "open_source",
]
