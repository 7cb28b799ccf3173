// Elements and texts. Every name reaches the page as a text node or an attribute, never as HTML.

const byId = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";
const IN_SVG = new Set(["svg", "path", "rect", "line", "circle", "image", "text", "g", "title"]);

function make(tag, attributes = {}, ...children) {
  const element = IN_SVG.has(tag) && !attributes.html ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined && name !== "html") element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((c) => c !== null && c !== undefined && c !== ""));
  return element;
}

const fill = (element, ...children) => element.replaceChildren(...children.flat().filter((c) => c !== null && c !== ""));
const plural = (n, one, many = `${one}s`) => `${formatCount(n)} ${n === 1 ? one : many}`;
const formatCount = (n) => String(n).replace(/\B(?=(\d{3})+$)/g, "\u202f");

// Shares in per cent; other scales as they are. `signed` writes the + of differences.
function formatValue(value, { signed = false, unit = true } = {}) {
  if (Number.isNaN(value)) return "–";
  const { percent } = payload.scale, x = percent ? 100 * value : value;
  const digits = percent ? 1 : 3, text = Math.abs(x).toFixed(digits);
  const sign = Number(text) === 0 ? "" : x < 0 ? "−" : signed ? "+" : "";
  return sign + text + (percent && unit ? "\u202f%" : "");
}
const formatLimits = ({ low, high }) => (Number.isNaN(low) ? "no interval" : `[${formatValue(low, { signed: true, unit: false })}, ${formatValue(high, { signed: true, unit: false })}]`);
function formatP(p) {
  if (Number.isNaN(p)) return "–";
  return p < 0.001 ? "< 0.001" : p.toFixed(p < 0.095 ? 3 : 2);
}

function sign(model) {
  return make("svg", { class: "sign", viewBox: "-8 -8 16 16", "aria-hidden": "true" }, make("path", { d: model.path, fill: model.colour }));
}
function modelName(index) {
  const model = payload.models[index];
  return make("b", { class: `group${model.name.length < 25 ? " short" : ""}`, style: `color:${model.colour}` }, sign(model), model.name);
}
