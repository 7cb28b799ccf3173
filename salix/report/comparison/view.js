// The numbers of the present view: pair of models, quadrant and slice. Means at once, intervals and
// tests when they are ready; over all images, those of the Parquet and JSON files.

const views = new Map();
let view = null;

function swapped(row) {
  const d = row.difference;
  return { ...row, a: row.b, b: row.a, difference: { value: 0 - d.value, low: -d.high, high: -d.low }, contribution: 0 - row.contribution };
}

function storedRows(a, b) {
  const rows = payload.differences[`${Math.min(a, b)}-${Math.max(a, b)}`];
  const number = (x) => (x === null ? NaN : x);
  const whole = rows.map((r, k) => {
    const intervals = ["a", "b", "difference"].map((name) => [name, { value: number(r[name][0]), low: number(r[name][1]), high: number(r[name][2]) }]);
    return { concept: k, images: r.images, prevalence: number(r.prevalence), contribution: number(r.contribution), p: number(r.p), q: number(r.q), ...Object.fromEntries(intervals) };
  });
  return a < b ? whole : whole.map(swapped);
}

function currentView() {
  const key = JSON.stringify([state.a, state.b, state.quadrant, state.slice, state.value]);
  if (!views.has(key)) {
    const chosen = chooseImages(payload, state), whole = state.quadrant === "all" && !state.slice;
    const low = { ...state, a: Math.min(state.a, state.b), b: Math.max(state.a, state.b) };
    const next = { key, chosen, whole, ready: true };
    if (whole) Object.assign(next, { rows: storedRows(state.a, state.b), images: sum(chosen) });
    else {
      const samples = conceptSamples(payload, low, chosen);
      const orient = (rows) => (state.a < state.b ? rows : rows.map(swapped));
      Object.assign(next, { rows: orient(samples.rows), images: samples.images.length, ready: false });
      const turned = state.a > state.b;
      finish(next, samples, (rows) => (turned ? rows.map(swapped) : rows));
    }
    views.set(key, next);
  }
  view = views.get(key);
  return view;
}

function finish(next, samples, orient) {
  const steps = resample(samples, payload.test);
  const step = () => {
    const until = performance.now() + 30;
    while (performance.now() < until)
      if (steps.next().done) {
        Object.assign(next, { rows: orient(samples.rows), ready: true });
        if (view === next) notify();
        return;
      }
    setTimeout(step);
  };
  setTimeout(step);
}

const significant = (row) => row.q <= 1 - payload.test.level + 1e-12;
const shown = (row) => row.images > 0;

// The images of the view in words, for the beginning of a sentence.
function viewName() {
  const name = (m) => payload.models[m].name;
  const quadrants = {
    both: `that ${name(state.a)} and ${name(state.b)} both classify right`,
    a: `that only ${name(state.a)} classifies right`,
    b: `that only ${name(state.b)} classifies right`,
    neither: `that neither ${name(state.a)} nor ${name(state.b)} classifies right`,
  };
  const parts = [quadrants[state.quadrant], state.slice && `with ${state.slice} = ${state.value}`];
  return parts.filter(Boolean).join(" and ");
}
