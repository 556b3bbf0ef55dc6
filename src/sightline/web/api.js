// The server's HTTP contract, and nothing of the page. Addresses are relative to the page, so it
// works below a path prefix too.

const KEY = "sightline.key";

export class ApiError extends Error {
  constructor(status, code, message, requestId) {
    super(message);
    this.status = status;
    this.code = code;
    this.requestId = requestId;
  }
}

// The key lives in sessionStorage only: it goes when the tab goes. Where storage is forbidden, in memory.
let remembered = "";
export const apiKey = {
  get() {
    try {
      return sessionStorage.getItem(KEY) || remembered;
    } catch {
      return remembered;
    }
  },
  set(value) {
    remembered = value;
    try {
      if (value) sessionStorage.setItem(KEY, value);
      else sessionStorage.removeItem(KEY);
    } catch {
      // Kept in memory above.
    }
  },
};

export const address = (path) => new URL(path, document.baseURI).href;

async function failure(status, requestId, blob) {
  try {
    const { error } = JSON.parse(await blob.text());
    return new ApiError(status, error.code, error.message, error.request_id || requestId);
  } catch {
    return new ApiError(status, `http_${status}`, "The server answered with an error and no explanation.", requestId);
  }
}

export async function getJson(path) {
  const headers = { Accept: "application/json" };
  if (apiKey.get()) headers["X-API-Key"] = apiKey.get();
  let reply;
  try {
    reply = await fetch(address(path), { headers });
  } catch {
    throw new ApiError(0, "no_connection", "The server could not be reached.", null);
  }
  if (!reply.ok) throw await failure(reply.status, reply.headers.get("X-Request-Id"), await reply.blob());
  return reply.json();
}

// One question. XMLHttpRequest, because fetch cannot tell how far an upload has come.
// Gives {json, requestId, ms} or {blob, members, requestId, ms}. `members` are the small members of an answer that is
// a picture (its mask is left out); ms is the round trip as this browser saw it.
export function ask(task, form, { accept = "application/json", signal, onProgress } = {}) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const started = performance.now();
    request.open("POST", address(`v1/${encodeURIComponent(task)}`));
    request.responseType = "blob";
    request.setRequestHeader("Accept", accept);
    if (apiKey.get()) request.setRequestHeader("X-API-Key", apiKey.get());
    if (onProgress)
      request.upload.onprogress = (event) => onProgress(event.lengthComputable ? event.loaded / event.total : null);
    signal?.addEventListener("abort", () => request.abort(), { once: true });
    request.onabort = () => reject(new DOMException("Cancelled", "AbortError"));
    request.onerror = () =>
      reject(new ApiError(0, "no_connection", "The server could not be reached, or closed the connection.", null));
    request.onload = async () => {
      const requestId = request.getResponseHeader("X-Request-Id");
      const type = (request.getResponseHeader("Content-Type") || "").split(";")[0];
      const ms = performance.now() - started;
      if (request.status >= 300) return reject(await failure(request.status, requestId, request.response));
      if (type !== "application/json") {
        const members = request.getResponseHeader("X-Sightline-Answer");
        return resolve({ blob: request.response, members: members && JSON.parse(members), requestId, ms });
      }
      try {
        return resolve({ json: JSON.parse(await request.response.text()), requestId, ms });
      } catch {
        return reject(new ApiError(request.status, "bad_answer", "The server's answer is not valid JSON.", requestId));
      }
    };
    if (signal?.aborted) return reject(new DOMException("Cancelled", "AbortError"));
    return request.send(form);
  });
}
