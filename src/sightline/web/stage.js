// What stands in the large frame: a picture with a painted overlay, or a before/after comparison.

import { paint, paintBox } from "./draw.js";
import { h } from "./dom.js";

let watching = null; // the one ResizeObserver: a frame that left the page is watched no more

function watch(element, redraw) {
  watching?.disconnect();
  watching = new ResizeObserver(redraw);
  watching.observe(element);
}

const shown = (image) => (image.complete && image.naturalWidth ? Promise.resolve() : image.decode());

// Gives {node, image, ready, highlight(index)}. `size` is the picture's size as the server saw it.
export function overlay(url, { alt, size = null, things = [], masks = [] }) {
  const image = h("img", { src: url, alt });
  const canvas = h("canvas", { "aria-hidden": "true" });
  const node = h("div", { class: "frame" }, image, canvas);
  let active = -1;
  const redraw = () => {
    const width = image.clientWidth;
    const height = image.clientHeight;
    if (!width || !height) return;
    const density = window.devicePixelRatio || 1;
    canvas.width = Math.round(width * density);
    canvas.height = Math.round(height * density);
    const context = canvas.getContext("2d");
    context.setTransform(canvas.width / width, 0, 0, canvas.height / height, 0, 0);
    paint(context, { width, height, scale: width / (size?.width ?? image.naturalWidth), things, masks, active });
  };
  const ready = shown(image).then(redraw);
  watch(image, redraw);
  return {
    node,
    image,
    ready,
    highlight(index) {
      active = index;
      redraw();
    },
  };
}

// Before on the left, after on the right of a line that a range input moves (mouse, touch or arrow keys).
export function compare(before, after, names) {
  const top = h("img", { src: before, alt: names[0], class: "before" });
  const bottom = h("img", { src: after, alt: names[1] });
  const line = h("div", { class: "divider", "aria-hidden": "true" });
  const range = h("input", {
    type: "range",
    min: "0",
    max: "100",
    step: "0.5",
    value: "50",
    "aria-label": "Compare: share of the original shown",
  });
  const node = h("div", { class: "frame compare checker" }, bottom, top, line, range);
  const move = () => {
    top.style.clipPath = `inset(0 ${100 - range.value}% 0 0)`;
    line.style.left = `${range.value}%`;
    range.setAttribute("aria-valuetext", `${Math.round(range.value)}% original`);
  };
  range.addEventListener("input", move);
  move();
  return { node, ready: Promise.all([shown(bottom), shown(top).catch(() => top.remove())]) };
}

// A part of a picture as a square canvas, `room` times as wide as its box; never beyond the picture where it can help it.
export function crop(image, box, size, { side = 56, room = 1.15, outline = false, label = null } = {}) {
  const canvas = h("canvas", {
    class: "crop",
    ...(label ? { role: "img", "aria-label": label } : { "aria-hidden": "true" }),
  });
  const density = Math.max(2, window.devicePixelRatio || 1);
  canvas.width = canvas.height = Math.round(side * density);
  const scale = image.naturalWidth / size.width;
  const edge = Math.min(Math.max(box.width, box.height) * room, Math.max(size.width, size.height));
  const within = (middle, length) => Math.min(Math.max(middle - edge / 2, 0), Math.max(length - edge, 0));
  const x = edge > size.width ? (size.width - edge) / 2 : within(box.x + box.width / 2, size.width);
  const y = edge > size.height ? (size.height - edge) / 2 : within(box.y + box.height / 2, size.height);
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(image, x * scale, y * scale, edge * scale, edge * scale, 0, 0, canvas.width, canvas.height);
  if (outline) {
    context.scale(density, density);
    const moved = { ...box, x: box.x - x, y: box.y - y };
    paintBox(context, moved, side / edge, false);
  }
  return canvas;
}
