// The timeline: scores over time, what the model had, and a playhead. A slider for keyboard and screen readers.
import { clock, colour, isShare, limits, segmentAt, valuesAt, word } from "./scores.js";

const LEFT = 46, RIGHT = 10, TOP = 8, AXIS = 24, ROW = 15, BAND = 40;
const TICKS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600];

export class Timeline {
  constructor(canvas, seek) {
    this.canvas = canvas;
    this.seek = seek;
    this.model = null;
    this.segments = [];
    this.before = null; // segments of the earlier result
    this.seconds = 0;
    this.now = 0;
    this.stacked = true;
    this.waiting = false;
    new ResizeObserver(() => this.later()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.later());
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      canvas.setPointerCapture(event.pointerId);
      this.point(event);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (canvas.hasPointerCapture(event.pointerId)) this.point(event);
    });
    canvas.addEventListener("keydown", (event) => this.press(event));
  }

  point(event) {
    const box = this.canvas.getBoundingClientRect();
    const share = (event.clientX - box.left - LEFT) / (box.width - LEFT - RIGHT);
    this.seek(Math.min(Math.max(share, 0), 1) * this.seconds);
  }

  press(event) {
    const step = event.shiftKey ? 10 : this.seconds < 30 ? 0.5 : 2;
    const starts = this.segments.map((segment) => segment.start);
    const moves = {
      ArrowRight: this.now + step, ArrowUp: this.now + step, ArrowLeft: this.now - step, ArrowDown: this.now - step,
      Home: 0, End: this.seconds,
      PageDown: starts.find((start) => start > this.now + 0.01) ?? this.seconds,
      PageUp: [...starts].reverse().find((start) => start < this.now - 0.01) ?? 0,
    };
    if (!(event.key in moves)) return;
    event.preventDefault();
    this.seek(Math.min(Math.max(moves[event.key], 0), this.seconds));
  }

  later() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      this.draw();
    });
  }

  tell(label) {
    const canvas = this.canvas;
    canvas.setAttribute("aria-valuemin", "0");
    canvas.setAttribute("aria-valuemax", this.seconds.toFixed(1));
    canvas.setAttribute("aria-valuenow", this.now.toFixed(1));
    canvas.setAttribute("aria-valuetext", `${clock(this.now)}${label ? `, ${label}` : ""}`);
  }

  draw() {
    const { canvas, model } = this;
    const width = canvas.clientWidth, height = canvas.clientHeight;
    if (!model || !width || !this.seconds) return;
    const dense = window.devicePixelRatio || 1;
    if (canvas.width !== Math.round(width * dense) || canvas.height !== Math.round(height * dense)) {
      canvas.width = Math.round(width * dense);
      canvas.height = Math.round(height * dense);
    }
    const style = getComputedStyle(canvas);
    this.ink = Object.fromEntries(["text", "soft", "edge", "track", "card"].map((n) => [n, style.getPropertyValue(`--${n}`).trim()]));
    const pen = this.pen = canvas.getContext("2d");
    pen.setTransform(dense, 0, 0, dense, 0, 0);
    pen.clearRect(0, 0, width, height);
    pen.font = `12px ${style.fontFamily}`;
    const stacked = this.stacked && model.kind === "classes";
    const band = stacked && this.before ? BAND : 0; // of the earlier result
    this.bottom = height - AXIS - ROW * model.modalities.length - 6 - band;
    this.x = (time) => LEFT + time / this.seconds * (width - LEFT - RIGHT);
    this.range = limits(model, [...this.segments, ...(this.before || [])]);
    this.y = (value) => TOP + (this.range[1] - value) / (this.range[1] - this.range[0]) * (this.bottom - TOP);
    this.drawGrid(width);
    for (const segment of this.segments) if (!Object.keys(segment.scores).length) this.drawUnread(segment);
    if (this.before && !stacked) this.drawLines(this.before, 0.55, [5, 4]);
    if (stacked) this.drawStack(this.segments, TOP, this.bottom, true);
    else this.drawLines(this.segments, 1, []);
    if (band) {
      const top = this.bottom + AXIS;
      pen.globalAlpha = 0.55;
      this.drawStack(this.before, top, top + band - 6, false);
      pen.globalAlpha = 1;
      pen.fillStyle = this.ink.soft;
      pen.textAlign = "right";
      pen.textBaseline = "middle";
      pen.fillText("all on", LEFT - 6, top + band / 2 - 3);
    }
    this.drawRead(band);
    this.drawPlayhead(height);
  }

  drawGrid(width) {
    const { pen, ink } = this;
    const [low, high] = this.range;
    pen.lineWidth = 1;
    pen.textAlign = "right";
    pen.textBaseline = "middle";
    for (let k = 0; k <= 4; k++) {
      const value = low + (high - low) * k / 4, y = Math.round(this.y(value)) + 0.5;
      pen.strokeStyle = ink.edge;
      pen.beginPath();
      pen.moveTo(LEFT, y);
      pen.lineTo(width - RIGHT, y);
      pen.stroke();
      pen.fillStyle = ink.soft;
      if (k % 2 === 0) pen.fillText(isShare(this.model.kind) ? `${value * 100} %` : value.toFixed(1), LEFT - 6, y);
    }
    const most = Math.max(2, (width - LEFT) / 64);
    const step = TICKS.find((tick) => this.seconds / tick <= most) || this.seconds / most;
    pen.textAlign = "center";
    pen.textBaseline = "top";
    for (let time = 0; time <= this.seconds + 1e-6; time += step) {
      const x = this.x(time);
      pen.fillStyle = ink.soft;
      pen.fillText(clock(time), Math.min(x, width - 16), this.bottom + 6);
      pen.fillRect(Math.round(x), this.bottom, 1, 4);
    }
  }

  spans(segment) {
    const left = this.x(segment.start), right = this.x(segment.end);
    return [left, Math.max(1, right - left - (right - left > 6 ? 1 : 0))];
  }

  drawUnread(segment) {
    const [left, width] = this.spans(segment);
    this.pen.fillStyle = this.ink.track;
    this.pen.fillRect(left, TOP, width, this.bottom - TOP);
  }

  // Shares on top of each other, between two heights.
  drawStack(segments, top, bottom, named) {
    const { pen, model } = this;
    const at = (value) => bottom - value * (bottom - top);
    for (const segment of segments) {
      const values = valuesAt(segment, model.names, segment.start);
      if (!values) continue;
      const [left, width] = this.spans(segment);
      let floor = 0;
      values.forEach((value, k) => {
        const high = at(floor + value), low = at(floor);
        pen.fillStyle = colour(k);
        pen.fillRect(left, high, width, low - high);
        floor += value;
        if (!named || model.names[k] !== segment.label) return;
        if (pen.measureText(segment.label).width + 8 < width && low - high > 16) {
          pen.fillStyle = bright(colour(k)) ? "#000" : "#fff";
          pen.textAlign = "center";
          pen.textBaseline = "middle";
          pen.fillText(segment.label, left + width / 2, (high + low) / 2);
        }
      });
    }
  }

  drawLines(segments, alpha, dash) {
    const { pen, model } = this;
    pen.globalAlpha = alpha;
    pen.setLineDash(dash);
    pen.lineJoin = "round";
    model.names.forEach((name, k) => {
      pen.strokeStyle = colour(k);
      pen.lineWidth = dash.length ? 1.5 : 2.5;
      pen.beginPath();
      let last = null;
      for (const segment of segments) {
        if (!Object.keys(segment.scores).length) { last = null; continue; }
        const joined = last != null && segment.start - last < 0.05;
        if (segment.trace) {
          segment.trace.forEach((row, t) => {
            if (row[k] == null) return;
            const x = this.x(segment.start + (t + 0.5) / segment.rate), y = this.y(row[k]);
            if (t || joined) pen.lineTo(x, y);
            else pen.moveTo(x, y);
          });
        } else {
          const y = this.y(segment.scores[name]);
          if (joined) pen.lineTo(this.x(segment.start), y);
          else pen.moveTo(this.x(segment.start), y);
          pen.lineTo(this.x(segment.end), y);
        }
        last = segment.end;
      }
      pen.stroke();
    });
    pen.globalAlpha = 1;
    pen.setLineDash([]);
  }

  // A row a modality: filled where the model had it.
  drawRead(band) {
    const { pen, ink, model } = this;
    model.modalities.forEach(({ name }, row) => {
      const y = this.bottom + AXIS + band + 4 + row * ROW;
      pen.fillStyle = ink.soft;
      pen.textAlign = "right";
      pen.textBaseline = "middle";
      pen.font = `11px ${getComputedStyle(this.canvas).fontFamily}`;
      pen.fillText(word(name), LEFT - 6, y + 5);
      for (const segment of this.segments) {
        const [left, width] = this.spans(segment);
        pen.fillStyle = segment.missing.includes(name) ? ink.track : ink.soft;
        pen.fillRect(left, y, width, ROW - 5);
      }
    });
  }

  drawPlayhead(height) {
    const { pen, ink } = this;
    const x = this.x(this.now);
    pen.fillStyle = ink.card;
    pen.fillRect(x - 2, TOP - 4, 4, height - TOP);
    pen.fillStyle = ink.text;
    pen.fillRect(x - 1, TOP - 4, 2, height - TOP);
    pen.beginPath();
    pen.arc(x, TOP, 6, 0, 7);
    pen.fill();
  }

  at(time) {
    return segmentAt(this.segments, time);
  }
}

function bright(hex) {
  const [red, green, blue] = [1, 3, 5].map((k) => parseInt(hex.slice(k, k + 2), 16));
  return 0.3 * red + 0.59 * green + 0.11 * blue > 140;
}
