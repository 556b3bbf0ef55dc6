// The page: one question, one answer. This module holds the state and wires the parts together.

import { ApiError, address, apiKey, ask, getJson } from "./api.js";
import { showText } from "./code.js";
import { announce, arrowKeys, h, icon, prose, title } from "./dom.js";
import { facts } from "./facts.js";
import { askKey, withKey } from "./key.js";
import { showModels } from "./models.js";
import { Options } from "./options.js";
import { Pictures } from "./pictures.js";
import { present } from "./results.js";
import { overlay } from "./stage.js";
import { busy, showError, showProgress } from "./status.js";

const byId = (id) => document.getElementById(id);
const state = {
  tasks: [],
  task: null,
  samples: {},
  running: null, // AbortController of the question under way
  answer: null, // the last JSON answer to the question on screen
  whole: null, // fetches the rest of that answer, where the picture on screen brought only the small members
  answerUrl: null, // the object URL of the picture in the frame, to be given back
};
const pictures = new Pictures(picturesChanged);
const options = new Options(byId("options"), optionsChanged);

// --- tasks -----------------------------------------------------------------------------------

async function start() {
  try {
    state.tasks = (await withKey(() => getJson("v1/tasks"))).tasks;
  } catch (error) {
    byId("title").textContent = "No answer from the server";
    showError(error);
    return;
  }
  state.samples = await getJson("web/samples/samples.json").catch(() => ({}));
  showTasks();
  arrowKeys(byId("tasks"), (tab) => tab.click());
  chooseFromAddress();
  window.addEventListener("hashchange", chooseFromAddress);
}

function showTasks() {
  byId("tasks").replaceChildren(
    ...state.tasks.map((task) =>
      h(
        "button",
        {
          type: "button",
          role: "tab",
          id: `task-${task.name}`,
          class: task.ready ? "task" : "task not-ready",
          "aria-controls": "panel",
          on: { click: () => choose(task) },
        },
        title(task.name),
        !task.ready && h("span", { class: "hidden" }, " (not ready)"),
      ),
    ),
  );
}

function chooseFromAddress() {
  const wanted = decodeURIComponent(location.hash.replace(/^#\//, ""));
  const task =
    state.tasks.find((one) => one.name === wanted) ??
    state.task ??
    state.tasks.find((one) => one.ready) ??
    state.tasks[0];
  if (task && task !== state.task) choose(task);
}

function choose(task) {
  cancel();
  state.task = task;
  history.replaceState(null, "", `#/${encodeURIComponent(task.name)}`);
  for (const tab of byId("tasks").children) {
    const selected = tab.id === `task-${task.name}`;
    tab.setAttribute("aria-selected", String(selected));
    tab.tabIndex = selected ? 0 : -1;
    if (selected) tab.scrollIntoView({ block: "nearest", inline: "nearest" });
  }
  byId("panel").setAttribute("aria-labelledby", `task-${task.name}`);
  document.title = `${title(task.name)} · Sightline`;
  byId("title").textContent = title(task.name);
  byId("summary").textContent = task.summary ?? "";
  byId("reason").hidden = task.ready;
  byId("reason").replaceChildren(
    h("strong", {}, "Not ready on this server. "),
    ...prose(task.reason?.replace(/^./, (first) => first.toUpperCase())),
  );
  byId("key-hint").hidden = !task.ready;
  byId("fields").disabled = !task.ready;

  pictures.show(task.pictures);
  const elsewhere = options.places(task);
  byId("slots").replaceChildren(
    ...task.pictures.filter((one) => !elsewhere.includes(one.name)).map((one) => pictures.element(one.name)),
  );
  byId("slots").classList.toggle("several", task.pictures.length - elsewhere.length > 1);
  options.show(task, pictures);
  showSamples();
  forget();
  if (!task.ready) watch(task);
}

// A server that has just started may still be loading this task's models; a later look costs little.
async function watch(task, wait = 1500) {
  await new Promise((resolve) => setTimeout(resolve, wait));
  if (state.task !== task) return;
  const tasks = await getJson("v1/tasks").then(
    (reply) => reply.tasks,
    () => null,
  );
  const now = tasks?.find((one) => one.name === task.name);
  if (state.task !== task) return;
  if (!now?.ready) {
    watch(task, Math.min(wait * 2, 30_000));
    return;
  }
  state.tasks = tasks;
  showTasks();
  choose(now);
}

function showSamples() {
  const samples = state.samples[state.task.name] ?? [];
  byId("samples").hidden = !samples.length || !state.task.ready;
  byId("samples").replaceChildren(
    h("span", { class: "muted" }, "Try a sample"),
    ...samples.map((sample) =>
      h(
        "button",
        { type: "button", class: "sample", on: { click: () => trySample(sample) } },
        h("img", { src: address(`web/samples/${Object.values(sample.pictures)[0]}`), alt: "", loading: "lazy" }),
        sample.label,
      ),
    ),
  );
}

async function trySample(sample) {
  const load = async ([name, file]) => {
    const blob = await (await fetch(address(`web/samples/${file}`))).blob();
    return [name, new File([blob], file, { type: "image/jpeg" })];
  };
  try {
    pictures.setAll(await Promise.all(Object.entries(sample.pictures).map(load)));
  } catch {
    showError(new ApiError(0, "no_sample", "The sample could not be loaded.", null));
  }
}

// --- the question ------------------------------------------------------------------------------

// The request on screen, and the answer once there is one, as text to copy.
function showCode() {
  if (!state.task) return;
  const placed = options.places(state.task);
  const given = used().filter((one) => one.required || pictures.file(one.name) || placed.includes(one.name));
  const nameless = (slot) => (slot === "image" ? "photo.jpg" : `${slot}.jpg`);
  const question = {
    task: state.task.name,
    address: address(`v1/${state.task.name}`),
    pictures: given.map((one) => [one.name, pictures.file(one.name)?.name ?? nameless(one.name)]),
    options: options.values(),
    picture: state.task.answers_picture,
    key: Boolean(apiKey.get()),
  };
  showText(byId("code"), question, state.answer, state.whole ? fetchWhole : null);
}

// The answer with everything in it, where the picture brought only the small members.
async function fetchWhole() {
  const whole = state.whole;
  state.whole = null;
  try {
    const answer = await whole();
    if (state.answer) state.answer = answer;
  } catch (error) {
    showError(error);
  }
  showCode();
}

const used = () => state.task.pictures.filter((one) => options.uses(one.name));
const missing = () =>
  used().filter((one) => (one.required || options.places(state.task).includes(one.name)) && !pictures.file(one.name));
const main = () => state.task.pictures[0].name;

function picturesChanged() {
  cancel(); // an answer on its way would be about the old pictures
  forget();
  if (state.task.ready && !missing().length) run();
}

function optionsChanged(settled) {
  showCode();
  // A choice is a whole question; a word being typed is not.
  if (settled && state.answer && !missing().length) run();
}

function questionForm() {
  const form = new FormData();
  for (const { name } of used()) if (pictures.file(name)) form.append(name, pictures.file(name));
  for (const [name, value] of Object.entries(options.values())) form.append(name, String(value));
  return form;
}

async function run() {
  const lacking = missing();
  if (lacking.length) {
    pictures.focus(lacking[0].name);
    showError(new ApiError(0, "missing_input", `Give a picture for “${title(lacking[0].name)}” first.`, null));
    return;
  }
  cancel();
  const task = state.task;
  const controller = (state.running = new AbortController());
  busy(true);
  showError(null);
  try {
    const urls = Object.fromEntries(used().map(({ name }) => [name, pictures.url(name)]));
    const form = questionForm();
    const send = (accept, onProgress) =>
      withKey(() => ask(task.name, form, { accept, signal: controller.signal, onProgress }));
    const reply = await send(task.answers_picture ? "image/png" : "application/json", showProgress);
    // A picture answer brings its small members along, so that one request is enough; the mask waits until it is wanted.
    const answer = reply.json ?? reply.members ?? (await send("application/json")).json;
    // A picture that this browser cannot show (TIFF) is shown as the server draws it.
    const single = task.pictures.filter((one) => one.required).length === 1;
    const standIn = !reply.blob && single && !(await showable(urls[main()])) ? (await send("image/png")).blob : null;
    if (state.running !== controller) return;
    releaseUrl();
    const picture = reply.blob ?? standIn;
    if (picture) state.answerUrl = URL.createObjectURL(picture);
    const shown = await present({
      main: main(),
      urls: standIn ? { ...urls, [main()]: state.answerUrl } : urls,
      answer,
      picture: standIn ? null : state.answerUrl,
      drawn: Boolean(standIn),
    });
    if (state.running !== controller) return;
    state.answer = answer;
    state.whole = reply.blob && reply.members ? async () => (await send("application/json")).json : null;
    show(shown, answer, reply);
    const drawing = picture ? async () => picture : async () => (await send("image/png")).blob;
    byId("stage-foot").append(downloadButton(`${task.name}.png`, drawing));
  } catch (error) {
    if (state.running !== controller) return;
    if (error.name === "AbortError") announce("Cancelled.");
    else showError(error);
  } finally {
    if (state.running === controller) {
      state.running = null;
      busy(false);
    }
  }
}

function cancel() {
  state.running?.abort();
  state.running = null;
  busy(false);
}

// Whether the browser itself can show this file; if not (TIFF), the server draws it.
const showable = (url) =>
  new Promise((resolve) => {
    const image = new Image();
    image.onload = () => resolve(true);
    image.onerror = () => resolve(false);
    image.src = url;
  });

// --- the answer --------------------------------------------------------------------------------

function show(shown, answer, { requestId, ms }) {
  byId("stage").replaceChildren(shown.stage);
  byId("stage").classList.remove("empty");
  byId("details").hidden = !shown.details;
  byId("details").replaceChildren(...(shown.details ? [shown.details] : []));
  byId("stage-foot").hidden = answer.more_similar !== undefined; // that frame says it all
  byId("stage-foot").replaceChildren(h("span", { class: "sentence" }, shown.sentence));
  byId("facts").hidden = false;
  byId("facts").replaceChildren(...facts(answer, requestId, ms));
  showCode();
  announce(shown.sentence);
  // On a phone the frame is below the form.
  if (byId("stage").getBoundingClientRect().top > window.innerHeight * 0.6) {
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    byId("stage").scrollIntoView({ block: "start", behavior: still ? "auto" : "smooth" });
  }
}

// `drawing` gives the answer as a picture at full size: the one on screen, or one that the server draws now.
function downloadButton(name, drawing) {
  const button = h("button", { type: "button", class: "copy" }, icon("download"), h("span", {}, "Download PNG"));
  button.addEventListener("click", async () => {
    try {
      const url = URL.createObjectURL(await drawing());
      h("a", { href: url, download: name }).click();
      setTimeout(() => URL.revokeObjectURL(url), 10_000);
    } catch (error) {
      showError(error);
    }
  });
  return button;
}

function forget() {
  state.answer = state.whole = null;
  showError(null);
  for (const id of ["details", "facts", "stage-foot"]) byId(id).hidden = true;
  const stage = byId("stage");
  const url =
    state.task?.ready && used().length === 1 + options.places(state.task).filter((name) => options.uses(name)).length
      ? pictures.url(main())
      : null;
  stage.classList.toggle("empty", !url);
  releaseUrl();
  if (url) {
    const preview = overlay(url, { alt: "Your picture, not yet answered" });
    stage.replaceChildren(preview.node);
    preview.ready.catch(() =>
      preview.node.replaceWith(h("p", { class: "muted" }, "This browser cannot show this file.")),
    );
  } else
    stage.replaceChildren(
      h(
        "div",
        { class: "viewfinder muted" },
        icon("viewfinder"),
        state.task?.ready
          ? h("span", {}, h("span", { class: "fine" }, "Drop a photo anywhere. "), "The answer appears here.")
          : "This task cannot answer yet.",
      ),
    );
  showCode();
}

function releaseUrl() {
  if (state.answerUrl) URL.revokeObjectURL(state.answerUrl);
  state.answerUrl = null;
}

// --- keys and buttons ---------------------------------------------------------------------------

byId("form").addEventListener("submit", (event) => {
  event.preventDefault();
  run();
});
document.addEventListener("keydown", (event) => {
  if (
    (event.ctrlKey || event.metaKey) &&
    event.key === "Enter" &&
    state.task?.ready &&
    !state.running &&
    !document.querySelector("dialog[open]")
  ) {
    event.preventDefault();
    run();
  }
});
byId("cancel").addEventListener("click", () => {
  cancel();
  announce("Cancelled.");
  byId("run").focus();
});
byId("show-models").addEventListener("click", () => showModels());
byId("show-key").addEventListener("click", () => askKey(false).then(showCode));

start();
