// Differences of two models over a choice of images, by the rules of salix.compare.differences: a
// test runs both. No DOM.

// The images of a quadrant and a slice, as 0 or 1. Images of unknown label are in no quadrant.
const QUADRANTS = { both: [1, 1], a: [1, 0], b: [0, 1], neither: [0, 0] };
function chooseImages(payload, view) {
  const { count, correct, known } = payload.images;
  const chosen = new Uint8Array(count).fill(1);
  const rights = QUADRANTS[view.quadrant];
  if (rights)
    for (let i = 0; i < count; i++)
      chosen[i] = known[i] && correct[view.a * count + i] === rights[0] && correct[view.b * count + i] === rights[1] ? 1 : 0;
  const slice = payload.slices.find((s) => s.name === view.slice);
  if (slice) {
    const code = slice.values.indexOf(view.value);
    for (let i = 0; i < count; i++) if (slice.codes[i] !== code) chosen[i] = 0;
  }
  return chosen;
}

// Codes of clusters from 0; null where every image is by itself.
function clusterCodes(clusters, images) {
  if (!clusters) return null;
  const places = new Map();
  const codes = Int32Array.from(images, (i) => {
    if (!places.has(clusters[i])) places.set(clusters[i], places.size);
    return places.get(clusters[i]);
  });
  return places.size < images.length ? { codes, count: places.size } : null;
}

// The chosen images with their clusters, and each concept's images and shares.
function conceptSamples(payload, view, chosen) {
  const { codes, step, zero } = payload.shares, { count, cluster } = payload.images;
  const images = [];
  for (let i = 0; i < count; i++) if (chosen[i]) images.push(i);
  const K = payload.concepts.length;
  const samples = Array.from({ length: K }, () => ({ places: [], a: [], b: [] }));
  images.forEach((i, place) => {
    const inA = (view.a * count + i) * K, inB = (view.b * count + i) * K;
    for (let k = 0; k < K; k++) {
      const a = codes[inA + k], b = codes[inB + k];
      if (a === MISSING || b === MISSING) continue;
      samples[k].places.push(place);
      samples[k].a.push(a - zero);
      samples[k].b.push(b - zero);
    }
  });
  const rows = samples.map(({ a, b }, k) => {
    const n = a.length, d = a.map((x, i) => x - b[i]);
    const row = { concept: k, images: n, prevalence: images.length ? n / images.length : NaN, d, step };
    for (const [name, values] of [["a", a], ["b", b], ["difference", d]]) {
      row[name] = { value: n ? (sum(values) / n) * step : NaN, low: NaN, high: NaN };
    }
    row.contribution = n ? row.prevalence * row.difference.value : 0;
    return Object.assign(row, { p: NaN, q: NaN });
  });
  return { images, clusters: clusterCodes(cluster, images), samples, rows, step };
}

const sum = (values) => { let s = 0; for (const v of values) s += v; return s; };

// Student's interval of a mean, with the cluster-robust variance where images are dependent
// (salix.stats.clusters: CR2 for one stratum, Satterthwaite's degrees of freedom).
function meanError(values, clusters) {
  const n = values.length, mean = sum(values) / n;
  if (!clusters) {
    const variance = sum(values.map((v) => (v - mean) ** 2)) / (n - 1) / n;
    return { mean, variance: n > 1 ? variance : NaN, freedom: n - 1 };
  }
  const { codes, count } = clusters;
  const size = new Float64Array(count), total = new Float64Array(count);
  values.forEach((v, i) => { size[codes[i]]++; total[codes[i]] += (v - mean) / n; });
  let variance = 0;
  for (let g = 0; g < count; g++) variance += size[g] < n ? total[g] ** 2 / (1 - size[g] / n) : NaN;
  const spread = sum(values.map((v) => ((v - mean) / n) ** 2)) / Math.max(n - 1, 1);
  const rest = sum(values.map((v, i) => ((v - mean) / n - total[codes[i]] / size[codes[i]]) ** 2)) / Math.max(n - count, 1);
  const ratio = n > count && spread > 0 ? rest / spread : 1;
  const icc = Math.min(Math.max(1 - ratio, 0), 1);
  const parts = Array.from(size, (s) => spread * s * (1 + (s - 1) * icc));
  const all = sum(parts);
  if (!(all > 0)) return { mean, variance, freedom: Math.max(count - 1, 1) };
  const unused = sum(parts.map((v, g) => (v * size[g]) / n)) / all;
  return { mean, variance, freedom: Math.max((all ** 2 / sum(parts.map((v) => v * v))) * (1 - unused), 1) };
}

function studentLimits(interval, values, step, clusters, level) {
  const { variance, freedom } = meanError(values, clusters);
  if (!(values.length > 1) || Number.isNaN(variance)) return;
  const half = studentQuantile(freedom, (1 + level) / 2) * Math.sqrt(variance) * step;
  Object.assign(interval, { low: interval.value - half, high: interval.value + half });
}

// q = min over j >= i of m p_(j) / j; a NaN is no test.
function benjaminiHochberg(p) {
  const order = p.map((_, i) => i).filter((i) => !Number.isNaN(p[i])).sort((i, j) => p[i] - p[j]);
  const q = p.map(() => NaN);
  let least = 1;
  for (let r = order.length; r > 0; r--) {
    least = Math.min(least, (p[order[r - 1]] * order.length) / r);
    q[order[r - 1]] = least;
  }
  return q;
}

// Concepts by the size of their difference; those of few images after the others, as rank_concepts.
const FEW_IMAGES = 10;
function rankConcepts(rows) {
  const size = (row) => (Number.isNaN(row.difference.value) ? -1 : Math.abs(row.difference.value));
  return [...rows].sort((x, y) => (x.images < FEW_IMAGES) - (y.images < FEW_IMAGES) || size(y) - size(x) || x.concept - y.concept);
}
