// The panel of requests to copy and of the answer's JSON.

import { arrowKeys, copyButton, h } from "./dom.js";
import { jsonTree } from "./json.js";
import { snippets, tokens } from "./snippets.js";

let open = "curl"; // the tab last chosen; kept from task to task

const coloured = (code) =>
  tokens(code).map(([kind, text]) => (kind ? h("span", { class: `code-${kind}` }, text) : text));

function tabsFor(question, answer, partial) {
  const tabs = snippets(question).map(({ id, label, code }) => ({
    id,
    label,
    what: `the ${label} request`,
    copy: () => code,
    view: () => h("pre", { tabindex: "0", "aria-label": `${label} request` }, h("code", {}, coloured(code))),
  }));
  if (answer) {
    const copy = () => JSON.stringify(answer, null, 2);
    const view = () => (partial ? h("p", { class: "muted pad" }, "Asking for the whole answer…") : jsonTree(answer));
    tabs.push({ id: "json", label: "Answer (JSON)", what: "the whole answer", copy, view });
  }
  return tabs;
}

// fetchWhole: set while `answer` is only a part of the answer; called when somebody looks at the JSON. It shows the text again.
export function showText(place, question, answer, fetchWhole = null) {
  const tabs = tabsFor(question, answer, Boolean(fetchWhole));
  const chosen = tabs.find((one) => one.id === open) ?? tabs[0];
  const waiting = chosen.id === "json" && fetchWhole !== null;
  const focused = document.activeElement?.id;
  const choose = (id) => {
    open = id;
    showText(place, question, answer, fetchWhole);
    document.getElementById(`code-${id}`).focus();
  };
  const button = ({ id, label }) =>
    h(
      "button",
      {
        type: "button",
        role: "tab",
        id: `code-${id}`,
        "aria-controls": "code-panel",
        "aria-selected": String(id === chosen.id),
        tabindex: id === chosen.id ? "0" : "-1",
        on: { click: () => choose(id) },
      },
      label,
    );
  const list = h("div", { role: "tablist", class: "code-tabs", "aria-label": "Request and answer" }, tabs.map(button));
  arrowKeys(list, (tab) => choose(tab.id.replace("code-", "")));
  place.replaceChildren(
    h("div", { class: "code-head" }, list, !waiting && copyButton(chosen.copy, chosen.what)),
    h(
      "div",
      { class: "code-panel", id: "code-panel", role: "tabpanel", "aria-labelledby": `code-${chosen.id}` },
      chosen.view(),
    ),
  );
  if (waiting) fetchWhole();
  // Redrawn under a person's fingers: focus stays where it was.
  if (focused?.startsWith("code-")) document.getElementById(focused)?.focus();
}
