// Shares of both models a concept, and their difference with its interval, as rows of one chart.

const CHART_ROWS = 20;
function drawDumbbell() {
  const rows = visibleRows().slice(0, CHART_ROWS), H = 22;
  const W = byId("dumbbell").clientWidth < 700 ? 180 : 360; // about a pixel a unit
  const values = rows.flatMap((r) => [r.a.value, r.b.value]), top = niceTop(Math.max(...values.map(Math.abs), 1e-9)), low = Math.min(...values, 0) < 0 ? -top : 0;
  const ends = rows.flatMap((r) => [r.difference.value, r.difference.low, r.difference.high]).filter(Number.isFinite), reach = niceTop(Math.max(...ends.map(Math.abs), 1e-9));
  const x = (v) => 10 + ((v - low) / (top - low)) * (W - 20), dx = (v) => 10 + ((v + reach) / (2 * reach)) * (W - 20);
  const [a, b] = [payload.models[state.a], payload.models[state.b]];
  const mark = (model, at, y) => make("path", { d: model.path, fill: model.colour, transform: `translate(${at.toFixed(1)} ${y}) scale(.85)` });
  const axis = (scale, ticks) => make("svg", { class: "ticks", viewBox: `0 0 ${W} 16`, "aria-hidden": "true" }, ticks.map((t) => make("text", { x: scale(t), y: 12, "text-anchor": "middle" }, formatTick(t, scale === dx))));
  const ticks = low < 0 ? [-top, 0, top] : [0, top / 2, top];
  fill(byId("dumbbell"),
    make("div", { class: "chart-row chart-head" }, make("span"), make("span", {}, modelName(state.a), " and ", modelName(state.b), make("small", {}, `, ${payload.scale.name}`)), make("span", {}, "A − B", make("small", {}, `, ${payload.scale.percent ? "points, " : ""}95 % interval`))),
    rows.map((row) => {
      const d = row.difference, colour = significant(row) ? (d.value > 0 ? a.colour : b.colour) : "#8a8a83";
      const label = `${conceptName(row.concept)}: ${a.name} ${formatValue(row.a.value)}, ${b.name} ${formatValue(row.b.value)}, difference ${formatValue(d.value, { signed: true, unit: false })} ${formatLimits(d)}`;
      return make("button", { class: "chart-row", "aria-label": label, title: label, onclick: () => choose({ concept: row.concept, region: -1 }) },
        make("span", { class: "chart-name" }, conceptName(row.concept)),
        make("svg", { viewBox: `0 0 ${W} ${H}`, "aria-hidden": "true" }, ticks.map((t) => make("path", { class: "grid", d: `M${x(t)} 0V${H}` })), make("path", { class: "link", d: `M${x(row.a.value)} 11H${x(row.b.value)}` }), mark(a, x(row.a.value), 11), mark(b, x(row.b.value), 11)),
        make("svg", { viewBox: `0 0 ${W} ${H}`, "aria-hidden": "true" }, make("path", { class: "compare", d: `M${dx(0)} 0V${H}` }), Number.isFinite(d.low) ? make("path", { class: "bar95", d: `M${dx(d.low)} 11H${dx(d.high)}`, stroke: colour }) : "", make("path", { class: "mean", d: `M${dx(d.value)} 4V18`, stroke: colour })));
    }),
    make("div", { class: "chart-row chart-axis" }, make("span"), axis(x, ticks), axis(dx, [-reach, 0, reach])));
}

const formatTick = (t, signed) => (t === 0 ? "0" : formatValue(t, { signed, unit: !signed }).replace(".0", ""));

// The least of 1, 2, 5 times a power of ten that is not below a value.
function niceTop(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 3, 4, 5, 6, 8, 10].map((n) => n * power).find((n) => n >= value * (1 - 1e-9));
}
