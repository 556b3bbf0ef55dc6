// The answer to "which of these is the anchor's person?": three photos, one sentence.

import { h, icon, percent, title } from "./dom.js";
import { crop } from "./stage.js";

// Gives {stage, details, sentence}, as results.js does. urls: slot name -> address of its picture.
export async function verdict(urls, answer) {
  const names = Object.keys(answer.similarity);
  const winner = names.includes(answer.more_similar) ? answer.more_similar : null;
  const sentence = winner
    ? `${title(winner)} is more similar to the anchor.`
    : "Neither picture shows the anchor’s person.";
  const photos = Object.fromEntries(
    await Promise.all(
      ["anchor", ...names].map(async (name) => [name, await photo(name, urls[name], answer.faces?.[name])]),
    ),
  );
  const stage = h(
    "div",
    { class: "verdict" },
    h("p", { class: "verdict-line" }, sentence),
    h(
      "div",
      { class: "pairs" },
      anchorCard(photos.anchor, answer),
      names.map((name) => card(name, photos[name], answer, winner)),
    ),
  );
  return { stage, details: explanation(answer), sentence };
}

// The face that was compared, with some of the photo around it; the whole photo where the answer names no face.
async function photo(name, url, used) {
  const image = h("img", { src: url, alt: title(name) });
  try {
    await image.decode();
  } catch {
    return h("div", { class: "pair-blank", title: "This browser cannot show this file." }, icon("picture"));
  }
  if (!used?.box) return image;
  return crop(image, used.box, used.image, {
    side: 320,
    room: 2,
    outline: true,
    label: `${title(name)}: the face that was compared`,
  });
}

function others(name, answer) {
  const count = answer.faces?.[name]?.count ?? 1;
  return count > 1 && h("small", { class: "muted" }, `the largest of ${count} faces`);
}

function anchorCard(view, answer) {
  return h(
    "figure",
    { class: "pair anchor" },
    h("div", { class: "pair-photo" }, view),
    h(
      "figcaption",
      {},
      h("div", { class: "pair-head" }, h("strong", {}, "Anchor")),
      h("small", { class: "muted" }, "What the others are compared with"),
      others("anchor", answer),
    ),
  );
}

function card(name, view, answer, winner) {
  const fill = h("span", { class: "bar-fill" });
  fill.style.width = `${answer.similarity[name] * 100}%`;
  const same = answer.same_person?.[name];
  const distance = answer.distance?.[name];
  const tag =
    same !== undefined && h("span", { class: same ? "tag yes" : "tag" }, same ? "Same person" : "Different people");
  return h(
    "figure",
    { class: name === winner ? "pair winner" : "pair" },
    h("div", { class: "pair-photo" }, view, name === winner && h("span", { class: "ribbon" }, "More similar")),
    h(
      "figcaption",
      {},
      h(
        "div",
        { class: "pair-head" },
        h("strong", {}, title(name)),
        h("span", { class: "score" }, likely(answer.similarity[name])),
      ),
      h("span", { class: "bar-track" }, fill),
      h(
        "div",
        { class: "pair-foot" },
        tag,
        typeof distance === "number" && h("small", { class: "muted" }, `distance ${distance.toFixed(3)}`),
      ),
      others(name, answer),
    ),
  );
}

// A probability that was rounded to 1 is still no certainty.
const likely = (value) => (value > 0.999 ? "> 99.9%" : percent(value));

function explanation(answer) {
  if (typeof answer.threshold !== "number") return null;
  return h(
    "p",
    { class: "muted note" },
    "The percentage is the probability that both show one person, if half of all pairs did. ",
    `“Same person” means a distance below ${answer.threshold.toFixed(3)}. Neither proves who somebody is.`,
  );
}
