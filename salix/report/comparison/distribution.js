// Distribution over images of both models' shares in a concept, and of their paired difference.

const BINS = 24;
function conceptShares(concept) {
  const { codes, step, zero } = payload.shares, N = payload.images.count, K = payload.concepts.length, pairs = [];
  for (let i = 0; i < N; i++) {
    if (!view.chosen[i]) continue;
    const a = codes[(state.a * N + i) * K + concept], b = codes[(state.b * N + i) * K + concept];
    if (a !== MISSING && b !== MISSING) pairs.push([(a - zero) * step, (b - zero) * step, i]);
  }
  return pairs;
}

function bins(values, low, high) {
  const counts = new Array(BINS).fill(0);
  for (const v of values) counts[Math.min(BINS - 1, Math.max(0, Math.floor(((v - low) / (high - low)) * BINS)))]++;
  return counts;
}

function drawDistribution(canvas, concept) {
  const pairs = conceptShares(concept), scale = payload.scale.percent ? 100 : 1, [a, b] = [payload.models[state.a], payload.models[state.b]];
  const values = [pairs.map((p) => p[0] * scale), pairs.map((p) => p[1] * scale)], d = pairs.map((p) => (p[0] - p[1]) * scale);
  const all = values.flat(), low = Math.min(0, ...all), high = Math.max(...all, low + 1e-9), reach = Math.max(...d.map(Math.abs), 1e-9);
  const centres = (from, to) => Array.from({ length: BINS }, (_, i) => from + ((i + 0.5) * (to - from)) / BINS);
  const ofA = bins(values[0], low, high), ofB = bins(values[1], low, high), ofD = bins(d, -reach, reach), at = centres(low, high), atD = centres(-reach, reach);
  const hover = { hovertemplate: "%{customdata} images<extra></extra>" }, top = Math.max(...ofA, ...ofB);
  const traces = [
    { type: "bar", x: at, y: ofA, customdata: ofA, marker: { color: a.colour }, name: escapeText(a.name), ...hover },
    { type: "bar", x: at, y: ofB.map((n) => -n), customdata: ofB, marker: { color: b.colour }, name: escapeText(b.name), ...hover },
    { type: "bar", x: atD, y: ofD, customdata: ofD, marker: { color: atD.map((v) => (v > 0 ? a.colour : b.colour)) }, xaxis: "x2", yaxis: "y2", ...hover },
  ];
  const narrow = canvas.clientWidth < 560, grid = { gridcolor: "#e4e4e0", zerolinecolor: "#8a8a83", fixedrange: true, automargin: true };
  const domains = narrow ? [[0, 1], [0.62, 1], [0, 1], [0, 0.36]] : [[0, 0.46], [0, 1], [0.56, 1], [0, 1]];
  const unit = payload.scale.percent ? ", %" : "", ticks = [-top, 0, top];
  const layout = { template: null, height: narrow ? 400 : 240, margin: { l: 40, r: 10, t: 10, b: 44 }, font: { family: FONT, size: 12, color: "#1c1c1a" }, bargap: 0.06, barmode: "overlay", showlegend: false,
    xaxis: { ...grid, domain: domains[0], title: { text: `${payload.scale.key === "share" ? "share" : "value"} in an image${unit}`, font: { size: 12 } } }, yaxis: { ...grid, domain: domains[1], tickvals: ticks, ticktext: ticks.map((t) => String(Math.abs(t))), title: { text: "images", font: { size: 12 } } },
    xaxis2: { ...grid, domain: domains[2], anchor: "y2", title: { text: `A − B in the same image${payload.scale.percent ? ", points" : ""}`, font: { size: 12 } } }, yaxis2: { ...grid, domain: domains[3], anchor: "x2" } };
  Plotly.newPlot(canvas, traces, layout, { responsive: true, displayModeBar: false });
  const more = d.filter((v) => v > 0).length, less = d.filter((v) => v < 0).length;
  return `${a.name} has the larger ${payload.scale.key === "share" ? "share" : "value"} in ${plural(more, "image")}, ${b.name} in ${formatCount(less)}${d.length - more - less ? `, both the same in ${formatCount(d.length - more - less)}` : ""}.`;
}
