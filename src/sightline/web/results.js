// From an answer to what a person sees: the frame, the parts list, one sentence. Chosen by the
// members that the answer has, not by the task's name, so that a new task with known members
// needs nothing here.

import { boxed, tint } from "./draw.js";
import { kinds, layered, rgbOf } from "./masks.js";
import { compare, crop, overlay } from "./stage.js";
import { h, percent, title } from "./dom.js";
import { verdict } from "./verdict.js";

// urls: slot name -> address of its picture; main: the slot that the answer's coordinates belong to;
// picture: address of the server's own picture, if the task answers one; drawn: `urls[main]` carries the drawing already.
// Gives {stage, details: Node | null, sentence}.
export async function present({ main, urls, answer, picture, drawn = false }) {
  if (answer.more_similar !== undefined) return verdict(urls, answer);
  if (picture) return replaced(urls, main, answer, picture);
  const shown = await overlaid(urls[main], answer, drawn);
  if (answer.labels) shown.details = bars(answer.labels.map((label) => [label.name, label.confidence]));
  return shown;
}

const plural = (count, one, many = `${one}s`) => `${count} ${count === 1 ? one : many}`;

function sentenceFor(answer) {
  if (answer.faces) {
    if (!answer.faces.length) return "No face found.";
    const emotions = answer.faces.map((face) => face.emotion).filter(Boolean);
    return `${plural(answer.faces.length, "face")} found${emotions.length ? `: ${emotions.join(", ")}` : ""}.`;
  }
  if (answer.lungs || answer.area_pixels !== undefined) {
    const parts = answer.lungs ? `${plural(answer.lungs.length, "lung")} found` : "Lungs found";
    return `${parts}, ${percent(answer.coverage ?? 0)} of the picture.`;
  }
  if (answer.objects) return `${plural(answer.objects.length, "object")} found.`;
  if (answer.instances?.length) return `${plural(answer.instances.length, "object")} outlined.`;
  if (answer.semantic) return answer.semantic.labels.map((kind) => `${kind.label} ${percent(kind.coverage)}`).join(", ");
  if (answer.instances) return "Nothing found.";
  if (answer.people) return `${plural(answer.people.length, "person", "people")} found.`;
  if (answer.none_of_these) return "None of the labels: unlike everything the model was taught.";
  if (answer.labels && !answer.labels.length) return "Nothing that the model is sure of.";
  if (answer.labels?.length) return `Most likely: ${answer.labels[0].name}, ${percent(answer.labels[0].confidence)}.`;
  return "Answered.";
}

async function overlaid(url, answer, drawn) {
  const things = boxed(answer);
  const masks = drawn ? [] : await masksOf(answer);
  const sentence = sentenceFor(answer);
  const frame = overlay(url, { alt: sentence, size: answer.image, things: drawn ? [] : things, masks });
  await frame.ready;
  return { stage: frame.node, details: parts(things, frame, answer) ?? legend(answer.semantic), sentence };
}

// Things' own masks; where there are none, the map of kinds.
async function masksOf(answer) {
  if (answer.mask?.png) return [await tint(answer.mask.png)];
  const instances = answer.instances ?? [];
  if (instances[0]?.mask.rle) return [layered(instances)];
  if (instances.length) return Promise.all(instances.map((item, at) => tint(item.mask.png, rgbOf(at))));
  return answer.semantic?.map ? [await kinds(answer.semantic.map.png)] : [];
}

const legend = (semantic) => semantic && bars(semantic.labels.map(({ label, coverage }) => [label, coverage]));

// One row a thing; pointing at it or focusing it lifts its box in the frame.
function parts(things, frame, answer) {
  if (!things.length || answer.lungs) return null;
  const list = h("ul", { class: answer.faces?.some((face) => face.scores) ? "parts wide-parts" : "parts" });
  things.forEach(({ box, item }, at) => {
    const name = item.emotion ?? item.label ?? `${answer.faces ? "Face" : answer.people ? "Person" : "Part"} ${at + 1}`;
    const place = `at ${Math.round(box.x)}, ${Math.round(box.y)} · ${Math.round(box.width)} × ${Math.round(box.height)}`;
    const confidence =
      typeof item.confidence === "number" &&
      h("span", { class: "figure" }, item.emotion ? `face ${percent(item.confidence)}` : percent(item.confidence));
    const head = h(
      "div",
      { class: "part-head" },
      h("strong", {}, title(name)),
      confidence,
      h("small", { class: "muted place" }, place),
    );
    const body = h(
      "div",
      { class: "part-body" },
      head,
      item.scores && bars(Object.entries(item.scores).sort((a, b) => b[1] - a[1])),
    );
    const row = h(
      "li",
      { class: "part", tabindex: "0" },
      crop(frame.image, box, answer.image ?? { width: frame.image.naturalWidth }),
      body,
    );
    for (const event of ["pointerenter", "focus"]) row.addEventListener(event, () => frame.highlight(at));
    for (const event of ["pointerleave", "blur"]) row.addEventListener(event, () => frame.highlight(-1));
    list.append(row);
  });
  return list;
}

function bars(entries) {
  return h(
    "ul",
    { class: "bars" },
    entries.map(([name, value], at) => {
      const fill = h("span", { class: "bar-fill" });
      fill.style.width = `${Math.max(0, Math.min(1, value)) * 100}%`;
      return h(
        "li",
        { class: at === 0 ? "bar first" : "bar" },
        h("span", { class: "bar-name" }, name),
        h("span", { class: "bar-track" }, fill),
        h("span", { class: "figure" }, percent(value)),
      );
    }),
  );
}

async function replaced(urls, main, answer, picture) {
  const covered = typeof answer.coverage === "number" ? `, ${percent(answer.coverage)} of the picture kept` : "";
  const sentence = `Background replaced${covered}.`;
  const frame = compare(urls[main], picture, ["Original", "With the new background"]);
  await frame.ready;
  const source = answer.background;
  return { stage: frame.node, details: source?.licence ? credit(source) : null, sentence };
}

function credit(source) {
  const fields = ["source", "title", "author", "licence"].filter((name) => source[name]);
  const pairs = fields.flatMap((name) => [h("dt", {}, title(name)), h("dd", {}, String(source[name]))]);
  // Only a web address becomes a link: a `javascript:` one from a provider stays text.
  if (/^https?:\/\//.test(source.url ?? ""))
    pairs.push(
      h("dt", {}, "Address"),
      h("dd", {}, h("a", { href: source.url, rel: "noreferrer noopener", target: "_blank" }, source.url)),
    );
  return pairs.length
    ? h("dl", { class: "credit" }, h("div", { class: "credit-title" }, "Background"), ...pairs)
    : null;
}
