// Intervals by resampled images and p-values by swapped models, as salix.compare.differences, but
// for the random numbers. No DOM.

// mulberry32: the same numbers in every browser.
function makeRandom(seed) {
  let s = seed >>> 0;
  const bits = () => {
    s = (s + 0x6d2b79f5) >>> 0;
    let t = Math.imul(s ^ (s >>> 15), 1 | s);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (t ^ (t >>> 14)) >>> 0;
  };
  return { bits, below: (n) => Math.floor((bits() / 4294967296) * n) };
}

const WORK = 4e6; // additions between two breaths of the page
const FEW = 50; // images; the mean of fewer is resampled by itself
const EXACT = 14, FEW_CLUSTERS = 12;

// Fills the limits, p and q of the rows of `conceptSamples`. A generator, so that the page stays
// alive: it yields after every `WORK` additions.
function* resample({ images, clusters, samples, rows, step }, { level, draws, flips, seed }) {
  const K = rows.length, N = images.length, random = makeRandom(seed);
  const own = samples.map(({ places }) => clusters && clusterCodes(places.map((p) => clusters.codes[p]), places.map((_, i) => i)));
  rows.forEach((row, k) => {
    studentLimits(row.a, samples[k].a, step, own[k], level);
    studentLimits(row.b, samples[k].b, step, own[k], level);
    studentLimits(row.difference, row.d, step, own[k], level);
  });
  // Unit sums [unit concept], of images or of clusters.
  const units = clusters ? clusters.count : N;
  const sums = new Float64Array(units * K), counts = new Float64Array(units * K);
  samples.forEach(({ places }, k) => places.forEach((p, i) => {
    const u = clusters ? clusters.codes[p] : p;
    sums[u * K + k] += rows[k].d[i];
    counts[u * K + k]++;
  }));
  if (!clusters) yield* bootstrapLimits(rows, sums, counts, units, random, level, draws);
  yield* swapModels(rows, sums, units, random, flips, clusters ? own : null);
  const q = benjaminiHochberg(rows.map((row) => row.p));
  rows.forEach((row, k) => { row.q = q[k]; });
}

function* bootstrapLimits(rows, sums, counts, units, random, level, draws) {
  const K = rows.length, means = rows.map(() => []);
  const large = rows.filter((row) => row.images >= FEW).map((row) => row.concept);
  const times = new Uint16Array(units), top = new Float64Array(K), bottom = new Float64Array(K);
  let work = 0;
  for (let d = 0; d < draws && large.length; d++) {
    times.fill(0);
    for (let i = 0; i < units; i++) times[random.below(units)]++;
    top.fill(0);
    bottom.fill(0);
    for (let u = 0; u < units; u++) {
      const t = times[u];
      if (t) for (const k of large) {
        top[k] += t * sums[u * K + k];
        bottom[k] += t * counts[u * K + k];
      }
    }
    for (const k of large) if (bottom[k]) means[k].push(top[k] / bottom[k]);
    if ((work += units * large.length) > WORK) yield (work = 0);
  }
  for (const row of rows) {
    const n = row.images, k = row.concept;
    if (n < 2) continue;
    if (n < FEW)
      for (let d = 0; d < draws; d++) {
        let s = 0;
        for (let i = 0; i < n; i++) s += row.d[random.below(n)];
        means[k].push(s / n);
      }
    const mean = sum(row.d) / n, scale = Math.sqrt(sum(row.d.map((x) => (x - mean) ** 2)) / n);
    const errors = scale ? correctedQuantiles(means[k].map((m) => (m - mean) / scale), row.d.map((x) => (x - mean) / scale), level) : [0, 0];
    // Of BCa and Student's limits each the farther one.
    const { value, low, high } = row.difference;
    row.difference.low = Math.min(low, value + errors[0] * scale * row.step);
    row.difference.high = Math.max(high, value + errors[1] * scale * row.step);
    yield;
  }
}

// BCa quantiles, widened to Student's (salix.stats.bca).
function correctedQuantiles(means, x, level) {
  const n = x.length, draws = means.length, sorted = Float64Array.from(means).sort();
  let below = 0;
  for (const m of sorted) below += m < 0 ? 1 : m === 0 ? 0.5 : 0;
  below = Math.min(Math.max(below / draws, 0.5 / draws), 1 - 0.5 / draws);
  const bias = normalQuantile(below), acceleration = sum(x.map((v) => v ** 3)) / n / (6 * Math.sqrt(n));
  const t = Math.sqrt(n / (n - 1)) * studentQuantile(n - 1, (1 + level) / 2);
  return [-t, t].map((s) => {
    const z = bias + s, denominator = 1 - acceleration * z;
    const p = normalBelow(bias + (denominator > 0 ? z / denominator : Math.sign(z) * Infinity));
    const at = Math.min(Math.max(p * draws - 0.5, 0), draws - 1), low = Math.floor(at);
    return sorted[low] + (at - low) * (sorted[Math.min(low + 1, draws - 1)] - sorted[low]);
  });
}

// p = (1 + k) / (1 + flips); of few units that differ all swaps are counted, of few clusters p is
// Student's.
function* swapModels(rows, sums, units, random, flips, clusters) {
  const K = rows.length;
  const total = new Float64Array(K), squares = new Float64Array(K), hits = new Float64Array(K);
  const differ = rows.map(() => []);
  for (let u = 0; u < units; u++) for (let k = 0; k < K; k++) {
    const s = sums[u * K + k];
    total[k] += s;
    squares[k] += s * s;
    if (s) differ[k].push(s);
  }
  const many = rows.filter((row) => differ[row.concept].length >= EXACT).map((row) => row.concept);
  const top = new Float64Array(K);
  let work = 0;
  for (let d = 0; d < flips && many.length; d++) {
    top.fill(0);
    let bits = 0;
    for (let u = 0; u < units; u++) {
      bits = u % 32 ? bits >>> 1 : random.bits();
      if (bits & 1) for (const k of many) top[k] += sums[u * K + k];
    }
    for (const k of many) if (Math.abs(total[k] - 2 * top[k]) >= Math.abs(total[k]) - 1e-5 * Math.sqrt(squares[k])) hits[k]++;
    if ((work += units * many.length) > WORK) yield (work = 0);
  }
  for (const row of rows) {
    const k = row.concept, few = differ[k];
    if (!row.images) continue;
    if (few.length >= EXACT) row.p = (1 + hits[k]) / (1 + flips);
    else if (clusters && clusters[k] && few.length < FEW_CLUSTERS) {
      const { mean, variance, freedom } = meanError(row.d, clusters[k]);
      row.p = mean === 0 ? 1 : studentTails(freedom, mean / Math.sqrt(variance));
    } else row.p = few.length ? exactSwaps(few) : 1;
  }
}

function exactSwaps(d) {
  const scale = Math.sqrt(sum(d.map((x) => x * x)) / d.length), observed = Math.abs(sum(d)) / scale;
  let hits = 0;
  for (let flip = 0; flip < 2 ** d.length; flip++) {
    let s = 0;
    for (let i = 0; i < d.length; i++) s += flip & (1 << i) ? -d[i] : d[i];
    if (Math.abs(s) / scale >= observed - 1e-9) hits++;
  }
  return hits / 2 ** d.length;
}
