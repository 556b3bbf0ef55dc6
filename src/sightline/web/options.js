// The option fields of a task, built from the server's own description of it.

import { h, prose, title } from "./dom.js";

// Options of which one is chosen at a time. A task that is not named here shows plain fields; a name
// that the server does not describe is left out.
const ALTERNATIVES = {
  background: {
    legend: "Replace with",
    names: ["query", "background", "color", "blur", "transparent"],
    labels: { query: "Scene", background: "Photo", color: "Colour", blur: "Blur", transparent: "Nothing" },
    start: { query: "sunset", color: "#f4b400" },
    belongs: { provider: "query", fallback: "query" }, // mean nothing with the other choices
  },
};

const isColour = (option) => /^colou?r$/.test(option.name);

export class Options {
  #kept = new Map(); // task name -> {chosen, values: Map}
  #task = null;
  #changed;

  constructor(container, changed) {
    this.container = container;
    this.#changed = changed;
  }

  show(task, pictures) {
    this.#task = task;
    const alternatives = this.#alternatives();
    if (!this.#kept.has(task.name)) {
      const values = new Map(
        task.options.map((option) => [option.name, alternatives?.start[option.name] ?? option.default]),
      );
      this.#kept.set(task.name, { chosen: alternatives?.names[0], values });
    }
    this.#build(pictures);
  }

  // Picture slots that the options place themselves, beside the choice they belong to.
  places(task) {
    return (
      ALTERNATIVES[task.name]?.names.filter((name) =>
        task.pictures.some((picture) => picture.name === name && !picture.required),
      ) ?? []
    );
  }

  // Whether this picture takes part in the question as it stands.
  uses(name) {
    const alternatives = this.#alternatives();
    return !alternatives?.names.includes(name) || this.#state().chosen === name;
  }

  // What differs from the server's defaults, as it should stand in a request.
  values() {
    const alternatives = this.#alternatives();
    const { chosen, values } = this.#state();
    const result = {};
    for (const option of this.#task.options) {
      const belongs =
        alternatives?.belongs[option.name] ?? (alternatives?.names.includes(option.name) ? option.name : null);
      if (belongs && belongs !== chosen) continue;
      let value = values.get(option.name);
      if (option.name === chosen && option.type === "boolean") value = true;
      if (value === null || value === undefined || value === "") continue;
      if (value === option.default && option.name !== chosen) continue;
      result[option.name] = value;
    }
    return result;
  }

  set(name, value) {
    const state = this.#state();
    if (this.#alternatives()?.names.includes(name)) state.chosen = name;
    state.values.set(name, value);
  }

  #state() {
    return this.#kept.get(this.#task.name);
  }

  #alternatives() {
    const known = ALTERNATIVES[this.#task.name];
    if (!known) return null;
    const described = new Set([...this.#task.options, ...this.#task.pictures].map((one) => one.name));
    const names = known.names.filter((name) => described.has(name));
    return names.length > 1 ? { ...known, names } : null;
  }

  #build(pictures) {
    const alternatives = this.#alternatives();
    const state = this.#state();
    const options = this.#task.options;
    const content = [];
    if (alternatives) {
      const belonging = (name) =>
        options.filter((option) => option.name === name || alternatives.belongs[option.name] === name);
      const panel = h("div", { class: "chosen" });
      const fill = () => {
        const slot = pictures.element(state.chosen);
        const fields = belonging(state.chosen).filter(
          (option) => option.name !== state.chosen || option.type !== "boolean",
        );
        panel.replaceChildren(...(slot ? [slot] : []), ...fields.map((option) => this.#field(option)));
        panel.hidden = !panel.childElementCount;
      };
      content.push(
        h(
          "fieldset",
          { class: "segments" },
          h("legend", {}, alternatives.legend),
          h(
            "div",
            { class: "segment-row" },
            alternatives.names.map((name) => this.#radio(name, alternatives, fill)),
          ),
        ),
        panel,
      );
      fill();
      const inside = new Set(alternatives.names.flatMap((name) => belonging(name).map((option) => option.name)));
      content.push(...options.filter((option) => !inside.has(option.name)).map((option) => this.#field(option)));
    } else content.push(...options.map((option) => this.#field(option)));
    this.container.replaceChildren(...content);
  }

  #radio(name, alternatives, fill) {
    const state = this.#state();
    const input = h("input", { type: "radio", name: "alternative", value: name, checked: state.chosen === name });
    input.addEventListener("change", () => {
      state.chosen = name;
      fill();
      this.#changed(true);
    });
    return h("label", { class: "segment" }, input, h("span", {}, alternatives.labels[name] ?? title(name)));
  }

  #field(option) {
    const id = `option-${option.name}`;
    const { values } = this.#state();
    const value = values.get(option.name);
    const keep = (next, settled) => {
      values.set(option.name, next);
      this.#changed(settled);
    };
    const described = { id, "aria-describedby": option.help ? `${id}-help` : null };
    const help = option.help ? h("small", { class: "hint", id: `${id}-help` }, ...prose(option.help)) : null;
    if (option.type === "boolean") {
      const box = h("input", {
        type: "checkbox",
        ...described,
        checked: Boolean(value),
        on: { change: () => keep(box.checked, true) },
      });
      return h(
        "div",
        { class: "field" },
        h("label", { class: "check", for: id }, box, h("span", {}, title(option.name))),
        help,
      );
    }
    let control;
    if (option.choices) {
      const blank =
        option.default === null || option.default === undefined ? [h("option", { value: "" }, "Default")] : [];
      control = h(
        "select",
        described,
        ...blank,
        ...option.choices.map((choice) => h("option", { value: String(choice) }, String(choice))),
      );
      control.value = String(value ?? "");
      control.addEventListener("change", () =>
        keep(option.choices.find((choice) => String(choice) === control.value) ?? null, true),
      );
    } else if (option.type === "number" || option.type === "integer") {
      control = h("input", {
        type: "number",
        step: option.type === "integer" ? "1" : "any",
        inputmode: "decimal",
        min: option.minimum ?? null,
        max: option.maximum ?? null,
        placeholder: option.example === null || option.example === undefined ? "Default" : `e.g. ${option.example}`,
        ...described,
        value: value ?? "",
      });
      control.addEventListener("input", () => keep(control.value === "" ? null : Number(control.value), false));
    } else {
      control = h("input", {
        type: "text",
        autocomplete: "off",
        spellcheck: "false",
        placeholder: option.example === null || option.example === undefined ? "Default" : `e.g. ${option.example}`,
        ...described,
        value: value ?? "",
      });
      control.addEventListener("input", () => keep(control.value, false));
    }
    const row = isColour(option) ? h("div", { class: "row tight" }, this.#swatch(control, keep), control) : control;
    return h("div", { class: "field" }, h("label", { for: id }, title(option.name)), row, help);
  }

  #swatch(text, keep) {
    const valid = (value) => (/^#[0-9a-f]{6}$/i.test(value) ? value : "#ffffff");
    const swatch = h("input", { type: "color", "aria-label": "Pick a colour", value: valid(text.value) });
    swatch.addEventListener("input", () => {
      text.value = swatch.value;
      keep(swatch.value, false);
    });
    text.addEventListener("input", () => (swatch.value = valid(text.value)));
    return swatch;
  }
}
