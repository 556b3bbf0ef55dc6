// Building elements without innerHTML: whatever the server or a file name says stays text.

const SVG = "http://www.w3.org/2000/svg";

export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") for (const [event, handler] of Object.entries(value)) element.addEventListener(event, handler);
    else if (name === "value" || name === "checked") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const PATHS = {
  copy: "M7 7V4.5A1.5 1.5 0 0 1 8.5 3h7A1.5 1.5 0 0 1 17 4.5v7a1.5 1.5 0 0 1-1.5 1.5H13M4.5 7h7A1.5 1.5 0 0 1 13 8.5v7a1.5 1.5 0 0 1-1.5 1.5h-7A1.5 1.5 0 0 1 3 15.5v-7A1.5 1.5 0 0 1 4.5 7Z",
  check: "m4 10.5 4 4 8-9",
  camera:
    "M3 7.5A1.5 1.5 0 0 1 4.5 6h1.800l1.200-2h5l1.200 2h1.800A1.5 1.5 0 0 1 17 7.5v7a1.5 1.5 0 0 1-1.5 1.5h-11A1.5 1.5 0 0 1 3 14.5v-7ZM10 13.5a2.800 2.800 0 1 0 0-5.600 2.800 2.800 0 0 0 0 5.600Z",
  close: "m5 5 10 10M15 5 5 15",
  download: "M10 3v9m0 0 3.5-3.5M10 12 6.5 8.5M3.5 16.5h13",
  viewfinder:
    "M3 6.5V4.5A1.5 1.5 0 0 1 4.5 3h2M13.5 3h2A1.5 1.5 0 0 1 17 4.5v2M17 13.5v2a1.5 1.5 0 0 1-1.5 1.5h-2M6.5 17h-2A1.5 1.5 0 0 1 3 15.5v-2M10 11.5a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3Z",
  picture:
    "M4.5 3.5h11A1.5 1.5 0 0 1 17 5v10a1.5 1.5 0 0 1-1.5 1.5h-11A1.5 1.5 0 0 1 3 15V5a1.5 1.5 0 0 1 1.5-1.5ZM3.5 14l4-4 3.5 3.5 2-2 3.5 3M12.800 8a1 1 0 1 0 0-2 1 1 0 0 0 0 2Z",
};

export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 20 20");
  svg.setAttribute("width", "16");
  svg.setAttribute("height", "16");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}

// "img1" -> "Image 1"; "max_faces" -> "Max faces".
export function title(name) {
  const words = name.replace(/^img(\d+)$/, "image $1").replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

// Text with `code` between backticks, as the server's sentences write commands and names.
export const prose = (text) => (text ?? "").split("`").map((part, at) => (at % 2 ? h("code", {}, part) : part));

export const percent = (value) => `${(value * 100).toFixed(value > 0.9995 || value < 0.0005 ? 0 : 1)}%`;

export function fileSize(bytes) {
  return bytes < 1e6 ? `${Math.max(1, Math.round(bytes / 1e3))} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

export function announce(message) {
  document.getElementById("status").textContent = message;
}

async function toClipboard(text) {
  if (navigator.clipboard && window.isSecureContext) return navigator.clipboard.writeText(text);
  // Plain http on another machine is no secure context: the old way still copies there.
  const area = h("textarea", { class: "hidden", value: text });
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  if (!done) throw new Error("copying is not allowed here");
  return undefined;
}

// A button that copies what `text()` gives at the time of the click.
export function copyButton(text, what, label = "Copy") {
  const face = h("span", {}, label);
  const button = h(
    "button",
    { type: "button", class: "copy", "aria-label": `Copy ${what}` },
    icon("copy"),
    label && face,
  );
  button.addEventListener("click", async () => {
    const focused = document.activeElement;
    let worked = true;
    try {
      await toClipboard(text());
    } catch {
      worked = false;
    }
    focused?.focus?.();
    button.classList.toggle("done", worked);
    button.firstChild.replaceWith(icon(worked ? "check" : "copy"));
    if (label) face.textContent = worked ? "Copied" : "Not allowed";
    announce(worked ? `Copied ${what}.` : "The browser did not allow copying.");
    setTimeout(() => {
      button.classList.remove("done");
      button.firstChild.replaceWith(icon("copy"));
      face.textContent = label;
    }, 1600);
  });
  return button;
}

// ARIA tabs: arrow keys move, Home and End jump, one tab stop.
export function arrowKeys(list, select) {
  list.addEventListener("keydown", (event) => {
    const tabs = [...list.querySelectorAll('[role="tab"]')];
    const at = tabs.indexOf(document.activeElement);
    if (at < 0) return;
    const to = {
      ArrowRight: at + 1,
      ArrowDown: at + 1,
      ArrowLeft: at - 1,
      ArrowUp: at - 1,
      Home: 0,
      End: tabs.length - 1,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const next = tabs[(to + tabs.length) % tabs.length];
    next.focus();
    select(next);
  });
}
