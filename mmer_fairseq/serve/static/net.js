// What the page asks of its server.

export class Fault extends Error {
  constructor(message, status = 0) {
    super(message);
    this.status = status;
  }
}

const SILENT = "The server does not answer. It may have been stopped, or the file is larger than it takes.";

async function answered(response) {
  if (response.ok) return response;
  let said = "";
  try {
    said = (await response.json()).error;
  } catch { /* no words */ }
  throw new Fault(said || `The server answered with ${response.status}.`, response.status);
}

async function ask(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Fault(SILENT);
  }
  return answered(response);
}

export const about = async () => (await ask("/api/model")).json();

// Returns {promise, abort}; the promise gives the upload's description.
export function upload(file, name, progress) {
  const request = new XMLHttpRequest();
  const promise = new Promise((resolve, reject) => {
    request.open("POST", `/api/uploads?name=${encodeURIComponent(name)}`);
    request.responseType = "json";
    request.upload.onprogress = (event) => event.lengthComputable && progress(event.loaded / event.total);
    request.onload = () => {
      if (request.status === 200) resolve(request.response);
      else reject(new Fault(request.response?.error || `The server answered with ${request.status}.`, request.status));
    };
    request.onerror = () => reject(new Fault(SILENT));
    request.onabort = () => reject(new DOMException("stopped", "AbortError"));
    request.send(file);
  });
  return { promise, abort: () => request.abort() };
}

export function subtitles(id, file) {
  const name = encodeURIComponent(file?.name || "none.vtt");
  return ask(`/api/uploads/${id}/words?name=${name}`, { method: "POST", body: file || "" });
}

// Calls told(event) for each line that the server writes.
export async function predict(id, wish, signal, told) {
  const response = await ask(`/api/uploads/${id}/predict`, { method: "POST", body: JSON.stringify(wish), signal });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    let part;
    try {
      part = await reader.read();
    } catch (error) {
      if (signal.aborted || error.name === "AbortError") throw error;
      throw new Fault(SILENT);
    }
    if (part.done) break;
    const lines = (rest + part.value).split("\n");
    rest = lines.pop();
    for (const line of lines) if (line) told(JSON.parse(line));
  }
}

export const media = (id) => `/api/uploads/${id}/media`;
export const result = (id, run, kind) => `/api/uploads/${id}/results/${run}/${kind}`;

export function remove(id) {
  const path = `/api/uploads/${id}/remove`;
  try {
    fetch(path, { method: "POST", keepalive: true }).catch(() => {});
  } catch {
    navigator.sendBeacon?.(path);
  }
}
