"""Sources of images and labels: folders, tables, shards, arrays, TFDS data sets; batches."""

from salix.data.arrays import Arrays
from salix.data.datasets import Dataset
from salix.data.decode import Unreadable, fit
from salix.data.examples import Examples, ImageExamples, image_example
from salix.data.face_crops import FaceCrops
from salix.data.face_detection import detect_faces
from salix.data.face_detector import FaceDetector
from salix.data.face_rule import FaceRule
from salix.data.feed import Batch, batches, count_batches, image_batches
from salix.data.files import Folder
from salix.data.grouped import Grouped
from salix.data.opening import open_source
from salix.data.packed import Packed
from salix.data.packing import pack
from salix.data.records import Records
from salix.data.shards import Shards
from salix.data.source import Source, id_hash
from salix.data.table import Table
from salix.data.url import Url
from salix.data.views import Joined, Unlabelled

__all__ = [
    "Arrays",
    "Batch",
    "Dataset",
    "Examples",
    "FaceCrops",
    "FaceDetector",
    "FaceRule",
    "Folder",
    "Grouped",
    "ImageExamples",
    "Joined",
    "Packed",
    "Records",
    "Shards",
    "Source",
    "Table",
    "Unlabelled",
    "Unreadable",
    "Url",
    "batches",
    "count_batches",
    "detect_faces",
    "fit",
    "id_hash",
    "image_batches",
    "image_example",
    "open_source",
    "pack",
]
