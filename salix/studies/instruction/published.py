"""Published densities of instructions: Wu et al. (2024), arXiv:2310.00492, tables 1 and 2."""

# Sets by the beginning of the names of their prompts; other names are of MT-Bench.
SETS = {"user": "Self-Instruct", "lima": "LIMA"}
# Means of answers that do not follow the instruction and of those that do, of Vicuna.
FOLLOWED = {
    "Self-Instruct": (0.8917, 1.2283),
    "LIMA": (1.2799, 1.6173),
    "MT-Bench": (0.9290, 1.4584),
}
# Means before tuning, of LLaMA, and after, of Vicuna.
TUNED = {
    "Self-Instruct": (0.9394, 1.1302),
    "LIMA": (1.2683, 1.5579),
    "MT-Bench": (1.1777, 1.3440),
}
