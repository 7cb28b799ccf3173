// The page without a mouse: arrows, Enter, Esc, / and ?.

function startKeys() {
  document.addEventListener("keydown", (event) => {
    const writing = /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement?.tagName ?? "");
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape" && writing) { document.activeElement.blur(); if (!byId("detail").open) event.preventDefault(); return; }
    if (writing) return;
    const detail = byId("detail").open, step = { ArrowDown: 1, ArrowUp: -1 }[event.key], turn = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (event.key === "?") { byId("help").open ? byId("help").close() : byId("help").showModal(); event.preventDefault(); }
    else if (event.key === "/" && !detail) { byId("search").focus(); byId("search").scrollIntoView({ block: "center" }); event.preventDefault(); }
    else if (detail && turn) { stepRegion(turn); event.preventDefault(); }
    else if (detail && step) { stepConcept(step); event.preventDefault(); }
    else if (!detail && step && !byId("help").open) moveRow(event, step);
  });
}

// The arrows walk through the concepts, from the first one where nothing is chosen yet.
function moveRow(event, step) {
  const buttons = [...document.querySelectorAll("#concept-rows .open")], at = buttons.indexOf(document.activeElement);
  if (at < 0 && !byId("concepts").contains(document.activeElement)) return; // the page scrolls
  const next = buttons[at < 0 ? 0 : at + step];
  if (next) { next.focus(); next.closest("tr").scrollIntoView({ block: "nearest" }); }
  event.preventDefault();
}
