// The ranked table of concepts: sorted, filtered, and walked through by the arrow keys.

const SORTS = {
  rank: { name: "rank", of: (row, place) => -place },
  name: { name: "Concept", of: (row) => -row.concept },
  prevalence: { name: "Images", of: (row) => row.prevalence },
  a: { name: "A", of: (row) => row.a.value },
  b: { name: "B", of: (row) => row.b.value },
  difference: { name: "Difference", of: (row) => Math.abs(row.difference.value) },
  q: { name: "q", of: (row) => -row.q },
  contribution: { name: "Contribution", of: (row) => Math.abs(row.contribution) },
  stability: { name: "Stability", of: (row) => payload.concepts[row.concept].stability ?? NaN },
  masking: { name: "Masked", of: (row) => ["confirmed", "unclear", "contradicted"].indexOf(maskingOf(row.concept)?.outcome) * -1 },
};
const FILTERS = {
  all: { name: () => "all", keep: () => true },
  a: { name: () => `more in ${payload.models[state.a].name}`, keep: (row) => significant(row) && row.difference.value > 0 },
  shared: { name: () => "no difference shown", keep: (row) => !significant(row) },
  b: { name: () => `more in ${payload.models[state.b].name}`, keep: (row) => significant(row) && row.difference.value < 0 },
  significant: { name: () => "significant", keep: significant },
};

const maskingOf = (concept) => payload.masking?.[`${Math.min(state.a, state.b)}-${Math.max(state.a, state.b)}`]?.[concept];
const oddOf = (concept) => payload.odd?.[`${Math.min(state.a, state.b)}-${Math.max(state.a, state.b)}`]?.find((o) => o.concept === concept);

function visibleRows() {
  const ranked = rankConcepts(view.rows.filter(shown)), { of } = SORTS[state.sort], text = state.text.trim().toLowerCase();
  const places = new Map(ranked.map((row, place) => [row.concept, place]));
  const value = (row) => { const x = of(row, places.get(row.concept)); return Number.isNaN(x) ? -Infinity : x; };
  return ranked
    .filter((row) => FILTERS[state.filter].keep(row) && (!text || `${conceptName(row.concept)} concept ${row.concept + 1}`.toLowerCase().includes(text)))
    .sort((x, y) => (state.up ? value(x) - value(y) : value(y) - value(x)) || places.get(x.concept) - places.get(y.concept));
}

function drawFilters() {
  fill(byId("filters"), Object.entries(FILTERS).map(([key, filter]) => choice([filter.name(), make("small", {}, ` ${view.rows.filter(shown).filter(filter.keep).length}`)], state.filter === key, { filter: key })));
}

const COLUMNS = [
  ["name", "Concept", "regions of different images; a name is kept in the address"],
  ["prevalence", "Images", "share of the images that contain it"],
  ["a", null, "mean share where it is present"],
  ["b", null, "mean share where it is present"],
  ["difference", "A − B", "95 % interval over images"],
  ["q", "q", "expected share of false discoveries among concepts up to this one"],
  ["contribution", "Contri­bution", "difference times prevalence"],
  ["stability", "Stability", "mean Jaccard index over resamples of the images; from 0.75 stable, below 0.6 do not interpret"],
  ["masking", "Masked", "whether masking the regions lowers the score of the model with the larger share more"],
];

function heading([key, text, title]) {
  const sorted = state.sort === key, pressed = sorted ? (state.up ? "ascending" : "descending") : "none";
  const label = key === "a" || key === "b" ? modelName(state[key]) : text;
  return make("th", { scope: "col", "aria-sort": pressed, class: `column-${key}` }, make("button", { class: "sort", title, onclick: () => choose(sorted ? (state.up ? { sort: "rank", up: false } : { up: true }) : { sort: key, up: false }) }, label, make("span", { class: "arrow", "aria-hidden": "true" }, sorted ? (state.up ? " ▲" : " ▼") : "")));
}

function drawTable() {
  const rows = visibleRows();
  fill(byId("concept-head"), make("tr", {}, COLUMNS.map(heading)));
  fill(byId("concept-rows"), rows.map(tableRow));
  byId("no-rows").hidden = rows.length > 0;
}

function tableRow(row) {
  const k = row.concept, odd = oddOf(k), masking = view.whole ? maskingOf(k) : null, stability = payload.concepts[k].stability;
  const cell = (key, label, ...content) => make("td", { class: `column-${key}`, "data-label": label }, ...content);
  const names = [payload.models[state.a].name, payload.models[state.b].name];
  return make("tr", { "data-concept": k, class: significant(row) ? "significant" : "" },
    make("th", { scope: "row" },
      make("span", { class: "crops" }, exampleRegions(k, view.chosen, 8).map((r) => crop(r))),
      make("button", { class: "open", "data-concept": k, onclick: () => choose({ concept: k, region: -1 }) }, conceptName(k)),
      row.images < FEW_IMAGES ? make("small", {}, "few images") : "",
      odd ? make("small", { class: "alarm", title: "a small, tight group of regions that one model relies on: look whether it is a mark of the data" }, "⚠ small and one-sided") : ""),
    cell("prevalence", "images", `${(100 * row.prevalence).toFixed(0)}\u202f%`, make("small", {}, formatCount(row.images))),
    cell("a", names[0], formatValue(row.a.value)), cell("b", names[1], formatValue(row.b.value)),
    cell("difference", "A − B", formatValue(row.difference.value, { signed: true, unit: false }), make("small", {}, view.ready ? formatLimits(row.difference) : "…")),
    cell("q", "q", view.ready ? formatP(row.q) : "…", significant(row) ? make("small", {}, "significant") : ""),
    cell("contribution", "contribution", formatValue(row.contribution, { signed: true, unit: false })),
    cell("stability", "stability", stability === null ? "–" : stability.toFixed(2), stability !== null && stability < 0.6 ? make("small", { class: "bad" }, "unstable") : ""),
    cell("masking", "masked", masking ? masking.outcome : view.whole ? "–" : make("small", {}, "all images only")));
}
