// Video or sound of the clip, or a slider where the browser cannot play it. moved(time) is called as it plays.
import * as net from "./net.js";

const $ = (id) => document.getElementById(id);

export class Player {
  constructor(moved) {
    this.moved = moved;
    this.media = null;
    this.clip = null;
    for (const media of [$("video"), $("audio")]) {
      media.addEventListener("play", () => this.follow());
      for (const name of ["timeupdate", "seeked", "pause"]) {
        media.addEventListener(name, () => { if (media === this.media && !media.seeking) moved(media.currentTime); });
      }
    }
    $("slider").addEventListener("input", () => moved(Number($("slider").value)));
  }

  open(clip) {
    this.clip = clip;
    $("no-player").hidden = $("slider-box").hidden = true;
    document.querySelector(".player").classList.toggle("bare", clip.kind !== "media");
    if (clip.kind !== "media") return;
    const media = this.media = clip.picture ? $("video") : $("audio");
    media.hidden = false;
    media.onerror = () => this.cannot(`Your browser cannot play this kind of file (${clip.name.split(".").pop()}).`);
    media.onloadedmetadata = () => {
      if (clip.picture && !media.videoWidth) this.cannot("Your browser can play the sound of this file, but not its picture.");
    };
    media.src = net.media(clip.id);
  }

  cannot(why) {
    if (!this.media?.getAttribute("src")) return;
    this.media.hidden = true;
    this.media = null;
    $("no-player").textContent = `${why} The timeline works all the same: move through it with this slider.`;
    $("no-player").hidden = $("slider-box").hidden = false;
    $("slider").max = this.clip.seconds;
    $("slider").value = 0;
  }

  close() {
    this.media = this.clip = null;
    for (const media of [$("video"), $("audio")]) {
      media.pause();
      media.removeAttribute("src");
      media.load();
      media.hidden = true;
    }
  }

  seek(time) {
    if (this.media) this.media.currentTime = time;
  }

  // The slider follows what moves the timeline.
  show(time) {
    if (!$("slider-box").hidden) $("slider").value = time;
  }

  follow() {
    if (!this.media || this.media.paused) return;
    this.moved(this.media.currentTime);
    requestAnimationFrame(() => this.follow());
  }
}
