"""Layouts of published data sets: files whose labels, masks and groups follow from their places."""
