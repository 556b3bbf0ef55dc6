// JSON as a tree of <details>: collapsible by keyboard, lightly coloured, long strings shortened on
// screen only (the copy button copies the real answer).

import { h } from "./dom.js";

const LONG = 96;

function scalar(value) {
  if (typeof value !== "string")
    return h("span", { class: `json-${value === null ? "null" : typeof value}` }, String(value));
  const text = JSON.stringify(value);
  if (text.length <= LONG) return h("span", { class: "json-string" }, text);
  return h(
    "span",
    { class: "json-string" },
    `${text.slice(0, 40)}…`,
    h("span", { class: "json-more" }, ` ${value.length.toLocaleString("en")} characters`),
    `"`,
  );
}

const isNested = (value) => value !== null && typeof value === "object";
const isFlat = (value) =>
  Object.values(value).every((one) => !isNested(one) && String(one).length < 28) && Object.keys(value).length <= 5;

function entries(value) {
  const list = Array.isArray(value) ? value.map((one) => [null, one]) : Object.entries(value);
  return list.flatMap(([key, one], at) => [
    key !== null ? h("span", { class: "json-key" }, JSON.stringify(key)) : null,
    key !== null ? ": " : null,
    isNested(one) ? "…" : scalar(one),
    at < list.length - 1 ? ", " : "",
  ]);
}

function node(key, value, last, depth) {
  const name = key === null ? [] : [h("span", { class: "json-key" }, JSON.stringify(key)), ": "];
  const comma = last ? "" : ",";
  if (!isNested(value)) return h("div", { class: "json-line" }, ...name, scalar(value), comma);
  const [open, close] = Array.isArray(value) ? "[]" : "{}";
  if (isFlat(value)) return h("div", { class: "json-line" }, ...name, open, ...entries(value), close, comma);
  const list = Array.isArray(value) ? value.map((one) => [null, one]) : Object.entries(value);
  const count = Array.isArray(value)
    ? `${list.length} ${list.length === 1 ? "item" : "items"}`
    : `${list.length} members`;
  return h(
    "details",
    { class: "json-node", open: depth < 3 },
    h("summary", {}, ...name, open, h("span", { class: "json-folded" }, ` ${count} ${close}${comma}`)),
    h(
      "div",
      { class: "json-inside" },
      list.map(([one, inner], at) => node(one, inner, at === list.length - 1, depth + 1)),
    ),
    h("div", { class: "json-line json-close" }, close, comma),
  );
}

export const jsonTree = (value) => h("div", { class: "json" }, node(null, value, true, 0));
