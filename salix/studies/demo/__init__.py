"""Demo: detectors of forged faces trained with and without reference masks, swept and compared."""
