// Recording with the browser's camera and microphone.
import { clock } from "./scores.js";

const VIDEO = [["video/webm;codecs=vp8,opus", ".webm"], ["video/webm", ".webm"], ["video/mp4", ".mp4"]];
const AUDIO = [["audio/webm;codecs=opus", ".webm"], ["audio/webm", ".webm"], ["audio/mp4", ".m4a"], ["audio/ogg", ".ogg"]];

// '' if this browser can record here, else why not.
export function obstacle() {
  if (!window.isSecureContext) {
    return "Recording works only on the machine that runs the server, or over https: browsers keep camera and microphone from other pages.";
  }
  if (!navigator.mediaDevices?.getUserMedia || !window.MediaRecorder) return "This browser cannot record; choose a file instead.";
  return "";
}

const REASONS = {
  NotAllowedError: "The browser was not allowed to use it. Allow camera or microphone for this page in the address bar and try again.",
  NotFoundError: "No camera or microphone was found.",
  NotReadableError: "Another program uses the camera or microphone.",
};

class Recording {
  // picture: preview is a <video>; tick(text) is called with the time so far; limits: seconds and bytes, with a margin
  // so that the server takes what was recorded.
  constructor(picture, preview, tick, limits) {
    Object.assign(this, { picture, preview, tick, most: limits.seconds - 2, bytes: 0.95 * limits.bytes, parts: [] });
  }

  release() {
    for (const track of this.stream.getTracks()) track.stop();
    this.preview.srcObject = null;
  }

  async start() {
    try {
      this.stream = await navigator.mediaDevices.getUserMedia({
        audio: true,
        video: this.picture ? { width: { ideal: 640 }, height: { ideal: 480 }, facingMode: "user" } : false,
      });
    } catch (error) {
      throw new Error(REASONS[error.name] || `Recording failed: ${error.message}`);
    }
    const [mime, suffix] = (this.picture ? VIDEO : AUDIO).find(([type]) => MediaRecorder.isTypeSupported(type)) || ["", ".webm"];
    this.suffix = suffix;
    try {
      this.recorder = new MediaRecorder(this.stream, mime ? { mimeType: mime } : {});
    } catch (error) {
      this.release();
      throw new Error(`Recording failed: ${error.message}`);
    }
    this.recorder.ondataavailable = (event) => event.data.size && this.parts.push(event.data);
    this.ended = new Promise((resolve) => { this.recorder.onstop = resolve; });
    this.preview.hidden = !this.picture;
    if (this.picture) this.preview.srcObject = this.stream;
    this.recorder.start(1000);
    const began = performance.now();
    this.tick(clock(0));
    this.timer = setInterval(() => {
      const seconds = (performance.now() - began) / 1000;
      this.tick(clock(seconds));
      const size = this.parts.reduce((sum, part) => sum + part.size, 0);
      if ((seconds > this.most || size > this.bytes) && this.recorder.state === "recording") this.recorder.stop();
    }, 250);
  }

  // The file; null if nothing was recorded.
  async stop() {
    clearInterval(this.timer);
    if (this.recorder.state !== "inactive") this.recorder.stop();
    await this.ended;
    this.release();
    const blob = new Blob(this.parts, { type: this.recorder.mimeType });
    return blob.size ? { blob, name: `recording${this.suffix}` } : null;
  }
}

// The buttons: one recording at a time, which `take(blob, name)` gets.
export function wireRecorder({ show, calm, complain, take, limits }) {
  const $ = (id) => document.getElementById(id);
  let recording = null;
  let asking = false; // the browser asks whether it may

  async function record(picture) {
    if (asking || recording) return;
    calm();
    asking = true;
    const made = new Recording(picture, $("preview"), (text) => { $("recorded").textContent = text; }, limits());
    try {
      await made.start();
      recording = made;
    } catch (error) {
      complain("Recording does not work", error.message);
    } finally {
      asking = false;
    }
    if (!recording) return;
    if ($("start").hidden) { // another file was taken meanwhile
      await finish();
      return;
    }
    show("recorder");
    $("record-use").focus();
  }

  // Ends the recording, once; null: there was none, or nothing came.
  async function finish() {
    const made = recording;
    recording = null;
    return made ? made.stop() : null;
  }

  $("record-video").addEventListener("click", () => record(true));
  $("record-audio").addEventListener("click", () => record(false));
  $("record-use").addEventListener("click", async () => {
    if (!recording) return;
    const made = await finish();
    if (made) take(made.blob, made.name);
    else show("start");
  });
  $("record-cancel").addEventListener("click", async () => {
    await finish();
    show("start");
  });
}
