// Everything that a reader chose, in the hash of the address: a link brings another reader there,
// and the back button undoes a step.

const START = { a: 0, b: 1, quadrant: "all", slice: "", value: "", sort: "rank", up: false, filter: "all", text: "", concept: -1, region: -1, map: "signed", lasso: [] };
const state = { ...START, notes: {} };
const listeners = [];

function readHash(hash) {
  const fields = new URLSearchParams(hash.replace(/^#/, "")), next = { ...START, notes: {} };
  for (const [name, text] of fields) {
    if (name.startsWith("note.")) next.notes[Number(name.slice(5))] = text;
    else if (name === "lasso") next.lasso = text.split(";").map((p) => p.split(",").map(Number)).filter((p) => p.length === 2 && p.every(Number.isFinite));
    else if (!Object.hasOwn(START, name)) continue;
    else if (typeof START[name] === "boolean") next[name] = text === "true";
    else next[name] = typeof START[name] === "number" ? Number(text) : text;
  }
  return checked(next);
}

// A link may be of another page, or edited: what this page does not have is left out.
function checked(next) {
  const models = payload.models.length, inside = (n, count) => Number.isInteger(n) && n >= 0 && n < count;
  if (!inside(next.a, models) || !inside(next.b, models) || next.a === next.b) Object.assign(next, { a: 0, b: 1 });
  if (!Object.hasOwn(QUADRANTS, next.quadrant)) next.quadrant = "all";
  if (!payload.slices.some((s) => s.name === next.slice && s.values.includes(next.value))) Object.assign(next, { slice: "", value: "" });
  if (!inside(next.concept, payload.concepts.length)) next.concept = -1;
  if (!inside(next.region, payload.regions.image.length)) next.region = -1;
  if (!Object.hasOwn(SORTS, next.sort)) Object.assign(next, { sort: "rank", up: false });
  if (!Object.hasOwn(FILTERS, next.filter)) next.filter = "all";
  if (next.map !== "absolute") next.map = "signed";
  return next;
}

function writeHash() {
  const fields = new URLSearchParams();
  for (const name of Object.keys(START)) {
    if (name === "lasso") { if (state.lasso.length) fields.set(name, state.lasso.map((p) => p.map((v) => v.toFixed(3)).join(",")).join(";")); }
    else if (state[name] !== START[name]) fields.set(name, String(state[name]));
  }
  for (const [k, text] of Object.entries(state.notes)) if (text) fields.set(`note.${k}`, text);
  return `#${String(fields).replace(/%2C/g, ",").replace(/%3B/g, ";")}`;
}

// Changes a choice; a step of the back button unless `quiet`.
function choose(changes, { quiet = false } = {}) {
  Object.assign(state, changes);
  const hash = writeHash();
  if (hash !== (location.hash || "#")) history[quiet ? "replaceState" : "pushState"](null, "", hash);
  notify();
}
const notify = () => listeners.forEach((listener) => listener());

// Notes are kept in this browser too, by the name of the page.
const NOTES = () => `salix notes ${payload.title} ${payload.models.map((m) => m.name).join(" ")}`;
function setNote(concept, text) {
  state.notes = { ...state.notes, [concept]: text };
  try { localStorage.setItem(NOTES(), JSON.stringify(state.notes)); } catch { /* not allowed for local files in some browsers */ }
  choose({}, { quiet: true });
}
function startState() {
  Object.assign(state, readHash(location.hash));
  if (!Object.keys(state.notes).length)
    try { state.notes = Object.fromEntries(Object.entries(JSON.parse(localStorage.getItem(NOTES()) || "{}")).filter(([k, v]) => payload.concepts[k] && typeof v === "string")); } catch { /* none */ }
  window.addEventListener("popstate", () => {
    const notes = state.notes;
    Object.assign(state, readHash(location.hash));
    if (!Object.keys(state.notes).length) state.notes = notes;
    notify();
  });
}

const conceptName = (k) => state.notes[k] || `concept ${k + 1}`;
