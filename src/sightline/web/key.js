// The API key: asked for when the server wants one, kept by api.js for this tab only.

import { apiKey } from "./api.js";

const byId = (id) => document.getElementById(id);

// Asks for the API key when the server wants one, as often as it refuses, until the person gives up.
export async function withKey(action) {
  let refused = false;
  for (;;) {
    try {
      return await action();
    } catch (error) {
      if (error.status !== 401) throw error;
      if (!(await askKey(refused || Boolean(apiKey.get())))) throw error;
      refused = true;
    }
  }
}

let asking = null; // two requests refused at once are one question to the person

export function askKey(refused) {
  asking ??= openDialog(refused).finally(() => (asking = null));
  return asking;
}

function openDialog(refused) {
  const dialog = byId("key-dialog");
  byId("show-key").hidden = false;
  byId("key-error").hidden = !refused;
  byId("key-input").value = "";
  return new Promise((resolve) => {
    let given = false;
    byId("key-form").onsubmit = () => {
      given = byId("key-input").value.trim() !== "";
      if (given) apiKey.set(byId("key-input").value.trim());
    };
    byId("key-cancel").onclick = () => dialog.close();
    dialog.addEventListener("close", () => resolve(given), { once: true });
    if (!dialog.open) dialog.showModal();
    byId("key-input").focus();
  });
}
