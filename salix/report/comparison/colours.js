// Diverging colours of one symmetric scale, readable without colour vision: of signed maps purple to
// green (ColorBrewer PRGn), of differences the colour of the model that has more.

const AGAINST = [118, 42, 131], FOR = [27, 120, 55], NEUTRAL = [226, 226, 222];
const toRgb = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
const mix = (colour, t) => colour.map((c, i) => Math.round(NEUTRAL[i] + (c - NEUTRAL[i]) * t));

// Ends of a scale: the colours of its lowest and highest value.
function scaleEnds(kind) {
  if (kind === "difference") return [payload.models[state.b].colour, payload.models[state.a].colour].map(toRgb);
  return [AGAINST, FOR];
}

// Colour of a value in [-1, 1]; beyond, that of the end.
function colourOf([low, high], value) {
  const t = Math.min(Math.abs(value), 1);
  return mix(value < 0 ? low : high, t);
}

function colourBar(kind, limit, { oneSided = false } = {}) {
  const ends = scaleEnds(kind), stops = Array.from({ length: 9 }, (_, i) => i / 4 - 1).filter((v) => !oneSided || v >= 0);
  const gradient = stops.map((v) => `rgb(${colourOf(ends, v)})`).join(",");
  const words = kind === "difference" ? [`${payload.models[state.b].name} more`, `${payload.models[state.a].name} more`] : oneSided ? ["", ""] : ["against the class", "for the class"];
  const label = `colour scale from ${oneSided ? 0 : `−${limit}`} to ${limit}`;
  return make("div", { class: "scale" }, make("span", { class: "ramp", role: "img", "aria-label": label, style: `background:linear-gradient(to right,${gradient})` }),
    make("span", { class: "ends" }, make("span", {}, oneSided ? "0" : `≤ −${limit}`, make("small", {}, words[0])), oneSided ? "" : make("span", {}, "0"), make("span", {}, `≥ ${limit}`, make("small", {}, words[1]))));
}
