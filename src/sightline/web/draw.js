// Painting an answer over its picture. Coordinates come in pixels of the upright picture; `scale`
// brings them to CSS pixels, so that lines and words stay crisp whatever the picture's size.

import { colourOf, inkOn } from "./masks.js";

const INK = "#2ee6c5";
const UNDER = "rgba(3, 20, 18, 0.85)";
const FONT = "600 12px system-ui, -apple-system, 'Segoe UI', sans-serif";

// COCO's 17 points, joined the way a body is; then the hands and feet of models that know them.
const BONES = [
  ["left_shoulder", "right_shoulder"],
  ["left_shoulder", "left_elbow"],
  ["left_elbow", "left_wrist"],
  ["right_shoulder", "right_elbow"],
  ["right_elbow", "right_wrist"],
  ["left_shoulder", "left_hip"],
  ["right_shoulder", "right_hip"],
  ["left_hip", "right_hip"],
  ["left_hip", "left_knee"],
  ["left_knee", "left_ankle"],
  ["right_hip", "right_knee"],
  ["right_knee", "right_ankle"],
  ...["left", "right"].flatMap((side) => [
    [`${side}_wrist`, `${side}_index`],
    [`${side}_ankle`, `${side}_heel`],
    [`${side}_heel`, `${side}_foot_index`],
  ]),
];

// Every boxed thing in an answer, whatever the task calls it: [{box, caption, item}].
export function boxed(answer) {
  const colours = answer.instances ? answer.instances.map((_, at) => colourOf(at)) : [];
  const score = (item) => (typeof item.confidence === "number" ? item.confidence.toFixed(2) : "");
  const named = (word) => (item) => [word(item), score(item)].filter(Boolean).join(" ");
  const groups = {
    // Beside an emotion stands how sure the emotion is, not how sure the face is.
    faces: (item) => (item.emotion ? `${item.emotion} ${item.scores?.[item.emotion]?.toFixed(2) ?? ""}` : score(item)),
    objects: named((item) => item.label),
    instances: named((item) => item.label),
    people: named(() => ""),
    lungs: () => "",
  };
  return Object.entries(groups).flatMap(([member, caption]) =>
    (Array.isArray(answer[member]) ? answer[member] : [])
      .filter((item) => item.box)
      .map((item, at) => ({ box: item.box, caption: caption(item), item, colour: colours[at] })),
  );
}

// context: 2D, already scaled for the device. masks: canvases as large as they like, painted over the whole picture.
export function paint(context, { width, height, scale, things, masks = [], active = -1 }) {
  context.clearRect(0, 0, width, height);
  context.imageSmoothingQuality = "high";
  for (const mask of masks) context.drawImage(mask, 0, 0, width, height);
  things.forEach((thing, at) => {
    context.globalAlpha = active >= 0 && active !== at ? 0.35 : 1;
    paintPoints(context, thing.item.landmarks ?? thing.item.keypoints, scale);
    paintBox(context, thing.box, scale, active === at, thing.colour);
  });
  // Captions last, so that no box crosses a word.
  things.forEach((thing, at) => {
    context.globalAlpha = active >= 0 && active !== at ? 0.35 : 1;
    if (thing.caption) paintCaption(context, thing, scale, width);
  });
  context.globalAlpha = 1;
}

export function paintBox(context, box, scale, strong, colour = INK) {
  const [x, y, w, h] = [box.x * scale, box.y * scale, box.width * scale, box.height * scale];
  const radius = Math.min(6, w / 4, h / 4);
  for (const [ink, line] of [
    [UNDER, strong ? 5 : 4],
    [colour, strong ? 3 : 2],
  ]) {
    context.strokeStyle = ink;
    context.lineWidth = line;
    context.beginPath();
    context.roundRect(x, y, w, h, radius);
    context.stroke();
  }
}

function paintCaption(context, { box, caption, colour = INK }, scale, width) {
  context.font = FONT;
  const wide = context.measureText(caption).width + 12;
  const high = 20;
  const x = Math.max(0, Math.min(box.x * scale - 1, width - wide));
  const above = box.y * scale - high - 3;
  const y = above >= 0 ? above : Math.max(0, box.y * scale) + 3;
  context.fillStyle = colour;
  context.beginPath();
  context.roundRect(x, y, wide, high, 4);
  context.fill();
  context.fillStyle = inkOn(colour);
  context.textBaseline = "middle";
  context.fillText(caption, x + 6, y + high / 2 + 0.5);
}

function paintPoints(context, points, scale) {
  if (!points) return;
  const at = (name) => {
    const point = points[name];
    if (!point || (point.confidence ?? 1) < 0.2) return null;
    return Array.isArray(point) ? { x: point[0], y: point[1] } : point;
  };
  for (const [from, to] of BONES) {
    const [a, b] = [at(from), at(to)];
    if (!a || !b) continue;
    for (const [colour, line] of [
      [UNDER, 5],
      [INK, 3],
    ]) {
      context.strokeStyle = colour;
      context.lineWidth = line;
      context.beginPath();
      context.moveTo(a.x * scale, a.y * scale);
      context.lineTo(b.x * scale, b.y * scale);
      context.stroke();
    }
  }
  for (const name of Object.keys(points)) {
    const point = at(name);
    if (!point) continue;
    context.beginPath();
    context.arc(point.x * scale, point.y * scale, 2.75, 0, Math.PI * 2);
    context.fillStyle = "#ffffff";
    context.fill();
    context.strokeStyle = UNDER;
    context.lineWidth = 1.25;
    context.stroke();
  }
}

// A base64 PNG (white on black, or an alpha channel) as a canvas in one see-through colour.
export async function tint(base64, [red, green, blue] = [46, 230, 197], strength = 0.5) {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  const bitmap = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
  const canvas = document.createElement("canvas");
  canvas.width = bitmap.width;
  canvas.height = bitmap.height;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
  const { data } = pixels;
  let seeThrough = false;
  for (let i = 3; i < data.length && !seeThrough; i += 4) seeThrough = data[i] < 255;
  for (let i = 0; i < data.length; i += 4) {
    const inside = seeThrough ? data[i + 3] : data[i];
    data[i] = red;
    data[i + 1] = green;
    data[i + 2] = blue;
    data[i + 3] = inside * strength;
  }
  context.putImageData(pixels, 0, 0);
  return canvas;
}
