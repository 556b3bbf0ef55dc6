// Where the time went, and which model answered.

import { copyButton, h } from "./dom.js";

const PARTS = ["decode", "queue", "infer"];
const ms = (value) => `${value < 1 ? value.toFixed(2) : value < 10 ? value.toFixed(1) : Math.round(value)} ms`;

export function facts(answer, requestId, roundTrip) {
  return [
    timings(answer.timings_ms, roundTrip),
    models(answer),
    requestId &&
      h(
        "p",
        { class: "muted request-id" },
        "Request ",
        h("code", {}, requestId),
        copyButton(() => requestId, "the request id", ""),
      ),
  ].filter(Boolean);
}

function timings(times, roundTrip) {
  if (!times || typeof times.total !== "number") return null;
  const shares = PARTS.filter((name) => typeof times[name] === "number").map((name) => [name, times[name]]);
  const rest = times.total - shares.reduce((sum, [, value]) => sum + value, 0);
  if (rest > 0.05) shares.push(["other", rest]);
  const bar = h("div", { class: "time-bar", "aria-hidden": "true" });
  for (const [name, value] of shares) {
    const part = h("span", { class: `time-${name}`, title: `${name} ${ms(value)}` });
    part.style.flexGrow = String(Math.max(value, times.total / 200));
    bar.append(part);
  }
  const legend = h(
    "dl",
    { class: "time-legend" },
    shares.map(([name, value]) =>
      h("div", {}, h("dt", { class: `time-key time-${name}` }, name), h("dd", {}, ms(value))),
    ),
  );
  const total = h(
    "div",
    { class: "time-total" },
    h("strong", {}, ms(times.total)),
    h("span", { class: "muted" }, ` on the server · ${ms(roundTrip)} round trip`),
  );
  return h("div", { class: "times" }, total, bar, legend);
}

function models(answer) {
  const list = answer.models?.length ? answer.models : answer.model ? [answer.model] : [];
  if (!list.length) return null;
  return h(
    "ul",
    { class: "models" },
    list.map((model) =>
      h(
        "li",
        {},
        h("strong", {}, model.name),
        h("span", { class: "muted" }, ` ${model.version ?? ""}`),
        model.sha256 && h("code", { title: model.sha256 }, model.sha256.slice(0, 12)),
        model.sha256 && copyButton(() => model.sha256, `the sha256 of ${model.name}`, ""),
      ),
    ),
  );
}
