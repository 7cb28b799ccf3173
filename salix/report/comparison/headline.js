// The answer in a sentence, by the rule of docs/claims.md: a difference is stated where it is
// significant, and of the rest that the models cannot be told apart.

function answerParts({ pair = false } = {}) {
  const { a, b } = state, rows = rankConcepts(view.rows.filter(shown)), found = rows.filter(significant);
  const where = viewName(), scope = where ? `Of the ${plural(view.images, "image")} ${where}: ` : "Of these two models: ";
  if (!view.images) return [`There is no image ${where}.`];
  if (!rows.length) return [`None of the ${plural(view.images, "image")} has a region of any concept.`];
  const claim = view.whole && !pair && payload.headlines[pairKey()];
  if (claim) return markNames(claim.text);
  if (!view.ready) return [scope, "computing intervals and tests…"];
  if (!found.length) {
    const first = rows[0];
    return [scope, { model: a }, " and ", { model: b }, ` cannot be told apart in any of ${plural(rows.length, "concept")} (largest difference ${formatValue(Math.abs(first.difference.value), { unit: false })}${payload.scale.percent ? " points" : ""}, q = ${formatP(first.q)}).`];
  }
  const first = found[0], more = first.difference.value > 0;
  const ends = more ? [a, b] : [b, a], values = more ? [first.a, first.b] : [first.b, first.a];
  const texts = values.map((v) => formatValue(v.value));
  const others = found.length > 1 ? ` ${found.length} of ${rows.length} concepts differ.` : ` The other ${rows.length - 1} concepts do not show a difference.`;
  return [scope, { model: ends[0] }, ` has ${payload.scale.what} on `, { concept: first.concept }, " than ", { model: ends[1] }, ` (${texts[0]} against ${texts[1]}).`, rows.length > 1 ? others : ""];
}

// The names of models and of the concept in a finished sentence, to be coloured and linked.
function markNames(text) {
  const parts = [], names = payload.models.map((m, i) => [m.name, { model: i }]).sort((x, y) => y[0].length - x[0].length);
  const letter = /[\p{L}\p{N}]/u;
  for (let i = 0, from = 0; i <= text.length; ) {
    const ends = (name) => text.startsWith(name, i) && !letter.test(text[i - 1] ?? " ") && !letter.test(text[i + name.length] ?? " ");
    const named = names.find(([name]) => ends(name)), concept = /^concept (\d+)/.exec(text.slice(i));
    if (i === text.length) { parts.push(text.slice(from)); break; }
    if (!named && !concept) { i++; continue; }
    parts.push(text.slice(from, i), named ? named[1] : { concept: Number(concept[1]) - 1 });
    i = from = i + (named ? named[0] : concept[0]).length;
  }
  return parts;
}

function drawAnswer() {
  const parts = answerParts();
  const text = parts.map((p) => (typeof p === "string" ? p : "model" in p ? payload.models[p.model].name : conceptName(p.concept))).join("");
  document.title = `${payload.title}: ${text}`;
  const drawn = (p) => {
    if (typeof p === "string") return p;
    if ("model" in p) return modelName(p.model);
    return make("button", { class: "inline", onclick: () => choose({ concept: p.concept, region: -1 }) }, conceptName(p.concept));
  };
  fill(byId("answer"), parts.map(drawn));
  const claim = view.whole && payload.headlines[pairKey()];
  byId("evidence").replaceChildren(...(claim && claim.evidence.length ? [make("b", {}, "Evidence. "), `${claim.evidence.join(". ")}. `] : []));
  // A claim on groups of runs is another than that on the two runs of the table.
  const grouped = claim && claim.scope !== "two models";
  fill(byId("answer-pair"), grouped ? answerParts({ pair: true }).map(drawn) : "");
  drawCards();
}

const CARDS = 4;
function drawCards() {
  const ranked = rankConcepts(view.rows.filter(shown)), found = ranked.filter(significant);
  const rows = [...found, ...ranked.filter((row) => !significant(row))].slice(0, CARDS);
  const top = Math.max(...rows.flatMap((r) => [Math.abs(r.a.value), Math.abs(r.b.value)]), 1e-12);
  fill(byId("cards"), rows.map((row) => {
    const bar = (m, interval) => {
      const model = payload.models[m];
      return make("div", { class: "measure" }, make("span", { class: "who", style: `color:${model.colour}` }, sign(model), model.name),
        make("span", { class: "track" }, make("span", { class: "length", style: `width:${(100 * Math.abs(interval.value)) / top}%;background:${model.colour}` })), make("span", { class: "value" }, formatValue(interval.value)));
    };
    return make("article", { class: `card${significant(row) || !view.ready ? "" : " faded"}` },
      make("div", { class: "crops" }, exampleRegions(row.concept, view.chosen, 4).map((r) => crop(r))),
      make("h3", {}, make("button", { class: "inline", onclick: () => choose({ concept: row.concept, region: -1 }) }, conceptName(row.concept)), make("small", {}, ` in ${plural(row.images, "image")}`)),
      bar(state.a, row.a), bar(state.b, row.b),
      make("p", { class: "note" }, `A − B ${formatValue(row.difference.value, { signed: true, unit: false })} ${formatLimits(row.difference)}`, view.ready ? `, q ${row.q < 0.001 ? "" : "= "}${formatP(row.q)}${significant(row) ? "" : ": not told apart"}` : ""));
  }));
}
