"""ChaosMining on images and sounds: methods scored by the known place of a foreground."""
