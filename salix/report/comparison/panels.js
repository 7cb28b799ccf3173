// Panels beside the table: noise floor, quality of the maps, and difference concepts.

const pairKey = () => `${Math.min(state.a, state.b)}-${Math.max(state.a, state.b)}`;

function drawPanels() {
  drawNull();
  drawQuality();
  drawDifferenceConcepts();
}

function drawNull() {
  const panel = payload.null?.[pairKey()], place = byId("null-panel");
  if (!place) return;
  if (!panel) return fill(place, make("p", { class: "note" }, "Not computed for this pair."));
  const scale = payload.scale.percent ? 100 : 1, W = place.clientWidth < 700 ? 340 : 760, H = 120, top = niceTop(Math.max(panel.observed ?? 0, ...panel.greatest, 1e-9));
  const counts = new Array(40).fill(0), x = (v) => 10 + (v / top) * (W - 20);
  panel.greatest.forEach((v) => counts[Math.min(39, Math.floor((v / top) * 40))]++);
  const most = Math.max(...counts, 1), y = (n) => H - 22 - (n / most) * (H - 40);
  fill(place,
    make("svg", { class: "null-chart", viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": `greatest difference of swapped models; observed ${formatValue(panel.observed ?? NaN, { unit: false })}` },
      counts.map((n, i) => (n ? make("rect", { x: x((i * top) / 40) + 0.5, y: y(n), width: (W - 20) / 40 - 1, height: H - 22 - y(n), class: "null-bar" }) : "")),
      make("path", { class: "line", d: `M10 ${H - 22}H${W - 10}` }),
      panel.observed === null ? "" : make("path", { class: "observed", d: `M${x(panel.observed)} 4V${H - 22}` }),
      [0, top / 2, top].map((t) => make("text", { x: x(t), y: H - 6, "text-anchor": t === 0 ? "start" : t === top ? "end" : "middle" }, formatValue(t, { unit: false })))),
    make("p", {}, panel.text),
    panel.seeds.length ? make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "reseeded runs" }, make("table", { class: "text" }, make("thead", {}, make("tr", {}, ["reseeded runs", "greatest difference", "significant concepts"].map((t) => make("th", { scope: "col" }, t)))),
      make("tbody", {}, panel.seeds.map((s) => make("tr", {}, make("th", { scope: "row" }, `${s.a} and ${s.b}`), make("td", {}, formatValue((s.greatest ?? NaN) * 1, { unit: false })), make("td", {}, `${s.significant} of ${s.concepts}`)))))) : make("p", { class: "note" }, "No run is reseeded: the noise of the training seed is not known. Sweep a second run of either model, trained with another seed, and give it the same group name."));
}

function drawQuality() {
  const place = byId("quality-panel");
  if (!place) return;
  const text = (i) => (i === null ? "–" : i[1] === null ? `${i[0].toFixed(3)}` : [`${i[0].toFixed(3)}`, make("small", {}, `[${i[1].toFixed(3)}, ${i[2].toFixed(3)}]`)]);
  const heads = [["deletion", "lower is better"], ["moved map", "the control"], ["gain over control", "above 0: better than a random place"], ["SIC", "higher is better"], ["completeness error", "of the explained score"]];
  const has = [0, 1, 2, 3, 4].filter((n) => payload.quality.some((q) => q.values[n] !== null));
  if (has.length)
    fill(place, make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "quality of the maps" }, make("table", {}, make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "Model"), has.map((n) => make("th", { scope: "col" }, heads[n][0], make("small", {}, heads[n][1]))))),
      make("tbody", {}, payload.quality.map((q, m) => make("tr", {}, make("th", { scope: "row" }, modelName(m)), has.map((n) => make("td", {}, text(q.values[n])))))))));
  place.append(...payload.quality.filter((q) => q.missing).map((q) => make("p", { class: "note" }, q.missing)));
}

function drawDifferenceConcepts() {
  const place = byId("difference-panel"), panel = payload.difference_concepts?.[pairKey()];
  if (!place) return;
  const settings = make("p", { class: "note" }, panel?.settings ?? "");
  if (!panel || !panel.concepts.length) return fill(place, make("p", {}, panel?.text ?? "Not computed for this pair."), settings);
  const order = state.a < state.b ? [state.a, state.b] : [state.b, state.a];
  const card = (c) => make("article", { class: "card" },
    make("h3", {}, "alike and used in ", modelName(order[c.nearer]), make("small", {}, ` and not in ${payload.models[order[1 - c.nearer]].name}`)),
    make("div", { class: "crops" }, differenceMembers(c.members).map((r) => make("button", { class: "pick", onclick: () => payload.regions.concept[r] >= 0 && choose({ concept: payload.regions.concept[r], region: r }) }, crop(r)))),
    make("p", { class: "note" }, `${plural(c.size, "region")} of ${plural(c.images, "image")}; success rate ${(100 * c.success).toFixed(0)}\u202f%, strength ${c.strength.toFixed(2)}`));
  fill(place, make("div", { class: "cards" }, panel.concepts.map(card)), settings);
}

// Members in the images of the view, one an image.
function differenceMembers(members) {
  const used = new Set();
  return members.filter((r) => { const i = payload.regions.image[r]; return view.chosen[i] && !used.has(i) && used.add(i); }).slice(0, 9);
}
