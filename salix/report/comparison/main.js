// Draws the page for the present choices, and again whenever they change.

function draw() {
  currentView();
  const focus = document.activeElement?.dataset?.concept;
  drawAnswer();
  drawMatrix();
  drawFilters();
  drawDumbbell();
  drawTable();
  if (focus) document.querySelector(`#concept-rows .open[data-concept="${focus}"]`)?.focus({ preventScroll: true });
  if (document.activeElement !== byId("search")) byId("search").value = state.text;
  drawDetail();
  drawRegionMap();
  drawPanels();
  document.body.dataset.ready = String(view.ready);
}

async function start() {
  await loadPayload();
  startState();
  listeners.push(draw);
  startDetail();
  startKeys();
  watchRegionMap();
  byId("search").addEventListener("input", (event) => choose({ text: event.target.value }, { quiet: true }));
  byId("help-open").addEventListener("click", () => byId("help").showModal());
  draw();
}

start().catch((error) => {
  byId("answer").textContent = typeof DecompressionStream === "undefined" ? "This browser is too old for the page: it needs DecompressionStream (Chrome 80, Firefox 113, Safari 16.4 or newer)." : `The page cannot be drawn: ${error.message}`;
});
