// The page: a clip comes in, its prediction streams, player and timeline move together.
import * as net from "./net.js";
import * as panels from "./panels.js";
import { calm, complain } from "./panels.js";
import { Player } from "./player.js";
import { obstacle, wireRecorder } from "./recorder.js";
import { clock, segmentAt, valuesAt, word } from "./scores.js";
import { Timeline } from "./timeline.js";
import { forgetWords, wireWords } from "./words.js";

const $ = (id) => document.getElementById(id);
const SECTIONS = ["start", "recorder", "sending", "result"];
const state = {
  model: null, clip: null, words: "", subtitles: null, edition: 0, without: [], window: 0, results: new Map(), shown: null, base: null,
  running: null, now: 0, chosen: 0,
};
const timeline = new Timeline($("timeline"), (time) => seek(time));
const player = new Player((time) => move(time));

function show(section) {
  for (const each of SECTIONS) $(each).hidden = each !== section;
  $("again").hidden = section !== "result";
}

// --- a clip comes in

async function take(file, name) {
  calm();
  if (file.size > state.model.max_bytes) {
    complain("This file is too large", `${name} has ${(file.size / 1e6).toFixed(1)} MB; the limit is ${state.model.max_bytes / 1e6} MB.`);
    return;
  }
  leave();
  show("sending");
  $("sending-text").textContent = `Uploading ${name} …`;
  $("sending-bar").value = 0;
  const sending = net.upload(file, name, (share) => {
    $("sending-bar").value = share;
    if (share >= 1) $("sending-text").textContent = `Looking into ${name} …`;
  });
  $("sending-stop").onclick = () => sending.abort();
  try {
    state.clip = await sending.promise;
    if (state.subtitles && state.clip.kind === "media") await net.subtitles(state.clip.id, state.subtitles);
  } catch (error) {
    leave();
    show("start");
    if (error.name !== "AbortError") complain("This file cannot be used", error.message);
    return;
  }
  open();
}

function leave() {
  state.running?.abort();
  if (state.clip) {
    net.remove(state.clip.id);
    Object.assign(state, { words: "", subtitles: null }); // they belonged to that clip
    forgetWords();
  }
  Object.assign(state, { clip: null, without: [], window: 0, shown: null, base: null, running: null, active: null, now: 0, chosen: 0 });
  state.results.clear();
  player.close();
}

function open() {
  const { clip, model } = state;
  show("result");
  $("clip-name").textContent = clip.name;
  $("window").value = "0";
  $("words-again").hidden = clip.kind !== "media" || $("words-open").hidden || model.windows.length < 2;
  $("window-box").hidden = clip.kind !== "media" || model.windows.length < 2;
  $("forms").hidden = model.kind !== "classes" || clip.kind === "text";
  timeline.model = model;
  form(true);
  player.open(clip);
  predict();
}

// --- predictions

// What is asked; an edition is what the server was given as subtitles.
const key = (without) => JSON.stringify([without, state.window, state.words, state.edition]);
const KEPT = 4; // results that are remembered: fewer than the server keeps (RUNS in uploads.py), or downloads would fail

function remember(without, result) {
  state.results.delete(key(without));
  state.results.set(key(without), result);
  for (const old of [...state.results.keys()].slice(0, -KEPT)) state.results.delete(old);
}

async function predict() {
  state.running?.abort();
  const mine = state.running = new AbortController();
  const full = state.results.get(key([]));
  state.base = state.without.length && full?.done ? full : null;
  await stream(state.without, mine.signal, (result) => { state.shown = result; });
  if (!mine.signal.aborted && state.without.length && state.shown.done) {
    await stream([], mine.signal, (result) => { state.base = result; });
  }
  if (state.running === mine) state.running = state.active = null;
  refresh();
}

// put(result) gets what is known, or what then grows.
async function stream(without, signal, put) {
  const known = state.results.get(key(without));
  if (known?.done) {
    put(known);
    refresh();
    return;
  }
  const result = state.active = { segments: [], start: null, run: "", done: null, before: 0, message: "" };
  remember(without, result);
  put(result);
  refresh();
  try {
    await net.predict(state.clip.id, { without, window: state.window, text: state.words }, signal, (event) => {
      read(result, event);
      refresh();
    });
    if (!result.done && !result.message) result.message = "The prediction ended early: the server was stopped.";
  } catch (error) {
    result.message ||= "Stopped.";
    if (error.name !== "AbortError") fail(error);
  }
}

function read(result, event) {
  if (event.type === "run") result.run = event.run;
  if (event.type === "queue") result.before = event.before;
  if (event.type === "start") result.start = event;
  if (event.type === "segment") {
    result.segments.push(event.segment);
    result.progress = event;
  }
  if (event.type === "done") result.done = event;
  if (event.type === "stopped") result.message = event.message || "Stopped.";
  if (event.type === "error") {
    result.message = "Nothing could be predicted.";
    complain("This clip cannot be predicted", event.message);
  }
}

function fail(error) {
  if (error.status === 404) {
    leave();
    show("start");
    complain("The file is gone", `${error.message} Files are removed ${state.model.keep} minutes after their last use.`);
  } else complain("The prediction failed", error.message);
}

// For the eye always, for the ear only what is no progress.
function say(text) {
  if ($("status").textContent !== text) $("status").textContent = text;
  if (!text.includes("Predicting: ") && $("said").textContent !== text) $("said").textContent = text;
}

let waiting = false;

function refresh() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    if (state.clip && state.shown) paint();
  });
}

function paint() {
  const { model, clip, shown: result, base } = state;
  const { start, segments } = result;
  const active = state.running && state.active && !state.active.done ? state.active : null;
  const running = Boolean(active);
  const said = panels.status(result) + (active && active !== result ? ` · with everything, to compare: ${panels.status(active)}` : "");
  say(said);
  $("stop").hidden = !running && !result.message && !base?.message;
  $("stop").textContent = running ? "Stop" : "Predict again";
  $("progress").hidden = !running;
  if (active?.start?.seconds && active.progress) $("progress").value = active.progress.done / active.start.seconds;
  else $("progress").removeAttribute("value");
  const clocked = start ? start.clocked : clip.kind !== "text";
  timeline.seconds = start?.seconds || clip.seconds || (clocked ? segments[segments.length - 1]?.end : 0) || 0;
  timeline.segments = clocked ? segments : [];
  timeline.before = clocked && base ? base.segments : null;
  timeline.canvas.hidden = $("line-help").hidden = $("key").hidden = !clocked;
  $("line-title").textContent = clocked ? "Timeline" : `Utterances of ${clip.name}`;
  $("table-box").hidden = clocked;
  if (!clocked) panels.showTable(model, segments, base?.segments, state.chosen, (k) => { state.chosen = k; refresh(); });
  if (start) panels.showSwitches(model, start.missing, state.without, toggle);
  else panels.syncSwitches(state.without);
  const end = state.running ? "running" : result.done && base?.done ? "done" : "stopped";
  panels.showComparison(model, state.without, segments, base && segments.length ? base.segments : null, end);
  panels.showDownloads(clip.id, result.done && segments.length ? result.run : "", clocked);
  const notes = [...(result.done?.notes || []), ...segments.flatMap((each) => each.notes)];
  const cuttable = !$("window-box").hidden && !state.window && start?.cut === "as one clip" && clip.seconds > 3;
  if (result.done && cuttable) notes.unshift("The clip was read as one piece. Choose a cut above to see it change over time.");
  if (result.done && !segments.length) notes.unshift("No stretch was found that could be predicted.");
  $("notes").replaceChildren(...[...new Set(notes)].slice(0, 8).map((note) => panels.make("li", { textContent: note })));
  move(state.now, false);
}

function form(stacked) {
  timeline.stacked = stacked;
  $("form-stack").setAttribute("aria-pressed", String(stacked));
  $("form-lines").setAttribute("aria-pressed", String(!stacked));
  timeline.later();
}

function toggle(name, last) {
  if (last) {
    say(`${word(name)} is all that the model has of this clip; it stays on.`);
    return;
  }
  calm();
  state.without = state.without.includes(name) ? state.without.filter((each) => each !== name) : [...state.without, name].sort();
  predict();
}

// --- time

// Show a moment; it comes from the player, the slider or the timeline.
function move(time) {
  const { model, shown: result, base } = state;
  if (!result) return;
  const clocked = !$("timeline").hidden;
  state.now = Math.min(time, timeline.seconds || time);
  timeline.now = state.now;
  const pick = (segments) => clocked ? segmentAt(segments, state.now) : segments[state.chosen];
  const segment = pick(result.segments);
  const before = base && pick(base.segments);
  const label = segment?.label || "";
  const plain = model.kind === "classes" ? label : model.kind === "multilabel" ? label.split("|").join(", ") : "";
  panels.showNow(model, valuesAt(segment, model.names, state.now), before ? valuesAt(before, model.names, state.now) : null, label, result.segments);
  $("now-when").textContent = clocked ? `At ${clock(state.now, true)}` : segment ? `Utterance ${state.chosen + 1}` : "";
  $("now-label").textContent = segment ? plain : clocked && result.done ? "nothing predicted here" : "";
  $("now-words").textContent = segment?.text ? `“${segment.text}”` : "";
  timeline.tell(plain);
  timeline.later();
  player.show(state.now);
}

function seek(time) {
  player.seek(time);
  move(time);
}

// --- controls

$("file").addEventListener("change", () => {
  const [file] = $("file").files;
  if (file) take(file, file.name);
  $("file").value = "";
});
for (const name of ["dragover", "drop", "dragleave"]) {
  document.addEventListener(name, (event) => {
    if (!event.dataTransfer?.types.includes("Files") || !state.model) return;
    event.preventDefault();
    if (!$("sending").hidden || !$("recorder").hidden) return;
    $("drop").classList.toggle("over", name === "dragover");
    if (name === "drop" && event.dataTransfer.files[0]) take(event.dataTransfer.files[0], event.dataTransfer.files[0].name);
  });
}
$("again").addEventListener("click", () => { leave(); calm(); show("start"); $("file").focus(); });
$("fault-close").addEventListener("click", calm);
$("stop").addEventListener("click", () => { if (state.running) state.running.abort(); else predict(); });
$("window").addEventListener("change", () => { state.window = Number($("window").value); predict(); });
$("form-stack").addEventListener("click", () => form(true));
$("form-lines").addEventListener("click", () => form(false));

wireRecorder({ show, calm, complain, take, limits: () => ({ seconds: 60 * state.model.max_minutes, bytes: state.model.max_bytes }) });

wireWords(async (words, subtitles) => {
  Object.assign(state, { words, subtitles });
  if (!state.clip) return;
  state.running?.abort();
  state.results.clear();
  try {
    await net.subtitles(state.clip.id, subtitles);
    state.edition++; // not before: what was asked meanwhile had the earlier ones
  } catch (error) {
    state.subtitles = null;
    fail(error);
  }
  if (state.clip) predict();
});

window.addEventListener("pagehide", () => { if (state.clip) net.remove(state.clip.id); });
window.addEventListener("pageshow", (event) => { if (event.persisted && state.clip) location.reload(); });

async function begin() {
  let model;
  try {
    model = state.model = await net.about();
  } catch (error) {
    complain("The page cannot start", error.message);
    return;
  }
  panels.showModel(model);
  if (matchMedia("(pointer: coarse)").matches) $("drop-title").textContent = "Choose a clip";
  const why = obstacle();
  $("record-video").disabled = $("record-audio").disabled = Boolean(why);
  $("record-why").textContent = why;
  $("record-why").hidden = !why;
  document.documentElement.dataset.ready = "yes";
}

begin();
