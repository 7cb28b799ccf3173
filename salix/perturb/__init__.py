"""Perturbations of images: fills, corruptions, blurs and warps."""
