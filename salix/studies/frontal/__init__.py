"""Frontal faces from faces at an angle by TP-GAN, and the part of identity in them."""
