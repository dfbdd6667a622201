// The parts around the timeline: scores of the moment, switches, what a switch changes, utterances, downloads.
import { clock, colour, isShare, limits, means, shown, word } from "./scores.js";
import * as net from "./net.js";

const $ = (id) => document.getElementById(id);

export function make(tag, properties = {}, ...children) {
  const { data, ...rest } = properties;
  const element = Object.assign(document.createElement(tag), rest);
  for (const [name, value] of Object.entries(data || {})) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

const swatch = (number) => {
  const mark = make("span", { className: "swatch" });
  mark.style.background = colour(number);
  return mark;
};

// What the page says of the model before a clip is given.
export function showModel(model) {
  const usable = model.modalities.filter(({ why }) => !why).map(({ name }) => name);
  $("model").textContent = `${model.name} · ${model.names.join(", ")} from ${usable.map((name) => word(name).toLowerCase()).join(", ")}`;
  $("drop-hint").textContent = `video, sound or text, up to ${model.max_bytes / 1e6} MB and ${model.max_minutes} minutes`;
  $("privacy").textContent = `The clip stays on the computer that runs this page. It is deleted when you leave, at the latest ${model.keep} minutes after its last use.`;
  $("file").accept = model.accepted.join(",");
  $("words-help").textContent = `Words without times make the clip one piece of at most ${model.words_seconds} seconds; subtitles cut it where they do.`;
  $("words-open").hidden = $("words-again").hidden = !usable.includes("text");
  $("window").replaceChildren(...model.windows.map((seconds) => make("option", { value: seconds, textContent: seconds ? `every ${seconds} s` : "automatic" })));
  buildLegend(model);
}

function buildLegend(model) {
  $("key").replaceChildren(...model.names.map((name, k) => make("li", {}, swatch(k), name)));
  $("legend").replaceChildren(...model.names.map((name, k) => {
    const fill = make("i");
    fill.style.background = colour(k);
    return make("li", {}, swatch(k), make("span", { className: "name", textContent: name, title: name }),
      make("span", { className: "meter" }, fill, make("b", { hidden: true })), make("span", { className: "value", textContent: "–" }));
  }));
}

// values, before: arrays by class, or null.
export function showNow(model, values, before, label, segments) {
  const [low, high] = limits(model, segments);
  const place = (value) => 100 * (value - low) / (high - low);
  const zero = place(Math.min(Math.max(0, low), high));
  const labels = new Set((label || "").split("|"));
  [...$("legend").children].forEach((row, k) => {
    const [fill, mark] = row.querySelector(".meter").children;
    const value = values?.[k];
    const at = value == null ? zero : place(value);
    fill.style.left = `${Math.min(at, zero)}%`;
    fill.style.width = `${Math.abs(at - zero)}%`;
    mark.hidden = before?.[k] == null;
    if (!mark.hidden) mark.style.left = `${place(before[k])}%`;
    row.querySelector(".value").textContent = shown(model.kind, value);
    row.classList.toggle("held", isShare(model.kind) && labels.has(model.names[k]));
  });
}

// Whether a part shows something else than last time: one that is built anew under a finger loses the click.
const last = new Map();

function isNew(part, ...shown) {
  const now = JSON.stringify(shown);
  if (last.get(part) === now) return false;
  last.set(part, now);
  return true;
}

// The switches; toggle(name, is the last one) is called when one is used.
export function showSwitches(model, missing, without, toggle) {
  const there = model.modalities.map(({ name }) => name).filter((name) => !(name in missing) || without.includes(name));
  const rows = model.modalities.map(({ name }) => [name, there.includes(name) ? "" : missing[name]]);
  if (isNew("switches", rows)) $("modalities").replaceChildren(...rows.map(([name, why]) => switchRow(name, why, toggle)));
  syncSwitches(without);
}

function switchRow(name, why, toggle) {
  const button = make("button", { type: "button", className: "switch", disabled: Boolean(why), data: { role: "switch", "data-modality": name } },
    make("span", { textContent: word(name) }), make("span", { data: { "aria-hidden": "true" } }));
  button.addEventListener("click", () => {
    const on = $("modalities").querySelectorAll("[aria-checked=true]");
    toggle(name, on.length === 1 && on[0] === button);
  });
  return make("li", {}, button, ...(why ? [make("span", { className: "soft small why", textContent: `Missing: ${why}` })] : []));
}

export function syncSwitches(without) {
  for (const button of $("modalities").querySelectorAll(".switch")) {
    button.setAttribute("aria-checked", String(!button.disabled && !without.includes(button.dataset.modality)));
  }
}

// The segments that both results have: one of them may have been stopped, or be on its way.
function paired(now, before) {
  const starts = new Map(before.map((segment, k) => [segment.start ?? k, segment]));
  return now.map((segment, k) => [segment, starts.get(segment.start ?? k)]).filter(([, other]) => other);
}

const NOTHING = {
  running: "Waiting for the prediction …",
  stopped: "Stopped before there was something to compare.",
  done: "Nothing could be predicted both with and without.",
};
const REST = {
  running: " (still predicting)",
  stopped: " Only what was predicted with and without before the stop is compared.",
  done: " Faint in the timeline: the result with it.",
};

// end: "running", "stopped" (one of the two is not whole) or "done".
export function showComparison(model, without, now, before, end) {
  const table = $("compare");
  const names = without.map((name) => word(name).toLowerCase()).join(" and ");
  $("compare-card").hidden = !without.length;
  $("compare-title").textContent = `With and without ${names}`;
  table.hidden = !before;
  if (!before) {
    $("compare-text").textContent = NOTHING[end];
    return;
  }
  const pairs = paired(now, before);
  const one = means(pairs.map(([, was]) => was), model.names), other = means(pairs.map(([is]) => is), model.names);
  if (!one || !other) {
    table.hidden = true;
    $("compare-text").textContent = NOTHING[end];
    return;
  }
  const share = isShare(model.kind);
  const differences = one.map((value, k) => other[k] - value);
  const most = differences.reduce((best, value, k) => Math.abs(value) > Math.abs(differences[best]) ? k : best, 0);
  const count = pairs.filter(([is, was]) => is.label !== was.label).length, of = pairs.length;
  const size = share ? `${Math.abs(differences[most] * 100).toFixed(1)} points` : Math.abs(differences[most]).toFixed(2);
  const labels = share ? `${count} of ${of} ${of === 1 ? "segment changes its label" : "segments change their label"}; ` : "";
  $("compare-text").textContent = `Without ${names}: ${labels}the mean of ${model.names[most]} ${differences[most] < 0 ? "falls" : "rises"} by ${size}.`
    + REST[end];
  table.tHead.replaceChildren(make("tr", {}, ...[end === "done" ? "Mean over the clip" : "Mean so far", "with", "without", "change"].map((text) => make("th", { scope: "col", textContent: text }))));
  table.tBodies[0].replaceChildren(...model.names.map((name, k) => {
    const value = differences[k], sign = value > 0 ? "+" : value < 0 ? "−" : "";
    const size = share ? (Math.abs(value) * 100).toFixed(1) : Math.abs(value).toFixed(2);
    const plain = (x) => share ? `${(x * 100).toFixed(1)}\u00a0%` : x.toFixed(2);
    return make("tr", {}, make("th", { scope: "row" }, swatch(k), name), make("td", { textContent: plain(one[k]) }),
      make("td", { textContent: plain(other[k]) }), make("td", { textContent: `${sign}${size}` }));
  }));
}

// Utterances of a text; choose(k) is called when a row is used.
export function showTable(model, segments, before, chosen, choose) {
  if (!isNew("table", segments, before, chosen)) return;
  const table = $("table");
  const heads = ["Utterance", ...(isShare(model.kind) ? ["Label"] : []), ...(before ? ["Before"] : []), ...model.names];
  const first = heads.length - model.names.length;
  table.tHead.replaceChildren(make("tr", {}, ...heads.map((text, k) => make("th", { scope: "col", textContent: text, className: k < first ? "" : "score" }))));
  table.classList.toggle("labelled", isShare(model.kind));
  table.tBodies[0].replaceChildren(...segments.map((segment, k) => {
    const row = make("tr", { tabIndex: 0, data: { "aria-selected": String(k === chosen) } }, make("td", { textContent: segment.text }));
    const label = (each) => each?.label.split("|").join(", ") || "–";
    if (isShare(model.kind)) row.append(make("td", { textContent: label(segment) }));
    if (before) row.append(make("td", { textContent: label(before[k]) }));
    row.append(...model.names.map((name) => make("td", { className: "score", textContent: shown(model.kind, segment.scores[name]) })));
    row.addEventListener("click", () => choose(k));
    row.addEventListener("keydown", (event) => event.key === "Enter" && choose(k));
    return row;
  }));
}

const KINDS = [["tsv", "Table (TSV)"], ["json", "JSON"], ["vtt", "Subtitles (VTT)"], ["png", "Picture (PNG)"]];

export function showDownloads(id, run, clocked) {
  if (!isNew("downloads", id, run)) return;
  $("download-why").hidden = Boolean(run);
  $("downloads").replaceChildren(...(run ? KINDS : []).filter(([kind]) => clocked || kind !== "vtt").map(([kind, text]) =>
    make("li", {}, make("a", { href: net.result(id, run, kind), download: "", textContent: text, data: { "data-kind": kind } }))));
}

// How far a prediction is, in words.
export function status(result) {
  const { start, segments, progress, done } = result;
  const factor = (event) => event?.took > 0 && start.clocked ? ` · ${(event.done / event.took).toFixed(event.done / event.took < 10 ? 1 : 0)} × real time` : "";
  const many = (count, one) => `${count} ${one}${count === 1 ? "" : "s"}`;
  const unit = start?.clocked ? "segment" : "utterance";
  if (done) return `Done: ${many(segments.length, unit)} in ${done.took.toFixed(1)} s${factor(done)}${start.cut ? ` · ${start.cut}` : ""}`;
  if (result.message) return result.message;
  if (!start && result.before) return `Waiting: ${ordinal(result.before + 1)} in the queue`;
  if (!start || !progress) return "Predicting …";
  return start.clocked ? `Predicting: ${clock(progress.done)} of ${clock(start.seconds)}${factor(progress)}` : `Predicting: ${many(segments.length, unit)}`;
}

const ordinal = (number) => `${number}${{ 1: "st", 2: "nd", 3: "rd" }[number % 100 > 10 && number % 100 < 14 ? 0 : number % 10] || "th"}`;

export function complain(title, text) {
  $("fault-title").textContent = title;
  $("fault-text").textContent = text;
  $("fault").hidden = false;
  $("fault").scrollIntoView({ block: "nearest" });
}

export const calm = () => { $("fault").hidden = true; };
