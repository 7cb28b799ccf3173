// Agreement of the two models, two by two, and slices by metadata: each is a choice of images.

const MANY = 8; // values of a slice that stand side by side
const quadrantName = (q) => ({ both: "both right", neither: "both wrong" })[q] ?? `only ${payload.models[state[q]].name} right`;

function quadrantCounts() {
  const counts = { all: 0 };
  for (const quadrant of Object.keys(QUADRANTS)) counts[quadrant] = sum(chooseImages(payload, { ...state, quadrant }));
  return counts;
}

function choice(text, pressed, changes, attributes = {}) {
  return make("button", { class: "choice", "aria-pressed": String(pressed), ...attributes, onclick: () => choose(changes) }, text);
}

function drawMatrix() {
  const counts = quadrantCounts(), labelled = ["both", "a", "b", "neither"].reduce((s, q) => s + counts[q], 0);
  const cell = (q) => make("td", {}, make("button", { class: "cell", "aria-pressed": String(state.quadrant === q), style: `--share:${labelled ? counts[q] / labelled : 0}`, onclick: () => choose({ quadrant: state.quadrant === q ? "all" : q }) },
    make("b", {}, formatCount(counts[q])), make("small", {}, quadrantName(q))));
  const head = (m, word) => make("th", { scope: "col" }, modelName(m), ` ${word}`);
  if (!labelled) fill(byId("matrix"), make("p", { class: "note" }, "The images have no labels: there are no quadrants."));
  else fill(byId("matrix"), make("table", { class: "agreement" },
    make("caption", {}, "Agreement, images"),
    make("thead", {}, make("tr", {}, make("td"), head(state.b, "right"), head(state.b, "wrong"))),
    make("tbody", {}, make("tr", {}, make("th", { scope: "row" }, modelName(state.a), " right"), cell("both"), cell("a")), make("tr", {}, make("th", { scope: "row" }, modelName(state.a), " wrong"), cell("b"), cell("neither")))));
  const unlabelled = counts.all - labelled;
  const slices = payload.slices.map(({ name, values, codes }) => {
    const sizes = new Array(values.length).fill(0), chosen = chooseImages(payload, { ...state, slice: "" });
    codes.forEach((code, i) => { if (code >= 0 && chosen[i]) sizes[code]++; });
    const label = make("span", { class: "label" }, name), own = state.slice === name;
    if (values.length > MANY)
      return make("div", { class: "slice" }, label, make("select", { "aria-label": `slice by ${name}`, onchange: (e) => choose(e.target.value ? { slice: name, value: e.target.value } : { slice: "", value: "" }) },
        make("option", { value: "" }, `all ${values.length}`), values.map((value, v) => make("option", { value, selected: own && state.value === value }, `${value} (${formatCount(sizes[v])})`))));
    return make("div", { class: "slice", role: "group", "aria-label": `slice by ${name}` }, label,
      values.map((value, v) => choice([value, make("small", {}, ` ${formatCount(sizes[v])}`)], own && state.value === value, own && state.value === value ? { slice: "", value: "" } : { slice: name, value })));
  });
  const reset = state.quadrant !== "all" || state.slice ? choice("all images", false, { quadrant: "all", slice: "", value: "" }, { id: "reset" }) : "";
  fill(byId("slices"), pairChoice(), slices, make("p", { class: "note", role: "status" }, `${plural(view.images, "image")} of ${formatCount(payload.images.count)} in this view${view.ready ? "" : ": intervals and tests are being computed"}. `, reset,
    labelled && unlabelled > 0 ? ` ${plural(unlabelled, "image")} without a label ${unlabelled === 1 ? "is" : "are"} in no quadrant.` : ""));
}

function pairChoice() {
  if (payload.models.length < 3) return "";
  const select = (key, other) => make("label", {}, `${key.toUpperCase()} `, make("select", { onchange: (e) => choose(Number(e.target.value) === state[other] ? { [key]: Number(e.target.value), [other]: state[key] } : { [key]: Number(e.target.value) }) },
    payload.models.map((model, m) => make("option", { value: m, selected: m === state[key] }, model.name))));
  return make("div", { class: "slice", role: "group", "aria-label": "pair of models" }, make("span", { class: "label" }, "models"), select("a", "b"), select("b", "a"));
}
