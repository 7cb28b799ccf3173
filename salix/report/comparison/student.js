// Normal and Student's distributions, to 1e-12 or better. No DOM.

// Lanczos' approximation, g = 7.
const LANCZOS = [0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059, 12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7];
function logGamma(x) {
  const z = x - 1, t = z + 7.5;
  let sum = LANCZOS[0];
  for (let i = 1; i < 9; i++) sum += LANCZOS[i] / (z + i);
  return 0.5 * Math.log(2 * Math.PI) + (z + 0.5) * Math.log(t) - t + Math.log(sum);
}

// Regularised incomplete beta function, by Lentz's continued fraction (Numerical Recipes, 6.4).
function incompleteBeta(a, b, x) {
  if (x <= 0 || x >= 1) return x <= 0 ? 0 : 1;
  if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(b, a, 1 - x);
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x));
  let c = 1, d = 1 / (1 - ((a + b) * x) / (a + 1)), value = d;
  for (let m = 1; m < 1000; m++) {
    for (const term of [(m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m)), (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1))]) {
      d = 1 / (1 + term * d);
      c = 1 + term / c;
      value *= c * d;
    }
    if (Math.abs(c * d - 1) < 1e-15) break;
  }
  return (front * value) / a;
}

// Probability above |t| on both sides.
function studentTails(freedom, t) {
  return incompleteBeta(freedom / 2, 0.5, freedom / (freedom + t * t));
}

// The t with probability `level` below it, for level above 1/2, by bisection.
function studentQuantile(freedom, level) {
  let low = 0, high = 1;
  while (studentTails(freedom, high) > 2 * (1 - level) && high < 1e12) high *= 2;
  for (let i = 0; i < 80; i++) {
    const middle = (low + high) / 2;
    if (studentTails(freedom, middle) > 2 * (1 - level)) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

// Normal probability below z: Student's of many degrees of freedom is not close enough, so by the
// incomplete gamma function's series and continued fraction.
function normalBelow(z) {
  const x = (z * z) / 2;
  if (!Number.isFinite(z)) return z > 0 ? 1 : 0;
  const front = Math.exp(-x + 0.5 * Math.log(x || 1e-300) - logGamma(0.5));
  let tail;
  if (x < 1.5) {
    let term = 2, sum = 2;
    for (let n = 1; n < 200 && Math.abs(term) > 1e-17 * Math.abs(sum); n++) sum += term *= x / (0.5 + n);
    tail = 0.5 - 0.5 * sum * front;
  } else {
    let b = x + 0.5, c = 1e300, d = 1 / b, h = d;
    for (let n = 1; n < 500; n++) {
      const an = -n * (n - 0.5);
      b += 2;
      d = 1 / (an * d + b);
      c = b + an / c;
      h *= d * c;
      if (Math.abs(d * c - 1) < 1e-15) break;
    }
    tail = 0.5 * front * h;
  }
  return z > 0 ? 1 - tail : tail;
}

function normalQuantile(p) {
  let low = -10, high = 10;
  for (let i = 0; i < 70; i++) {
    const middle = (low + high) / 2;
    if (normalBelow(middle) < p) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}
