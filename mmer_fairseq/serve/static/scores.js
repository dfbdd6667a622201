// Numbers of a prediction at a moment and over a whole recording, and how they are written.

// Okabe and Ito's colours, told apart with any colour vision, as in the pictures of `mmer predict`.
const COLOURS = ["#0072B2", "#D55E00", "#009E73", "#E69F00", "#CC79A7", "#56B4E9", "#F0E442", "#808080",
  "#88CCEE", "#AA4466", "#44AA99", "#DDCC77"];
export const colour = (number) => COLOURS[number % COLOURS.length];

export const WORDS = { text: "Words", audio: "Sound", video: "Picture", physio: "Biosignal" };
export const word = (modality) => WORDS[modality] || modality;

export function clock(seconds, tenths = false) {
  const all = tenths ? Math.floor(seconds * 10 + 1e-6) / 10 : Math.floor(seconds + 1e-6);
  const hours = Math.floor(all / 3600), minutes = Math.floor(all / 60) % 60, rest = all % 60;
  const shown = tenths ? rest.toFixed(1).padStart(4, "0") : String(Math.floor(rest)).padStart(2, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${shown}` : `${minutes}:${shown}`;
}

export const isShare = (kind) => kind === "classes" || kind === "multilabel";
export const shown = (kind, value) => value == null ? "–"
  : isShare(kind) ? `${Math.round(value * 100)}\u00a0%` : value.toFixed(2);

// Seconds: players stop a little before the moment that they were sent to.
const SLACK = 0.002;

// The segment of a moment; the last one also at its end.
export function segmentAt(segments, time) {
  let found = null;
  for (const segment of segments) {
    if (segment.start <= time + SLACK && time < segment.end) found = segment;
  }
  const last = segments[segments.length - 1];
  return found || (last && time >= last.end && time - last.end < 0.25 ? last : null);
}

// name → value at a moment; null where nothing is known.
export function valuesAt(segment, names, time) {
  if (!segment || !Object.keys(segment.scores).length) return null;
  if (!segment.trace) return names.map((name) => segment.scores[name]);
  const step = Math.floor((time - segment.start + SLACK) * segment.rate);
  return segment.trace[Math.min(Math.max(step, 0), segment.trace.length - 1)];
}

// Means over the time that was predicted (over utterances where there is no clock).
export function means(segments, names) {
  const sums = names.map(() => 0);
  let total = 0;
  for (const segment of segments) {
    if (!Object.keys(segment.scores).length) continue;
    const share = segment.start == null ? 1 : segment.end - segment.start;
    names.forEach((name, k) => { sums[k] += share * segment.scores[name]; });
    total += share;
  }
  return total ? sums.map((sum) => sum / total) : null;
}

// Lowest and highest value of the axis.
export function limits(model, segments) {
  if (isShare(model.kind)) return [0, 1];
  if (model.range) return model.range;
  let low = Infinity, high = -Infinity;
  for (const segment of segments) {
    for (const row of segment.trace || [Object.values(segment.scores)]) {
      for (const value of row) if (value != null) { low = Math.min(low, value); high = Math.max(high, value); }
    }
  }
  if (!(low < high)) return Number.isFinite(low) ? [low - 1, low + 1] : [-1, 1];
  const room = (high - low) * 0.05;
  return [low - room, high + room];
}
