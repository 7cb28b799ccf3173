"use strict";
// Arrays of the payload: deflated, in base 64 (packing.py).
const ARRAYS = { i8: Int8Array, u8: Uint8Array, i16: Int16Array, u16: Uint16Array, i32: Int32Array, f32: Float32Array };
const MISSING = 65535;

async function unpack(packed) {
  const bytes = Uint8Array.from(atob(packed.data), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new ARRAYS[packed.type](await new Response(stream).arrayBuffer());
}

// Replaces every packed array below an object by its values.
async function unpackAll(object) {
  for (const [key, value] of Object.entries(object)) {
    if (value === null || typeof value !== "object") continue;
    if (typeof value.data === "string" && value.type in ARRAYS) object[key] = await unpack(value);
    else await unpackAll(value);
  }
  return object;
}
