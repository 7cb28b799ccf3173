"""Study of guided training: salience and accuracy of fake-face detectors under four losses."""
