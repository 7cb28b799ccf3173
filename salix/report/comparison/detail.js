// Drill-down of a concept: its regions, one image with both maps on one scale, and the distribution.
// The interface: drawDetail(), stepConcept(by), stepRegion(by).

const EXAMPLES = 18;
let lastConcept = -1;

const detailRegions = () => exampleRegions(state.concept, view.chosen, EXAMPLES);
function detailRegion() {
  const regions = detailRegions();
  return state.region >= 0 && payload.regions.concept[state.region] === state.concept ? state.region : regions[0] ?? -1;
}

function drawDetail() {
  const dialog = byId("detail");
  if (state.concept < 0) {
    if (dialog.open) dialog.close();
    return;
  }
  lastConcept = state.concept;
  const row = view.rows[state.concept], k = state.concept, masking = view.whole && maskingOf(k), odd = oddOf(k);
  if (!dialog.open) dialog.showModal();
  const regions = detailRegions(), current = detailRegion();
  byId("detail-name").textContent = conceptName(k);
  if (document.activeElement !== byId("note")) byId("note").value = state.notes[k] ?? "";
  const [a, b] = [modelName(state.a), modelName(state.b)];
  const where = viewName();
  fill(byId("detail-numbers"),
    make("p", {}, a, ` ${formatValue(row.a.value)}, `, b, ` ${formatValue(row.b.value)} of ${payload.scale.of}; difference `, make("b", {}, formatValue(row.difference.value, { signed: true, unit: false })), payload.scale.percent ? " points " : " ", formatLimits(row.difference), view.ready ? `, q ${row.q < 0.001 ? "" : "= "}${formatP(row.q)}` : ", interval being computed", ". ",
      significant(row) ? "The models differ here." : view.ready ? "The models cannot be told apart here." : ""),
    make("p", { class: "note" }, `In ${plural(row.images, "image")} (${(100 * row.prevalence).toFixed(0)}\u202f%)${where ? ` ${where}` : ""}. `, stabilityText(k), masking ? ` ${masking.text}` : "", odd ? make("b", { class: "alarm" }, ` ⚠ ${odd.text}`) : ""));
  fill(byId("detail-regions"), regions.map((r) => make("button", { class: "pick", "aria-pressed": String(r === current), "aria-label": describeRegion(r), onclick: () => choose({ region: r }) }, crop(r, { load: true }), frame(payload.regions.image[r], r))));
  drawImage(current);
  fill(byId("distribution-note"), drawDistribution(byId("distribution"), k));
}

function stabilityText(k) {
  const value = payload.concepts[k].stability;
  if (value === null) return "Its stability was not measured.";
  return `Stability ${value.toFixed(2)}${value < 0.6 ? ": do not interpret this concept" : value < 0.75 ? ": doubtful" : ""}.`;
}

// One image: picture, maps of both models and their difference, predictions.
async function drawImage(region) {
  const place = byId("detail-image");
  if (region < 0) return fill(place, make("p", { class: "note" }, "No image of this view has a region of this concept."));
  const { image } = payload.regions, i = image[region], key = `${region} ${state.a} ${state.b} ${state.map}`;
  place.dataset.key = key;
  let maps;
  try { maps = await loadMaps(i); }
  catch (error) { maps = error; }
  if (place.dataset.key !== key) return;
  const { limit } = payload.maps, { ids } = payload.images;
  const shot = (title, content, note) => make("figure", { class: "shot-large" }, content, make("figcaption", {}, title, note ? make("small", {}, note) : ""));
  const figures = [shot("image", frame(i, region, `image ${ids[i]} with the region's outline`), ids[i])];
  if (maps instanceof Error) figures.push(make("p", { class: "warning" }, maps.message));
  else {
    const absolute = state.map === "absolute", scaled = (m) => Float32Array.from(maps[absolute ? "density" : "signed"][m], (v) => (v / (absolute ? 255 : 127)) * 2);
    const own = [scaled(state.a), scaled(state.b)], less = own[0].map((v, p) => v - own[1][p]);
    const over = (values, ends, label) => make("div", { class: "stacked" }, mapCanvas(values, ends, label), overlay(region));
    const ends = scaleEnds("signed");
    figures.push(...[state.a, state.b].map((m, n) => shot(modelName(m), over(own[n], ends, `map of ${payload.models[m].name}`), decision(m, i))));
    figures.push(shot("A − B", over(less, scaleEnds("difference"), "difference of the maps"), regionShares(region)));
  }
  fill(place, make("div", { class: "shots" }, figures), make("div", { class: "bars" }, make("div", {}, make("b", {}, "both maps"), colourBar("signed", limit, { oneSided: state.map === "absolute" })), make("div", {}, make("b", {}, "A − B"), colourBar("difference", limit)),
    make("div", { class: "slice", role: "group", "aria-label": "kind of map" }, choice("signed", state.map === "signed", { map: "signed" }), choice("absolute", state.map === "absolute", { map: "absolute" }))),
    make("p", { class: "note" }, `One scale for all images and models: multiples of the model's mean |attribution| in the image.${explained(i)}`));
}

function overlay(region) {
  return make("svg", { class: "over", viewBox: `0 0 ${UNITS} ${frameHeight()}`, preserveAspectRatio: "none", "aria-hidden": "true" }, outlinePaths(region, true));
}

const className = (index) => (index < 0 ? "unknown" : payload.classes[index] ?? `class ${index}`);
function decision(model, image) {
  const { predicted, confidence, label, count } = payload.images, at = model * count + image;
  if (predicted[at] < 0) return "no prediction";
  const sure = confidence && confidence[at] !== 255 ? ` ${((100 * confidence[at]) / 254).toFixed(0)}\u202f%` : "";
  const right = label[image] < 0 ? "" : label[image] === predicted[at] ? ", right" : ", wrong";
  return `predicts ${className(predicted[at])}${sure}${right}`;
}
function explained(image) {
  const { label, target, count } = payload.images;
  const classes = [state.a, state.b].map((m) => className(target.length > count ? target[m * count + image] : target[image]));
  return ` The image's label: ${className(label[image])}. Explained class: ${classes[0] === classes[1] ? classes[0] : `${classes[0]} (A), ${classes[1]} (B)`}.`;
}
function regionShares(region) {
  const { shares, image } = payload.regions, R = image.length;
  const texts = [state.a, state.b].map((m) => { const c = shares.codes[m * R + region]; return c === MISSING ? "–" : formatValue((c - shares.zero) * shares.step); });
  return `region: A ${texts[0]}, B ${texts[1]}`;
}

function stepConcept(by) {
  const rows = visibleRows(), at = rows.findIndex((r) => r.concept === state.concept), next = rows[at + by];
  if (next) choose({ concept: next.concept, region: -1 });
}
function stepRegion(by) {
  const regions = detailRegions(), next = regions[regions.indexOf(detailRegion()) + by];
  if (next !== undefined) choose({ region: next });
}

function startDetail() {
  const dialog = byId("detail");
  dialog.addEventListener("close", () => {
    if (state.concept >= 0) choose({ concept: -1, region: -1 });
    document.querySelector(`#concept-rows .open[data-concept="${lastConcept}"]`)?.focus({ preventScroll: true });
  });
  byId("detail-close").addEventListener("click", () => dialog.close());
  byId("detail-previous").addEventListener("click", () => stepConcept(-1));
  byId("detail-next").addEventListener("click", () => stepConcept(1));
  byId("note").addEventListener("input", (event) => setNote(state.concept, event.target.value.trim()));
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
}
