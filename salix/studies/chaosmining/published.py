"""Published table of ChaosMining's symbolic data: means over the 15 formulas."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from salix.studies.chaosmining.data import NoiseSetting
from salix.studies.chaosmining.network import NetworkSetting

# Scores of the columns, by the names that `score_network` gives them.
COLUMNS: tuple[str, ...] = ("Pred", "SA", "DL", "IG", "FA", "U SA released", "U IG", "U FA")
# Shi et al. (2024), arXiv:2406.12150, as in the released results: one setting is swept at a time.
# fmt: off
_ROWS = {
    ("default", 0): (.8228, .8216, .6895, .7189, .6653, .4189, .5627, .4901),
    ("noise_features", 0): (.9719, 1, 1, 1, 1, .6013, .8287, .8408),
    ("noise_features", 25): (.9345, .9068, .8293, .8299, .8108, .5668, .7537, .7365),
    ("noise_features", 50): (.8939, .8754, .7778, .7888, .7598, .5167, .6903, .6493),
    ("noise_features", 75): (.8595, .8495, .7316, .7533, .7093, .4688, .6262, .5670),
    ("noise_features", 125): (.7807, .7893, .6435, .6752, .6152, .3610, .4906, .4115),
    ("noise_features", 150): (.7361, .7403, .5775, .6129, .5399, .2971, .4026, .3264),
    ("noise_features", 175): (.7119, .6939, .5297, .5695, .4916, .2517, .3440, .2723),
    ("noise_features", 200): (.6793, .6274, .4621, .5049, .4160, .2190, .2904, .2303),
    ("rows", 2500): (.6837, .5735, .4323, .4686, .3914, .2516, .3122, .2594),
    ("rows", 5000): (.7531, .7425, .5886, .6237, .5540, .3274, .4381, .3624),
    ("rows", 20000): (.8724, .8676, .7559, .7722, .7361, .4735, .6344, .5758),
    ("depth", 2): (.8124, .8147, .6735, .7007, .6477, .4018, .5374, .4637),
    ("depth", 6): (.8556, .8390, .7236, .7449, .7034, .4486, .6018, .5302),
    ("width", 25): (.8703, .8687, .7559, .7718, .7372, .4727, .6218, .5702),
    ("width", 200): (.8198, .8178, .6835, .7098, .6590, .4109, .5534, .4778),
    ("learning_rate", 1e-4): (.7578, .6752, .5238, .5526, .4920, .3159, .3922, .3362),
    ("learning_rate", 2e-2): (.8563, .8341, .7261, .7373, .6988, .4513, .5997, .5254),
    ("dropout", .35): (.8355, .8411, .7165, .7401, .6944, .4365, .5795, .5153),
    ("label_noise", 0): (.8419, .8292, .7071, .7342, .6869, .4475, .5984, .5334),
    ("label_noise", .04): (.7344, .7370, .5832, .6204, .5365, .3004, .4265, .3432),
    ("label_noise", .16): (.5069, .5523, .3454, .3987, .3039, .1610, .2195, .1448),
    ("optimiser", "adagrad"): (.8585, .8564, .7354, .7553, .7125, .4401, .5847, .5192),
    ("optimiser", "rmsprop"): (.7620, .8210, .6761, .6578, .6500, .3602, .4354, .4077),
    ("optimiser", "sgd"): (.6835, .4350, .3552, .3630, .3556, .2722, .2824, .2610),
}
# fmt: on


def _settings(name: str, value: float | str) -> tuple[NoiseSetting, NetworkSetting]:
    noise, network = NoiseSetting(), NetworkSetting()
    if name == "default":
        return noise, network
    change = {name: value}
    if hasattr(noise, name):
        return replace(noise, **change), network  # pyright: ignore[reportArgumentType]
    return noise, replace(network, **change)  # pyright: ignore[reportArgumentType]


PUBLISHED: Mapping[tuple[NoiseSetting, NetworkSetting], Mapping[str, float]] = MappingProxyType(
    {_settings(*key): dict(zip(COLUMNS, row, strict=True)) for key, row in _ROWS.items()}
)


def _swept(name: str) -> tuple[float | str, ...]:
    noise, network = NoiseSetting(), NetworkSetting()
    default = getattr(noise if hasattr(noise, name) else network, name)
    others = [value for key, value in _ROWS if key == name]
    if isinstance(default, str):
        return (default, *others)
    return tuple(sorted({default, *others}))


# Published values of each swept condition, the default among them.
SWEEPS: Mapping[str, tuple[float | str, ...]] = MappingProxyType(
    {name: _swept(name) for name, _ in _ROWS if name != "default"}
)
