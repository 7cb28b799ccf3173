// The payload of the page, and the maps and pictures that lie beside it.

const payload = {};
const mapsOfImage = new Map(); // image -> {signed, density: [model], masks: region -> bits}
const chunks = new Map(); // number -> {promise, resolve}
const missingFiles = new Set();

async function loadPayload() {
  Object.assign(payload, await unpackAll(JSON.parse(byId("payload").textContent)));
  const { image, concept } = payload.regions;
  payload.regionsOf = payload.concepts.map(() => []);
  payload.regionsIn = payload.images.ids.map(() => []);
  for (let r = 0; r < image.length; r++) {
    payload.regionsIn[image[r]].push(r);
    if (concept[r] >= 0) payload.regionsOf[concept[r]].push(r);
  }
  [START.a, START.b] = payload.pairs[0];
  payload.chunkOf = new Map(payload.maps.outside.map((image, i) => [image, payload.maps.chunk[i]]));
  storeMaps(payload.maps.embedded);
}

function storeMaps({ images, signed, density, regions, masks }) {
  const area = payload.maps.side ** 2, models = payload.models.length, bytes = masks.length / Math.max(regions.length, 1); // padded rows
  const part = (values, i) => Array.from({ length: models }, (_, m) => values.subarray((m * images.length + i) * area, (m * images.length + i + 1) * area));
  images.forEach((image, i) => mapsOfImage.set(image, { signed: part(signed, i), density: part(density, i), masks: new Map() }));
  regions.forEach((region, i) => mapsOfImage.get(payload.regions.image[region]).masks.set(region, masks.subarray(i * bytes, (i + 1) * bytes)));
}

// Called by the files maps-N.js.
async function salixMaps(number, packed) {
  storeMaps(await unpackAll(packed));
  chunks.get(number).resolve();
}

const beside = (file) => `${encodeURIComponent(payload.maps.folder)}/${file}`;
const missingText = (file) => `${payload.maps.folder}/${file} cannot be read: keep the folder ${payload.maps.folder} beside this page.`;

// The maps and masks of an image; rejects with a sentence where their file is missing.
function loadMaps(image) {
  if (mapsOfImage.has(image)) return Promise.resolve(mapsOfImage.get(image));
  const number = payload.chunkOf.get(image), file = `maps-${number}.js`;
  if (!chunks.has(number)) {
    const chunk = {};
    chunk.promise = new Promise((resolve, reject) => {
      chunk.resolve = resolve;
      document.head.append(make("script", { src: beside(file), onerror: () => reject(new Error(missingText(file))) }));
    });
    chunks.set(number, chunk);
  }
  return chunks.get(number).promise.then(() => mapsOfImage.get(image));
}

// Address of an image's picture, "" where there is none.
function pictureAddress(image) {
  const { where, embedded } = payload.pictures;
  if (where[image] === 2) return `data:image/jpeg;base64,${embedded[image]}`;
  return where[image] === 1 ? beside(`picture-${image}.jpg`) : "";
}
