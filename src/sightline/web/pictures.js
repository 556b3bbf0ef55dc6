// The picture slots: choose, drop, paste or take a photo. Files are kept by slot name, so a photo
// given to one task is still there for the next task with a slot of that name.

import { takePhoto } from "./camera.js";
import { announce, fileSize, h, icon, prose, title } from "./dom.js";

export class Pictures {
  #files = new Map(); // slot name -> {file, url}
  #slots = new Map(); // slot name -> its element, for the task on screen
  #fields = [];
  #changed;

  constructor(changed) {
    this.#changed = changed;
    document.addEventListener("paste", (event) => this.#pasted(event));
    // Anywhere on the page: a photo that misses its slot must not replace the page.
    document.addEventListener("dragover", (event) => this.#dragged(event));
    document.addEventListener("dragleave", (event) => event.relatedTarget === null && this.#mark(null));
    document.addEventListener("drop", (event) => this.#dropped(event));
  }

  show(fields) {
    this.#fields = fields;
    this.#slots = new Map(fields.map((field) => [field.name, this.#build(field)]));
    fields.forEach((field) => this.#fill(field));
  }

  element(name) {
    return this.#slots.get(name);
  }

  file(name) {
    return this.#files.get(name)?.file;
  }

  url(name) {
    return this.#files.get(name)?.url;
  }

  focus(name) {
    this.#slots.get(name)?.querySelector("input").focus();
  }

  // Several at once (a sample, a drop of three files) are one change.
  setAll(entries) {
    for (const [name, file] of entries) {
      this.#forget(name);
      this.#files.set(name, { file, url: URL.createObjectURL(file) });
      const field = this.#fields.find((one) => one.name === name);
      if (field) this.#fill(field);
    }
    if (entries.length) this.#changed(entries.map(([name]) => name));
  }

  #forget(name) {
    const old = this.#files.get(name);
    if (old) URL.revokeObjectURL(old.url);
    this.#files.delete(name);
  }

  #build(field) {
    const id = `picture-${field.name}`;
    const input = h("input", {
      type: "file",
      id,
      // TIFF is named because not every system counts it among image/*.
      accept: "image/*,.tif,.tiff",
      "aria-describedby": `${id}-help`,
      "aria-required": field.required ? "true" : null,
    });
    input.addEventListener("change", () => {
      const file = input.files[0];
      input.value = ""; // choosing the same file again must count as a change
      if (file) this.setAll([[field.name, file]]);
    });
    input.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.ctrlKey || event.metaKey) return;
      event.preventDefault(); // Enter would submit the form; the person means "choose"
      input.click();
    });
    const camera = h(
      "button",
      {
        type: "button",
        class: "icon-button",
        "aria-label": `Take ${title(field.name).toLowerCase()} with the camera`,
        title: "Take a photo",
      },
      icon("camera"),
    );
    camera.addEventListener("click", async () => {
      const file = await takePhoto();
      if (file) this.setAll([[field.name, file]]);
    });
    const remove = h(
      "button",
      {
        type: "button",
        class: "icon-button remove",
        "aria-label": `Remove ${title(field.name).toLowerCase()}`,
        title: "Remove",
      },
      icon("close"),
    );
    remove.addEventListener("click", () => {
      this.#forget(field.name);
      this.#fill(field);
      input.focus();
      announce(`${title(field.name)} removed.`);
      this.#changed([field.name]);
    });
    return h(
      "div",
      { class: "slot", "data-name": field.name },
      h(
        "label",
        { class: "slot-label", for: id },
        title(field.name),
        !field.required && h("span", { class: "muted" }, " optional"),
      ),
      h(
        "div",
        { class: "drop" },
        input,
        h("div", { class: "drop-face" }),
        h("div", { class: "drop-actions" }, camera, remove),
      ),
      h("p", { class: "hint", id: `${id}-help` }, ...prose(field.help)),
    );
  }

  #fill(field) {
    const slot = this.#slots.get(field.name);
    const entry = this.#files.get(field.name);
    const face = slot.querySelector(".drop-face");
    slot.classList.toggle("filled", Boolean(entry));
    slot.querySelector(".remove").hidden = !entry;
    if (!entry) {
      face.replaceChildren(
        h("span", { class: "thumb" }, icon("picture")),
        h(
          "span",
          { class: "drop-text" },
          h("span", { class: "fine" }, "Drop, paste or ", h("u", {}, "choose a photo")),
          h("span", { class: "coarse" }, h("u", {}, "Choose a photo")),
        ),
      );
      return;
    }
    const facts = h("small", { class: "muted" }, fileSize(entry.file.size));
    const image = h("img", { src: entry.url, alt: "", decoding: "async" });
    image.addEventListener(
      "load",
      () => (facts.textContent = `${image.naturalWidth} × ${image.naturalHeight} · ${fileSize(entry.file.size)}`),
    );
    // The server reads formats (TIFF) that some browsers cannot show.
    image.addEventListener("error", () => image.replaceWith(icon("picture")));
    face.replaceChildren(
      h("span", { class: "thumb" }, image),
      h("span", { class: "drop-text" }, h("span", { class: "file-name" }, entry.file.name), facts),
    );
  }

  // Files from a drop or the clipboard: from the slot they were given to onwards, else into the empty ones.
  #place(files, start) {
    const names = this.#fields.map((field) => field.name).filter((name) => this.#slots.get(name).offsetParent !== null);
    if (!names.length || !files.length || document.getElementById("fields").disabled) return;
    const empty = names.filter((name) => !this.#files.has(name));
    const order = start ? names.slice(names.indexOf(start)) : empty.length ? empty : names;
    this.setAll(order.slice(0, files.length).map((name, at) => [name, files[at]]));
  }

  #pasted(event) {
    const files = [...(event.clipboardData?.files ?? [])].filter((file) => file.type.startsWith("image/"));
    if (!files.length || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    this.#place(files, document.activeElement?.closest?.(".slot")?.dataset.name);
  }

  #dragged(event) {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
    this.#mark(event.target.closest?.(".slot") ?? null, true);
  }

  #dropped(event) {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    const slot = event.target.closest?.(".slot");
    this.#mark(null);
    this.#place([...event.dataTransfer.files], slot?.dataset.name);
  }

  #mark(slot, dragging = false) {
    document.body.classList.toggle("dragging", dragging);
    for (const one of this.#slots.values()) one.classList.toggle("over", one === slot);
  }
}
