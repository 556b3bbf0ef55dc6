// The "Models" dialog: what this server can load, and under which licence.

import { getJson } from "./api.js";
import { copyButton, h } from "./dom.js";
import { withKey } from "./key.js";

const STATES = { missing: "not on this machine", corrupt: "damaged" };

function licence({ spdx, holder, url, research_only: researchOnly, note }) {
  // Only a web address becomes a link.
  const name = /^https?:\/\//.test(url ?? "")
    ? h("a", { href: url, rel: "noreferrer noopener", target: "_blank" }, spdx)
    : spdx;
  return [
    h(
      "p",
      { class: "model-licence" },
      name,
      holder && ` · ${holder}`,
      researchOnly && h("span", { class: "tag" }, "research only"),
    ),
    note && h("p", { class: "muted" }, note),
  ];
}

function row(model) {
  return h(
    "li",
    { class: "model" },
    h(
      "div",
      { class: "model-name" },
      h("strong", {}, model.name),
      h("span", { class: "muted" }, model.version),
      STATES[model.state] && h("span", { class: "tag" }, STATES[model.state]),
      h(
        "span",
        { class: "model-sha" },
        h("code", { title: model.sha256 }, model.sha256.slice(0, 12)),
        copyButton(() => model.sha256, `the sha256 of ${model.name}`, ""),
      ),
    ),
    h("p", {}, model.summary),
    licence(model.licence),
    (model.figures ?? []).map((one) =>
      h(
        "p",
        { class: "muted", title: one.command },
        `${one.metric} ${one.value} on ${one.dataset}${one.n ? ` (${one.n})` : ""}`,
      ),
    ),
  );
}

export async function showModels() {
  const dialog = document.getElementById("models-dialog");
  const body = h("div", { class: "models-body" }, h("p", { class: "muted" }, "Loading…"));
  const close = h("button", { type: "button", class: "icon-button", "aria-label": "Close" }, "✕");
  close.addEventListener("click", () => dialog.close());
  dialog.replaceChildren(
    h("div", { class: "row between" }, h("h2", { id: "models-title" }, "Models and licences"), close),
    body,
  );
  dialog.showModal();
  try {
    const { models } = await withKey(() => getJson("v1/models"));
    body.replaceChildren(
      models.length ? h("ul", { class: "model-list" }, models.map(row)) : h("p", {}, "This server has no models."),
    );
  } catch (error) {
    body.replaceChildren(h("p", { class: "notice error" }, `${error.message} (${error.code})`));
  }
}
