// What is going on: the progress line, the Cancel button, the error box.

import { copyButton, h } from "./dom.js";

const byId = (id) => document.getElementById(id);

let patience = 0; // a quick answer should not flash a Cancel button

export function busy(on) {
  clearTimeout(patience);
  if (on) patience = setTimeout(() => (byId("cancel").hidden = false), 300);
  else byId("cancel").hidden = true;
  byId("progress").hidden = !on;
  byId("stage").setAttribute("aria-busy", String(on));
  // The button stays enabled: pressing it again asks anew, and focus is not lost.
  byId("run").textContent = "Run";
  if (on) showProgress(0);
}

export function showProgress(share) {
  const bar = byId("progress-bar");
  const uploading = share !== null && share < 1;
  bar.classList.toggle("waiting", !uploading);
  bar.style.width = uploading ? `${share * 100}%` : "";
  byId("run").textContent = uploading && share > 0 ? `Sending ${Math.round(share * 100)}%` : "Working…";
}

export function showError(error) {
  const box = byId("error");
  box.hidden = !error;
  if (!error) return box.replaceChildren();
  const code = error.code ?? "page_error";
  return box.replaceChildren(
    h("p", {}, h("code", { class: "error-code" }, code), " ", error.message),
    error.requestId
      ? h(
          "p",
          { class: "muted" },
          "Request ",
          h("code", {}, error.requestId),
          copyButton(() => error.requestId, "the request id", ""),
        )
      : "",
  );
}
