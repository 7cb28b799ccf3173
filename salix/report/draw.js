"use strict";
// The figures stand in the page as JSON; each is drawn when it is about to be seen, or printed.
const waiting = new Map();
const drawn = [];
function draw(canvas) {
  const source = waiting.get(canvas);
  if (!source) return;
  waiting.delete(canvas);
  const { data, layout } = JSON.parse(source.textContent);
  Plotly.newPlot(canvas, data, layout, { responsive: true, displayModeBar: false });
  drawn.push(canvas);
}
// The figure as a file: drawn first, if it has not been seen yet.
function addLink(canvas) {
  const link = Object.assign(document.createElement("button"), { className: "save", type: "button", textContent: "SVG" });
  link.setAttribute("aria-label", `Save as SVG: ${canvas.id}`);
  link.addEventListener("click", () => {
    draw(canvas);
    Plotly.downloadImage(canvas, { format: "svg", filename: canvas.id, width: canvas.clientWidth, height: canvas.clientHeight });
  });
  canvas.after(link);
}
const watch = new IntersectionObserver(
  (entries) => entries.filter((s) => s.isIntersecting).forEach((s) => draw(s.target)),
  { rootMargin: "600px" },
);
for (const source of document.querySelectorAll("script[data-figure]")) {
  const canvas = document.getElementById(source.dataset.figure);
  waiting.set(canvas, source);
  watch.observe(canvas);
  addLink(canvas);
}
// Figures take the width of the paper, before the page is laid out.
window.addEventListener("beforeprint", () => {
  [...waiting.keys()].forEach(draw);
  drawn.forEach((c) => Plotly.relayout(c, { width: 660 }));
});
window.addEventListener("afterprint", () => drawn.forEach((c) => Plotly.relayout(c, { width: null, autosize: true })));
