"""Published comparison of feature selectors: mean absolute error and precision by formula."""

from collections.abc import Mapping
from types import MappingProxyType

# Formulas 10 to 14 with 150 features of noise.
_ROWS = {
    "linear RFE": "0.0872 0.500 0.0999 0.429 0.0623 0.625 0.0538 0.556 0.1074 0.50",
    "decision tree RFE": "0.0536 0.833 0.0582 0.714 0.0368 0.875 0.0561 0.667 0.0863 0.80",
    "linear SVR RFE": "0.0897 0.833 0.1018 0.286 0.0686 0.500 0.0581 0.556 0.1021 0.50",
    "NN + SA": "0.0096 1.0 0.0123 1.0 0.0158 0.875 0.0163 0.667 0.0153 0.80",
    "NN + FA": "0.0136 0.833 0.0131 1.0 0.0145 0.875 0.0164 0.667 0.0145 0.90",
    "NN + IG": "0.0131 0.833 0.0119 1.0 0.0155 0.875 0.0161 0.667 0.0141 0.90",
    "NN + DL": "0.0096 1.0 0.0151 0.857 0.0144 0.875 0.0172 0.667 0.0156 0.80",
}


def _cells(selector: str, text: str) -> Mapping[tuple[str, str], tuple[float, float]]:
    numbers = [float(word) for word in text.split()]
    pairs = zip(numbers[::2], numbers[1::2], strict=True)
    return {(selector, str(10 + i)): pair for i, pair in enumerate(pairs)}


# (selector, formula) to (error, precision)
PUBLISHED_SELECTION: Mapping[tuple[str, str], tuple[float, float]] = MappingProxyType(
    {key: pair for item in _ROWS.items() for key, pair in _cells(*item).items()}
)
