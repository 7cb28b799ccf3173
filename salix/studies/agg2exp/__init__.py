"""Agg²Exp: voxel attributions of 3D segmentation, aggregated by organ over whole scans."""
