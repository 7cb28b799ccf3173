"""A planted shift: detectors trained on two generators of forged faces, compared by regions."""
