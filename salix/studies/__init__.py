"""Studies: the data, training, sweeps and results of each system that Salix implements."""
