// The dialog for what is said.
const $ = (id) => document.getElementById(id);

export function forgetWords() {
  $("words-text").value = $("words-file").value = "";
  $("words-now").hidden = true;
}

// told(words, subtitles) is called when something changes; subtitles is a File or null.
export function wireWords(told) {
  for (const id of ["words-open", "words-again"]) {
    $(id).addEventListener("click", () => {
      $("words").returnValue = ""; // what Escape leaves
      $("words").showModal();
    });
  }
  $("words").addEventListener("close", () => {
    const done = $("words").returnValue;
    if (done !== "ok" && done !== "none") return;
    if (done === "none") forgetWords();
    const words = $("words-text").value.trim();
    const subtitles = words ? null : $("words-file").files[0] || null;
    $("words-now").hidden = !words && !subtitles;
    const short = words.length > 80 ? `${words.slice(0, 80)}…` : words;
    $("words-now").textContent = subtitles ? `Subtitles: ${subtitles.name}` : `Words: “${short}”`;
    told(words, subtitles);
  });
}
