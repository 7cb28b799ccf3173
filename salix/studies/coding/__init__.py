"""Study of detectors that learn the coding of files instead of faces."""
