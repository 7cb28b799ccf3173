// Pictures of images, crops of regions with their outlines, and maps on a canvas. The interface:
// crop(region), frame(image, region), mapCanvas(values, ends, limit), exampleRegions(concept, chosen, count).

const UNITS = 1000; // width of the frame in the units of the drawings
const frameHeight = () => UNITS * payload.pictures.aspect;

// Corners of the cells of a mask, joined to closed paths; corners are cut once for a smooth line.
function outline(bits, side) {
  const at = (x, y) => x >= 0 && y >= 0 && x < side && y < side && (bits[(y * side + x) >> 3] >> (7 - ((y * side + x) & 7))) & 1;
  const next = new Map(), key = (x, y) => y * (side + 1) + x;
  const edge = (x0, y0, x1, y1) => { const k = key(x0, y0); if (!next.has(k)) next.set(k, []); next.get(k).push([x1, y1]); };
  for (let y = 0; y < side; y++) for (let x = 0; x < side; x++) if (at(x, y)) {
    if (!at(x, y - 1)) edge(x, y, x + 1, y);
    if (!at(x + 1, y)) edge(x + 1, y, x + 1, y + 1);
    if (!at(x, y + 1)) edge(x + 1, y + 1, x, y + 1);
    if (!at(x - 1, y)) edge(x, y + 1, x, y);
  }
  const sx = UNITS / side, sy = frameHeight() / side, parts = [];
  for (const [start, ends] of next) while (ends.length) {
    const points = [];
    let [x, y] = ends.pop();
    points.push([start % (side + 1), Math.floor(start / (side + 1))]);
    while (key(x, y) !== start) {
      points.push([x, y]);
      [x, y] = next.get(key(x, y)).pop();
    }
    const cut = points.map(([px, py], i) => { const [qx, qy] = points[(i + 1) % points.length]; return [((px + qx) / 2) * sx, ((py + qy) / 2) * sy]; });
    parts.push(`M${cut.map(([px, py]) => `${px.toFixed(0)} ${py.toFixed(0)}`).join("L")}Z`);
  }
  return parts.join("");
}

const outlines = new Map();
function outlineOf(region) {
  if (outlines.has(region)) return outlines.get(region);
  const bits = mapsOfImage.get(payload.regions.image[region])?.masks.get(region);
  if (!bits) return "";
  outlines.set(region, outline(bits, payload.maps.side));
  return outlines.get(region);
}

function picture(image) {
  const address = pictureAddress(image);
  const blank = () => make("rect", { width: UNITS, height: frameHeight(), class: "blank-picture" });
  if (!address) return blank();
  const file = `picture-${image}.jpg`;
  const element = make("image", { href: address, width: UNITS, height: frameHeight(), preserveAspectRatio: "none" });
  element.addEventListener("error", () => {
    element.replaceWith(blank());
    if (!missingFiles.size) fill(byId("missing"), missingText(file));
    missingFiles.add(file);
  });
  return element;
}

// Both lines of a region's outline; with `load`, drawn when its file beside the page is read.
function outlinePaths(region, load) {
  const paths = ["halo", "reference-mask"].map((name) => make("path", { class: name, d: region >= 0 ? outlineOf(region) : "" }));
  const image = payload.regions.image[region];
  if (load && region >= 0 && !mapsOfImage.has(image)) loadMaps(image).then(() => paths.forEach((p) => p.setAttribute("d", outlineOf(region))), () => {});
  return paths;
}

const describeRegion = (r) => `region of ${conceptName(payload.regions.concept[r])} in ${payload.images.ids[payload.regions.image[r]]}`;

// Picture of a whole image with the outline of a region (-1: none).
function frame(image, region, label) {
  return make("svg", { class: "frame", viewBox: `0 0 ${UNITS} ${frameHeight()}`, role: "img", "aria-label": label ?? describeRegion(region) },
    picture(image), outlinePaths(region, true));
}

// Crop of a region: a square around its box, with enough around it to see what it is a part of.
function crop(region, { load = false } = {}) {
  const { box, image } = payload.regions, H = frameHeight();
  const [y0, x0, y1, x1] = [0, 1, 2, 3].map((i) => (box[4 * region + i] / 255) * (i % 2 ? UNITS : H));
  const size = Math.min(Math.max(1.5 * Math.max(x1 - x0, y1 - y0), 0.3 * UNITS), Math.max(UNITS, H));
  const left = Math.min(Math.max((x0 + x1 - size) / 2, 0), Math.max(UNITS - size, 0)), top = Math.min(Math.max((y0 + y1 - size) / 2, 0), Math.max(H - size, 0));
  return make("svg", { class: "crop", viewBox: `${left.toFixed(0)} ${top.toFixed(0)} ${size.toFixed(0)} ${size.toFixed(0)}`, role: "img", "aria-label": describeRegion(region) },
    make("title", {}, describeRegion(region)), picture(image[region]), outlinePaths(region, load));
}

// Regions of a concept in the chosen images, one an image: the diverse examples first, then those
// with the largest share of either model.
function exampleRegions(concept, chosen, count) {
  const { image, shares } = payload.regions, R = image.length;
  const largest = (r) => { let s = 0; for (const m of [state.a, state.b]) { const c = shares.codes[m * R + r]; if (c !== MISSING) s = Math.max(s, Math.abs(c - shares.zero)); } return s; };
  const used = new Set(), regions = [];
  const take = (r) => { if (regions.length < count && chosen[image[r]] && !used.has(image[r])) { used.add(image[r]); regions.push(r); } };
  payload.examples[concept].forEach(take);
  if (regions.length < count) payload.regionsOf[concept].filter((r) => chosen[image[r]]).sort((r, s) => largest(s) - largest(r) || r - s).forEach(take);
  return regions;
}

// A map [side * side] of values in units of the limit, drawn smoothly.
function mapCanvas(values, ends, label) {
  const { side } = payload.maps, canvas = make("canvas", { width: side, height: side, class: "map", role: "img", "aria-label": label });
  canvas.style.aspectRatio = `1 / ${payload.pictures.aspect}`;
  const context = canvas.getContext("2d"), pixels = context.createImageData(side, side);
  for (let i = 0; i < side * side; i++) {
    const [red, green, blue] = colourOf(ends, values[i]);
    pixels.data.set([red, green, blue, 255], 4 * i);
  }
  context.putImageData(pixels, 0, 0);
  return canvas;
}
