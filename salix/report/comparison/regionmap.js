// Map of the regions in the plane, coloured by the difference of their shares; a lasso shows pictures.

const FONT = "Helvetica Neue, Arial, Liberation Sans, sans-serif", GALLERY = 24;
let mapDrawn = false, mapRegions = [];

function regionDifference(r) {
  const { shares, image } = payload.regions, R = image.length;
  const a = shares.codes[state.a * R + r], b = shares.codes[state.b * R + r];
  return a === MISSING || b === MISSING ? NaN : (a - b) * shares.step;
}

function drawRegionMap() {
  const { x, y, image, concept, floor } = payload.regions;
  if (!byId("region-map") || !(mapDrawn || state.lasso.length)) return;
  mapDrawn = true;
  mapRegions = [];
  for (let r = 0; r < x.length; r++) if (!Number.isNaN(x[r]) && view.chosen[image[r]]) mapRegions.push(r);
  const values = mapRegions.map(regionDifference), size = Float64Array.from(values.filter(Number.isFinite), Math.abs).sort();
  const limit = niceTop(Math.max(size[Math.floor(0.98 * size.length)] ?? 0, 1e-9)), percent = payload.scale.percent ? 100 : 1;
  const ends = scaleEnds("difference"), rgb = (t) => `rgb(${colourOf(ends, t)})`;
  const trace = {
    type: "scatter", mode: "markers", x: mapRegions.map((r) => x[r]), y: mapRegions.map((r) => y[r]), hoverinfo: "text",
    text: mapRegions.map((r, i) => escapeText(`${concept[r] < 0 ? "no concept" : conceptName(concept[r])}, A − B ${formatValue(values[i], { signed: true, unit: false })}${floor[r] ? ", random floor" : ""}`)),
    marker: { size: 7, symbol: mapRegions.map((r) => (floor[r] ? "circle-open" : "circle")), color: values.map((v) => (Number.isNaN(v) ? 0 : v * percent)), cmin: -limit * percent, cmax: limit * percent, cmid: 0,
      colorscale: [-1, -0.5, 0, 0.5, 1].map((t) => [(t + 1) / 2, rgb(t)]), line: { width: 0.6, color: "#5a5a55" },
      colorbar: { thickness: 12, len: 0.8, outlinewidth: 0, title: { text: `A − B${payload.scale.percent ? "<br>points" : ""}`, font: { size: 12 } } } },
  };
  const axis = { visible: false, fixedrange: true }, narrow = byId("region-map").clientWidth < 560;
  if (narrow) trace.marker.colorbar = { ...trace.marker.colorbar, orientation: "h", len: 0.9, y: -0.02, yanchor: "top", title: { text: payload.scale.percent ? "A − B, points" : "A − B", side: "top", font: { size: 12 } } };
  const polygon = state.lasso, shapes = polygon.length ? [{ type: "path", path: `M${polygon.map((p) => p.join(",")).join("L")}Z`, line: { color: "#1c1c1a", width: 1.5, dash: "dot" } }] : [];
  const layout = { template: null, height: narrow ? 420 : 460, margin: { l: 6, r: 6, t: 6, b: narrow ? 64 : 6 }, font: { family: FONT, size: 12, color: "#1c1c1a" }, xaxis: axis, yaxis: { ...axis, scaleanchor: "x" }, dragmode: "lasso", hovermode: "closest", shapes, showlegend: false };
  const canvas = byId("region-map");
  Plotly.react(canvas, [trace], layout, { responsive: true, displayModeBar: false }).then(() => {
    if (canvas.dataset.wired) return;
    canvas.dataset.wired = "yes";
    canvas.on("plotly_selected", (event) => {
      const points = event?.lassoPoints ?? (event?.range && { x: [0, 1, 1, 0].map((i) => event.range.x[i]), y: [0, 0, 1, 1].map((i) => event.range.y[i]) });
      if (points) choose({ lasso: simplify(points.x.map((v, i) => [v, points.y[i]])) });
    });
    canvas.on("plotly_click", (event) => {
      const r = mapRegions[event.points[0].pointIndex];
      if (concept[r] >= 0) choose({ concept: concept[r], region: r });
    });
  });
  drawLassoGallery();
}

// At most 40 corners of a drawn line, so that the address stays short.
function simplify(points) {
  const step = Math.max(1, Math.ceil(points.length / 40));
  return points.filter((_, i) => i % step === 0).map((p) => p.map((v) => Number(v.toFixed(3))));
}

function insidePolygon(polygon, px, py) {
  let inside = false;
  for (let i = 0, j = polygon.length - 1; i < polygon.length; j = i++) {
    const [xi, yi] = polygon[i], [xj, yj] = polygon[j];
    if (yi > py !== yj > py && px < ((xj - xi) * (py - yi)) / (yj - yi) + xi) inside = !inside;
  }
  return inside;
}

function drawLassoGallery() {
  const { x, y, concept } = payload.regions;
  if (!state.lasso.length) return fill(byId("lasso"), make("p", { class: "note" }, "Draw around points to see their regions; click one to open its concept."));
  const members = mapRegions.filter((r) => insidePolygon(state.lasso, x[r], y[r])), count = new Map();
  members.forEach((r) => count.set(concept[r], (count.get(concept[r]) ?? 0) + 1));
  const most = [...count].sort((p, q) => q[1] - p[1]).slice(0, 4).map(([k, n]) => `${k < 0 ? "no concept" : conceptName(k)} ${n}`);
  const differences = members.map(regionDifference).filter(Number.isFinite);
  fill(byId("lasso"),
    make("p", { role: "status" }, make("b", {}, plural(members.length, "region")), members.length ? `, mean A − B ${formatValue(sum(differences) / differences.length, { signed: true, unit: false })}: ${most.join(", ")} ` : " ", choice("clear", false, { lasso: [] })),
    make("div", { class: "crops wide" }, members.slice(0, GALLERY).map((r) => make("button", { class: "pick", onclick: () => concept[r] >= 0 && choose({ concept: concept[r], region: r }) }, crop(r, { load: true })))),
    members.length > GALLERY ? make("p", { class: "note" }, `the first ${GALLERY} are drawn`) : "");
}

// Plotly reads a little HTML in its texts.
const escapeText = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

function watchRegionMap() {
  const canvas = byId("region-map");
  if (!canvas) return;
  const start = () => { if (!mapDrawn) { mapDrawn = true; drawRegionMap(); } };
  new IntersectionObserver((entries) => entries.some((e) => e.isIntersecting) && start(), { rootMargin: "400px" }).observe(canvas);
  window.addEventListener("beforeprint", start);
}
