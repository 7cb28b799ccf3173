"""ChaosMining: methods scored by the features that they find among noise, on known formulas."""
