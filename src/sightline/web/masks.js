// Masks of things: a colour each, from COCO's run lengths to a see-through canvas.

const PALETTE = [
  [0, 158, 115],
  [230, 159, 0],
  [86, 180, 233],
  [213, 94, 0],
  [204, 121, 167],
  [240, 228, 66],
  [0, 114, 178],
];
const LONGEST = 1600; // pixels of the canvas that carries the masks, whatever the picture's size
const STRENGTH = 128; // of 255

// The same colours in the same order as the server's own drawings.
export function rgbOf(index) {
  const [base, turn] = [PALETTE[index % PALETTE.length], Math.floor(index / PALETTE.length) % 3];
  if (turn === 1) return base.map((value) => Math.floor((value + 255) / 2));
  return turn === 2 ? base.map((value) => Math.floor((value * 3) / 5)) : base;
}

export const colourOf = (index) => `rgb(${rgbOf(index).join(", ")})`;

// Dark words on light colours, light ones on dark.
export function inkOn(colour) {
  const [red, green, blue] = colour.match(/^rgb/) ? colour.match(/\d+/g).map(Number) : [255, 255, 255];
  return 0.299 * red + 0.587 * green + 0.114 * blue > 110 ? "#04211d" : "#ffffff";
}

// The run lengths behind COCO's letters: six bits each, five of them of the number, lowest first.
export function runsOf(letters) {
  const runs = [];
  let value = 0;
  let shift = 0;
  for (const letter of letters) {
    const bits = letter.charCodeAt(0) - 48;
    value += (bits & 31) * 2 ** shift;
    shift += 5;
    if (bits & 32) continue;
    if (bits & 16) value -= 2 ** shift;
    runs.push(value + (runs.length > 2 ? runs[runs.length - 2] : 0));
    value = 0;
    shift = 0;
  }
  return runs;
}

// All masks on one canvas, the smallest on top. instances: [{area_pixels, mask: {rle: {size: [height, width], counts}}}].
export function layered(instances) {
  const rles = instances.map((item) => item.mask.rle);
  const order = [...rles.keys()].sort((a, b) => instances[b].area_pixels - instances[a].area_pixels);
  const [height, width] = rles[0].size;
  const scale = Math.min(1, LONGEST / Math.max(width, height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(canvas.width, canvas.height);
  for (const at of order) fill(pixels, rles[at], rgbOf(at));
  context.putImageData(pixels, 0, 0);
  return canvas;
}

// Runs go down the columns; a canvas pixel takes the value of the picture's pixel at its middle.
function fill(pixels, { size: [height, width], counts }, [red, green, blue]) {
  const across = pixels.width / width;
  const down = pixels.height / height;
  let start = 0;
  runsOf(counts).forEach((length, turn) => {
    const end = start + length;
    for (let from = start; turn % 2 && from < end; ) {
      const column = Math.floor(from / height);
      const to = Math.min(end, (column + 1) * height);
      const x = Math.floor((column + 0.5) * across);
      const bottom = Math.min(pixels.height, Math.ceil((to - column * height) * down));
      for (let y = Math.floor((from - column * height) * down); y < bottom; y++)
        pixels.data.set([red, green, blue, STRENGTH], 4 * (y * pixels.width + x));
      from = to;
    }
    start = end;
  });
}

// A map of kinds is a PNG in the palette's colours; what is black there is background and stays clear.
export async function kinds(base64) {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  const bitmap = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
  const canvas = document.createElement("canvas");
  canvas.width = bitmap.width;
  canvas.height = bitmap.height;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
  for (let i = 0; i < pixels.data.length; i += 4)
    pixels.data[i + 3] = pixels.data[i] || pixels.data[i + 1] || pixels.data[i + 2] ? STRENGTH : 0;
  context.putImageData(pixels, 0, 0);
  return canvas;
}
