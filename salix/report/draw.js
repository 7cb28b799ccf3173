"use strict";
// The figures stand in the page as JSON; each is drawn into the element that it names.
const canvases = [];
for (const source of document.querySelectorAll("script[data-figure]")) {
  const canvas = document.getElementById(source.dataset.figure);
  const { data, layout } = JSON.parse(source.textContent);
  Plotly.newPlot(canvas, data, layout, { responsive: true, displayModeBar: false });
  canvases.push(canvas);
}
// Paper has a width of its own, which a figure must be told before the page is laid out.
window.addEventListener("beforeprint", () => canvases.forEach((c) => Plotly.relayout(c, { width: 660 })));
window.addEventListener("afterprint", () => canvases.forEach((c) => Plotly.relayout(c, { width: null, autosize: true })));
